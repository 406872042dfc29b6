import { ed25519KeyId, logOrigin, type NoteVerifier, openNote, parseTreeHead } from '../log/checkpoint.ts';
import type { Hash } from '../log/merkle.ts';
import { decodeBase64url, encodeBase64url } from '../std/base64.ts';
import { ShenbaoError } from './errors.ts';
import { type Jwk, type Jwks, verifySignature } from './keys.ts';
import { sha256 } from './sha256.ts';

export type CheckpointReport =
  | { readonly ok: true; readonly origin: string; readonly size: number; readonly root: string }
  | { readonly ok: false; readonly reason: 'signature' | 'form' | 'origin' };

export interface CheckpointOptions {
  /** The log that it must be of: `<issuer without scheme>/offices/<office>`; also the name that it is signed with. */
  readonly origin: string;
  readonly hash?: Hash;
}

/** Verifies an office's checkpoint (C2SP signed note, Ed25519) with the gateway's published keys. */
export async function verifyCheckpoint(
  note: string,
  jwks: Jwks,
  { origin, hash = sha256 }: CheckpointOptions,
): Promise<CheckpointReport> {
  const verifiers = jwks.keys.flatMap((jwk) => noteVerifier(jwk, origin, hash));
  const text = await openNote(note, verifiers);
  if (text === undefined) return { ok: false, reason: 'signature' };
  const head = parseTreeHead(text);
  if (head === undefined) return { ok: false, reason: 'form' };
  if (head.origin !== origin) return { ok: false, reason: 'origin' };
  return { ok: true, origin, size: head.size, root: encodeBase64url(head.root) };
}

/** Of the gateway that signs checkpoints. */
export interface HeadContext {
  readonly hash: Hash;
  readonly issuer: () => Promise<string>;
  readonly jwks: (fresh?: boolean) => Promise<Jwks>;
}

/** Size and root (base64url) of an office's log, as the gateway signed them. */
export interface SignedHead {
  readonly size: number;
  readonly root: string;
}

/** What a checkpoint of an office's log says. Throws `verification-failed` when the gateway did not sign it for that log. */
export async function signedHead(context: HeadContext, office: string, note: string): Promise<SignedHead> {
  const options = { origin: logOrigin(await context.issuer(), office), hash: context.hash };
  let report = await verifyCheckpoint(note, await context.jwks(), options);
  // The gateway may have a new key since the key set was fetched.
  if (!report.ok) report = await verifyCheckpoint(note, await context.jwks(true), options);
  if (report.ok) return { size: report.size, root: report.root };
  throw new ShenbaoError('verification-failed', `the checkpoint is not the gateway's: ${report.reason}`);
}

function noteVerifier(jwk: Jwk, name: string, hash: Hash): NoteVerifier[] {
  const publicKey = jwk.crv === 'Ed25519' && jwk.x !== undefined ? decodeBase64url(jwk.x) : undefined;
  if (publicKey?.length !== 32) return [];
  const verify = (data: Uint8Array, signature: Uint8Array): Promise<boolean> => verifySignature(jwk, data, signature);
  return [{ name, keyId: ed25519KeyId(hash, name, publicKey), verify }];
}
