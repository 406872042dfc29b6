import { parseInstant } from '../std/clock.ts';
import { GatewayError } from '../std/errors.ts';
import { type KeyRow, selectKeyring } from '../storage/identity.ts';
import { registerKey } from './add-key.ts';
import { applyChange, type Change, type IdentityContext, type Outcome, refuse } from './change.ts';
import { importJwk, type JwkResult, type PublicJwk, publicKeyOf } from './jwk.ts';
import { type CompactJws, isSignedBy, parseCompactJws } from './jws.ts';
import { isProofOfPossession, isRecent } from './proof.ts';
import type { PartyKind, SignatureAlgorithm } from './records.ts';
import type { KeyResource } from './resources.ts';
import type { IdentityState } from './state.ts';

/** Whose signature was found good. */
export interface Signatory {
  readonly party: string;
  readonly role: PartyKind;
  readonly kid: string;
}

/**
 * A party replaces its own key. `rotation` is a compact JWS by the old key (named by `kid`) over
 * `{ jwk, proof, aud, iat, notAfter? }`: the new public key, a proof of possession by it, this gateway, now. Both keys work
 * from then on, so that nothing in flight is refused; `notAfter` (RFC 3339) says when the old one stops. `begin` is told whose it is before
 * anything is changed.
 */
export async function rotateKey(
  ctx: IdentityContext,
  rotation: string,
  begin?: (signatory: Signatory) => Promise<void>,
): Promise<Outcome<KeyResource>> {
  const jws = parseCompactJws(rotation);
  if (jws === undefined) throw new GatewayError('malformed-jws');
  const kid = typeof jws.header.kid === 'string' && jws.header.kid.length <= 64 ? jws.header.kid : '';
  // A key's party and public members never change, so that they can be read before the transaction.
  const [key] = await selectKeyring(ctx.db.sql, [kid]);
  if (key === undefined) throw new GatewayError('unknown-key');
  if (!isSignedBy(jws, { alg: key.alg as SignatureAlgorithm, publicKey: publicKeyOf(key.jwk as PublicJwk) })) {
    throw new GatewayError('bad-signature');
  }
  await begin?.({ party: key.party, role: key.kind as PartyKind, kid });
  return applyChange(ctx, rotationChange(ctx.issuer, jws, key));
}

function rotationChange(issuer: string, jws: CompactJws, key: KeyRow): Change<KeyResource> {
  const imported = importJwk(jws.claims.jwk);
  return {
    needs: {
      keys: imported.ok ? [key.kid, imported.jwk.kid] : [key.kid],
      parties: [key.party],
      keyCounts: [key.party],
    },
    apply: (state) => {
      // Rotation does not bring a key back that has been taken away.
      const old = usableKey(state, key.kid);
      const { aud, iat, proof } = jws.claims;
      if (aud !== issuer) throw new GatewayError('wrong-audience');
      if (!isRecent(iat, state.at))
        throw refuse('/iat', 'time', '应在当前时间前后10分钟内', 'must be within ten minutes of now');
      const { jwk, publicKey } = newKey(imported, old.kid);
      const expected = { sub: old.party, aud: issuer, at: state.at, key: { kid: jwk.kid, alg: jwk.alg, publicKey } };
      if (typeof proof !== 'string' || !isProofOfPossession(proof, expected)) {
        throw refuse(
          '/proof',
          'proof',
          '应为用新密钥对{sub, aud, iat}签名的紧凑JWS',
          'must be a compact JWS by the new key over { sub, aud, iat }',
        );
      }
      const notAfter = readNotAfter(jws.claims.notAfter);
      const outcome = registerKey(state, old.party, jwk, { notBefore: undefined, notAfter: undefined });
      if (notAfter !== undefined && (old.notAfter === null || notAfter < old.notAfter))
        state.setKey({ ...old, notAfter });
      return outcome;
    },
  };
}

/** The key, if it may sign now, for a party in good standing. */
export function usableKey(state: IdentityState, kid: string): KeyRow {
  const key = state.key(kid);
  if (key === undefined) throw new GatewayError('unknown-key');
  if (key.revokedAt !== null) throw new GatewayError('key-revoked');
  if ((key.notBefore ?? 0) > state.at || (key.notAfter ?? Number.POSITIVE_INFINITY) <= state.at)
    throw new GatewayError('key-not-in-force');
  if (state.party(key.party)?.status !== 'active') throw new GatewayError('party-suspended');
  return key;
}

function newKey(imported: JwkResult, oldKid: string): Extract<JwkResult, { ok: true }> {
  if (!imported.ok) {
    const { member, reason } = imported.fault;
    throw refuse(member === '' ? '/jwk' : `/jwk/${member}`, 'jwk', reason.zh, reason.en);
  }
  if (imported.jwk.kid === oldKid) throw refuse('/jwk', 'jwk', '新密钥不应与旧密钥相同', 'must not be the old key');
  return imported;
}

function readNotAfter(value: unknown): number | undefined {
  if (value === undefined) return undefined;
  const at = typeof value === 'string' ? parseInstant(value) : undefined;
  if (at === undefined) throw refuse('/notAfter', 'time', '应为RFC 3339时间', 'must be an RFC 3339 time');
  return at;
}
