import { connect, type Socket } from 'node:net';
import { Type } from 'typebox';
import { describe, expect, test } from 'vitest';
import { route } from '../../src/http/route.ts';
import { parseAnswer, rawExchange, sleep, testApp, testServer } from './support.ts';

const shape = { tag: 'test', summary: { zh: '', en: '' }, access: 'public', responses: {} } as const;
const octets = { kind: 'raw', media: { 'application/octet-stream': Type.String() }, limitBytes: 1_000_000 } as const;

const routes = [
  route({
    ...shape,
    method: 'GET',
    path: '/slow',
    operationId: 'slow',
    query: Type.Object({ ms: Type.Integer() }),
    handle: async (call) => {
      await sleep(call.query.ms);
      return new Response('done');
    },
  }),
  route({
    ...shape,
    method: 'GET',
    path: '/never',
    operationId: 'never',
    handle: () => new Promise<Response>(() => {}),
  }),
  route({
    ...shape,
    method: 'POST',
    path: '/whole',
    operationId: 'whole',
    body: octets,
    handle: async (call) => {
      const before = Date.now();
      const { length } = await call.text();
      return Response.json({ length, waitedMs: call.receivedAt() - before });
    },
  }),
  route({
    ...shape,
    method: 'POST',
    path: '/stream',
    operationId: 'stream',
    body: octets,
    handle: async (call) => {
      let pieces = 0;
      let bytes = 0;
      for await (const piece of call.stream()) {
        pieces++;
        bytes += piece.length;
      }
      return Response.json({ pieces, bytes });
    },
  }),
  route({
    ...shape,
    method: 'POST',
    path: '/first-piece',
    operationId: 'firstPiece',
    body: octets,
    handle: async (call) => {
      for await (const piece of call.stream()) return new Response(String(piece.length > 0));
      return new Response('none');
    },
  }),
];

const head = (path: string, length: number) =>
  `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\nContent-Length: ${length}\r\nConnection: close\r\n\r\n`;

async function drip(socket: Socket, bytes: number, everyMs: number): Promise<void> {
  for (let sent = 0; sent < bytes && !socket.destroyed && !socket.writableEnded; sent++) {
    socket.write('x');
    await sleep(everyMs);
  }
}

describe('time', () => {
  test('a handler that never ends is answered for within 5 s, unless the client prefers to wait', async () => {
    const server = await testServer(routes);
    const timed = async (headers: Record<string, string>) => {
      const startedAt = performance.now();
      const response = await fetch(`${server.url}/never`, { headers });
      const { code } = (await response.json()) as { code: string };
      return { code, status: response.status, elapsedMs: performance.now() - startedAt };
    };
    const [plain, waiting] = await Promise.all([timed({}), timed({ prefer: 'respond-async, wait=2' })]);
    expect([plain.status, plain.code]).toEqual([503, 'unavailable']);
    expect(plain.elapsedMs).toBeLessThan(waiting.elapsedMs);
    expect(plain.elapsedMs).toBeGreaterThan(4_500);
    expect(waiting.code).toBe('unavailable');
    expect(waiting.elapsedMs).toBeGreaterThan(6_500);
    expect(server.metrics.gauges.get('http_in_flight')?.()).toBe(0);
    await server.close(100);
  });

  test('bodies that drip are cut within 15 s, whole or streamed; one that moves is not', async () => {
    const server = await testServer(routes);
    const [whole, streamed, moving] = await Promise.all([
      rawExchange(server.port, (socket) => {
        socket.write(head('/whole', 100_000));
        void drip(socket, 1_000, 100);
      }),
      rawExchange(server.port, (socket) => {
        socket.write(head('/stream', 100_000));
        void drip(socket, 1_000, 100);
      }),
      rawExchange(server.port, (socket) => {
        socket.write(head('/stream', 40_000));
        void (async () => {
          for (let part = 0; part < 40; part++) {
            socket.write('x'.repeat(1_000));
            await sleep(250);
          }
        })();
      }),
    ]);
    for (const answer of [whole, streamed]) {
      expect([answer.status, (JSON.parse(answer.body) as { code: string }).code]).toEqual([408, 'timeout']);
      expect(answer.elapsedMs).toBeLessThan(15_000);
    }
    expect([moving.status, (JSON.parse(moving.body) as { bytes: number }).bytes]).toEqual([200, 40_000]);
    await server.close(100);
  });

  test('a filing has arrived when its last byte has', async () => {
    const server = await testServer(routes);
    const answer = await rawExchange(server.port, (socket) => {
      socket.write(head('/whole', 4));
      void drip(socket, 4, 150);
    });
    expect(JSON.parse(answer.body)).toEqual({ length: 4, waitedMs: expect.toSatisfy((ms: number) => ms >= 400) });
    await server.close(100);
  });
});

describe('streams', () => {
  test('come through whole, on a socket and without one', async () => {
    const server = await testServer(routes);
    const init = { method: 'POST', headers: { 'content-type': 'application/octet-stream' }, body: 'x'.repeat(900_000) };
    const answers = [await fetch(`${server.url}/stream`, init), await testApp(routes).app.request('/stream', init)];
    for (const answer of answers) expect(await answer.json()).toMatchObject({ bytes: 900_000 });
    await server.close(100);
  });

  test('may be left in the middle', async () => {
    const server = await testServer(routes);
    const init = { method: 'POST', headers: { 'content-type': 'application/octet-stream' }, body: 'x'.repeat(900_000) };
    for (let n = 0; n < 3; n++) expect(await (await fetch(`${server.url}/first-piece`, init)).text()).toBe('true');
    await server.close(100);
  });

  test('a client that goes away harms nobody', async () => {
    const server = await testServer(routes);
    for (const path of ['/whole', '/stream', '/first-piece']) {
      const socket = connect(server.port, '127.0.0.1');
      socket.on('error', () => {});
      socket.write(`${head(path, 100)}abc`);
      await sleep(50);
      socket.resetAndDestroy();
    }
    expect((await fetch(`${server.url}/slow?ms=1`)).status).toBe(200);
    await expect.poll(() => server.metrics.gauges.get('http_in_flight')?.(), { timeout: 20_000 }).toBe(0);
    expect(server.log.lines.filter(({ level }) => level === 'error')).toEqual([]);
    await server.close(100);
  });
});

describe('stopping', () => {
  test('answers what is under way, tells clients to come back elsewhere, takes nobody new', async () => {
    const server = await testServer(routes);
    const text: string[] = [];
    const kept = connect(server.port, '127.0.0.1');
    kept.on('data', (chunk) => text.push(chunk.toString()));
    kept.write('GET /slow?ms=1 HTTP/1.1\r\nHost: x\r\n\r\n');
    await expect.poll(() => text.join(''), { timeout: 20_000 }).toContain('done');
    expect(parseAnswer(text.join('')).headers.connection).toBe('keep-alive');
    const slow = fetch(`${server.url}/slow?ms=1500`);
    await expect.poll(() => server.metrics.gauges.get('http_in_flight')?.(), { timeout: 20_000 }).toBe(1);
    const closed = server.close(30_000);
    text.length = 0;
    kept.write('GET /slow?ms=1 HTTP/1.1\r\nHost: x\r\n\r\n');
    await expect(fetch(`${server.url}/slow?ms=1`)).rejects.toThrow();
    const answer = await slow;
    expect([answer.status, answer.headers.get('connection'), await answer.text()]).toEqual([200, 'close', 'done']);
    await closed;
    expect(parseAnswer(text.join(''))).toMatchObject({ status: 200, headers: { connection: 'close' } });
    expect(kept.destroyed || kept.readableEnded).toBe(true);
  });

  test('cuts what does not end in time', async () => {
    const server = await testServer(routes);
    const never = fetch(`${server.url}/never`);
    never.catch(() => {});
    await expect.poll(() => server.metrics.gauges.get('http_in_flight')?.(), { timeout: 20_000 }).toBe(1);
    const startedAt = performance.now();
    await server.close(300);
    // The handler's own limit comes after 5 s.
    expect(performance.now() - startedAt).toBeLessThan(4_000);
    await expect(never).rejects.toThrow();
  });

  test('a port that is taken is an error, not a crash', async () => {
    const server = await testServer(routes);
    const { listen } = await import('../../src/http/server.ts');
    const { app, log, metrics } = testApp(routes);
    const second = listen({ app, host: '127.0.0.1', port: server.port, log, metrics, random: (n) => Buffer.alloc(n) });
    await expect(second).rejects.toMatchObject({ code: 'EADDRINUSE' });
    await server.close(100);
  });
});
