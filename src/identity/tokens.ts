import { verify } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Clock } from '../std/clock.ts';
import { GatewayError } from '../std/errors.ts';
import type { RandomBytes } from '../std/telemetry.ts';
import type { Text } from '../std/text.ts';
import type { GatewayKeys } from './gateway-keys.ts';
import { parseCompactJws } from './jws.ts';
import { type Directory, PARTY_KINDS, type Party, type PartyKind, type SigningKey } from './records.ts';
import type { Signer } from './signer.ts';

export const TOKEN_SECONDS = 600;
/** Clocks of two gateway processes may differ by this much. */
const SKEW_SECONDS = 5;
const MAX_TOKEN_CHARACTERS = 4_096;

export interface TokenContext {
  readonly signer: Signer;
  readonly gatewayKeys: GatewayKeys;
  readonly directory: Pick<Directory, 'key' | 'party'> & {
    peekKey?(kid: string): SigningKey | undefined;
    peekParty?(id: string): Party | undefined;
  };
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly issuer: string;
}

/** Who a token speaks for. */
export interface TokenHolder {
  readonly role: PartyKind;
  readonly party: string;
}

interface Claims extends TokenHolder {
  /** Key that the client authenticated with. */
  readonly kid: string;
  /** Seconds since the epoch. */
  readonly exp: number;
}

/** Access tokens: RFC 9068 JWTs (`typ: at+jwt`) by the gateway's key. */
export class Tokens {
  readonly #ctx: TokenContext;
  /** Tokens whose signature was good: verifying Ed25519 takes 107 us, and a client sends the same token for ten minutes. */
  readonly #known = new LRUCache<string, Claims>({ max: 10_000 });

  constructor(ctx: TokenContext) {
    this.#ctx = ctx;
  }

  /** `kid`: the key that the client has just authenticated with. The token ends with it. */
  issue(holder: TokenHolder, kid: string): string {
    const iat = Math.floor(this.#ctx.clock.now() / 1000);
    const claims = {
      iss: this.#ctx.issuer,
      sub: holder.party,
      aud: this.#ctx.issuer,
      client_id: holder.party,
      iat,
      exp: iat + TOKEN_SECONDS,
      jti: this.#ctx.random(16).toString('base64url'),
      role: holder.role,
      // RFC 7800: the key that stands behind the token. When it is revoked, the token ends too.
      cnf: { kid },
    };
    return this.#ctx.signer.signCompact({ typ: 'at+jwt' }, JSON.stringify(claims));
  }

  /** Throws `unauthenticated` for anything but a token of this gateway that is in force for an active party and a usable key. */
  async verify(token: string): Promise<TokenHolder> {
    const claims = this.#known.get(token) ?? (await this.#read(token));
    const now = this.#ctx.clock.now();
    if (claims.exp * 1000 <= now)
      throw refused('访问令牌已过期，请重新获取。', 'The access token has expired; get another one.', claims);
    const { directory } = this.#ctx;
    const key = directory.peekKey?.(claims.kid) ?? (await directory.key(claims.kid));
    if (key === undefined || key.party !== claims.party || !isUsable(key, now)) {
      throw refused(
        '获取此令牌所用的密钥已失效。',
        'The key that this token was got with is no longer in force.',
        claims,
      );
    }
    const party = directory.peekParty?.(claims.party) ?? (await directory.party(claims.party));
    if (party === undefined || party.status !== 'active' || party.kind !== claims.role) {
      throw refused('此令牌的主体已停用。', 'The party of this token is suspended.', claims);
    }
    return claims;
  }

  /** Signature and claims; what passes is kept. */
  async #read(token: string): Promise<Claims> {
    const jws = token.length <= MAX_TOKEN_CHARACTERS ? parseCompactJws(token) : undefined;
    const invalid = refused('访问令牌无效。', 'The access token is not valid.');
    if (
      jws === undefined ||
      jws.header.typ !== 'at+jwt' ||
      jws.header.alg !== 'EdDSA' ||
      typeof jws.header.kid !== 'string'
    )
      throw invalid;
    const key = await this.#ctx.gatewayKeys.find(jws.header.kid);
    if (key === undefined || jws.signature.length !== 64 || !verify(null, jws.signingInput, key, jws.signature))
      throw invalid;
    const claims = this.#checkClaims(jws.claims);
    if (claims === undefined) throw invalid;
    this.#known.set(token, claims);
    return claims;
  }

  #checkClaims(claims: Readonly<Record<string, unknown>>): Claims | undefined {
    const { iss, aud, sub, role, exp, iat, cnf } = claims;
    if (iss !== this.#ctx.issuer || aud !== this.#ctx.issuer || typeof sub !== 'string') return undefined;
    if (typeof exp !== 'number' || typeof iat !== 'number') return undefined;
    // A clock that ran ahead must not have made a token that outlives its ten minutes.
    if (iat > this.#ctx.clock.now() / 1000 + SKEW_SECONDS || exp > iat + TOKEN_SECONDS) return undefined;
    const kind = PARTY_KINDS.find((known) => known === role);
    const kid = (cnf as { kid?: unknown } | undefined)?.kid;
    if (kind === undefined || typeof kid !== 'string') return undefined;
    return { role: kind, party: sub, kid, exp };
  }
}

/** In force at `at` (milliseconds since the epoch) and not revoked. */
export function isUsable(key: SigningKey, at: number): boolean {
  if (key.revokedAt !== undefined) return false;
  return (key.notBefore === undefined || key.notBefore <= at) && (key.notAfter === undefined || at < key.notAfter);
}

/** `holder`: whom a genuine token was issued to. */
function refused(zh: string, en: string, holder?: TokenHolder): GatewayError {
  const detail: Text = { zh, en };
  return new GatewayError('unauthenticated', holder === undefined ? { detail } : { detail, known: holder });
}
