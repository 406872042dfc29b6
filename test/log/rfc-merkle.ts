import { createHash } from 'node:crypto';

// Merkle trees a second time, from the text of the RFCs alone: the recursive definitions of RFC 6962 section 2.1 over
// whole lists of entries, and the numbered steps of RFC 9162 for verifiers. Slow, and shares nothing with the gateway:
// it must not, because the gateway's own code is compared with it. Names are the RFCs'.

const HASH = (...parts: readonly Uint8Array[]): Buffer =>
  parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest();
const LEAF = Uint8Array.of(0x00);
const NODE = Uint8Array.of(0x01);

/** "Let k be the largest power of two smaller than n (i.e., k < n <= 2k)." */
function largestPowerBelow(n: number): number {
  for (let k = 1; ; k = k * 2) if (k < n && n <= 2 * k) return k;
}

/** RFC 6962 section 2.1: the Merkle Tree Hash of a list of entries. */
export function MTH(D: readonly Uint8Array[]): Buffer {
  const n = D.length;
  if (n === 0) return HASH();
  if (n === 1) return HASH(LEAF, D[0] as Uint8Array);
  const k = largestPowerBelow(n);
  return HASH(NODE, MTH(D.slice(0, k)), MTH(D.slice(k, n)));
}

/** RFC 6962 section 2.1.1: the Merkle audit path of the (m+1)th entry. */
export function PATH(m: number, D: readonly Uint8Array[]): Buffer[] {
  const n = D.length;
  if (n === 1 && m === 0) return [];
  const k = largestPowerBelow(n);
  if (m < k) return [...PATH(m, D.slice(0, k)), MTH(D.slice(k, n))];
  return [...PATH(m - k, D.slice(k, n)), MTH(D.slice(0, k))];
}

/** RFC 6962 section 2.1.2: the consistency proof from the first m entries, 0 < m <= n. */
export function PROOF(m: number, D: readonly Uint8Array[]): Buffer[] {
  return SUBPROOF(m, D, true);
}

function SUBPROOF(m: number, D: readonly Uint8Array[], b: boolean): Buffer[] {
  const n = D.length;
  if (m === n) return b ? [] : [MTH(D)];
  const k = largestPowerBelow(n);
  if (m <= k) return [...SUBPROOF(m, D.slice(0, k), b), MTH(D.slice(k, n))];
  return [...SUBPROOF(m - k, D.slice(k, n), false), MTH(D.slice(0, k))];
}

/** "LSB" of the verification algorithms. */
const isSet = (n: bigint): boolean => (n & 1n) === 1n;
const equal = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

/** An RFC 9162 inclusion_proof_v2 with what it is held against. */
export interface Inclusion {
  /** The hash of the entry as a leaf. */
  readonly hash: Uint8Array;
  readonly leaf_index: number;
  readonly tree_size: number;
  readonly inclusion_path: readonly Uint8Array[];
  readonly root_hash: Uint8Array;
}

/** RFC 9162 section 2.1.3.2, step by step. */
export function verifiesInclusion(proof: Inclusion): boolean {
  // 1.
  if (proof.leaf_index >= proof.tree_size) return false;
  // 2. and 3.
  let fn = BigInt(proof.leaf_index);
  let sn = BigInt(proof.tree_size) - 1n;
  let r = proof.hash;
  // 4.
  for (const p of proof.inclusion_path) {
    if (sn === 0n) return false;
    if (isSet(fn) || fn === sn) {
      r = HASH(NODE, p, r);
      if (!isSet(fn)) {
        do {
          fn >>= 1n;
          sn >>= 1n;
        } while (!(isSet(fn) || fn === 0n));
      }
    } else {
      r = HASH(NODE, r, p);
    }
    fn >>= 1n;
    sn >>= 1n;
  }
  // 5.
  return sn === 0n && equal(r, proof.root_hash);
}

/** An RFC 9162 consistency_proof_v2 with what it is held against. */
export interface Consistency {
  readonly first: number;
  readonly first_hash: Uint8Array;
  readonly second: number;
  readonly second_hash: Uint8Array;
  readonly consistency_path: readonly Uint8Array[];
}

/** RFC 9162 section 2.1.4.2, step by step. Defined for 0 < first < second only. */
export function verifiesConsistency(proof: Consistency): boolean {
  if (!(0 < proof.first && proof.first < proof.second)) throw new RangeError('not defined for these sizes');
  // 1.
  if (proof.consistency_path.length === 0) return false;
  // 2.
  const isPowerOfTwo = /^10*$/.test(proof.first.toString(2));
  const path = isPowerOfTwo ? [proof.first_hash, ...proof.consistency_path] : proof.consistency_path;
  // 3.
  let fn = BigInt(proof.first) - 1n;
  let sn = BigInt(proof.second) - 1n;
  // 4.
  while (isSet(fn)) {
    fn >>= 1n;
    sn >>= 1n;
  }
  // 5.
  let fr = path[0] as Uint8Array;
  let sr = fr;
  // 6.
  for (const c of path.slice(1)) {
    if (sn === 0n) return false;
    if (isSet(fn) || fn === sn) {
      fr = HASH(NODE, c, fr);
      sr = HASH(NODE, c, sr);
      if (!isSet(fn)) {
        do {
          fn >>= 1n;
          sn >>= 1n;
        } while (!(isSet(fn) || fn === 0n));
      }
    } else {
      sr = HASH(NODE, sr, c);
    }
    fn >>= 1n;
    sn >>= 1n;
  }
  // 7.
  return equal(fr, proof.first_hash) && equal(sr, proof.second_hash) && sn === 0n;
}
