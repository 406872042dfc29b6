import { constants, type KeyObject, verify } from 'node:crypto';
import { decodeUtf8, fromBase64url } from '../std/bytes.ts';
import { parseStrictJson } from '../std/json.ts';
import type { SignatureAlgorithm } from './records.ts';

/** A compact JWS (RFC 7515 section 7.1), parsed strictly, not yet verified. */
export interface CompactJws {
  readonly header: Readonly<Record<string, unknown>>;
  /** The payload as a JSON object. */
  readonly claims: Readonly<Record<string, unknown>>;
  readonly payload: Buffer;
  /** What the signature is over. */
  readonly signingInput: Buffer;
  readonly signature: Buffer;
}

/** Bounds on what is parsed before anything is trusted. */
const LIMITS = { depth: 6, values: 200 };
const MAX_CHARACTERS = 16_384;

/** Header parameters that would change what is verified or with what. Nobody who follows the contract sends them. */
const REFUSED_PARAMETERS = ['crit', 'b64', 'jku', 'jwk', 'x5u', 'x5c', 'zip', 'enc'];

/**
 * For assertions, tokens and proofs of possession: short JSON objects. Undefined for anything that is not a compact JWS in
 * canonical base64url over strict JSON objects, or that uses a header parameter with a meaning beyond plain signing.
 */
export function parseCompactJws(text: string): CompactJws | undefined {
  if (text.length > MAX_CHARACTERS) return undefined;
  const first = text.indexOf('.');
  const second = text.indexOf('.', first + 1);
  if (first < 1 || second < 0) return undefined;
  const header = jsonObject(fromBase64url(text.slice(0, first)));
  const payload = fromBase64url(text.slice(first + 1, second));
  const claims = jsonObject(payload);
  const signature = fromBase64url(text.slice(second + 1));
  if (header === undefined || payload === undefined || claims === undefined || signature === undefined)
    return undefined;
  if (REFUSED_PARAMETERS.some((name) => Object.hasOwn(header, name))) return undefined;
  return { header, claims, payload, signingInput: Buffer.from(text.slice(0, second), 'latin1'), signature };
}

function jsonObject(bytes: Buffer | undefined): Record<string, unknown> | undefined {
  const text = bytes === undefined ? undefined : decodeUtf8(bytes);
  if (text === undefined) return undefined;
  const parsed = parseStrictJson(text, LIMITS);
  if (!parsed.ok || typeof parsed.value !== 'object' || parsed.value === null || Array.isArray(parsed.value))
    return undefined;
  return parsed.value as Record<string, unknown>;
}

/** What a header's `alg` may say for a key of each algorithm. RFC 9864 gave EdDSA over Ed25519 a name of its own. */
const HEADER_NAMES: Readonly<Record<SignatureAlgorithm, readonly string[]>> = {
  ES256: ['ES256'],
  EdDSA: ['EdDSA', 'Ed25519'],
  PS256: ['PS256'],
  RS256: ['RS256'],
};

/** True when the header claims the key's own algorithm: the claim is compared, never obeyed. */
function namesAlgorithm(claimed: unknown, alg: SignatureAlgorithm): boolean {
  return typeof claimed === 'string' && HEADER_NAMES[alg].includes(claimed);
}

type Verifier = (key: KeyObject, data: Uint8Array, signature: Uint8Array) => boolean;

const VERIFIERS: Readonly<Record<SignatureAlgorithm, Verifier>> = {
  ES256: (key, data, signature) =>
    signature.length === 64 && verify('sha256', data, { key, dsaEncoding: 'ieee-p1363' }, signature),
  EdDSA: (key, data, signature) => signature.length === 64 && verify(null, data, key, signature),
  PS256: (key, data, signature) =>
    verify(
      'sha256',
      data,
      { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST },
      signature,
    ),
  RS256: (key, data, signature) => verify('sha256', data, { key, padding: constants.RSA_PKCS1_PADDING }, signature),
};

/** RFC 7518 and RFC 8037. Synchronous: handing over to the thread pool costs more than it gains below 64 in flight. */
export function verifySignature(
  alg: SignatureAlgorithm,
  key: KeyObject,
  data: Uint8Array,
  signature: Uint8Array,
): boolean {
  return VERIFIERS[alg](key, data, signature);
}

/** The header's algorithm and the signature both fit the key. */
export function isSignedBy(
  jws: CompactJws,
  key: { readonly alg: SignatureAlgorithm; readonly publicKey: KeyObject },
): boolean {
  return (
    namesAlgorithm(jws.header.alg, key.alg) && verifySignature(key.alg, key.publicKey, jws.signingInput, jws.signature)
  );
}
