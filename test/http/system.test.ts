import { Type } from 'typebox';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Catalogue, FilingType } from '../../src/domain/filing-type.ts';
import { Limits } from '../../src/http/limits.ts';
import { route } from '../../src/http/route.ts';
import { systemRoutes } from '../../src/http/routes/system.ts';
import { systemClock } from '../../src/std/clock.ts';
import { ERROR_CODES } from '../../src/std/errors.ts';
import { type TestServer, testServer } from './support.ts';

const type = {
  metadata: {
    type: 'tax.vat.general',
    agency: 'tax',
    title: { zh: '增值税及附加税费申报表（一般纳税人适用）', en: 'VAT return for <general> taxpayers' },
    periods: ['month', 'quarter'],
  },
} as unknown as FilingType;

const database: { canCommit: () => Promise<boolean> } = { canCommit: () => Promise.resolve(true) };
const limits = new Limits(systemClock);

function routesUnderTest() {
  return [
    ...systemRoutes({
      env: 'sandbox',
      issuer: 'http://gateway.test:8787',
      catalogue: (): Catalogue => ({ types: new Map([[type.metadata.type, type]]) }),
      canCommit: () => database.canCommit(),
      exposition: () => Promise.resolve('shenbao_up 1\n'),
      expositionType: 'text/plain; version=0.0.4; charset=utf-8',
      limits,
      openApi: () => '{"openapi":"3.1.1"}',
    }),
    route({
      method: 'GET',
      path: '/stream',
      operationId: 'getStream',
      tag: 'test',
      summary: { zh: '', en: '' },
      access: 'public',
      responses: { 200: { description: '', media: { 'application/x-ndjson': Type.String() } } },
      handle: () =>
        new Response(
          new ReadableStream({
            pull: (controller) => controller.enqueue(new TextEncoder().encode('{}\n')),
            cancel: () => {
              cancelled++;
            },
          }),
          { headers: { 'Content-Type': 'application/x-ndjson' } },
        ),
    }),
  ];
}
let cancelled = 0;

let server: TestServer;
beforeAll(async () => {
  server = await testServer(routesUnderTest(), {
    limits,
    authenticate: async () => ({ role: 'filer', party: '91350100M000100Y43' }),
  });
});
afterAll(() => server.close(100));

const get = (path: string, headers: Record<string, string> = {}) => fetch(server.url + path, { headers });

describe('health', () => {
  test('alive whatever the database does; ready only when it can commit', async () => {
    expect(await (await get('/readyz')).json()).toEqual({ status: 'ready' });
    for (const broken of [
      () => Promise.resolve(false),
      () => Promise.reject(new Error('no')),
      () => new Promise<boolean>(() => {}),
    ]) {
      database.canCommit = broken;
      const startedAt = performance.now();
      const ready = await get('/readyz');
      expect([ready.status, ((await ready.json()) as { code: string }).code]).toEqual([503, 'unavailable']);
      expect(performance.now() - startedAt).toBeLessThan(4_500);
      expect(await (await get('/healthz')).json()).toEqual({ status: 'alive' });
    }
    database.canCommit = () => Promise.resolve(true);
  });

  test('metrics as they are exposed', async () => {
    const metrics = await get('/metrics');
    expect(metrics.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(await metrics.text()).toBe('shenbao_up 1\n');
  });
});

describe('reference', () => {
  test('problems: the whole closed set', async () => {
    const { items } = (await (await get('/v1/problems')).json()) as {
      items: { code: string; status: number; meaning: object }[];
    };
    expect(items.map((item) => item.code)).toEqual(ERROR_CODES);
    for (const item of items) {
      expect(item.status).toBeGreaterThanOrEqual(400);
      expect(item.meaning).toEqual({ zh: expect.stringMatching(/。$/), en: expect.stringMatching(/\.$/) });
    }
  });

  test("limits: one's own, and only with a token", async () => {
    expect((await get('/v1/limits')).status).toBe(401);
    const response = await get('/v1/limits', { authorization: 'Bearer x' });
    expect(await response.json()).toEqual({
      party: '91350100M000100Y43',
      role: 'filer',
      ratePerSecond: 1_000,
      burst: 10_000,
      // Refilled at one each millisecond.
      remaining: expect.toSatisfy((count: number) => count === 9_999 || count === 10_000),
      resetSeconds: expect.toSatisfy((seconds: number) => seconds === 0 || seconds === 1),
    });
    expect(response.headers.get('cache-control')).toBe('no-store');
  });

  test('the OpenAPI document is served as it was generated, and not sent twice', async () => {
    const first = await get('/openapi.json');
    expect(await first.text()).toBe('{"openapi":"3.1.1"}');
    expect(first.headers.get('cache-control')).toBe('no-cache');
    const etag = first.headers.get('etag') ?? '';
    expect((await get('/openapi.json', { 'if-none-match': `W/${etag}, "x"` })).status).toBe(304);
    expect((await get('/openapi.json', { 'if-none-match': '"x"' })).status).toBe(200);
  });
});

describe('pages', () => {
  test('the front page, in both languages, escaped, with a policy that allows no script', async () => {
    const zh = await get('/');
    expect(zh.headers.get('content-language')).toBe('zh-CN');
    expect(zh.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(await zh.text()).toContain('增值税及附加税费申报表');
    for (const en of [await get('/?lang=en'), await get('/', { 'accept-language': 'en' })]) {
      const page = await en.text();
      expect(page).toContain('<html lang="en">');
      expect(page).toContain('VAT return for &lt;general&gt; taxpayers');
      expect(page).not.toContain('<script');
    }
    expect((await get('/?lang=fr')).status).toBe(400);
  });

  test('everything that the pages refer to is there, and from here', async () => {
    for (const path of ['/', '/docs']) {
      const page = await (await get(path)).text();
      for (const [, target = ''] of page.matchAll(/(?:src|href)="([^"]+)"/g)) {
        expect(target).toMatch(/^\//);
        if (target.startsWith('/assets/')) expect([target, (await get(target)).status]).toEqual([target, 200]);
      }
    }
    for (const name of ['constructor', '__proto__', '..%2fpackage.json', 'x']) {
      expect((await get(`/assets/${name}`)).status).toBe(404);
    }
  });
});

describe('headers', () => {
  test('every answer is marked against sniffing and referrers, and may be read from any origin', async () => {
    for (const path of ['/', '/healthz', '/assets/style.css', '/none', '/v1/limits']) {
      const { headers } = await get(path, { origin: 'https://app.example' });
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('referrer-policy')).toBe('no-referrer');
      expect(headers.get('access-control-allow-origin')).toBe('*');
      expect(headers.get('access-control-allow-credentials')).toBeNull();
      expect(headers.get('access-control-expose-headers')).toContain('X-Request-Id');
      expect(headers.get('x-request-id')).toBeTruthy();
    }
  });

  test('a preflight', async () => {
    const preflight = await fetch(`${server.url}/v1/limits`, {
      method: 'OPTIONS',
      headers: {
        origin: 'https://app.example',
        'access-control-request-method': 'GET',
        'access-control-request-headers': 'authorization',
      },
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get('access-control-allow-methods')).toBe('GET, HEAD, OPTIONS');
    expect(preflight.headers.get('access-control-allow-headers')).toContain('Authorization');
    expect((await fetch(`${server.url}/none`, { method: 'OPTIONS' })).status).toBe(404);
  });

  test('HEAD is GET without the body, also of a stream', async () => {
    const head = await fetch(`${server.url}/v1/problems`, { method: 'HEAD' });
    expect([head.status, head.headers.get('content-type'), await head.text()]).toEqual([200, 'application/json', '']);
    const stream = await fetch(`${server.url}/stream`, { method: 'HEAD' });
    expect([stream.status, await stream.text()]).toEqual([200, '']);
    expect(cancelled).toBe(1);
  });
});
