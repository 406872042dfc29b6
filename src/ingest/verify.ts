import type { Directory, SigningKey } from '../identity/records.ts';
import { GatewayError } from '../std/errors.ts';
import type { ParsedJws } from './jws.ts';
import type { Signatures } from './signatures.ts';

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
export async function verifySignature(signatures: Signatures, key: SigningKey, jws: ParsedJws): Promise<void> {
  const { alg, jwk } = key;
  const { header, signingInput, signature } = jws;
  if (alg !== header.alg || !(await signatures.hold({ alg, jwk, signingInput, signature })))
    throw new GatewayError('bad-signature');
}
