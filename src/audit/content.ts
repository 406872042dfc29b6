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
const headers = new Map<string, SignedHeader>();
const HEADERS_KEPT = 20_000;
const KEPT_CHARACTERS = 512;

/** Undefined unless it is the header of a filing. `typ`: `filing+jws`. */
export function headerOf(encoded: string): SignedHeader | undefined {
  const known = headers.get(encoded);
  if (known !== undefined) return known;
  const header = parseHeader(encoded);
  if (headers.size >= HEADERS_KEPT) headers.clear();
  // A copy, because a slice would keep the whole content in memory.
  if (header !== undefined && encoded.length <= KEPT_CHARACTERS)
    headers.set(Buffer.from(encoded, 'latin1').toString('latin1'), header);
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

/**
 * What a payload says of itself; undefined when it is no object with a period. Only the members at the top are read: what a
 * form has in `data` was read strictly when it came, its bytes are those that were hashed, and reading it again would take
 * as long as all hashes together. The last of several members of one name counts, as with JSON.parse.
 */
export function payloadFacts(text: string): PayloadFacts | undefined {
  const members = topMembers(text);
  const period = members?.get('period');
  const { from, to } = (period === undefined ? undefined : objectOf(period)) ?? {};
  if (members === undefined || from === undefined || to === undefined) return undefined;
  const value = (name: string): unknown => {
    const found = members.get(name);
    return found === undefined ? undefined : readJson(found);
  };
  return {
    type: value('type'),
    version: value('version'),
    filer: value('filer'),
    from,
    to,
    reference: value('reference'),
    office: value('office'),
    kind: value('kind'),
    supersedes: value('supersedes'),
  };
}

function readJson(json: string): unknown {
  // Nearly all are plain strings.
  if (json.startsWith('"') && !json.includes('\\')) return json.slice(1, -1);
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

function objectOf(json: string): Readonly<Record<string, unknown>> | undefined {
  const value = readJson(json);
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;

/** The members of a JSON object, each with the text of its value. Undefined for what is no object. */
function topMembers(text: string): Map<string, string> | undefined {
  const members = new Map<string, string>();
  let depth = 0;
  let name: string | undefined;
  let start = 0;
  const end = (at: number): void => {
    if (name !== undefined) members.set(name, text.slice(start, at).trim());
    name = undefined;
  };
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit === QUOTE) {
      const close = closingQuote(text, at);
      if (close < 0) return undefined;
      if (depth === 1 && name === undefined) start = at;
      at = close;
    } else if (unit === COLON) {
      if (depth !== 1 || name !== undefined) continue;
      const read = readJson(text.slice(start, at).trimEnd());
      if (typeof read !== 'string') return undefined;
      name = read;
      start = at + 1;
    } else if (unit === COMMA) {
      if (depth === 1) end(at);
    } else if ((unit | 0x20) === 0x7b) depth++;
    else if ((unit | 0x20) === 0x7d && --depth === 0) {
      end(at);
      return text.slice(at + 1).trim() === '' && text.trimStart().startsWith('{') ? members : undefined;
    }
  }
  return undefined;
}

function closingQuote(text: string, open: number): number {
  for (let at = open + 1; ; at++) {
    at = text.indexOf('"', at);
    if (at < 0) return -1;
    let slashes = 0;
    while (text.charCodeAt(at - 1 - slashes) === BACKSLASH) slashes++;
    if (slashes % 2 === 0) return at;
  }
}
