import type { KeyObject } from 'node:crypto';
import { isSignedBy, parseCompactJws } from './jws.ts';
import type { SignatureAlgorithm } from './records.ts';

/** How far a proof's `iat` may be from now, either way. */
export const PROOF_AGE_SECONDS = 600;

export interface ProofExpectation {
  readonly sub: string;
  readonly aud: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly key: { readonly kid: string; readonly alg: SignatureAlgorithm; readonly publicKey: KeyObject };
}

/**
 * Proof of possession: a compact JWS by the key over `{ sub, aud, iat }`, `iat` within ten minutes. A `kid` in its header, if
 * any, must be the key's.
 */
export function isProofOfPossession(proof: string, expected: ProofExpectation): boolean {
  const jws = parseCompactJws(proof);
  if (jws === undefined) return false;
  const { claims, header } = jws;
  if (claims.sub !== expected.sub || claims.aud !== expected.aud || !isRecent(claims.iat, expected.at)) return false;
  if (header.kid !== undefined && header.kid !== expected.key.kid) return false;
  return isSignedBy(jws, expected.key);
}

export function isRecent(iat: unknown, at: number): boolean {
  return typeof iat === 'number' && Math.abs(at / 1000 - iat) <= PROOF_AGE_SECONDS;
}
