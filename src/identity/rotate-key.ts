import { parseInstant } from '../std/clock.ts';
import { GatewayError } from '../std/errors.ts';
import { type KeyRow, selectKeyring } from '../storage/identity.ts';
import { registerKey } from './add-key.ts';
import { applyChange, type Change, type IdentityContext, type Outcome, refuse } from './change.ts';
import { importJwk, type PublicJwk, publicKeyOf } from './jwk.ts';
import { type CompactJws, isSignedBy, parseCompactJws } from './jws.ts';
import { isProofOfPossession, isRecent } from './proof.ts';
import type { PartyKind, SignatureAlgorithm } from './records.ts';
import { type KeyResource, keyResource } from './resources.ts';
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
 * anything is changed, and of nothing that was signed for another purpose, whoever brings it here.
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
  const order = readOrder(ctx, jws, key);
  await begin?.({ party: key.party, role: key.kind as PartyKind, kid });
  return applyChange(ctx, rotationChange(order, key));
}

interface RotationOrder {
  readonly jwk: PublicJwk;
  readonly notAfter: number | undefined;
}

/** What is asked for, when it is a rotation, for this gateway and of now, and the new key is its sender's. */
function readOrder(ctx: IdentityContext, { claims }: CompactJws, old: KeyRow): RotationOrder {
  const at = ctx.clock.now();
  if (claims.aud !== ctx.issuer) throw new GatewayError('wrong-audience');
  if (!isRecent(claims.iat, at))
    throw refuse('/iat', 'time', '应在当前时间前后10分钟内', 'must be within ten minutes of now');
  const jwk = newKey(claims.jwk, old.kid);
  const expected = {
    sub: old.party,
    aud: ctx.issuer,
    at,
    key: { kid: jwk.kid, alg: jwk.alg, publicKey: publicKeyOf(jwk) },
  };
  if (typeof claims.proof !== 'string' || !isProofOfPossession(claims.proof, expected)) {
    throw refuse(
      '/proof',
      'proof',
      '应为用新密钥对{sub, aud, iat}签名的紧凑JWS',
      'must be a compact JWS by the new key over { sub, aud, iat }',
    );
  }
  return { jwk, notAfter: readNotAfter(claims.notAfter) };
}

function rotationChange({ jwk, notAfter }: RotationOrder, key: KeyRow): Change<KeyResource> {
  return {
    needs: { keys: [key.kid, jwk.kid], parties: [key.party], keyCounts: [key.party] },
    apply: (state) => {
      // Never before now: what the old key has signed until now was signed in time.
      const end = notAfter === undefined ? undefined : Math.max(notAfter, state.at);
      const done = doneBefore(state, { old: key.kid, next: jwk.kid, end });
      if (done !== undefined) return { created: false, resource: keyResource(done) };
      // Rotation does not bring a key back that has been taken away.
      const old = usableKey(state, key.kid);
      const outcome = registerKey(state, old.party, jwk, { notBefore: undefined, notAfter: undefined });
      if (end !== undefined && (old.notAfter === null || end < old.notAfter)) state.setKey({ ...old, notAfter: end });
      return outcome;
    },
  };
}

/**
 * The new key, when nothing is left to do: a rotation whose answer was lost is sent again, by a key that may have ended with
 * it.
 */
function doneBefore(
  state: IdentityState,
  { old, next, end }: { readonly old: string; readonly next: string; readonly end: number | undefined },
): KeyRow | undefined {
  const [before, after] = [state.key(old), state.key(next)];
  if (before === undefined || before.revokedAt !== null || state.party(before.party)?.status !== 'active')
    return undefined;
  if (after === undefined || after.revokedAt !== null || after.party !== before.party) return undefined;
  const isEnding = end === undefined || (before.notAfter !== null && before.notAfter <= end);
  return isEnding ? after : undefined;
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

function newKey(value: unknown, oldKid: string): PublicJwk {
  const imported = importJwk(value);
  if (!imported.ok) {
    const { member, reason } = imported.fault;
    throw refuse(member === '' ? '/jwk' : `/jwk/${member}`, 'jwk', reason.zh, reason.en);
  }
  if (imported.jwk.kid === oldKid) throw refuse('/jwk', 'jwk', '新密钥不应与旧密钥相同', 'must not be the old key');
  return imported.jwk;
}

function readNotAfter(value: unknown): number | undefined {
  if (value === undefined) return undefined;
  const at = typeof value === 'string' ? parseInstant(value) : undefined;
  if (at === undefined) throw refuse('/notAfter', 'time', '应为RFC 3339时间', 'must be an RFC 3339 time');
  return at;
}
