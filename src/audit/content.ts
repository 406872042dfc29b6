import { decodeUtf8, isCanonicalBase64url } from '../std/bytes.ts';
import { parseStrictJson } from '../std/json.ts';

// What stands in the column `content`, taken apart.

/** The parts of a JWS as they stand there. */
export interface JwsParts {
  readonly header: string;
  readonly payload: string;
  readonly signature: string;
}

const MEMBERS = 'payload,protected,signature';

/** A compact JWS, or a flattened one where the text begins with a brace. Undefined for anything else. */
export function jwsParts(content: string): JwsParts | undefined {
  if (content.trimStart().startsWith('{')) return flattenedParts(content);
  const first = content.indexOf('.');
  const second = content.indexOf('.', first + 1);
  if (first < 0 || second < 0) return undefined;
  const parts = {
    header: content.slice(0, first),
    payload: content.slice(first + 1, second),
    signature: content.slice(second + 1),
  };
  return areParts(parts) ? parts : undefined;
}

function flattenedParts(content: string): JwsParts | undefined {
  const parsed = parseStrictJson(content, { depth: 1, values: 8 });
  if (!parsed.ok || typeof parsed.value !== 'object' || parsed.value === null) return undefined;
  const members = parsed.value as Record<string, unknown>;
  if (Object.keys(members).sort().join() !== MEMBERS) return undefined;
  const { protected: header, payload, signature } = members;
  if (typeof header !== 'string' || typeof payload !== 'string' || typeof signature !== 'string') return undefined;
  const parts = { header, payload, signature };
  return areParts(parts) ? parts : undefined;
}

/** The header is looked at by {@link headerOf}. */
function areParts({ payload, signature }: JwsParts): boolean {
  return payload !== '' && signature !== '' && isCanonicalBase64url(payload) && isCanonicalBase64url(signature);
}

/** As far as an audit needs it. */
export interface SignedHeader {
  readonly alg: string;
  readonly kid: string;
}

/** Filers sign with the same header each time. */
const headers = new Map<string, SignedHeader | undefined>();
const HEADERS_KEPT = 20_000;
const KEPT_CHARACTERS = 512;

/** Undefined unless it is the header of a filing. `typ`: `filing+jws`. */
export function headerOf(encoded: string): SignedHeader | undefined {
  if (headers.has(encoded)) return headers.get(encoded);
  const header = parseHeader(encoded);
  if (headers.size >= HEADERS_KEPT) headers.clear();
  // A copy, because a slice would keep the whole content in memory.
  if (encoded.length <= KEPT_CHARACTERS) headers.set(Buffer.from(encoded, 'latin1').toString('latin1'), header);
  return header;
}

function parseHeader(encoded: string): SignedHeader | undefined {
  const members = jsonMembers(encoded);
  if (members === undefined) return undefined;
  const { alg, kid, typ } = members;
  if (typeof alg !== 'string' || typeof kid !== 'string' || typ !== 'filing+jws') return undefined;
  return { alg: alg === 'Ed25519' ? 'EdDSA' : alg, kid };
}

const SMALL = { depth: 6, values: 256 };

/** The members of a JSON object in base64url, strictly read; undefined for anything else. */
export function jsonMembers(encoded: string): Readonly<Record<string, unknown>> | undefined {
  const text = isCanonicalBase64url(encoded) ? decodeUtf8(Buffer.from(encoded, 'base64url')) : undefined;
  const parsed = text === undefined ? undefined : parseStrictJson(text, SMALL);
  if (!parsed?.ok || typeof parsed.value !== 'object' || parsed.value === null || Array.isArray(parsed.value))
    return undefined;
  return parsed.value as Record<string, unknown>;
}

/** What a payload says of its filing. */
export interface PayloadFacts {
  readonly type: unknown;
  readonly version: unknown;
  readonly filer: unknown;
  readonly from: unknown;
  readonly to: unknown;
  readonly reference: unknown;
  readonly office: unknown;
  readonly kind: unknown;
  readonly supersedes: unknown;
}

/** Undefined when the bytes are no JSON object with a period. They were read strictly when they came. */
export function payloadFacts(text: string): PayloadFacts | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { type, version, filer, period, reference, office, kind, supersedes } = value as Record<string, unknown>;
  if (typeof period !== 'object' || period === null) return undefined;
  const { from, to } = period as Record<string, unknown>;
  return { type, version, filer, from, to, reference, office, kind, supersedes };
}
