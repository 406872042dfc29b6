import { type Clock, formatInstant } from '../std/clock.ts';
import type { Database } from '../storage/db.ts';
import { deleteUsedAssertions, insertUsedAssertion } from '../storage/oauth.ts';
import { type CompactJws, isSignedBy, parseCompactJws } from './jws.ts';
import type { Directory, Party, SigningKey } from './records.ts';
import { isUsable } from './tokens.ts';

/** How far ahead `exp` may be. Assertions are remembered until then, so that a long one would cost. */
const MAX_LIFE_SECONDS = 300;
/** Difference of clocks that is put up with. */
const SKEW_SECONDS = 60;
/** Used assertions are kept longer than they could be used even if a clock jumped by an hour. */
const KEEP_MS = 2 * 3_600_000;
const SWEEP_MS = 60_000;

export interface AssertionContext {
  readonly db: Database;
  readonly clock: Clock;
  readonly directory: Pick<Directory, 'key' | 'party'>;
  readonly issuer: string;
  readonly tokenEndpoint: string;
}

export interface AuthenticatedClient {
  readonly party: Party;
  readonly key: SigningKey;
}

/** Why a client was not authenticated, for its developer. Says nothing about which parties and keys exist. */
export type AssertionFault =
  | 'not a compact JWS over a JSON object'
  | 'typ must be JWT or client-authentication+jwt'
  | 'kid must name the key that signed'
  | 'iss and sub must both be the client id'
  | 'aud must be the issuer or the token endpoint'
  | 'exp is required, and at most five minutes ahead'
  | 'expired, or not valid yet: check the clock'
  | 'jti is required, 1 to 128 characters'
  | 'unknown client or key, or wrong signature'
  | 'this jti was used before: make a new assertion for each request';

/**
 * `private_key_jwt` (RFC 7523 section 3, OpenID Connect Core section 9). Checks, in this order:
 * - a strict compact JWS, `typ` absent or one of the two in use
 * - `iss` = `sub` (= `client_id`, when the form has one), `aud` this gateway alone
 * - `exp` at most five minutes ahead, `nbf` and `iat` not in the future
 * - a key of that party, of the algorithm that the header names, in force; the signature; the party is active
 * - `jti` was never used by that client: noted in the database, so that no second process takes it either
 */
export async function authenticateClient(
  ctx: AssertionContext,
  assertion: string,
  clientId: string | undefined,
): Promise<AuthenticatedClient | AssertionFault> {
  const jws = parseCompactJws(assertion);
  if (jws === undefined) return 'not a compact JWS over a JSON object';
  const fault = checkClaims(ctx, jws, clientId);
  if (fault !== undefined) return fault;
  const { sub, jti, exp } = jws.claims as { sub: string; jti: string; exp: number };
  const client = await findClient(ctx, jws, sub);
  if (client === undefined) return 'unknown client or key, or wrong signature';
  const isFirst = await insertUsedAssertion(ctx.db.sql, sub, jti, formatInstant(exp * 1000 + SKEW_SECONDS * 1000));
  return isFirst ? client : 'this jti was used before: make a new assertion for each request';
}

function checkClaims(
  ctx: AssertionContext,
  { header, claims }: CompactJws,
  clientId: string | undefined,
): AssertionFault | undefined {
  const { typ, kid } = header;
  if (typ !== undefined && typ !== 'JWT' && typ !== 'client-authentication+jwt')
    return 'typ must be JWT or client-authentication+jwt';
  if (typeof kid !== 'string' || kid.length === 0) return 'kid must name the key that signed';
  const { iss, sub, aud, exp, nbf, iat, jti } = claims;
  if (typeof sub !== 'string' || sub !== iss || (clientId !== undefined && clientId !== sub))
    return 'iss and sub must both be the client id';
  const audience = Array.isArray(aud) && aud.length === 1 ? (aud[0] as unknown) : aud;
  if (audience !== ctx.issuer && audience !== ctx.tokenEndpoint) return 'aud must be the issuer or the token endpoint';
  const now = ctx.clock.now() / 1000;
  if (typeof exp !== 'number' || exp > now + MAX_LIFE_SECONDS + SKEW_SECONDS)
    return 'exp is required, and at most five minutes ahead';
  if (exp + SKEW_SECONDS <= now || isAhead(nbf, now) || isAhead(iat, now))
    return 'expired, or not valid yet: check the clock';
  // Printable ASCII: it becomes part of a key in the database.
  if (typeof jti !== 'string' || !/^[\x20-\x7e]{1,128}$/.test(jti)) return 'jti is required, 1 to 128 characters';
  return undefined;
}

/** An optional time that has not come; also one that is no number. */
function isAhead(time: unknown, now: number): boolean {
  return time !== undefined && (typeof time !== 'number' || time > now + SKEW_SECONDS);
}

async function findClient(
  ctx: AssertionContext,
  jws: CompactJws,
  sub: string,
): Promise<AuthenticatedClient | undefined> {
  const [key, party] = await Promise.all([ctx.directory.key(jws.header.kid as string), ctx.directory.party(sub)]);
  if (key === undefined || key.party !== sub || !isUsable(key, ctx.clock.now()) || !isSignedBy(jws, key))
    return undefined;
  return party?.status === 'active' ? { party, key } : undefined;
}

/** Forgets assertions that cannot be used any more; does something once a minute at most, whoever calls. */
export class AssertionSweep {
  #sweptAt: number | undefined;

  async run(ctx: Pick<AssertionContext, 'db' | 'clock'>): Promise<void> {
    const now = ctx.clock.monotonic();
    if (this.#sweptAt !== undefined && now - this.#sweptAt < SWEEP_MS) return;
    this.#sweptAt = now;
    await deleteUsedAssertions(ctx.db.sql, formatInstant(ctx.clock.now() - KEEP_MS));
  }
}
