import { LRUCache } from 'lru-cache';
import { decodeUtf8, isCanonicalBase64url } from '../std/bytes.ts';
import { GatewayError } from '../std/errors.ts';
import { parseStrictJson } from '../std/json.ts';
import type { Text } from '../std/text.ts';

/** `filing+jws`: so that a signature made for another purpose is never a filing. */
const FILING_TYP = 'filing+jws';

export const MAX_HEADER_CHARACTERS = 4_096;
const HEADER_LIMITS = { depth: 4, values: 32 };

export interface ProtectedHeader {
  readonly alg: string;
  readonly kid: string;
  readonly aud: string;
}

/** A JWS (RFC 7515) that has passed every check that needs no key. */
export interface ParsedJws {
  readonly header: ProtectedHeader;
  /** What was signed: `protected.payload`, which is ASCII. */
  readonly signingInput: string;
  readonly payload: Buffer;
  readonly signature: Buffer;
  /** The text exactly as received. */
  readonly content: string;
}

function refuse(zh: string, en: string): GatewayError {
  return new GatewayError('malformed-jws', { detail: { zh, en } });
}

/** Compact serialization, RFC 7515 section 7.1. */
export function parseCompactJws(content: string): ParsedJws {
  const first = content.indexOf('.');
  const second = content.indexOf('.', first + 1);
  if (first < 0 || second < 0 || content.indexOf('.', second + 1) >= 0) {
    throw refuse(
      '紧凑格式的 JWS 应有三段，以两个点分隔。',
      'A compact JWS has three parts with two dots between them.',
    );
  }
  return assemble(
    content,
    content.slice(0, first),
    content.slice(first + 1, second),
    content.slice(second + 1),
    second,
  );
}

const FLATTENED_MEMBERS = ['payload', 'protected', 'signature'];

/** Flattened JSON serialization, RFC 7515 section 7.2.2, without an unprotected header. */
export function parseFlattenedJws(content: string): ParsedJws {
  const parsed = parseStrictJson(content, { depth: 1, values: 8 });
  if (!parsed.ok || parsed.value === null || typeof parsed.value !== 'object' || Array.isArray(parsed.value)) {
    throw refuse(
      '展开格式的 JWS 应是一个 JSON 对象，且成员不重复。',
      'A flattened JWS is one JSON object of strings, without duplicate members.',
    );
  }
  const members = parsed.value as Record<string, unknown>;
  if (Object.keys(members).sort().join() !== FLATTENED_MEMBERS.join()) {
    throw refuse(
      '展开格式的 JWS 只能有 protected、payload、signature 三个成员，不得有 header 或 signatures。',
      'A flattened JWS has exactly the members protected, payload and signature: no header, no signatures.',
    );
  }
  const { protected: header, payload, signature } = members;
  if (typeof header !== 'string' || typeof payload !== 'string' || typeof signature !== 'string') {
    throw refuse('展开格式的 JWS 的成员应是字符串。', 'The members of a flattened JWS are strings.');
  }
  return assemble(content, header, payload, signature, undefined);
}

/** `inputLength`: where the signing input ends when `content` starts with it. */
function assemble(
  content: string,
  header: string,
  payload: string,
  signature: string,
  inputLength: number | undefined,
): ParsedJws {
  if (!isCanonicalBase64url(payload) || !isCanonicalBase64url(signature)) {
    throw refuse(
      'JWS 的各段应是不带填充、无多余位的 base64url。',
      'The parts of a JWS are base64url without padding, and bits that are not used are zero.',
    );
  }
  if (payload === '' || signature === '')
    throw refuse('JWS 的载荷和签名不得为空。', 'Payload and signature of a JWS must not be empty.');
  return {
    header: parseHeader(header),
    signingInput: inputLength === undefined ? `${header}.${payload}` : content.slice(0, inputLength),
    payload: Buffer.from(payload, 'base64url'),
    signature: Buffer.from(signature, 'base64url'),
    content,
  };
}

/**
 * A filer's header is the same each time: parsed once per distinct text. Only accepted headers are kept, and no longer
 * ones than any client needs: anybody can send headers, signed or not. About half a kilobyte each.
 */
const headers = new LRUCache<string, ProtectedHeader>({ max: 20_000 });
const MAX_KEPT_CHARACTERS = 512;

const DOT = '.'.charCodeAt(0);

const BRACE = '{'.charCodeAt(0);
/** In whichever order the members of a flattened JWS come. */
const PROTECTED = /"protected"\s*:\s*"([\w-]{1,512})"/;

/**
 * The key id that a JWS with this beginning claims, compact or flattened. A guess before anything is checked: undefined when it cannot be
 * told at once.
 */
export function claimedKeyId(opening: Buffer): string | undefined {
  const encoded = opening[0] === BRACE ? PROTECTED.exec(opening.toString('latin1'))?.[1] : compactHeader(opening);
  if (encoded === undefined) return undefined;
  const known = headers.get(encoded);
  if (known !== undefined) return known.kid;
  const text = decodeUtf8(Buffer.from(encoded, 'base64url'));
  const parsed = text === undefined ? undefined : parseStrictJson(text, HEADER_LIMITS);
  const { kid } = (parsed?.ok ? (parsed.value ?? {}) : {}) as { readonly kid?: unknown };
  return typeof kid === 'string' ? kid : undefined;
}

function compactHeader(opening: Buffer): string | undefined {
  const end = opening.indexOf(DOT);
  return end < 0 || end > MAX_KEPT_CHARACTERS ? undefined : opening.toString('latin1', 0, end);
}

function parseHeader(encoded: string): ProtectedHeader {
  const known = headers.get(encoded);
  if (known !== undefined) return known;
  if (encoded.length > MAX_HEADER_CHARACTERS) throw refuse('JWS 头过长。', 'The protected header is too long.');
  const text = isCanonicalBase64url(encoded) ? decodeUtf8(Buffer.from(encoded, 'base64url')) : undefined;
  const parsed = text === undefined ? undefined : parseStrictJson(text, HEADER_LIMITS);
  if (!parsed?.ok || parsed.value === null || typeof parsed.value !== 'object' || Array.isArray(parsed.value)) {
    throw refuse(
      'JWS 保护头应是 base64url 编码的 JSON 对象，且成员不重复。',
      'The protected header is a JSON object in base64url, without duplicate members.',
    );
  }
  const header = checkHeader(parsed.value as Record<string, unknown>);
  if (encoded.length <= MAX_KEPT_CHARACTERS) headers.set(ownText(encoded), header);
  return header;
}

/** A copy: a slice of a string keeps the whole of it in memory, here a request of up to 16 MiB for each header. */
function ownText(ascii: string): string {
  return Buffer.from(ascii, 'latin1').toString('latin1');
}

/**
 * Header members that would make a verifier fetch or trust something, change what is signed, or ask for an extension.
 * The gateway understands none of them, so it refuses them instead of passing over them.
 */
const REFUSED_MEMBERS = ['crit', 'b64', 'jku', 'jwk', 'x5u', 'x5c', 'zip', 'enc'];

const HEADER_ADVICE: Record<string, Text> = {
  alg: { zh: 'alg 应为 ES256、EdDSA、PS256 或 RS256。', en: 'alg must be ES256, EdDSA, PS256 or RS256.' },
  kid: { zh: 'kid 应为登记密钥的 RFC 7638 指纹。', en: 'kid must be the RFC 7638 thumbprint of a registered key.' },
  typ: { zh: 'typ 应为 filing+jws。', en: 'typ must be filing+jws.' },
  aud: { zh: 'aud 应为本网关的 issuer 网址。', en: 'aud must be the issuer URL of this gateway.' },
};

const ALGORITHM_NAMES = ['ES256', 'EdDSA', 'Ed25519', 'PS256', 'RS256'];

function checkHeader(members: Record<string, unknown>): ProtectedHeader {
  for (const name of REFUSED_MEMBERS) {
    if (Object.hasOwn(members, name))
      throw refuse(`JWS 头不得有 ${name}。`, `The protected header must not have ${name}.`);
  }
  const advise = (name: string): GatewayError =>
    new GatewayError('malformed-jws', { detail: HEADER_ADVICE[name] as Text });
  const { alg, kid, typ, aud } = members;
  if (typeof alg !== 'string' || !ALGORITHM_NAMES.includes(alg)) throw advise('alg');
  if (typeof kid !== 'string' || kid.length > 128) throw advise('kid');
  if (typ !== FILING_TYP) throw advise('typ');
  if (typeof aud !== 'string') throw advise('aud');
  // RFC 9864 gives EdDSA with Ed25519 the name Ed25519; both say the same.
  return { alg: alg === 'Ed25519' ? 'EdDSA' : alg, kid, aud };
}
