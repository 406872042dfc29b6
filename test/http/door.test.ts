import { connect } from 'node:net';
import { Type } from 'typebox';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { route } from '../../src/http/route.ts';
import { systemClock } from '../../src/std/clock.ts';
import { GatewayError } from '../../src/std/errors.ts';
import { parseAnswer, type RawAnswer, type TestServer, testServer } from './support.ts';

const shape = { tag: 'test', summary: { zh: '', en: '' }, access: 'public', responses: {} } as const;
const body = { kind: 'raw', media: { 'application/jose': Type.String() }, limitBytes: 1_000_000 } as const;
const full = (): never => {
  throw new GatewayError('overloaded');
};

const routes = [
  route({
    ...shape,
    method: 'POST',
    path: '/filings',
    operationId: 'submit',
    body,
    handle: async (call) => (isFull ? full() : new Response(String((await call.text()).length))),
  }),
  route({ ...shape, method: 'GET', path: '/filings', operationId: 'list', handle: () => new Response('list') }),
];

let isFull = true;
let asked = 0;
let server: TestServer;
beforeAll(async () => {
  const room = (): number => {
    asked++;
    return isFull ? 0 : 1;
  };
  server = await testServer(routes, { door: { path: '/filings', operationId: 'submit', room, clock: systemClock } });
});
afterAll(() => server.close(0));
beforeEach(() => {
  isFull = true;
  asked = 0;
});

/** One request after the other on one connection, each sent when the one before was answered. */
async function exchange(...requests: readonly string[]): Promise<RawAnswer[]> {
  const socket = connect(server.port, '127.0.0.1');
  const answers: RawAnswer[] = [];
  let text = '';
  for (const request of requests) {
    socket.write(request);
    answers.push(
      await new Promise((resolve, reject) => {
        const look = (chunk: Buffer): void => {
          text += chunk.toString();
          const end = text.indexOf('\r\n\r\n') + 4;
          const length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? Number.NaN);
          if (end < 4 || !(Buffer.byteLength(text.slice(end)) >= length)) return;
          socket.off('data', look);
          resolve(parseAnswer(text));
          text = '';
        };
        socket.on('data', look);
        socket.once('error', reject);
      }),
    );
  }
  socket.destroy();
  return answers;
}

const post = (content: string, ...headers: string[]): string =>
  `POST /filings HTTP/1.1\r\nHost: x\r\nContent-Type: application/jose\r\nContent-Length: ${content.length}\r\n${headers.map((header) => `${header}\r\n`).join('')}\r\n${content}`;

test('while the gateway is full, filings get the answer that they would get in the end', async () => {
  const [atTheDoor] = (await exchange(post('x'))) as [RawAnswer];
  // What is not turned away at the door is refused by the handler.
  const [inside] = (await exchange(post('x'.repeat(100_000)))) as [RawAnswer];
  const variable = ['x-request-id', 'retry-after', 'date', 'content-length', 'connection', 'keep-alive'];
  const fixed = ({ status, headers, body: text }: RawAnswer): unknown => ({
    status,
    headers: Object.fromEntries(Object.entries(headers).filter(([name]) => !variable.includes(name))),
    body: { ...(JSON.parse(text) as object), instance: '' },
  });
  expect(fixed(atTheDoor)).toEqual(fixed(inside));
  expect(atTheDoor.status).toBe(503);
  expect(JSON.parse(atTheDoor.body)).toMatchObject({ instance: atTheDoor.headers['x-request-id'], code: 'overloaded' });
  expect(server.metrics.counts.filter(({ labels }) => labels?.problem === 'overloaded')).toEqual(
    [1, 2].map(() => ({
      name: 'http_requests_total',
      labels: { operation: 'submit', status: '503', problem: 'overloaded' },
    })),
  );
});

test('in the language that is asked for, with waits that differ, and the connection stays', async () => {
  const english = post('x', 'Accept-Language: en');
  const answers = await exchange(english, english, post('x'), english, english);
  expect(answers.map(({ headers }) => headers['content-language'])).toEqual(['en', 'en', 'zh-CN', 'en', 'en']);
  expect(new Set(answers.map(({ headers }) => headers['retry-after'])).size).toBe(4);
  expect(new Set(answers.map(({ headers }) => headers['x-request-id'])).size).toBe(5);
  isFull = false;
  const [refused, served] = (await exchange(post('x'), post('four'))) as [RawAnswer, RawAnswer];
  expect([refused.body, served.body]).toEqual(['1', '4']);
});

test('a body that comes later is read and forgotten', async () => {
  const request = post('four');
  const socket = connect(server.port, '127.0.0.1');
  const next = (): Promise<string> => new Promise((resolve) => socket.once('data', (data) => resolve(data.toString())));
  socket.write(request.slice(0, -4));
  expect(await next()).toMatch(/^HTTP\/1.1 503 /);
  isFull = false;
  socket.write('four');
  socket.write(post('three'));
  expect(await next()).toMatch(/^HTTP\/1.1 200 /);
  socket.destroy();
});

test('what is no filing is served', async () => {
  const get = 'GET /filings HTTP/1.1\r\nHost: x\r\n\r\n';
  const answers = await exchange(get, get.replace('/filings', '/others'), get);
  expect(answers.map(({ status }) => status)).toEqual([200, 404, 200]);
  expect(asked).toBe(0);
});
