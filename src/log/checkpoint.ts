import { decodeBase64, encodeBase64 } from '../std/base64.ts';
import type { Hash } from './merkle.ts';

// C2SP signed-note and tlog-checkpoint. Pure, without node: imports: signing and verifying functions are passed in, and
// the browser client shares it.

/** What a checkpoint's note text says: three lines, and one more for each extension. */
export interface TreeHead {
  /** Identity of the log: the issuer without scheme, then `/offices/` and the office's code, or `/national`. */
  readonly origin: string;
  /** Leaves in the tree. */
  readonly size: number;
  /** RFC 6962 root at that size, 32 bytes. */
  readonly root: Uint8Array;
  /** Extension lines, without their newlines; absent when there are none. */
  readonly extensions?: readonly string[];
}

/** That a log went on from `keptSize` entries although `lostSize` had been signed. */
export interface Recovered {
  readonly keptSize: number;
  readonly lostSize: number;
  /** RFC 6962 root that had been signed over `lostSize` entries, 32 bytes. */
  readonly lostRoot: Uint8Array;
}

/** A signature line of a note: who is said to have signed it, and how. */
export interface NoteSignature {
  readonly name: string;
  /** First four bytes of a hash over the name and the public key. */
  readonly keyId: Uint8Array;
  readonly signature: Uint8Array;
}

export interface SignedNote {
  /** What is signed, the last newline included. */
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
}

/** Signs the UTF-8 bytes of a note's text. */
export interface NoteSigner {
  readonly name: string;
  readonly keyId: Uint8Array;
  sign(data: Uint8Array): Uint8Array;
}

/** A key that is trusted for notes. WebCrypto verifies asynchronously, node:crypto does not. */
export interface NoteVerifier {
  readonly name: string;
  readonly keyId: Uint8Array;
  verify(data: Uint8Array, signature: Uint8Array): boolean | Promise<boolean>;
}

/** Signature type of plain Ed25519 in C2SP signed-note. */
const ED25519 = 0x01;
const KEY_ID_BYTES = 4;
const ROOT_BYTES = 32;
const MAX_NOTE_CHARACTERS = 65_536;
const MAX_SIGNATURES = 32;

const utf8 = new TextEncoder();

/** Origin and key name of an office's log, for a gateway whose public URL is `issuer`. */
export function logOrigin(issuer: string, office: string): string {
  return `${withoutScheme(issuer)}/offices/${office}`;
}

/** Origin and key name of the log over all the offices' logs. */
export function nationalOrigin(issuer: string): string {
  return `${withoutScheme(issuer)}/national`;
}

/** What names of a gateway's logs begin with: its public URL without scheme and without a slash at its end. */
export function withoutScheme(issuer: string): string {
  return issuer.replace(/^[a-z]+:\/\//, '').replace(/\/+$/, '');
}

/** `SHA-256(name || 0x0A || 0x01 || 32-byte public key)[:4]`; `hash` must be SHA-256. */
export function ed25519KeyId(hash: Hash, name: string, publicKey: Uint8Array): Uint8Array {
  return noteKeyId(hash, name, ED25519, publicKey);
}

/** `SHA-256(name || 0x0A || signature type || public key)[:4]`; `hash` must be SHA-256. */
export function noteKeyId(hash: Hash, name: string, type: number, publicKey: Uint8Array): Uint8Array {
  const prefix = utf8.encode(`${name}\n`);
  const input = new Uint8Array(prefix.length + 1 + publicKey.length);
  input.set(prefix);
  input[prefix.length] = type;
  input.set(publicKey, prefix.length + 1);
  return hash(input).slice(0, KEY_ID_BYTES);
}

/** The note text of a checkpoint, its last newline included. */
export function formatTreeHead({ origin, size, root, extensions = [] }: TreeHead): string {
  return [origin, size, encodeBase64(root), ...extensions].map((line) => `${line}\n`).join('');
}

/** Undefined unless `text` is a checkpoint's note text. */
export function parseTreeHead(text: string): TreeHead | undefined {
  const lines = text.split('\n');
  const last = lines.pop();
  const [origin, size, root, ...extensions] = lines;
  if (last !== '' || origin === undefined || size === undefined || root === undefined) return undefined;
  if (lines.includes('') || !/^(0|[1-9]\d{0,15})$/.test(size) || !Number.isSafeInteger(Number(size))) return undefined;
  const rootBytes = decodeBase64(root);
  if (rootBytes?.length !== ROOT_BYTES) return undefined;
  return { origin, size: Number(size), root: rootBytes, ...(extensions.length > 0 ? { extensions } : {}) };
}

/** The extension line that every checkpoint bears which was signed after the recovery. */
export function formatRecovered({ keptSize, lostSize, lostRoot }: Recovered): string {
  return `recovered ${keptSize} ${lostSize} ${encodeBase64(lostRoot)}`;
}

/** Signs `text`, which must end in a newline, and returns the whole note. */
export function signNote(text: string, signer: NoteSigner): string {
  const { name, keyId } = signer;
  return `${text}\n${formatSignature({ name, keyId, signature: signer.sign(utf8.encode(text)) })}\n`;
}

/** A signature line, without its newline. */
export function formatSignature({ name, keyId, signature }: NoteSignature): string {
  const bytes = new Uint8Array(KEY_ID_BYTES + signature.length);
  bytes.set(keyId);
  bytes.set(signature, KEY_ID_BYTES);
  return `— ${name} ${encodeBase64(bytes)}`;
}

/** Undefined unless `note` is a well-formed signed note. Says nothing about who signed it. */
export function parseNote(note: string): SignedNote | undefined {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: signed-note forbids just these.
  if (note.length > MAX_NOTE_CHARACTERS || /[\u0000-\u0009\u000b-\u001f]|\p{Surrogate}/u.test(note)) return undefined;
  const gap = note.lastIndexOf('\n\n');
  if (gap < 0 || !note.endsWith('\n')) return undefined;
  const lines = note.slice(gap + 2, -1).split('\n');
  if (lines.length > MAX_SIGNATURES) return undefined;
  const signatures: NoteSignature[] = [];
  for (const line of lines) {
    const signature = parseSignature(line);
    if (signature === undefined) return undefined;
    signatures.push(signature);
  }
  return { text: note.slice(0, gap + 1), signatures };
}

/** Undefined unless `line` is one signature line, without its newline. */
export function parseSignature(line: string): NoteSignature | undefined {
  const match = /^— ([^\p{White_Space}+]+) ([A-Za-z0-9+/]+={0,2})$/u.exec(line);
  const bytes = decodeBase64(match?.[2] ?? '');
  if (match === null || bytes === undefined || bytes.length <= KEY_ID_BYTES) return undefined;
  return { name: match[1] as string, keyId: bytes.slice(0, KEY_ID_BYTES), signature: bytes.slice(KEY_ID_BYTES) };
}

/**
 * The text of a note that at least one of `verifiers` signed; undefined otherwise. Signatures by unknown keys are
 * ignored; a wrong signature under a known key makes the whole note wrong.
 */
export async function openNote(note: string, verifiers: readonly NoteVerifier[]): Promise<string | undefined> {
  const parsed = parseNote(note);
  if (parsed === undefined) return undefined;
  const data = utf8.encode(parsed.text);
  let signed = false;
  for (const { name, keyId, signature } of parsed.signatures) {
    for (const verifier of verifiers) {
      if (verifier.name !== name || !verifier.keyId.every((byte, i) => byte === keyId[i])) continue;
      if (!(await verifier.verify(data, signature))) return undefined;
      signed = true;
    }
  }
  return signed ? parsed.text : undefined;
}

/** The tree head in a checkpoint of the log `origin` that one of `verifiers` signed; undefined otherwise. */
export async function openCheckpoint(
  note: string,
  origin: string,
  verifiers: readonly NoteVerifier[],
): Promise<TreeHead | undefined> {
  const text = await openNote(note, verifiers);
  const head = text === undefined ? undefined : parseTreeHead(text);
  return head?.origin === origin ? head : undefined;
}
