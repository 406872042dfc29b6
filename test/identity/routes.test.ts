import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import * as oauth from 'oauth4webapi';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeUscc } from '../../src/domain/identifiers.ts';
import { authenticator } from '../../src/http/auth.ts';
import { importRoutes } from '../../src/http/routes/import.ts';
import { oauthRoutes } from '../../src/http/routes/oauth.ts';
import { partyRoutes } from '../../src/http/routes/parties.ts';
import { tokenEndpoint, wellKnownRoutes } from '../../src/http/routes/well-known.ts';
import { AssertionSweep } from '../../src/identity/client-assertion.ts';
import { DatabaseDirectory } from '../../src/identity/directory.ts';
import { GatewayKeys } from '../../src/identity/gateway-keys.ts';
import { ensureOperator } from '../../src/identity/own-parties.ts';
import { openSigner } from '../../src/identity/signer.ts';
import { Tokens } from '../../src/identity/tokens.ts';
import { systemClock } from '../../src/std/clock.ts';
import { type TestServer, testServer } from '../http/support.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { AGENT, FILER, jws, makeKey, OTHER, TAX_OFFICE, type TestKey } from '../support/identity.ts';
import { silentLogger } from '../support/logger.ts';

let database: TestDatabase;
let dataDir: string;
let directory: DatabaseDirectory;
let server: TestServer;
let operatorToken: string;
let operatorKey: TestKey;

beforeAll(async () => {
  database = await createTestDatabase();
  dataDir = await mkdtemp(path.join(os.tmpdir(), 'shenbao-routes-'));
  directory = new DatabaseDirectory({ db: database.db, clock: systemClock, log: silentLogger });
  await directory.start();
  const ctx = {
    db: database.db,
    clock: systemClock,
    random: randomBytes,
    dataDir,
    log: silentLogger,
    directory,
    sweep: new AssertionSweep(),
    changed: (subjects: readonly string[]) => directory.forget(subjects),
    // The port is known only when the server listens.
    get issuer(): string {
      return server?.url ?? 'http://not-listening';
    },
    get tokenEndpoint(): string {
      return tokenEndpoint(ctx.issuer);
    },
  };
  const signer = await openSigner(ctx);
  const gatewayKeys = new GatewayKeys(database.db, systemClock);
  const issuing = Object.defineProperty({ ...ctx, signer, gatewayKeys }, 'issuer', { get: () => ctx.issuer });
  const tokens = new Tokens(issuing);
  const oauthDeps = Object.defineProperties(
    { ...issuing, tokens },
    { issuer: { get: () => ctx.issuer }, tokenEndpoint: { get: () => ctx.tokenEndpoint } },
  );
  const routes = [
    ...partyRoutes(ctx),
    ...importRoutes(ctx),
    ...oauthRoutes(oauthDeps),
    ...wellKnownRoutes(Object.defineProperty({ gatewayKeys, issuer: '' }, 'issuer', { get: () => ctx.issuer })),
  ];
  server = await testServer(routes, {
    authenticate: authenticator(tokens),
  });
  const file = await ensureOperator(ctx);
  operatorKey = { alg: 'ES256', jwk: file.publicJwk, privateKey: file.privateKey, publicKey: file.publicKey };
  operatorToken = await tokenOf('operator', operatorKey);
});
afterAll(async () => {
  await server.close(100);
  await directory.stop();
  await rm(dataDir, { recursive: true });
  await database.drop();
});

const insecure = { [oauth.allowInsecureRequests]: true };
const seconds = (): number => Math.floor(Date.now() / 1000);

/** What a program with a standard library does, and nothing else: discover, authenticate, get a token. */
async function grant(
  sub: string,
  key: TestKey,
  adjust?: (claims: Record<string, oauth.JsonValue | undefined>) => void,
) {
  const issuer = new URL(server.url);
  const discovered = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure });
  const as = await oauth.processDiscoveryResponse(issuer, discovered);
  const algorithm =
    key.alg === 'ES256'
      ? { name: 'ECDSA', namedCurve: 'P-256' }
      : key.alg === 'EdDSA'
        ? { name: 'Ed25519' }
        : RSA[key.alg];
  const pkcs8 = key.privateKey.export({ format: 'der', type: 'pkcs8' });
  const cryptoKey = await crypto.subtle.importKey('pkcs8', pkcs8, algorithm, false, ['sign']);
  const options =
    adjust === undefined
      ? {}
      : {
          [oauth.modifyAssertion]: (_: unknown, payload: Record<string, oauth.JsonValue | undefined>) =>
            adjust(payload),
        };
  const authentication = oauth.PrivateKeyJwt({ key: cryptoKey, kid: key.jwk.kid }, options);
  const client = { client_id: sub };
  const response = await oauth.clientCredentialsGrantRequest(as, client, authentication, {}, insecure);
  return {
    status: response.status,
    type: response.headers.get('content-type'),
    process: () => oauth.processClientCredentialsResponse(as, client, response),
  };
}

const RSA = { PS256: { name: 'RSA-PSS', hash: 'SHA-256' }, RS256: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' } };

async function tokenOf(sub: string, key: TestKey): Promise<string> {
  return (await (await grant(sub, key)).process()).access_token;
}

async function call(
  method: string,
  target: string,
  options: { token?: string; body?: unknown; type?: string; raw?: string } = {},
) {
  const body = options.raw ?? (options.body === undefined ? undefined : JSON.stringify(options.body));
  const response = await fetch(server.url + target, {
    method,
    headers: {
      ...(options.token === '' ? {} : { authorization: `Bearer ${options.token ?? operatorToken}` }),
      ...(body === undefined ? {} : { 'content-type': options.type ?? 'application/json' }),
    },
    ...(body === undefined ? {} : { body }),
  });
  const text = await response.text();
  const type = response.headers.get('content-type') ?? '';
  return {
    status: response.status,
    type,
    headers: response.headers,
    text,
    json: /[/+]json$/.test(type.split(';')[0] ?? '') ? JSON.parse(text) : undefined,
  };
}

const TAX = { agency: 'tax', region: '350100', name: { zh: '税务局', en: 'Tax' } };
const proof = (key: TestKey, sub: string): string => jws(key, { sub, aud: server.url, iat: seconds() });

/** A filer with a key and a token. */
async function register(
  id: string,
  kind: 'filer' | 'agent',
  key = makeKey(),
): Promise<{ key: TestKey; token: string }> {
  await call('PUT', `/v1/parties/${id}`, { body: { kind, name: '甲公司' } });
  await call('POST', `/v1/parties/${id}/keys`, { body: { jwk: key.jwk, proof: proof(key, id) } });
  return { key, token: await tokenOf(id, key) };
}

describe('a standard OAuth client', () => {
  test.each(['ES256', 'EdDSA', 'PS256', 'RS256'] as const)(
    'gets a token with a key of %s, and jose verifies it with the published keys',
    async (alg) => {
      const id = makeUscc(500 + alg.length * 100 + alg.charCodeAt(0));
      const { token } = await register(id, 'filer', makeKey(alg));
      const { payload } = await jwtVerify(token, createRemoteJWKSet(new URL(`${server.url}/.well-known/jwks.json`)), {
        issuer: server.url,
        audience: server.url,
        typ: 'at+jwt',
      });
      expect(payload).toMatchObject({ sub: id, client_id: id, role: 'filer' });
      expect((await call('GET', `/v1/parties/${id}`, { token })).json).toMatchObject({ id });
    },
  );

  test('understands the refusals of the token endpoint', async () => {
    const unknown = await grant('operator', makeKey());
    expect(unknown.status).toBe(401);
    await expect(unknown.process()).rejects.toMatchObject({
      name: 'ResponseBodyError',
      error: 'invalid_client',
      status: 401,
    });
    const expired = await grant('operator', operatorKey, (claims) => {
      claims.exp = seconds() - 100;
    });
    await expect(expired.process()).rejects.toMatchObject({ error: 'invalid_client' });
  });

  test('sends an assertion again in vain', async () => {
    const fixed = (claims: Record<string, oauth.JsonValue | undefined>): void => {
      claims.jti = 'replayed';
    };
    expect((await grant('operator', operatorKey, fixed)).status).toBe(200);
    await expect((await grant('operator', operatorKey, fixed)).process()).rejects.toMatchObject({
      error: 'invalid_client',
    });
  });

  test('gets a refusal that is a problem document too', async () => {
    const { status, type, json, headers } = await call('POST', '/oauth2/token', {
      token: '',
      raw: 'grant_type=password',
      type: 'application/x-www-form-urlencoded',
    });
    expect([status, type]).toEqual([400, 'application/json']);
    expect(headers.get('cache-control')).toBe('no-store');
    expect(json).toMatchObject({ error: 'unsupported_grant_type', status: 400, retryable: false });
    expect(typeof json.error_description).toBe('string');
    expect(json.type).toBe(`urn:shenbao:problem:${json.code}`);
    const wrongType = await call('POST', '/oauth2/token', { token: '', body: {} });
    expect([wrongType.status, wrongType.type.split(';')[0]]).toEqual([415, 'application/problem+json']);
  });
});

describe('resources', () => {
  test('are made by PUT with 201, put again with 200, and the same path GETs them', async () => {
    await call('PUT', `/v1/offices/${TAX_OFFICE}`, { body: TAX });
    const puts: [string, unknown, unknown][] = [
      ['/v1/offices/TEST-1', TAX, { office: 'TEST-1', ...TAX }],
      [
        `/v1/parties/${FILER}`,
        { kind: 'filer', name: '甲公司' },
        { id: FILER, kind: 'filer', name: '甲公司', status: 'active' },
      ],
      [
        `/v1/parties/${AGENT}`,
        { kind: 'agent', name: '代理', status: 'active' },
        { id: AGENT, kind: 'agent', name: '代理', status: 'active' },
      ],
      [
        '/v1/parties/TEST-1',
        { kind: 'office', name: '税务局' },
        { id: 'TEST-1', kind: 'office', name: '税务局', status: 'active' },
      ],
      [
        `/v1/parties/${FILER}/registrations`,
        [{ office: TAX_OFFICE, from: '2020-01-01' }],
        [{ office: TAX_OFFICE, from: '2020-01-01' }],
      ],
      [
        '/v1/mandates/M-1',
        { agent: AGENT, filer: FILER, types: ['tax.*'], from: '2026-01-01' },
        { id: 'M-1', agent: AGENT, filer: FILER, types: ['tax.*'], from: '2026-01-01' },
      ],
    ];
    for (const [target, body, resource] of puts) {
      const [first, second, read] = [
        await call('PUT', target, { body }),
        await call('PUT', target, { body }),
        await call('GET', target),
      ];
      expect([target, first.status, second.status, read.status]).toEqual([target, 201, 200, 200]);
      for (const { json } of [first, second, read]) expect(json).toEqual(resource);
    }
  });

  test('keys are posted, listed, read and revoked', async () => {
    const id = makeUscc(600);
    await call('PUT', `/v1/parties/${id}`, { body: { kind: 'filer', name: '甲' } });
    const key = makeKey();
    const body = { jwk: key.jwk, notBefore: '2026-01-01T00:00:00Z', proof: proof(key, id) };
    const posted = await call('POST', `/v1/parties/${id}/keys`, { body });
    expect([posted.status, posted.headers.get('location')]).toEqual([201, `/v1/keys/${key.jwk.kid}`]);
    expect(posted.json).toMatchObject({ kid: key.jwk.kid, party: id, notBefore: '2026-01-01T00:00:00.000Z' });
    expect((await call('POST', `/v1/parties/${id}/keys`, { body })).status).toBe(200);
    expect((await call('GET', `/v1/parties/${id}/keys`)).json).toEqual({ items: [posted.json], next: null });
    const revoked = await call('DELETE', `/v1/keys/${key.jwk.kid}`, { body: { reason: '遗失' } });
    expect([revoked.status, typeof revoked.json.revokedAt]).toEqual([200, 'string']);
    expect((await call('GET', `/v1/keys/${key.jwk.kid}`)).json).toEqual(revoked.json);
    expect((await call('DELETE', `/v1/keys/${key.jwk.kid}`, { body: {} })).status).toBe(422);
  });

  test('a party rotates its key without a token, and goes on with the new one', async () => {
    const id = makeUscc(601);
    const { key } = await register(id, 'filer');
    const next = makeKey('EdDSA');
    const rotation = jws(key, { jwk: next.jwk, proof: proof(next, id), aud: server.url, iat: seconds() });
    const rotate = () => call('POST', '/v1/keys/rotation', { token: '', raw: rotation, type: 'application/jose' });
    const first = await rotate();
    expect([first.status, first.json.kid, (await rotate()).status]).toEqual([201, next.jwk.kid, 200]);
    await tokenOf(id, next);
    await tokenOf(id, key);
  });

  test('findings say where: in the path or in the body', async () => {
    const pointers = async (target: string, body: unknown) => {
      const { status, json } = await call(target.includes('/keys') ? 'POST' : 'PUT', target, { body });
      return [status, json.code, (json.errors ?? []).map((error: { pointer: string }) => error.pointer)];
    };
    expect(await pointers('/v1/parties/91350200M000000510', { kind: 'filer', name: '甲' })).toEqual([
      422,
      'invalid-resource',
      ['/path/id'],
    ]);
    expect(await pointers('/v1/parties/NOWHERE', { kind: 'office', name: '甲' })).toEqual([
      422,
      'invalid-resource',
      ['/path/id'],
    ]);
    expect(await pointers('/v1/offices/X', { ...TAX, region: '990000' })).toEqual([
      422,
      'invalid-resource',
      ['/region'],
    ]);
    expect(await pointers('/v1/offices/X', { ...TAX, agency: 'moon', extra: 1 })).toMatchObject([
      422,
      'invalid-resource',
      expect.arrayContaining(['/agency']),
    ]);
    expect(await pointers(`/v1/parties/${FILER}/keys`, { jwk: { kty: 'EC' }, proof: 'x' })).toEqual([
      422,
      'invalid-resource',
      ['/jwk/crv'],
    ]);
    expect(await pointers(`/v1/parties/${FILER}`, { kind: 'agent', name: '甲' })).toEqual([409, 'conflict', []]);
    expect(await pointers('/v1/parties/a%00b', { kind: 'operator', name: '甲' })).toMatchObject([
      400,
      'invalid-parameter',
      expect.anything(),
    ]);
  });
});

describe('roles', () => {
  test('a party sees its own and gets 404 for what is another’s, 403 for what only operators do, 401 without a token', async () => {
    const [mine, theirs] = [makeUscc(700), makeUscc(701)];
    const { key, token } = await register(mine, 'filer');
    const other = await register(theirs, 'filer');
    await call('PUT', `/v1/parties/${AGENT}`, { body: { kind: 'agent', name: '代理' } });
    await call('PUT', '/v1/mandates/M-2', {
      body: { agent: AGENT, filer: mine, types: ['tax.*'], from: '2026-01-01' },
    });
    const own = [
      `/v1/parties/${mine}`,
      `/v1/parties/${mine}/keys`,
      `/v1/parties/${mine}/registrations`,
      `/v1/keys/${key.jwk.kid}`,
      '/v1/mandates/M-2',
    ];
    for (const target of own) {
      expect([target, (await call('GET', target, { token })).status]).toEqual([target, 200]);
      expect([target, (await call('GET', target, { token: other.token })).status]).toEqual([target, 404]);
      expect([target, (await call('GET', target, { token: '' })).status]).toEqual([target, 401]);
    }
    const operatorOnly: [string, string][] = [
      ['PUT', `/v1/parties/${mine}`],
      ['POST', `/v1/parties/${mine}/keys`],
      ['PUT', `/v1/parties/${mine}/registrations`],
      ['PUT', '/v1/mandates/M-2'],
      ['PUT', '/v1/offices/X'],
      ['DELETE', `/v1/keys/${key.jwk.kid}`],
      ['POST', '/v1/import'],
    ];
    for (const [method, target] of operatorOnly) {
      expect([target, (await call(method, target, { token, body: {} })).status]).toEqual([target, 403]);
      expect([target, (await call(method, target, { token: '', body: {} })).status]).toEqual([target, 401]);
    }
  });

  test('a suspended party and a revoked key are locked out at once in this process', async () => {
    const id = makeUscc(702);
    const { key, token } = await register(id, 'filer');
    await call('DELETE', `/v1/keys/${key.jwk.kid}`, { body: { reason: 'lost' } });
    expect((await call('GET', `/v1/parties/${id}`, { token })).status).toBe(401);
    await expect(tokenOf(id, key)).rejects.toMatchObject({ error: 'invalid_client' });
  });
});

describe('the import', () => {
  const importing = (raw: string) => call('POST', '/v1/import', { raw, type: 'application/x-ndjson' });
  const answers = (text: string) =>
    text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));

  test('answers a line each, with problems in place', async () => {
    const id = makeUscc(800);
    const lines = [
      { op: 'office', office: 'IMP-1', ...TAX },
      { op: 'party', id, kind: 'filer', name: '甲' },
      { op: 'key', party: id, jwk: makeKey().jwk },
      { op: 'registration', filer: id, registrations: [{ office: 'NONE', from: '2026-01-01' }] },
      { op: 'registration', filer: id, registrations: [{ office: 'IMP-1', from: '2026-01-01' }] },
    ];
    const { status, type, text } = await importing(lines.map((line) => JSON.stringify(line)).join('\n'));
    expect([status, type.split(';')[0]]).toEqual([200, 'application/x-ndjson']);
    const results = answers(text);
    expect(results.map(({ line, status: each }) => [line, each])).toEqual([
      [1, 201],
      [2, 201],
      [3, 201],
      [4, 422],
      [5, 201],
    ]);
    expect(results[3].problem).toMatchObject({
      code: 'invalid-resource',
      errors: [{ pointer: '/registrations/0/office' }],
    });
    const { json } = await call('GET', `/v1/parties/${id}`);
    expect(json.name).toBe('甲');
  });

  test('takes a body whose sender does not read before it has sent all', async () => {
    // Every line is refused, with an answer several hundred times its length: more than sockets hold.
    const body = 'x\n'.repeat(20_000);
    const head = `POST /v1/import HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\nAuthorization: Bearer ${operatorToken}\r\n`;
    const { socket, sent } = sendWithoutReading(
      `${head}Content-Type: application/x-ndjson\r\nContent-Length: ${body.length}\r\n\r\n`,
      body,
    );
    await sent;
    let text = '';
    for await (const chunk of socket) text += String(chunk);
    expect(text.startsWith('HTTP/1.1 200')).toBe(true);
    expect(text.match(/"code":"malformed-json"/g)?.length).toBe(20_000);
  });
});

/** `sent` resolves when the kernel has taken the last byte; until then nothing is read. */
function sendWithoutReading(head: string, body: string): { socket: Socket; sent: Promise<void> } {
  const socket = connect(server.port, '127.0.0.1');
  socket.pause();
  const sent = (async () => {
    await new Promise<void>((resolve) => socket.write(head, () => resolve()));
    for (let at = 0; at < body.length; at += 1_000) {
      await new Promise<void>((resolve) => socket.write(body.slice(at, at + 1_000), () => resolve()));
      if (at % 10_000 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    }
  })();
  return { socket, sent };
}

test('nothing that was submitted stands in the log', () => {
  expect(server.log.text).not.toContain(FILER);
  expect(server.log.text).not.toContain(OTHER);
  expect(server.log.text).not.toContain('甲公司');
});
