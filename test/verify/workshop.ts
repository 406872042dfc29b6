import { createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { Jwk, Jwks } from '../../src/client/client.ts';
import { b64u, hash, leafOf, pathOf, rootOf } from '../client/office-fixture.ts';

// Notes, cosignatures, national logs and trails as docs/verify.md tells how they are made, by none of the project's own
// code: what both verifiers are given that a gateway hands out only in its worst hours.

/** An Ed25519 key out of 32 bytes, so that the same seed signs the same again. */
export interface SeededKey {
  readonly jwk: Jwk;
  readonly raw: Buffer;
  sign(data: string | Uint8Array): Buffer;
}

/** RFC 8410: what stands before the seed. */
const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex');

export function seededKey(seed: string): SeededKey {
  const der = Buffer.concat([PKCS8, hash(Buffer.from(seed))]);
  return keyOf(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }));
}

export function keyOf(privateKey: KeyObject): SeededKey {
  const { x = '' } = createPublicKey(privateKey).export({ format: 'jwk' });
  const kid = b64u(hash(Buffer.from(`{"crv":"Ed25519","kty":"OKP","x":"${x}"}`)));
  return {
    jwk: { kty: 'OKP', crv: 'Ed25519', x, kid, alg: 'EdDSA' },
    raw: Buffer.from(x, 'base64url'),
    sign: (data) => sign(null, Buffer.from(data), privateKey),
  };
}

export const setOf = (...keys: readonly SeededKey[]): Jwks => ({ keys: keys.map(({ jwk }) => jwk) });

const keyId = (name: string, kind: number, raw: Uint8Array): Buffer =>
  hash(Buffer.from(name), Buffer.of(0x0a, kind), raw).subarray(0, 4);

const line = (name: string, ...parts: readonly Uint8Array[]): string =>
  `— ${name} ${Buffer.concat(parts).toString('base64')}\n`;

/** The text of a checkpoint. */
export const headText = (origin: string, size: number, root: Uint8Array, ...extensions: readonly string[]): string =>
  [origin, size, Buffer.from(root).toString('base64'), ...extensions, ''].join('\n');

/** A signed note. */
export function note(text: string, key: SeededKey, name = text.slice(0, text.indexOf('\n'))): string {
  return `${text}\n${line(name, keyId(name, 1, key.raw), key.sign(text))}`;
}

export const textOf = (signed: string): string => signed.slice(0, signed.lastIndexOf('\n\n') + 1);

/** A cosignature's line, to stand at the end of the note. */
export function cosignature(signed: string, time: number, key: SeededKey): string {
  const text = textOf(signed);
  const name = `${text.slice(0, text.indexOf('\n'))}/cosigner`;
  const clock = Buffer.alloc(8);
  clock.writeBigUInt64BE(BigInt(time));
  return line(name, keyId(name, 4, key.raw), clock, key.sign(`cosignature/v1\ntime ${time}\n${text}`));
}

export interface ProofParts {
  readonly extra?: string | Uint8Array;
  readonly index: number;
  readonly path: readonly Uint8Array[];
  readonly checkpoint: string;
}

export function tlogProof({ extra, index, path, checkpoint }: ProofParts): string {
  const head = ['c2sp.org/tlog-proof@v1'];
  if (extra !== undefined) head.push(`extra ${Buffer.from(extra).toString('base64')}`);
  head.push(`index ${index}`, ...path.map((step) => Buffer.from(step).toString('base64')));
  return `${head.join('\n')}\n\n${checkpoint}`;
}

/** One proof for each entry of a national log, all under its one checkpoint. */
export function nationalProofs(texts: readonly string[], origin: string, key: SeededKey): string[] {
  const leaves = texts.map(leafOf);
  const checkpoint = note(headText(origin, leaves.length, rootOf(leaves)), key);
  return texts.map((extra, index) => tlogProof({ extra, index, path: pathOf(leaves, index), checkpoint }));
}

export interface Tree {
  readonly size: number;
  readonly root: Uint8Array;
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

export const recoveredLine = (kept: number, lost: Tree): string =>
  `recovered ${kept} ${lost.size} ${base64(lost.root)}`;

export const recoveryText = (origin: string, kept: Tree, lost: Tree, at: string): string =>
  [origin, 'recovered', `${kept.size} ${base64(kept.root)}`, `${lost.size} ${base64(lost.root)}`, at, ''].join('\n');

export const trailText = (base: string, n: number, last: Uint8Array): string =>
  `${base}/trail\n${n}\n${base64(last)}\n`;

/** The hashes of a trail's rows, the first after 32 zero bytes. */
export function trailHashes(rows: readonly object[]): Buffer[] {
  const hashes: Buffer[] = [];
  for (const row of rows)
    hashes.push(hash(hashes.at(-1) ?? Buffer.alloc(32), Buffer.from(canonicalize(row) as string)));
  return hashes;
}

/** A compact JWS. */
export function compactJws(header: object, payload: string, key: SeededKey): string {
  const protectedHeader = JSON.stringify({ alg: 'EdDSA', kid: key.jwk.kid, ...header });
  const input = [protectedHeader, payload].map((part) => b64u(Buffer.from(part))).join('.');
  return `${input}.${b64u(key.sign(input))}`;
}
