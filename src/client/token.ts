import { encodeBase64url } from '../std/base64.ts';
import type { Clock } from '../std/clock.ts';
import { ShenbaoError } from './errors.ts';
import { signCompact } from './jws.ts';
import type { SigningKey } from './keys.ts';
import { asJson, type Transport } from './transport.ts';

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
const ASSERTION_SECONDS = 60;
/** A token is replaced this long before its end, so that it does not end on the way. */
const EARLY_MS = 30_000;

export interface TokenSource {
  /** A valid access token; cached until shortly before its end. `fresh` ignores the cache, after a 401. */
  get(fresh?: boolean): Promise<string>;
}

interface TokenAnswer {
  readonly access_token: string;
  readonly expires_in?: number;
}

/** OAuth 2.0 client credentials with `private_key_jwt` (RFC 7523). Concurrent callers share one request. */
export function tokenSource(
  transport: Transport,
  key: SigningKey,
  issuer: () => Promise<string>,
  clock: Clock,
): TokenSource {
  let held: { readonly token: Promise<string>; endsAt: number } | undefined;

  async function form(): Promise<string> {
    return new URLSearchParams({
      grant_type: 'client_credentials',
      client_assertion_type: ASSERTION_TYPE,
      client_assertion: await assertion(key, await issuer(), clock),
    }).toString();
  }

  async function acquire(hold: { endsAt: number }): Promise<string> {
    const answer = await transport.request<TokenAnswer>(
      '/oauth2/token',
      {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        // An assertion is good once, also when its answer was lost.
        body: form,
      },
      asJson,
    );
    hold.endsAt = clock.monotonic() + (answer.expires_in ?? 60) * 1000 - EARLY_MS;
    return answer.access_token;
  }

  return {
    get(fresh = false): Promise<string> {
      if (held !== undefined && !fresh && clock.monotonic() < held.endsAt) return held.token;
      const hold = { endsAt: Number.POSITIVE_INFINITY };
      const token = acquire(hold);
      held = Object.assign(hold, { token });
      token.catch(() => {
        if (held?.token === token) held = undefined;
      });
      return token;
    },
  };
}

async function assertion(key: SigningKey, issuer: string, clock: Clock): Promise<string> {
  if (key.sub === undefined) throw new ShenbaoError('usage', 'the key names no party: its "sub" is missing');
  const now = Math.floor(clock.now() / 1000);
  const claims = {
    iss: key.sub,
    sub: key.sub,
    aud: issuer,
    jti: encodeBase64url(crypto.getRandomValues(new Uint8Array(16))),
    iat: now,
    exp: now + ASSERTION_SECONDS,
  };
  return signCompact(key, { typ: 'JWT' }, new TextEncoder().encode(JSON.stringify(claims)));
}
