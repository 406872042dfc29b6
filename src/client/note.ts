import { ed25519KeyId, logOrigin, type NoteVerifier, openNote, parseNote } from '../log/checkpoint.ts';
import { cosignatureKeyId, cosignatureOf, cosignerName, verifyCosignature } from '../log/cosignature.ts';
import { type Hash, sameBytes, verifyConsistency } from '../log/merkle.ts';
import { decodeBase64url, encodeBase64url } from '../std/base64.ts';
import { CHECKPOINT_WORDS } from './checkpoint-words.ts';
import { ShenbaoError } from './errors.ts';
import { openHead, type RecordedHead, type Recovery } from './head.ts';
import { type Jwk, type Jwks, thumbprint, verifySignature } from './keys.ts';
import { sha256 } from './sha256.ts';
import { StepList, type VerificationStep } from './steps.ts';

export type CheckpointStep = keyof typeof CHECKPOINT_WORDS;

/** An office's signature over a checkpoint of its log. */
export interface CheckedCosignature {
  /** Of the office's key. */
  readonly kid: string;
  /** When the office signed, as it says: seconds since the epoch. */
  readonly time: number;
}

interface Reported {
  /** In order, up to and including the first one that fails. */
  readonly steps: readonly VerificationStep<CheckpointStep>[];
}

export interface CheckedHead {
  readonly origin: string;
  readonly size: number;
  /** base64url. */
  readonly root: string;
  /** That older databases were gone on with, oldest first. */
  readonly recoveries: readonly Recovery[];
  /** By the keys in `cosigners`. */
  readonly cosignatures: readonly CheckedCosignature[];
}

export type CheckpointReport =
  | (Reported & CheckedHead & { readonly ok: true })
  | (Reported & { readonly ok: false; readonly reason: CheckpointStep });

export interface CheckpointOptions {
  /** The log that it must be of: `<issuer without scheme>/offices/<office>`; also the name that it is signed with. */
  readonly origin: string;
  /** The office's public keys: adds that at least one of them cosigned. */
  readonly cosigners?: Jwks;
  /** Adds that the log goes on from an earlier checkpoint of it. */
  readonly older?: {
    readonly note: string /** As `GET .../consistency` answers it. */;
    readonly path: readonly string[];
  };
  readonly hash?: Hash;
}

/** Verifies an office's checkpoint (C2SP signed note, Ed25519) with the gateway's published keys. */
export async function verifyCheckpoint(
  note: string,
  jwks: Jwks,
  { origin, cosigners, older, hash = sha256 }: CheckpointOptions,
): Promise<CheckpointReport> {
  const list = new StepList<CheckpointStep>(CHECKPOINT_WORDS);
  const text = await openNote(note, noteVerifiers(jwks, origin, hash));
  list.check('signature', text !== undefined);
  const head = text === undefined ? undefined : openHead(text);
  if (text !== undefined) list.check('form', head !== undefined);
  if (head !== undefined) list.same('origin', head.origin, origin);
  if (head === undefined || list.failed !== undefined) return refused(list);
  const cosignatures = cosigners === undefined ? [] : await cosignaturesOf(note, origin, cosigners, hash);
  if (cosigners !== undefined) list.check('cosignature', cosignatures !== undefined);
  if (older !== undefined && list.failed === undefined) await goesOn(head, older, { jwks, hash, list });
  if (cosignatures === undefined || list.failed !== undefined) return refused(list);
  const { size, root, recoveries } = head;
  return { ok: true, steps: list.steps, origin, size, root: encodeBase64url(root), recoveries, cosignatures };
}

function refused(list: StepList<CheckpointStep>): CheckpointReport {
  return { ok: false, steps: list.steps, reason: list.failed ?? 'signature' };
}

/** Undefined unless at least one of the keys cosigned; a wrong line under a key that is known makes all of it wrong. */
async function cosignaturesOf(
  note: string,
  origin: string,
  cosigners: Jwks,
  hash: Hash,
): Promise<CheckedCosignature[] | undefined> {
  const name = cosignerName(origin);
  const lines = parseNote(note)?.signatures.filter((line) => line.name === name) ?? [];
  const found: CheckedCosignature[] = [];
  for (const line of lines) {
    for (const jwk of cosigners.keys) {
      const publicKey = rawKey(jwk);
      if (publicKey === undefined || !sameBytes(cosignatureKeyId(hash, name, publicKey), line.keyId)) continue;
      const key = { publicKey, verify: (data: Uint8Array, by: Uint8Array) => verifySignature(jwk, data, by) };
      const cosignature = cosignatureOf(line);
      if (cosignature === undefined || !(await verifyCosignature(hash, cosignature, { note, origin, key })))
        return undefined;
      found.push({ kid: jwk.kid ?? thumbprint(jwk, hash), time: cosignature.time });
    }
  }
  return found.length === 0 ? undefined : found;
}

/** Whether the tree of `head` begins with that of an earlier checkpoint. */
async function goesOn(
  head: RecordedHead,
  older: { readonly note: string; readonly path: readonly string[] },
  { jwks, hash, list }: { jwks: Jwks; hash: Hash; list: StepList<CheckpointStep> },
): Promise<void> {
  const text = await openNote(older.note, noteVerifiers(jwks, head.origin, hash));
  const old = text === undefined ? undefined : openHead(text);
  if (!list.check('older', old?.origin === head.origin) || old === undefined) return;
  const path = older.path.map((step) => decodeBase64url(step) ?? new Uint8Array(0));
  const claim = { oldSize: old.size, oldRoot: old.root, size: head.size, root: head.root, path };
  if (verifyConsistency(hash, claim)) list.check('consistency', true);
  else list.check(isLost(old, head) ? 'recovered' : 'consistency', false);
}

/** Whether the log itself records that what the older head covers was lost. */
function isLost(old: RecordedHead, head: RecordedHead): boolean {
  const later = head.recoveries.slice(old.recoveries.length);
  return later.some(({ kept, lost }) => kept < old.size && old.size <= lost);
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

/** The gateway's keys, as they sign notes in the name of a log. */
function noteVerifiers(jwks: Jwks, name: string, hash: Hash): NoteVerifier[] {
  return jwks.keys.flatMap((jwk) => {
    const publicKey = rawKey(jwk);
    if (publicKey === undefined) return [];
    const verify = (data: Uint8Array, signature: Uint8Array): Promise<boolean> => verifySignature(jwk, data, signature);
    return [{ name, keyId: ed25519KeyId(hash, name, publicKey), verify }];
  });
}

/** The 32 bytes of an Ed25519 key; undefined for every other. */
function rawKey(jwk: Jwk): Uint8Array | undefined {
  const publicKey = jwk.crv === 'Ed25519' && typeof jwk.x === 'string' ? decodeBase64url(jwk.x) : undefined;
  return publicKey?.length === 32 ? publicKey : undefined;
}
