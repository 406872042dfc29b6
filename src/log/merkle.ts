import { decodeBase64url, encodeBase64url } from '../std/base64.ts';

// The Merkle tree of RFC 6962 section 2.1 (the same in RFC 9162), over any hash function. No Buffer and no node:
// imports, because the browser client shares it; no 32-bit arithmetic, because a log may outgrow it.

/** A hash function such as SHA-256; synchronous. */
export type Hash = (data: Uint8Array) => Uint8Array;

/** Leaves [start, end) of a tree. In proofs a range is one node of the tree: all that the node stands over. */
export interface LeafRange {
  readonly start: number;
  readonly end: number;
}

/** A full subtree: node `index` of level `level` stands over leaves [index * 2^level, (index + 1) * 2^level). */
export interface Subtree {
  readonly level: number;
  readonly index: number;
}

/** Input of a leaf of up to so many bytes. One for all: hashing is synchronous and keeps nothing. */
const LEAF_INPUT = new Uint8Array(4_096);

/** `HASH(0x00 || data)`. */
export function leafHash(hash: Hash, data: Uint8Array): Uint8Array {
  const length = data.length + 1;
  const input = length <= LEAF_INPUT.length ? LEAF_INPUT.subarray(0, length) : new Uint8Array(length);
  input.set(data, 1);
  return hash(input);
}

/** Input of a node of two SHA-256 hashes, one for all too. */
const NODE_INPUT = new Uint8Array(65);

/** `HASH(0x01 || left || right)`. */
export function nodeHash(hash: Hash, left: Uint8Array, right: Uint8Array): Uint8Array {
  const length = 1 + left.length + right.length;
  const input = length === NODE_INPUT.length ? NODE_INPUT : new Uint8Array(length);
  input[0] = 1;
  input.set(left, 1);
  input.set(right, 1 + left.length);
  return hash(input);
}

/** The root over leaf hashes; of no leaves the hash of nothing. */
export function treeRoot(hash: Hash, leaves: readonly Uint8Array[]): Uint8Array {
  return merkleTree(hash, leaves).root;
}

/** The audit path of leaf `index`, from the leaf's sibling upwards (RFC 6962 section 2.1.1). */
export function inclusionPath(hash: Hash, leaves: readonly Uint8Array[], index: number): Uint8Array[] {
  return merkleTree(hash, leaves).path(index);
}

/** A tree held whole, for many paths over the same leaves: n - 1 hashes once, none for a path. */
export interface MerkleTree {
  readonly size: number;
  readonly root: Uint8Array;
  path(index: number): Uint8Array[];
}

export function merkleTree(hash: Hash, leaves: readonly Uint8Array[]): MerkleTree {
  const levels: (readonly Uint8Array[])[] = [leaves];
  for (let below = leaves; below.length > 1; ) {
    below = pairUp(hash, below);
    levels.push(below);
  }
  const top = levels[levels.length - 1] as readonly Uint8Array[];
  return { size: leaves.length, root: top[0] ?? hash(new Uint8Array(0)), path: (index) => pathIn(levels, index) };
}

/** A last node without a sibling moves up as it is: that is RFC 6962's split at the largest power of two. */
function pairUp(hash: Hash, below: readonly Uint8Array[]): Uint8Array[] {
  const above: Uint8Array[] = [];
  for (let i = 0; i < below.length; i += 2) {
    const left = below[i] as Uint8Array;
    const right = below[i + 1];
    above.push(right === undefined ? left : nodeHash(hash, left, right));
  }
  return above;
}

function pathIn(levels: readonly (readonly Uint8Array[])[], index: number): Uint8Array[] {
  requireLeaf(index, (levels[0] as readonly Uint8Array[]).length);
  const path: Uint8Array[] = [];
  let at = index;
  for (const level of levels) {
    const sibling = level[at % 2 === 0 ? at + 1 : at - 1];
    if (sibling !== undefined) path.push(sibling);
    at = Math.floor(at / 2);
  }
  return path;
}

/** Which nodes make up the audit path of `index` in a tree of `size` leaves, from the leaf upwards. */
export function inclusionRanges(index: number, size: number): LeafRange[] {
  requireLeaf(index, size);
  const ranges: LeafRange[] = [];
  let start = 0;
  let end = size;
  while (end - start > 1) {
    const middle = start + splitOf(end - start);
    if (index < middle) {
      ranges.push({ start: middle, end });
      end = middle;
    } else {
      ranges.push({ start, end: middle });
      start = middle;
    }
  }
  return ranges.reverse();
}

/** Which nodes make up the consistency proof between two sizes (RFC 6962 section 2.1.2). Empty from size 0 and for equal sizes. */
export function consistencyRanges(oldSize: number, size: number): LeafRange[] {
  if (!Number.isSafeInteger(oldSize) || oldSize < 0 || oldSize > size) throw new RangeError('sizes out of order');
  if (oldSize === 0 || oldSize === size) return [];
  const ranges: LeafRange[] = [];
  let start = 0;
  let end = size;
  // While `whole` holds, the range in hand starts at leaf 0, and its root is the old root when it ends at `oldSize`.
  let whole = true;
  while (end > oldSize) {
    const middle = start + splitOf(end - start);
    if (oldSize <= middle) {
      ranges.push({ start: middle, end });
      end = middle;
    } else {
      ranges.push({ start, end: middle });
      start = middle;
      whole = false;
    }
  }
  if (!whole) ranges.push({ start, end });
  return ranges.reverse();
}

/** The consistency proof between the first `oldSize` leaves and all of them. */
export function consistencyPath(hash: Hash, leaves: readonly Uint8Array[], oldSize: number): Uint8Array[] {
  return consistencyRanges(oldSize, leaves.length).map(({ start, end }) => treeRoot(hash, leaves.slice(start, end)));
}

/** The full subtrees that a node of the tree consists of, largest first. `start` is a multiple of the largest's width. */
export function fullSubtrees(range: LeafRange): Subtree[] {
  const subtrees: Subtree[] = [];
  let start = range.start;
  while (start < range.end) {
    let level = 0;
    let width = 1;
    while (width * 2 <= range.end - start && start % (width * 2) === 0) {
      width *= 2;
      level++;
    }
    subtrees.push({ level, index: start / width });
    start += width;
  }
  return subtrees;
}

/** The root over adjoining full subtrees, largest first. */
export function foldSubtrees(hash: Hash, hashes: readonly Uint8Array[]): Uint8Array {
  if (hashes.length === 0) return hash(new Uint8Array(0));
  return hashes.reduceRight((right, left) => nodeHash(hash, left, right));
}

export interface InclusionClaim {
  /** A leaf hash, not the leaf's data. */
  readonly leaf: Uint8Array;
  readonly index: number;
  readonly size: number;
  readonly path: readonly Uint8Array[];
  readonly root: Uint8Array;
}

/** RFC 9162 section 2.1.3.2. False for whatever does not prove it, malformed input included. */
export function verifyInclusion(hash: Hash, claim: InclusionClaim): boolean {
  const { index, size, path, root } = claim;
  if (!isSize(size) || !Number.isSafeInteger(index) || index < 0 || index >= size) return false;
  if (![claim.leaf, ...path].every((bytes) => bytes.length === root.length)) return false;
  let at = index;
  let last = size - 1;
  let node = claim.leaf;
  for (const sibling of path) {
    if (last === 0) return false;
    if (at % 2 === 1 || at === last) {
      node = nodeHash(hash, sibling, node);
      while (at % 2 === 0 && at !== 0) {
        at = half(at);
        last = half(last);
      }
    } else {
      node = nodeHash(hash, node, sibling);
    }
    at = half(at);
    last = half(last);
  }
  return last === 0 && sameBytes(node, root);
}

export interface ConsistencyClaim {
  readonly oldSize: number;
  readonly oldRoot: Uint8Array;
  readonly size: number;
  readonly root: Uint8Array;
  readonly path: readonly Uint8Array[];
}

/** RFC 9162 section 2.1.4.2. Every tree is consistent with the empty one, which needs no path. */
export function verifyConsistency(hash: Hash, claim: ConsistencyClaim): boolean {
  const { oldSize, oldRoot, size, root, path } = claim;
  if (!isSize(oldSize) || !isSize(size) || oldSize > size) return false;
  if (![oldRoot, ...path].every((bytes) => bytes.length === root.length)) return false;
  if (oldSize === size) return path.length === 0 && sameBytes(oldRoot, root);
  if (oldSize === 0) return path.length === 0 && sameBytes(oldRoot, hash(new Uint8Array(0)));
  let at = oldSize - 1;
  let last = size - 1;
  while (at % 2 === 1) {
    at = half(at);
    last = half(last);
  }
  // `at` is 0 just when the old size is a power of two: its root is then itself a node, and the proof leaves it out.
  const [first, ...rest] = at === 0 ? [oldRoot, ...path] : path;
  if (first === undefined) return false;
  let oldNode = first;
  let node = first;
  for (const sibling of rest) {
    if (last === 0) return false;
    if (at % 2 === 1 || at === last) {
      oldNode = nodeHash(hash, sibling, oldNode);
      node = nodeHash(hash, sibling, node);
      while (at % 2 === 0 && at !== 0) {
        at = half(at);
        last = half(last);
      }
    } else {
      node = nodeHash(hash, node, sibling);
    }
    at = half(at);
    last = half(last);
  }
  return last === 0 && sameBytes(oldNode, oldRoot) && sameBytes(node, root);
}

/** What a {@link RunningRoot} can be continued from, as JSON. */
export interface RunningRootState {
  readonly size: number;
  /** Roots of the full subtrees, largest first, base64url. */
  readonly subtrees: readonly string[];
}

/** The root of a growing list of leaves in logarithmic memory: what a puller keeps. */
export class RunningRoot {
  readonly #hash: Hash;
  readonly #subtrees: Uint8Array[];
  #size: number;

  /** Throws a RangeError for a state that no tree has. */
  constructor(hash: Hash, state: RunningRootState = { size: 0, subtrees: [] }) {
    const subtrees = state.subtrees.map(decodeBase64url);
    const expected = isSize(state.size) ? fullSubtrees({ start: 0, end: state.size }).length : -1;
    if (expected !== subtrees.length) throw new RangeError('not the state of a running root');
    const width = hash(new Uint8Array(0)).length;
    this.#subtrees = subtrees.map((subtree) => {
      if (subtree?.length !== width) throw new RangeError('not the state of a running root');
      return subtree;
    });
    this.#hash = hash;
    this.#size = state.size;
  }

  get size(): number {
    return this.#size;
  }

  /** Adds a leaf hash. */
  push(leaf: Uint8Array): void {
    let node = leaf;
    for (let size = this.#size; size % 2 === 1; size = half(size)) {
      node = nodeHash(this.#hash, this.#subtrees.pop() as Uint8Array, node);
    }
    this.#subtrees.push(node);
    this.#size++;
  }

  /** Roots of the full subtrees, largest first. */
  get subtrees(): readonly Uint8Array[] {
    return this.#subtrees;
  }

  root(): Uint8Array {
    return foldSubtrees(this.#hash, this.#subtrees);
  }

  state(): RunningRootState {
    return { size: this.#size, subtrees: this.#subtrees.map(encodeBase64url) };
  }
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  // A loop, since a puller compares two hashes for every entry.
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function requireLeaf(index: number, size: number): void {
  if (!Number.isSafeInteger(index) || index < 0 || index >= size) throw new RangeError('no such leaf');
}

function isSize(size: number): boolean {
  return Number.isSafeInteger(size) && size >= 0;
}

/** The largest power of two below `size`, for `size` >= 2. */
function splitOf(size: number): number {
  let split = 1;
  while (split * 2 < size) split *= 2;
  return split;
}

function half(n: number): number {
  return Math.floor(n / 2);
}
