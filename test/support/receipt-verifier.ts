import { createHash, createPublicKey, verify } from 'node:crypto';

// An independent reading of the contract's page on receipts (with RFC 6962, 7515, 8037 and 8785). Shares no code with
// the gateway, and must not: it stands for what an auditor would write from the specifications.

type Members = Record<string, unknown>;

const sha256 = (...parts: readonly Uint8Array[]): Buffer => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
};

function fail(reason: string): never {
  throw new Error(reason);
}

/** RFC 8785 for what a receipt holds: objects, strings and whole numbers. */
function jcs(value: unknown): string {
  if (typeof value === 'string') return /\p{Surrogate}/u.test(value) ? fail('lone surrogate') : JSON.stringify(value);
  if (typeof value === 'number' && Number.isSafeInteger(value) && !Object.is(value, -0)) return String(value);
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return fail('not in a receipt');
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([name, member]) => `${jcs(name)}:${jcs(member)}`).join(',')}}`;
}

/** Unpadded base64url in its one form (RFC 4648 section 3.5). */
function bytesOf(text: unknown, length?: number): Buffer {
  if (typeof text !== 'string') return fail('not base64url');
  const bytes = Buffer.from(text, 'base64url');
  if (bytes.toString('base64url') !== text) return fail('base64url is not canonical');
  return length === undefined || bytes.length === length ? bytes : fail('wrong length');
}

function object(value: unknown, names: readonly string[], optional: readonly string[] = []): Members {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return fail('not an object');
  for (const name of names) if (!Object.hasOwn(value, name)) fail(`${name} is missing`);
  for (const name of Object.keys(value))
    if (!names.includes(name) && !optional.includes(name)) fail('an unknown member');
  return value as Members;
}

/** The payload of a compact JWS by a key of the set: Ed25519 or ECDSA P-256. */
export function openSignature(
  jws: unknown,
  jwks: { readonly keys: readonly Members[] },
): { header: Members; payload: string } {
  if (typeof jws !== 'string') return fail('no signature');
  const [head, body, signature, ...rest] = jws.split('.');
  if (rest.length > 0) fail('not compact');
  const header = JSON.parse(bytesOf(head).toString('utf8')) as Members;
  const jwk = jwks.keys.find(({ kid }) => kid === header.kid) ?? fail('unknown key');
  const isOkp = jwk.kty === 'OKP' && jwk.crv === 'Ed25519';
  const isEc = jwk.kty === 'EC' && jwk.crv === 'P-256';
  if (!(isOkp && (header.alg === 'EdDSA' || header.alg === 'Ed25519')) && !(isEc && header.alg === 'ES256'))
    fail('wrong algorithm');
  const key = createPublicKey({ key: jwk as never, format: 'jwk' });
  const data = Buffer.from(`${head}.${body}`, 'latin1');
  const bytes = bytesOf(signature, 64);
  const holds = isOkp
    ? verify(null, data, key, bytes)
    : verify('sha256', data, { key, dsaEncoding: 'ieee-p1363' }, bytes);
  if (!holds) fail('wrong signature');
  return { header, payload: bytesOf(body).toString('utf8') };
}

/** RFC 9162 section 2.1.3.2, with RFC 6962's hashes. */
function rootFromPath(leaf: Buffer, index: number, size: number, path: readonly Buffer[]): Buffer {
  let [fn, sn, hash] = [index, size - 1, leaf];
  for (const sibling of path) {
    if (sn === 0) fail('the path is too long');
    if (fn % 2 === 1 || fn === sn) {
      hash = sha256(Buffer.of(1), sibling, hash);
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [Math.floor(fn / 2), Math.floor(sn / 2)];
    } else {
      hash = sha256(Buffer.of(1), hash, sibling);
    }
    [fn, sn] = [Math.floor(fn / 2), Math.floor(sn / 2)];
  }
  return sn === 0 ? hash : fail('the path is too short');
}

const STATEMENT = 'iss env id office index type version filer period kind digest leaf receivedAt'.split(' ');

/**
 * Verifies a receipt as it was received, byte for byte, against the gateway's published keys, and against the payload
 * that was filed. Returns the statement; throws what is wrong.
 */
export function verifyReceiptText(
  text: Buffer,
  jwks: { readonly keys: readonly Members[] },
  payload: Uint8Array,
): Members {
  const decoded = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(text);
  const receipt = object(JSON.parse(decoded), ['statement', 'salt', 'path', 'leafIndex', 'treeSize', 'signature']);
  const statement = object(receipt.statement, STATEMENT, ['reference', 'supersedes']);
  const signed = openSignature(receipt.signature, jwks);
  const root = object(JSON.parse(signed.payload), ['root', 'treeSize', 'at', 'iss']);
  if (root.iss !== statement.iss) fail('another issuer');
  if (root.treeSize !== receipt.treeSize) fail('another tree');
  const { leafIndex, treeSize, path } = receipt as { leafIndex: number; treeSize: number; path: unknown[] };
  if (!Number.isSafeInteger(leafIndex) || leafIndex < 0 || leafIndex >= treeSize) fail('outside the tree');
  const leaf = sha256(Buffer.of(0), Buffer.from(jcs(statement)));
  const found = rootFromPath(
    leaf,
    leafIndex,
    treeSize,
    path.map((hash) => bytesOf(hash, 32)),
  );
  if (!found.equals(bytesOf(root.root, 32))) fail('not in the tree');
  if (statement.id !== `${statement.office}.${statement.index}`) fail('the id is not office and index');
  if (sha256(payload).toString('base64url') !== statement.digest) fail('other content');
  const { id, office, index, receivedAt } = statement;
  const commit = sha256(bytesOf(receipt.salt, 16), payload).toString('base64url');
  const entry = sha256(Buffer.of(0), Buffer.from(jcs({ v: 1, id, office, index, receivedAt, commit })));
  if (entry.toString('base64url') !== statement.leaf) fail('another leaf of the office log');
  return statement;
}

/** RFC 6962 section 2.1: the Merkle tree hash of leaves that are hashed already. */
export function rootOfLeaves(leaves: readonly Buffer[]): Buffer {
  if (leaves.length === 0) return sha256();
  if (leaves.length === 1) return leaves[0] as Buffer;
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  return sha256(Buffer.of(1), rootOfLeaves(leaves.slice(0, split)), rootOfLeaves(leaves.slice(split)));
}

/** Whether `leafInput` stands at `index` in a tree of `size` with this root. */
export function standsUnder(
  leafInput: Uint8Array,
  index: number,
  size: number,
  path: readonly string[],
  root: string,
): boolean {
  const leaf = sha256(Buffer.of(0), leafInput);
  return rootFromPath(
    leaf,
    index,
    size,
    path.map((hash) => bytesOf(hash, 32)),
  ).equals(bytesOf(root, 32));
}
