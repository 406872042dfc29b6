import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';

export interface KeyPair {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

/** By curve, or by the modulus' length in bits. */
export type KeyKind = 'P-256' | 'P-384' | 'secp256k1' | 'Ed25519' | 'X25519' | { readonly rsaBits: number };

/** The texts of both keys, SPKI and PKCS #8. */
interface PemPair {
  readonly publicKey: string;
  readonly privateKey: string;
}

const AS_PEM = {
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
} as const;

/**
 * A new pair of keys, read back from PEM. The objects that a generation itself hands out are not safe to export: Node 20
 * makes a JWK under the key's lock, and when V8 collects the generation at that moment its end wants the same lock, so that
 * the process stands still for ever.
 */
export function generateKeyPair(kind: KeyKind): KeyPair {
  const { privateKey, publicKey } = generateAsPem(kind);
  return { privateKey: createPrivateKey(privateKey), publicKey: createPublicKey(publicKey) };
}

function generateAsPem(kind: KeyKind): PemPair {
  // The types of Node see a spread of encodings and promise key objects all the same.
  const pem = (pair: unknown): PemPair => pair as PemPair;
  if (typeof kind === 'object') return pem(generateKeyPairSync('rsa', { modulusLength: kind.rsaBits, ...AS_PEM }));
  if (kind === 'Ed25519') return pem(generateKeyPairSync('ed25519', AS_PEM));
  if (kind === 'X25519') return pem(generateKeyPairSync('x25519', AS_PEM));
  return pem(generateKeyPairSync('ec', { namedCurve: kind, ...AS_PEM }));
}
