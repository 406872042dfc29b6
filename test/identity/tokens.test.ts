import { createHmac, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeUscc } from '../../src/domain/identifiers.ts';
import type { IdentityContext } from '../../src/identity/change.ts';
import { AssertionSweep } from '../../src/identity/client-assertion.ts';
import { DatabaseDirectory } from '../../src/identity/directory.ts';
import { GatewayKeys } from '../../src/identity/gateway-keys.ts';
import { type IssueTokenContext, issueToken } from '../../src/identity/issue-token.ts';
import { parseCompactJws } from '../../src/identity/jws.ts';
import { putParty } from '../../src/identity/put-party.ts';
import { revokeKey } from '../../src/identity/revoke-key.ts';
import { openSigner, type Signer } from '../../src/identity/signer.ts';
import { Tokens } from '../../src/identity/tokens.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import {
  FILER,
  HandClock,
  ISSUER,
  identityContext,
  jws,
  makeKey,
  OTHER,
  refusal,
  registerParty,
  type TestKey,
} from '../support/identity.ts';
import { silentLogger } from '../support/logger.ts';

const ENDPOINT = `${ISSUER}/oauth2/token`;
const clock = new HandClock();
let database: TestDatabase;
let dataDir: string;
let ctx: IdentityContext;
let directory: DatabaseDirectory;
let signer: Signer;
let tokens: Tokens;
let deps: IssueTokenContext;
let key: TestKey;

beforeAll(async () => {
  database = await createTestDatabase();
  dataDir = await mkdtemp(path.join(os.tmpdir(), 'shenbao-tokens-'));
  directory = new DatabaseDirectory({ db: database.db, clock, log: silentLogger, pollMs: 50 });
  await directory.start();
  ctx = { ...identityContext(database, clock), changed: (subjects) => directory.forget(subjects) };
  signer = await openSigner({ db: database.db, clock, random: randomBytes, dataDir });
  const gatewayKeys = new GatewayKeys(database.db, clock);
  tokens = new Tokens({ signer, gatewayKeys, directory, clock, random: randomBytes, issuer: ISSUER });
  deps = {
    db: database.db,
    clock,
    directory,
    issuer: ISSUER,
    tokenEndpoint: ENDPOINT,
    tokens,
    sweep: new AssertionSweep(),
  };
  key = await registerParty(ctx, FILER, 'filer');
});
afterAll(async () => {
  await directory.stop();
  await rm(dataDir, { recursive: true });
  await database.drop();
});

const seconds = (): number => Math.floor(clock.now() / 1000);
const claimsOf = (sub: string, more: object = {}): object => ({
  iss: sub,
  sub,
  aud: ISSUER,
  exp: seconds() + 60,
  iat: seconds(),
  jti: randomBytes(12).toString('hex'),
  ...more,
});

function form(assertion: string, more: Record<string, string> = {}): URLSearchParams {
  return new URLSearchParams({
    grant_type: 'client_credentials',
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: assertion,
    ...more,
  });
}

async function tokenFor(sub: string, withKey: TestKey): Promise<string> {
  return (await issueToken(deps, form(jws(withKey, claimsOf(sub))))).access_token;
}

async function oauthRefusal(body: URLSearchParams): Promise<string> {
  try {
    await issueToken(deps, body);
  } catch (error) {
    return String((error as { details: { members: { error: string } } }).details.members.error);
  }
  throw new Error('a token was issued');
}

describe('a client assertion', () => {
  test.each(['ES256', 'EdDSA', 'PS256', 'RS256'] as const)('by a key of %s gets a token', async (alg) => {
    const id = makeUscc(alg.charCodeAt(0) * 1_000 + alg.charCodeAt(1));
    const own = await registerParty(ctx, id, 'filer', makeKey(alg));
    const answer = await issueToken(deps, form(jws(own, claimsOf(id, { aud: ENDPOINT })), { client_id: id }));
    expect(answer).toMatchObject({ token_type: 'Bearer', expires_in: 600 });
    expect(await tokens.verify(answer.access_token)).toMatchObject({ role: 'filer', party: id });
  });

  test('may name the audience as a list of one, and Ed25519 by its newer name', async () => {
    const id = makeUscc(77);
    const own = await registerParty(ctx, id, 'filer', makeKey('EdDSA'));
    await issueToken(deps, form(jws(own, claimsOf(id, { aud: [ISSUER] }), { alg: 'Ed25519', typ: 'JWT' })));
  });

  test('counts once, also when sent twice at the same time', async () => {
    const assertion = jws(key, claimsOf(FILER));
    const results = await Promise.allSettled([1, 2, 3, 4].map(() => issueToken(deps, form(assertion))));
    expect(results.filter((result) => result.status === 'fulfilled').length).toBe(1);
    expect(await oauthRefusal(form(assertion))).toBe('invalid_client');
  });

  test('with a jti that another client has used is fine', async () => {
    const own = await registerParty(ctx, OTHER, 'filer');
    await issueToken(deps, form(jws(key, claimsOf(FILER, { jti: 'same' }))));
    await issueToken(deps, form(jws(own, claimsOf(OTHER, { jti: 'same' }))));
  });

  test.each<[string, () => string]>([
    ['by a key that is not registered', () => jws(makeKey(), claimsOf(FILER))],
    ['by another key under the right kid', () => jws(makeKey(), claimsOf(FILER), { kid: key.jwk.kid })],
    ['for another party', () => jws(key, claimsOf(OTHER))],
    ['whose iss differs from sub', () => jws(key, claimsOf(FILER, { iss: OTHER }))],
    ['for another audience', () => jws(key, claimsOf(FILER, { aud: 'https://other.test' }))],
    ['for two audiences', () => jws(key, claimsOf(FILER, { aud: [ISSUER, 'https://other.test'] }))],
    ['without exp', () => jws(key, claimsOf(FILER, { exp: undefined }))],
    ['that is expired', () => jws(key, claimsOf(FILER, { exp: seconds() - 61 }))],
    ['that lasts ten minutes', () => jws(key, claimsOf(FILER, { exp: seconds() + 600 }))],
    ['that is not valid yet', () => jws(key, claimsOf(FILER, { nbf: seconds() + 120 }))],
    ['from the future', () => jws(key, claimsOf(FILER, { iat: seconds() + 120 }))],
    ['without jti', () => jws(key, claimsOf(FILER, { jti: undefined }))],
    ['with an empty jti', () => jws(key, claimsOf(FILER, { jti: '' }))],
    ['with a jti that PostgreSQL cannot store', () => jws(key, claimsOf(FILER, { jti: 'a\u0000b' }))],
    ['with a sub that PostgreSQL cannot store', () => jws(key, claimsOf('a\u0000b'))],
    ['without kid', () => jws(key, claimsOf(FILER), { kid: undefined })],
    ['with a kid of quotes and slashes', () => jws(key, claimsOf(FILER), { kid: "../'; DROP TABLE party; --" })],
    ['of the wrong type', () => jws(key, claimsOf(FILER), { typ: 'at+jwt' })],
    ['with alg none', () => `${jws(key, claimsOf(FILER), { alg: 'none' }).split('.').slice(0, 2).join('.')}.`],
    ['with alg none and a signature', () => jws(key, claimsOf(FILER), { alg: 'none' })],
    ['with the algorithm of another kind of key', () => jws(key, claimsOf(FILER), { alg: 'EdDSA' })],
    ['by HMAC with the public key', () => hmacWithPublicKey()],
    ['with its own key inside', () => jws(makeKey(), claimsOf(FILER), { jwk: key.jwk })],
    ['that is no JWS', () => 'nonsense'],
    ['that is empty', () => ''],
  ])('%s is refused as invalid_client', async (_name, make) => {
    expect(await oauthRefusal(form(make()))).toBe('invalid_client');
  });

  function hmacWithPublicKey(): string {
    const input = jws(key, claimsOf(FILER), { alg: 'HS256' }).split('.').slice(0, 2).join('.');
    const secret = key.publicKey.export({ format: 'pem', type: 'spki' });
    return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
  }

  test('of a suspended party, or by a revoked key or one that is not in force, is refused', async () => {
    const id = makeUscc(81);
    const own = await registerParty(ctx, id, 'filer');
    await putParty(ctx, { id, kind: 'filer', name: '甲', status: 'suspended' });
    expect(await oauthRefusal(form(jws(own, claimsOf(id))))).toBe('invalid_client');
    await putParty(ctx, { id, kind: 'filer', name: '甲', status: 'active' });
    await tokenFor(id, own);
    await revokeKey(ctx, { kid: own.jwk.kid, reason: 'lost' });
    expect(await oauthRefusal(form(jws(own, claimsOf(id))))).toBe('invalid_client');
  });

  test('is forgotten once it could not be used any more', async () => {
    await tokenFor(FILER, key);
    clock.pass(3 * 3_600_000);
    await new Promise((resolve) => setTimeout(resolve, 150));
    await tokenFor(FILER, key);
    const rows = await database.db.sql<{ n: number }[]>`SELECT count(*)::int AS n FROM used_assertion`;
    expect(rows[0]?.n).toBe(1);
  });
});

describe('the form', () => {
  test.each<[string, (good: URLSearchParams) => void, string]>([
    ['no grant type', (body) => body.delete('grant_type'), 'invalid_request'],
    ['another grant type', (body) => body.set('grant_type', 'password'), 'unsupported_grant_type'],
    ['no assertion', (body) => body.delete('client_assertion'), 'invalid_client'],
    ['a client secret instead', (body) => body.set('client_assertion_type', 'secret'), 'invalid_client'],
    ['a parameter twice', (body) => body.append('grant_type', 'client_credentials'), 'invalid_request'],
    ['a scope', (body) => body.set('scope', 'filings'), 'invalid_scope'],
    ['another resource', (body) => body.set('resource', 'https://other.test'), 'invalid_target'],
    ['another client id', (body) => body.set('client_id', OTHER), 'invalid_client'],
  ])('with %s', async (_name, spoil, error) => {
    const body = form(jws(key, claimsOf(FILER)));
    spoil(body);
    expect(await oauthRefusal(body)).toBe(error);
  });
});

describe('an access token', () => {
  test('is an RFC 9068 JWT of the gateway', async () => {
    const parsed = parseCompactJws(await tokenFor(FILER, key));
    expect(parsed?.header).toEqual({ alg: 'EdDSA', kid: signer.kid, typ: 'at+jwt' });
    expect(parsed?.claims).toMatchObject({
      iss: ISSUER,
      aud: ISSUER,
      sub: FILER,
      client_id: FILER,
      role: 'filer',
      iat: seconds(),
      exp: seconds() + 600,
    });
    expect(typeof parsed?.claims.jti).toBe('string');
  });

  test('ends after ten minutes', async () => {
    const token = await tokenFor(FILER, key);
    clock.pass(599_000);
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(await tokens.verify(token)).toMatchObject({ party: FILER });
    clock.pass(1_000);
    expect(await refusal(tokens.verify(token))).toMatchObject({ code: 'unauthenticated' });
  });

  test('ends with its key and with the suspension of its party', async () => {
    const id = makeUscc(91);
    const [first, second] = [await registerParty(ctx, id, 'filer'), makeKey()];
    const token = await tokenFor(id, first);
    await putParty(ctx, { id, kind: 'filer', name: '甲', status: 'suspended' });
    expect(await refusal(tokens.verify(token))).toMatchObject({ code: 'unauthenticated' });
    await putParty(ctx, { id, kind: 'filer', name: '甲', status: 'active' });
    expect(await tokens.verify(token)).toMatchObject({ party: id });
    await registerParty(ctx, id, 'filer', second);
    const other = await tokenFor(id, second);
    await revokeKey(ctx, { kid: first.jwk.kid, reason: 'lost' });
    expect(await refusal(tokens.verify(token))).toMatchObject({ code: 'unauthenticated' });
    expect(await tokens.verify(other)).toMatchObject({ party: id });
  });

  test('by anything but the gateway, or changed in any character, is refused', async () => {
    const token = await tokenFor(FILER, key);
    const claims = parseCompactJws(token)?.claims ?? {};
    const forged = [
      jws(key, claims, { typ: 'at+jwt' }),
      jws(makeKey('EdDSA'), claims, { typ: 'at+jwt', kid: signer.kid }),
      jws(makeKey('EdDSA'), claims, { typ: 'at+jwt', alg: 'none', kid: signer.kid }),
      signer.signCompact({ typ: 'receipt+jws' }, JSON.stringify(claims)),
      signer.signCompact({ typ: 'at+jwt' }, JSON.stringify({ ...claims, aud: 'https://other.test' })),
      signer.signCompact({ typ: 'at+jwt' }, JSON.stringify({ ...claims, role: 'root' })),
      signer.signCompact({ typ: 'at+jwt' }, JSON.stringify({ ...claims, exp: seconds() + 86_400 })),
      signer.signCompact({ typ: 'at+jwt' }, JSON.stringify({ ...claims, cnf: undefined })),
      signer.signCompact({ typ: 'at+jwt' }, JSON.stringify({ ...claims, sub: OTHER })),
      '',
      'x',
      'x'.repeat(10_000),
    ];
    for (let at = 0; at < token.length; at += 37) {
      forged.push(token.slice(0, at) + (token.charAt(at) === 'A' ? 'B' : 'A') + token.slice(at + 1));
    }
    for (const text of forged) expect(await refusal(tokens.verify(text))).toMatchObject({ code: 'unauthenticated' });
  });
});
