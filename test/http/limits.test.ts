import { Type } from 'typebox';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { authenticator } from '../../src/http/auth.ts';
import { Limits } from '../../src/http/limits.ts';
import { route } from '../../src/http/route.ts';
import type { PartyKind } from '../../src/identity/records.ts';
import { GatewayError } from '../../src/std/errors.ts';
import { TokenBucket } from '../../src/std/token-bucket.ts';
import { type TestServer, testServer } from './support.ts';

/** A clock that stands still until it is told. */
class ManualClock {
  ms = 1_000;
  now = () => 1_760_000_000_000 + this.ms;
  monotonic = () => this.ms;
}

describe('a token bucket', () => {
  test('gives its burst at once, then its rate, and never more than its burst', () => {
    const bucket = new TokenBucket({ ratePerSecond: 10, burst: 3 }, 0);
    const taken = (now: number): number => {
      let count = 0;
      while (bucket.blockedSeconds(now) === undefined) {
        bucket.take(now);
        count++;
      }
      return count;
    };
    expect(taken(0)).toBe(3);
    expect(bucket.blockedSeconds(0)).toBeCloseTo(0.1);
    expect(taken(99)).toBe(0);
    expect(taken(100)).toBe(1);
    expect(taken(400)).toBe(3);
    expect(taken(1_000_000)).toBe(3);
    expect(bucket.fullSeconds(1_000_000)).toBeCloseTo(0.3);
  });

  test('a clock that runs backwards gives nothing and takes nothing', () => {
    const bucket = new TokenBucket({ ratePerSecond: 10, burst: 3 }, 1_000);
    bucket.take(1_000, 2);
    expect(bucket.available(0)).toBe(1);
    expect(bucket.available(1_000)).toBe(1);
  });

  test('debt is bounded', () => {
    const bucket = new TokenBucket({ ratePerSecond: 10, burst: 3 }, 0);
    bucket.take(0, 1_000);
    expect(bucket.blockedSeconds(0)).toBeCloseTo(0.4);
  });
});

const KINDS: readonly PartyKind[] = ['filer', 'agent', 'office', 'operator'];
const shape = { method: 'GET', tag: 'test', summary: { zh: '', en: '' }, responses: {} } as const;
const clock = new ManualClock();
let handled = 0;

describe('who may call, and how often', () => {
  let server: TestServer;
  beforeAll(async () => {
    const limits = new Limits(clock, {
      filer: { ratePerSecond: 2, burst: 4 },
      agent: { ratePerSecond: 5, burst: 50 },
      office: { ratePerSecond: 5, burst: 50 },
      operator: { ratePerSecond: 5, burst: 50 },
    });
    const authenticate = authenticator({
      verify: async (token) => {
        const [role, party] = token.split('.');
        if (!KINDS.includes(role as PartyKind) || party === undefined) throw new GatewayError('unauthenticated');
        if (party === 'suspended') throw new GatewayError('party-suspended');
        return { role: role as PartyKind, party };
      },
    });
    const handle = () => {
      handled++;
      return new Response('ok');
    };
    const routes = [
      route({ ...shape, path: '/public', operationId: 'public', access: 'public', handle }),
      route({ ...shape, path: '/filers', operationId: 'filers', access: ['filer'], handle }),
      route({
        ...shape,
        method: 'PUT',
        path: '/operators',
        operationId: 'operators',
        access: ['operator'],
        query: Type.Object({ n: Type.Integer() }),
        body: { kind: 'json', schema: Type.Object({ a: Type.Integer() }) },
        handle,
      }),
    ];
    server = await testServer(routes, { authenticate, limits, clock });
  });
  afterAll(() => server.close(100));

  const call = async (path: string, authorization?: string, init: RequestInit = {}) => {
    const response = await fetch(server.url + path, {
      ...init,
      headers: authorization === undefined ? {} : { authorization },
    });
    const text = await response.text();
    return { response, code: response.ok ? 'ok' : (JSON.parse(text) as { code: string }).code };
  };

  test('a token is needed, must be good, and says how to get one', async () => {
    const bad = [
      undefined,
      'Bearer',
      'Bearer ',
      'Basic eDp5',
      'Bearer nonsense',
      'bearer filer',
      `Bearer ${'a'.repeat(5_000)}`,
      'Bearer filer.a, Bearer filer.b',
    ];
    for (const authorization of bad) {
      const { response, code } = await call('/filers', authorization);
      expect([authorization, response.status, code]).toEqual([authorization, 401, 'unauthenticated']);
      expect(response.headers.get('www-authenticate')).toBe('Bearer realm="shenbao"');
    }
    expect((await call('/filers', 'bearer  filer.a')).code).toBe('ok');
  });

  test('a token that is sent must be good even where none is needed', async () => {
    expect((await call('/public')).code).toBe('ok');
    expect((await call('/public', 'Bearer nonsense')).code).toBe('unauthenticated');
    expect((await call('/public', 'Bearer agent.x')).code).toBe('ok');
  });

  test('another role is refused before anything of the request is looked at', async () => {
    const before = handled;
    for (const kind of KINDS.filter((one) => one !== 'operator')) {
      expect((await call('/operators?n=x', `Bearer ${kind}.y`, { method: 'PUT', body: '{' })).code).toBe('forbidden');
    }
    expect((await call('/operators?n=x', undefined, { method: 'PUT', body: '{' })).code).toBe('unauthenticated');
    expect((await call('/operators?n=x', 'Bearer operator.y', { method: 'PUT', body: '{' })).code).toBe(
      'invalid-parameter',
    );
    expect(handled).toBe(before);
  });

  test('a suspended party', async () => {
    expect((await call('/filers', 'Bearer filer.suspended')).code).toBe('party-suspended');
  });

  test("a party's limit: told on every answer, 429 when it is used up, its own only", async () => {
    const states: (string | null)[] = [];
    for (let n = 0; n < 4; n++)
      states.push((await call('/filers', 'Bearer filer.flood')).response.headers.get('ratelimit'));
    expect(states).toEqual(['"filer";r=3;t=1', '"filer";r=2;t=1', '"filer";r=1;t=2', '"filer";r=0;t=2']);
    const { response, code } = await call('/filers', 'Bearer filer.flood');
    expect([response.status, code, response.headers.get('retry-after')]).toEqual([429, 'rate-limited', '1']);
    expect(response.headers.get('ratelimit-policy')).toBe('"filer";q=4;w=2');
    expect((await call('/filers', 'Bearer filer.quiet')).code).toBe('ok');
    clock.ms += 500;
    expect((await call('/filers', 'Bearer filer.flood')).code).toBe('ok');
    expect((await call('/filers', 'Bearer filer.flood')).code).toBe('rate-limited');
    expect((await call('/public')).response.headers.get('ratelimit')).toBeNull();
  });

  test('the limit of a filing: asked before its signature is checked, taken after', () => {
    const limits = new Limits(clock, {
      filer: { ratePerSecond: 1, burst: 1 },
      agent: { ratePerSecond: 1, burst: 1 },
      office: { ratePerSecond: 1, burst: 1 },
      operator: { ratePerSecond: 1, burst: 1 },
    });
    expect(limits.blocked('x', 'filer')).toBeUndefined();
    expect(limits.blocked('x', 'filer')).toBeUndefined();
    limits.take('x', 'filer');
    expect(limits.blocked('x', 'filer')).toBe(1);
    expect(limits.blocked('x', 'agent')).toBeUndefined();
  });
});
