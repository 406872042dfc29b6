import { randomBytes } from 'node:crypto';
import type { SigningParty } from '../support/filer.ts';
import { operate } from '../support/parties.ts';
import { CALLERS, type CallerName, gatewayKey, NAMES, type World } from './world.ts';

/** Tokens that must open nothing. */
export interface BadTokens {
  readonly any: Readonly<
    Record<'garbage' | 'unsigned' | 'signedByParty' | 'altered' | 'elsewhere' | 'expired' | 'ahead', string>
  >;
  readonly expired: Readonly<Record<CallerName, string>>;
  /** Got with a key that has been revoked since. */
  readonly revoked: Readonly<Record<CallerName, string>>;
}

interface TokenChanges {
  readonly iss?: string;
  readonly aud?: string;
  /** Seconds from now. */
  readonly iat?: number;
}

const LIFE_SECONDS = 600;

/** The claims of a token such as the gateway makes, with changes. */
function claims({ gateway, parties }: World, name: CallerName, { iat = 0, ...changes }: TokenChanges): string {
  const now = Math.floor(Date.now() / 1000) + iat;
  const { id, kid } = parties[name];
  const common = {
    iss: gateway.issuer,
    sub: id,
    aud: gateway.issuer,
    client_id: id,
    iat: now,
    exp: now + LIFE_SECONDS,
  };
  return JSON.stringify({ ...common, jti: 'j', role: CALLERS[name], cnf: { kid }, ...changes });
}

function token(world: World, signer: SigningParty, name: CallerName, changes: TokenChanges = {}): string {
  return signer.jws(claims(world, name, changes), { typ: 'at+jwt' });
}

/** Each is wrong in one thing only: what is left of it, with that thing right, is shown to open something. */
export async function makeBadTokens(world: World): Promise<BadTokens> {
  const { gateway, parties, spares } = world;
  const key = gatewayKey(gateway);
  const good = token(world, key, 'filer');
  const answer = await gateway.ask('GET', '/v1/limits', { headers: { Authorization: `Bearer ${good}` } });
  if (answer.status !== 200) throw new Error(`the gateway's own token is refused: ${answer.text}`);
  const revoked: [CallerName, string][] = [];
  for (const name of NAMES) {
    revoked.push([name, await gateway.token(spares[name])]);
    await operate(gateway, 'DELETE', `/v1/keys/${spares[name].kid}`, { reason: '测试' });
  }
  const [, payload, signature] = good.split('.');
  const header = Buffer.from(JSON.stringify({ alg: 'none', typ: 'at+jwt', kid: key.kid })).toString('base64url');
  const other = Buffer.from(claims(world, 'operator', {})).toString('base64url');
  return {
    any: {
      garbage: randomBytes(60).toString('base64url'),
      unsigned: `${header}.${payload}.`,
      signedByParty: token(world, parties.filer, 'filer'),
      altered: `${good.split('.')[0]}.${other}.${signature}`,
      elsewhere: token(world, key, 'filer', { aud: 'https://elsewhere.example' }),
      expired: token(world, key, 'filer', { iat: -LIFE_SECONDS - 1 }),
      ahead: token(world, key, 'filer', { iat: 3_600 }),
    },
    expired: Object.fromEntries(
      NAMES.map((name) => [name, token(world, key, name, { iat: -LIFE_SECONDS - 1 })]),
    ) as Record<CallerName, string>,
    revoked: Object.fromEntries(revoked) as Record<CallerName, string>,
  };
}
