import { type Hash, leafHash, verifyInclusion } from '../log/merkle.ts';
import { decodeBase64url, encodeBase64url } from '../std/base64.ts';
import { canonicalJson, canonicalString } from '../std/canonical.ts';
import { type FlattenedJws, isObject, jwsPayload, type ParsedJws, parseJws, parseObject } from './jws.ts';
import { joinBytes } from './ndjson.ts';
import type { Entry } from './types.ts';

/** The public place of a filing in its office's log, and what opens its commitment. */
export interface LeafFacts {
  readonly id: string;
  readonly office: string;
  readonly index: number;
  readonly receivedAt: string;
  /** 16 bytes. */
  readonly salt: Uint8Array;
  readonly payload: Uint8Array;
}

const encoder = new TextEncoder();
/** Input of the two hashes of a leaf. One for all: hashing is synchronous and keeps nothing. */
const LEAF_INPUT = new Uint8Array(16_384);

/**
 * The leaf hash in the office's log: `SHA-256(0x00 || D)` over the RFC 8785 form D of the entry's public face. Written out, with
 * the prefix byte as a character, since it is made for every entry that is pulled.
 */
export function officeLeaf(hash: Hash, facts: LeafFacts): Uint8Array {
  const { id, office, index, receivedAt, salt, payload } = facts;
  const commit = encodeBase64url(hash(salted(salt, payload)));
  const face =
    `{"commit":"${commit}","id":${canonicalString(id)},"index":${canonicalJson(index)},` +
    `"office":${canonicalString(office)},"receivedAt":${canonicalString(receivedAt)},"v":1}`;
  return hash(utf8(`\0${face}`));
}

function salted(salt: Uint8Array, payload: Uint8Array): Uint8Array {
  const length = salt.length + payload.length;
  if (length > LEAF_INPUT.length) return joinBytes([salt], payload);
  LEAF_INPUT.set(salt);
  LEAF_INPUT.set(payload, salt.length);
  return LEAF_INPUT.subarray(0, length);
}

function utf8(text: string): Uint8Array {
  // A UTF-16 code unit takes three bytes at most.
  if (text.length * 3 > LEAF_INPUT.length) return encoder.encode(text);
  return LEAF_INPUT.subarray(0, encoder.encodeInto(text, LEAF_INPUT).written);
}

/** The leaf hash in base64url; empty for what has no canonical form, and so is in no log. */
export function leafText(hash: Hash, facts: LeafFacts): string {
  try {
    return encodeBase64url(officeLeaf(hash, facts));
  } catch {
    return '';
  }
}

/**
 * The payload bytes of an entry, or undefined when it does not hold together. For bulk form B this checks that the line
 * stands in the signed manifest, so that the filer's signature covers it.
 */
export function entryPayload(hash: Hash, entry: Entry): Uint8Array | undefined {
  if (entry.jws !== undefined)
    return typeof entry.jws === 'string' && !entry.jws.startsWith('{')
      ? jwsPayload(entry.jws)
      : parseContent(entry.jws)?.payload;
  const { payload, manifest, line, path } = entry;
  if (payload === undefined || manifest === undefined || line === undefined || path === undefined) return undefined;
  return manifestLine(hash, { payload, manifest, line, path })?.payload;
}

/** A line of bulk form B and what shows that its upload's signature covers it; checked here, so of any type. */
export interface ManifestLine {
  readonly payload: unknown;
  readonly manifest: unknown;
  readonly line: unknown;
  readonly path: unknown;
}

/** The line's bytes and the JWS over the manifest; undefined unless the line stands in the manifest. */
export function manifestLine(hash: Hash, value: ManifestLine): { payload: Uint8Array; jws: ParsedJws } | undefined {
  const { manifest, line, path } = value;
  const payload = base64urlIn(value.payload);
  const jws = typeof manifest === 'string' ? parseJws(manifest) : undefined;
  const claims = jws && parseObject(jws.payload);
  const root = base64urlIn(claims?.root);
  if (payload === undefined || jws === undefined || root?.length !== 32 || !Array.isArray(path)) return undefined;
  const hashes = path.map(base64urlIn);
  if (typeof line !== 'number' || typeof claims?.count !== 'number') return undefined;
  if (!hashes.every((step) => step !== undefined)) return undefined;
  const claim = { leaf: leafHash(hash, payload), index: line, size: claims.count, path: hashes, root };
  return verifyInclusion(hash, claim) ? { payload, jws } : undefined;
}

function base64urlIn(value: unknown): Uint8Array | undefined {
  return typeof value === 'string' ? decodeBase64url(value) : undefined;
}

/** A JWS as the gateway hands it out: compact, flattened, or the text of a flattened one. */
export function parseContent(content: string | FlattenedJws): ReturnType<typeof parseJws> {
  if (typeof content !== 'string' || !content.startsWith('{')) return isJws(content) ? parseJws(content) : undefined;
  try {
    const value: unknown = JSON.parse(content);
    return isObject(value) ? parseJws(value as unknown as FlattenedJws) : undefined;
  } catch {
    return undefined;
  }
}

function isJws(content: unknown): boolean {
  return typeof content === 'string' || isObject(content);
}
