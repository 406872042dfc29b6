import { constants, verify as cryptoVerify, type VerifyKeyObjectInput } from 'node:crypto';
import type { Directory, SignatureAlgorithm, SigningKey } from '../identity/records.ts';
import { GatewayError } from '../std/errors.ts';
import type { ParsedJws } from './jws.ts';

interface Scheme {
  /** Digest that node:crypto is told; null for Ed25519, which has its own. */
  readonly digest: string | null;
  readonly options: Omit<VerifyKeyObjectInput, 'key'>;
  /** Exact length of a signature; undefined where the key decides. */
  readonly signatureBytes?: number;
}

/** RFC 7518 section 3 and RFC 8037. The key has exactly one of these; the message's `alg` is compared with it. */
const SCHEMES: Record<SignatureAlgorithm, Scheme> = {
  ES256: { digest: 'sha256', options: { dsaEncoding: 'ieee-p1363' }, signatureBytes: 64 },
  EdDSA: { digest: null, options: {}, signatureBytes: 64 },
  PS256: {
    digest: 'sha256',
    options: { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST },
  },
  RS256: { digest: 'sha256', options: { padding: constants.RSA_PKCS1_PADDING } },
};

const THUMBPRINT = /^[A-Za-z0-9_-]{43}$/;

export interface VerifyContext {
  readonly directory: Pick<Directory, 'key'>;
  readonly issuer: string;
}

/**
 * Whose key a message claims to be signed with.
 * - the audience is this gateway
 * - the key id is that of a registered key
 */
export async function findKey(ctx: VerifyContext, jws: ParsedJws): Promise<SigningKey> {
  if (jws.header.aud !== ctx.issuer) {
    throw new GatewayError('wrong-audience', {
      detail: { zh: 'aud 不是本网关的 issuer 网址。', en: `aud is not this gateway's issuer URL.` },
      members: { issuer: ctx.issuer },
    });
  }
  const key = THUMBPRINT.test(jws.header.kid) ? await ctx.directory.key(jws.header.kid) : undefined;
  if (key === undefined) throw new GatewayError('unknown-key');
  return key;
}

/**
 * Whether that key made the signature: the algorithm is the key's own, and the signature holds.
 *
 * Whether the key may still be used is decided in authorize: a stranger must not learn that a key was revoked.
 */
export async function verifySignature(key: SigningKey, jws: ParsedJws): Promise<void> {
  if (key.alg !== jws.header.alg || !(await holds(key, jws))) throw new GatewayError('bad-signature');
}

/** In OpenSSL's thread pool: the event loop goes on reading requests while the other core multiplies points. */
function holds(key: SigningKey, jws: ParsedJws): Promise<boolean> {
  const scheme = SCHEMES[key.alg];
  if (scheme.signatureBytes !== undefined && jws.signature.length !== scheme.signatureBytes)
    return Promise.resolve(false);
  return new Promise((resolve, reject) => {
    cryptoVerify(
      scheme.digest,
      jws.signingInput,
      { key: key.publicKey, ...scheme.options },
      jws.signature,
      (error, valid) => {
        if (error === null) resolve(valid);
        else reject(error);
      },
    );
  });
}
