import { formatSignature, type NoteSignature, noteKeyId, parseNote, parseSignature } from './checkpoint.ts';
import { type Hash, sameBytes } from './merkle.ts';

// C2SP tlog-cosignature with Ed25519 (`cosignature/v1`): somebody else's signature over a checkpoint, with the time at
// which it was made. Pure, without node: imports: signing and verifying functions are passed in, and the browser client
// shares it.

/** Signature type of a timestamped Ed25519 cosignature in C2SP signed-note. */
const COSIGNATURE_V1 = 0x04;
const TIME_BYTES = 8;
const SIGNATURE_BYTES = 64;

const utf8 = new TextEncoder();

/** Name under which an office cosigns checkpoints of its log. */
export function cosignerName(origin: string): string {
  return `${origin}/cosigner`;
}

/** `SHA-256(name || 0x0A || 0x04 || 32-byte public key)[:4]`; `hash` must be SHA-256. */
export function cosignatureKeyId(hash: Hash, name: string, publicKey: Uint8Array): Uint8Array {
  return noteKeyId(hash, name, COSIGNATURE_V1, publicKey);
}

/** What is signed: a head line, the time in seconds since the epoch, and the note's text with its last newline. */
export function cosignedMessage(text: string, time: number): Uint8Array {
  return utf8.encode(`cosignature/v1\ntime ${time}\n${text}`);
}

/** A cosignature as its line in a note says it. Says nothing about who really made it. */
export interface Cosignature {
  readonly name: string;
  readonly keyId: Uint8Array;
  /** Seconds since the epoch. */
  readonly time: number;
  /** 64 bytes. */
  readonly signature: Uint8Array;
}

/** The signature line, without its newline. */
export function formatCosignature({ name, keyId, time, signature }: Cosignature): string {
  const bytes = new Uint8Array(TIME_BYTES + signature.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(time));
  bytes.set(signature, TIME_BYTES);
  return formatSignature({ name, keyId, signature: bytes });
}

/** Undefined unless `line` is a signature line that has the form of a cosignature. */
export function parseCosignature(line: string): Cosignature | undefined {
  const parsed = parseSignature(line);
  return parsed && cosignatureOf(parsed);
}

/** The same for a signature line that {@link parseNote} has taken apart. */
export function cosignatureOf({ name, keyId, signature }: NoteSignature): Cosignature | undefined {
  if (signature.length !== TIME_BYTES + SIGNATURE_BYTES) return undefined;
  const time = new DataView(signature.buffer, signature.byteOffset).getBigUint64(0);
  if (time > BigInt(Number.MAX_SAFE_INTEGER)) return undefined;
  return { name, keyId, time: Number(time), signature: signature.slice(TIME_BYTES) };
}

/** Who may have cosigned: a key of the office whose log it is. */
export interface CosignerKey {
  /** Ed25519, 32 bytes. */
  readonly publicKey: Uint8Array;
  verify(data: Uint8Array, signature: Uint8Array): boolean | Promise<boolean>;
}

/** Whether `key`'s key id is the one that the cosignature names. Four bytes: a match proves nothing yet. */
export function namesKey(hash: Hash, { name, keyId }: Cosignature, key: Pick<CosignerKey, 'publicKey'>): boolean {
  return sameBytes(cosignatureKeyId(hash, name, key.publicKey), keyId);
}

/**
 * Whether `cosignature` is `key`'s over `note`, a signed checkpoint of the log `origin`. `hash` must be SHA-256. The time
 * is what the cosigner says: whether it can be is the caller's to judge.
 */
export async function verifyCosignature(
  hash: Hash,
  cosignature: Cosignature,
  { note, origin, key }: { readonly note: string; readonly origin: string; readonly key: CosignerKey },
): Promise<boolean> {
  const text = parseNote(note)?.text;
  if (text === undefined || !text.startsWith(`${origin}\n`)) return false;
  if (cosignature.name !== cosignerName(origin) || !namesKey(hash, cosignature, key)) return false;
  return await key.verify(cosignedMessage(text, cosignature.time), cosignature.signature);
}

/** What makes a cosignature. WebCrypto signs asynchronously, node:crypto does not. */
export interface CosigningKey {
  /** Ed25519, 32 bytes. */
  readonly publicKey: Uint8Array;
  sign(data: Uint8Array): Uint8Array | Promise<Uint8Array>;
}

/** The signature line, without its newline, of a cosignature over `note` of the log `origin`. `time`: seconds. */
export async function cosignNote(
  hash: Hash,
  { note, origin, time, key }: { note: string; origin: string; time: number; key: CosigningKey },
): Promise<string | undefined> {
  const text = parseNote(note)?.text;
  if (text === undefined || !text.startsWith(`${origin}\n`)) return undefined;
  const name = cosignerName(origin);
  const signature = await key.sign(cosignedMessage(text, time));
  return formatCosignature({ name, keyId: cosignatureKeyId(hash, name, key.publicKey), time, signature });
}
