import { decodeBase64url, encodeBase64url } from '../std/base64.ts';
import { algorithmOf, type Jwks, type SigningKey, verifySignature } from './keys.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export type Header = Readonly<Record<string, unknown>>;

/** The flattened JSON serialisation (RFC 7515, 7.2.2). */
export interface FlattenedJws {
  readonly protected: string;
  readonly payload: string;
  readonly signature: string;
}

/** A JWS taken apart; nothing is verified yet. */
export interface ParsedJws {
  readonly header: Header;
  readonly payload: Uint8Array;
  readonly signature: Uint8Array;
  /** What the signature is over. */
  readonly signingInput: Uint8Array;
}

/** A compact JWS; `alg` and `kid` come from the key. */
export async function signCompact(key: SigningKey, header: Header, payload: Uint8Array): Promise<string> {
  const protectedHeader = encoder.encode(JSON.stringify({ alg: key.alg, kid: key.kid, ...header }));
  const signingInput = `${encodeBase64url(protectedHeader)}.${encodeBase64url(payload)}`;
  return `${signingInput}.${encodeBase64url(await key.sign(encoder.encode(signingInput)))}`;
}

/** The payload of what {@link parseJws} takes apart, for those who need no more: nothing is made that only a signature needs. */
export function jwsPayload(compact: string): Uint8Array | undefined {
  const first = compact.indexOf('.');
  const second = compact.indexOf('.', first + 1);
  if (first < 0 || second < 0 || compact.includes('.', second + 1)) return undefined;
  const header = decodeBase64url(compact.slice(0, first));
  if (header === undefined || parseObject(header) === undefined) return undefined;
  if (decodeBase64url(compact.slice(second + 1)) === undefined) return undefined;
  return decodeBase64url(compact.slice(first + 1, second));
}

/** Both serialisations; undefined for whatever is neither. */
export function parseJws(jws: string | FlattenedJws): ParsedJws | undefined {
  const parts = typeof jws === 'string' ? jws.split('.') : [jws.protected, jws.payload, jws.signature];
  const [protectedHeader, payloadText, signatureText] = parts;
  if (parts.length !== 3 || !isText(protectedHeader) || !isText(payloadText) || !isText(signatureText))
    return undefined;
  const headerBytes = decodeBase64url(protectedHeader);
  const payload = decodeBase64url(payloadText);
  const signature = decodeBase64url(signatureText);
  if (headerBytes === undefined || payload === undefined || signature === undefined) return undefined;
  const header = parseObject(headerBytes);
  if (header === undefined) return undefined;
  return { header, payload, signature, signingInput: encoder.encode(`${protectedHeader}.${payloadText}`) };
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

/** A JSON object out of UTF-8 bytes, or undefined. */
export function parseObject(bytes: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(decoder.decode(bytes));
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Why a JWS is not to be believed, or `ok`. The key's own algorithm decides, never the header's. */
export type JwsVerdict = 'ok' | 'malformed' | 'unknown-key' | 'bad-signature';

/** Checks a parsed JWS against a key set. `crit` is refused, since we know no extension. */
export async function verifyJws(parsed: ParsedJws | undefined, jwks: Jwks): Promise<JwsVerdict> {
  if (parsed === undefined || 'crit' in parsed.header || 'b64' in parsed.header) return 'malformed';
  const key = jwks.keys.find((jwk) => jwk.kid !== undefined && jwk.kid === parsed.header.kid);
  if (key === undefined) return 'unknown-key';
  try {
    if (parsed.header.alg !== algorithmOf(key)) return 'bad-signature';
  } catch {
    return 'unknown-key';
  }
  return (await verifySignature(key, parsed.signingInput, parsed.signature)) ? 'ok' : 'bad-signature';
}
