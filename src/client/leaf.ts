import type { LeafInput } from '../domain/statement.ts';
import { type Hash, leafHash, verifyInclusion } from '../log/merkle.ts';
import { decodeBase64url, encodeBase64url } from '../std/base64.ts';
import { canonicalJson } from '../std/canonical.ts';
import { type FlattenedJws, isObject, parseJws, parseObject } from './jws.ts';
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

/** The leaf hash in the office's log: `SHA-256(0x00 || D)` over the RFC 8785 form D of the entry's public face. */
export function officeLeaf(hash: Hash, facts: LeafFacts): Uint8Array {
  const { id, office, index, receivedAt, salt, payload } = facts;
  const commit = encodeBase64url(hash(joinBytes([salt], payload)));
  const input: LeafInput = { v: 1, id, office, index, receivedAt, commit };
  return leafHash(hash, new TextEncoder().encode(canonicalJson({ ...input })));
}

/**
 * The payload bytes of an entry, or undefined when it does not hold together. For bulk form B this checks that the line
 * stands in the signed manifest, so that the filer's signature covers it.
 */
export function entryPayload(hash: Hash, entry: Entry): Uint8Array | undefined {
  if (entry.jws !== undefined) return parseContent(entry.jws)?.payload;
  const { payload, manifest, line, path } = entry;
  if (payload === undefined || manifest === undefined || line === undefined || path === undefined) return undefined;
  const bytes = decodeBase64url(payload);
  const signed = parseJws(manifest);
  const claims = signed && parseObject(signed.payload);
  const root = decodeBase64url(String(claims?.root ?? ''));
  const hashes = path.map(decodeBase64url);
  if (bytes === undefined || root?.length !== 32 || !hashes.every((step) => step !== undefined)) return undefined;
  const claim = { leaf: leafHash(hash, bytes), index: line, size: Number(claims?.count), path: hashes, root };
  return verifyInclusion(hash, claim) ? bytes : undefined;
}

/** A JWS as the gateway hands it out: compact, flattened, or the text of a flattened one. */
export function parseContent(content: string | FlattenedJws): ReturnType<typeof parseJws> {
  if (typeof content !== 'string' || !content.startsWith('{')) return parseJws(content);
  try {
    const value: unknown = JSON.parse(content);
    return isObject(value) ? parseJws(value as unknown as FlattenedJws) : undefined;
  } catch {
    return undefined;
  }
}
