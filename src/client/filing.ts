import type { FilingPayload } from '../domain/filing.ts';
import { type Hash, leafHash, treeRoot } from '../log/merkle.ts';
import { encodeBase64url } from '../std/base64.ts';
import { signCompact } from './jws.ts';
import type { SigningKey } from './keys.ts';
import { sha256 } from './sha256.ts';

const encoder = new TextEncoder();

/**
 * The bytes that are signed and that make the filing's identity: `JSON.stringify` keeps the order of members, so the
 * same object gives the same bytes, in every process. Keep the object's order when you mean to retry.
 */
export function payloadBytes(payload: FilingPayload): Uint8Array {
  return encoder.encode(JSON.stringify(payload));
}

/** SHA-256 of the payload bytes, base64url: the `digest` of filings and receipts. */
export function payloadDigest(bytes: Uint8Array, hash: Hash = sha256): string {
  return encodeBase64url(hash(bytes));
}

/** A filing, ready to submit: a compact JWS. `issuer` is the gateway's issuer URL, which it is addressed to. */
export function signFiling(payload: FilingPayload | Uint8Array, key: SigningKey, issuer: string): Promise<string> {
  const bytes = payload instanceof Uint8Array ? payload : payloadBytes(payload);
  return signCompact(key, { typ: 'filing+jws', aud: issuer }, bytes);
}

/** The signed first line of a bulk upload in form B, over the lines that follow (each without its newline). */
export function signManifest(
  lines: readonly Uint8Array[],
  key: SigningKey,
  issuer: string,
  hash: Hash = sha256,
): Promise<string> {
  const leaves = lines.map((line) => leafHash(hash, line));
  const manifest = { count: lines.length, root: encodeBase64url(treeRoot(hash, leaves)) };
  return signCompact(key, { typ: 'filing+jws', aud: issuer }, encoder.encode(JSON.stringify(manifest)));
}
