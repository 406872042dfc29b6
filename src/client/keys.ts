import type { Hash } from '../log/merkle.ts';
import { encodeBase64url } from '../std/base64.ts';
import { canonicalJson } from '../std/canonical.ts';
import { sha256 } from './sha256.ts';

/** The algorithms that the gateway accepts; RSA keys need at least 2048 bits. */
export type Algorithm = 'ES256' | 'EdDSA' | 'PS256' | 'RS256';

/** A JSON Web Key (RFC 7517), public or private. Shenbao's key files add `sub`, the party that the key belongs to. */
export interface Jwk {
  readonly kty: string;
  readonly kid?: string;
  readonly alg?: string;
  readonly sub?: string;
  readonly crv?: string;
  readonly x?: string;
  readonly y?: string;
  readonly n?: string;
  readonly e?: string;
  readonly d?: string;
  readonly p?: string;
  readonly q?: string;
  readonly dp?: string;
  readonly dq?: string;
  readonly qi?: string;
}

export interface Jwks {
  readonly keys: readonly Jwk[];
}

/** Something that signs as one party. Made by {@link importSigningKey}; or by you, over a smart card or an HSM. */
export interface SigningKey {
  readonly kid: string;
  readonly alg: Algorithm;
  /** The party's id: the `client_id` of access tokens. */
  readonly sub?: string;
  sign(data: Uint8Array): Promise<Uint8Array>;
}

/** WebCrypto's names for an algorithm: one row each. */
interface AlgorithmRow {
  readonly kty: string;
  /** The members of the public key, which are those that RFC 7638 hashes. */
  readonly members: readonly (keyof Jwk)[];
  readonly key: { readonly name: string; readonly namedCurve?: string; readonly hash?: string };
  readonly use: { readonly name: string; readonly hash?: string; readonly saltLength?: number };
}

const RSA_MEMBERS = ['e', 'kty', 'n'] as const;

const ALGORITHMS: Readonly<Record<Algorithm, AlgorithmRow>> = {
  ES256: {
    kty: 'EC',
    members: ['crv', 'kty', 'x', 'y'],
    key: { name: 'ECDSA', namedCurve: 'P-256' },
    use: { name: 'ECDSA', hash: 'SHA-256' },
  },
  EdDSA: { kty: 'OKP', members: ['crv', 'kty', 'x'], key: { name: 'Ed25519' }, use: { name: 'Ed25519' } },
  PS256: {
    kty: 'RSA',
    members: RSA_MEMBERS,
    key: { name: 'RSA-PSS', hash: 'SHA-256' },
    use: { name: 'RSA-PSS', saltLength: 32 },
  },
  RS256: {
    kty: 'RSA',
    members: RSA_MEMBERS,
    key: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
    use: { name: 'RSASSA-PKCS1-v1_5' },
  },
};

const DEFAULT_ALGORITHM: Readonly<Record<string, Algorithm>> = { EC: 'ES256', OKP: 'EdDSA', RSA: 'PS256' };

const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi'] as const;

/** The one algorithm of a key: its `alg`, or what its type implies. Throws a TypeError for keys that cannot sign filings. */
export function algorithmOf(jwk: Jwk): Algorithm {
  const alg = jwk.alg === 'Ed25519' ? 'EdDSA' : (jwk.alg ?? DEFAULT_ALGORITHM[jwk.kty]);
  if (alg === undefined || !isAlgorithm(alg) || ALGORITHMS[alg].kty !== jwk.kty) {
    throw new TypeError('not a key for ES256, EdDSA, PS256 or RS256');
  }
  return alg;
}

function isAlgorithm(alg: string): alg is Algorithm {
  return Object.hasOwn(ALGORITHMS, alg);
}

/** RFC 7638 thumbprint with SHA-256, base64url: the `kid` under which the gateway knows a key. */
export function thumbprint(jwk: Jwk, hash: Hash = sha256): string {
  const members: Record<string, string | undefined> = {};
  for (const name of ALGORITHMS[algorithmOf(jwk)].members) members[name] = jwk[name];
  return encodeBase64url(hash(new TextEncoder().encode(canonicalJson(members))));
}

/** The public half, with `kid` and `alg`: what is registered. */
export function publicJwk(jwk: Jwk): Jwk {
  const alg = algorithmOf(jwk);
  const members = ALGORITHMS[alg].members.map((name) => [name, jwk[name]] as const);
  return { ...(Object.fromEntries(members) as { kty: string }), kid: thumbprint(jwk), alg };
}

/** The one shape that picks WebCrypto's overload for pairs. */
type RsaGeneration = Parameters<typeof crypto.subtle.generateKey>[0] & { readonly name: 'RSA-PSS' };
type KeyPair = Exclude<Awaited<ReturnType<typeof crypto.subtle.generateKey>>, { readonly type: unknown }>;

/** A new private key, with `kid` and `alg`. RSA keys have 3072 bits. */
export async function generateKey(alg: Algorithm, sub?: string): Promise<Jwk> {
  const { key } = ALGORITHMS[alg];
  const size = key.name.startsWith('RSA') ? { modulusLength: 3072, publicExponent: new Uint8Array([1, 0, 1]) } : {};
  const pair = (await crypto.subtle.generateKey({ ...key, ...size } as RsaGeneration, true, [
    'sign',
    'verify',
  ])) as KeyPair;
  const exported = (await crypto.subtle.exportKey('jwk', pair.privateKey)) as Jwk;
  const secret = PRIVATE_MEMBERS.filter((name) => exported[name] !== undefined).map((name) => [name, exported[name]]);
  return { ...publicJwk({ ...exported, alg }), ...Object.fromEntries(secret), ...(sub === undefined ? {} : { sub }) };
}

/** A private JWK as a signer. `kid` is computed when the file has none. */
export async function importSigningKey(jwk: Jwk): Promise<SigningKey> {
  if (jwk.d === undefined) throw new TypeError('a private key is needed to sign');
  const alg = algorithmOf(jwk);
  const { key, use } = ALGORITHMS[alg];
  const handle = await crypto.subtle.importKey('jwk', bare(jwk), key, false, ['sign']);
  return {
    kid: jwk.kid ?? thumbprint(jwk),
    alg,
    ...(jwk.sub === undefined ? {} : { sub: jwk.sub }),
    sign: async (data) => new Uint8Array(await crypto.subtle.sign(use, handle, whole(data))),
  };
}

/** Whether `signature` is `jwk`'s over `data`. False, never an exception, for keys and signatures of the wrong form. */
export async function verifySignature(jwk: Jwk, data: Uint8Array, signature: Uint8Array): Promise<boolean> {
  try {
    const algorithm = algorithmOf(jwk);
    const handle = await verifyingKey(jwk, algorithm);
    return await crypto.subtle.verify(ALGORITHMS[algorithm].use, handle, whole(signature), whole(data));
  } catch {
    return false;
  }
}

type VerifyingKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>;

/** Keys that were imported already, by what makes them up. Importing one costs more than a verification with it. */
const verifyingKeys = new Map<string, VerifyingKey>();
const VERIFYING_KEYS_KEPT = 256;

async function verifyingKey(jwk: Jwk, algorithm: Algorithm): Promise<VerifyingKey> {
  const { key, members } = ALGORITHMS[algorithm];
  const open = members.map((name) => [name, jwk[name]] as const);
  const name = JSON.stringify([algorithm, open]);
  const known = verifyingKeys.get(name);
  if (known !== undefined) return known;
  const made = await crypto.subtle.importKey('jwk', bare(Object.fromEntries(open) as unknown as Jwk), key, false, [
    'verify',
  ]);
  // The one that was imported first makes room.
  if (verifyingKeys.size >= VERIFYING_KEYS_KEPT) verifyingKeys.delete(verifyingKeys.keys().next().value ?? '');
  verifyingKeys.set(name, made);
  return made;
}

/** Without `alg`, `use` and the like: WebCrypto refuses spellings that it does not know, such as EdDSA for Ed25519. */
function bare(jwk: Jwk): { kty: string } {
  const names = ['kty', 'crv', 'x', 'y', 'n', 'e', ...PRIVATE_MEMBERS] as const;
  const members = names.filter((name) => jwk[name] !== undefined).map((name) => [name, jwk[name]]);
  return Object.fromEntries(members) as { kty: string };
}

/** WebCrypto's types want a view of an ArrayBuffer, never of a SharedArrayBuffer. */
function whole(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes.buffer instanceof ArrayBuffer ? (bytes as Uint8Array<ArrayBuffer>) : new Uint8Array(bytes);
}
