import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Type } from 'typebox';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { Limits } from '../../src/http/limits.ts';
import { route } from '../../src/http/route.ts';
import { Deferrals } from '../../src/ingest/deferrals.ts';
import { systemClock } from '../../src/std/clock.ts';
import { GatewayError } from '../../src/std/errors.ts';
import { HandClock } from '../support/identity.ts';
import { parseAnswer, type RawAnswer, type TestServer, testDoor, testServer } from './support.ts';

const shape = { tag: 'test', summary: { zh: '', en: '' }, access: 'public', responses: {} } as const;
const body = { kind: 'raw', media: { 'application/jose': Type.String() }, limitBytes: 1_000_000 } as const;
const handle = async (call: { text(): Promise<string>; receivedAt(): number }): Promise<Response> => {
  const error = isFull ? new GatewayError('overloaded') : refusal;
  if (error !== undefined) throw error;
  const { length } = await call.text();
  return new Response(String(length), { headers: { 'X-Received-At': String(call.receivedAt()) } });
};

const routes = [
  route({
    ...shape,
    method: 'POST',
    path: '/filings',
    operationId: 'submit',
    body,
    handle,
  }),
  route({ ...shape, method: 'GET', path: '/filings', operationId: 'list', handle: () => new Response('list') }),
];

const clock = new HandClock();
const deferrals = new Deferrals(clock);
const limits = new Limits(systemClock);
/** What the handler says to every filing. */
let refusal: GatewayError | undefined;
let isFull = true;
let roomAtHand = 200;
let hasEnough = false;
let asked = 0;
let server: TestServer;
beforeAll(async () => {
  const room = (): number => {
    asked++;
    return isFull ? 0 : roomAtHand;
  };
  server = await testServer(routes, {
    door: testDoor(room, { share: () => 50, hasEnough: () => hasEnough, deferrals, limits }),
    limits,
  });
});
afterAll(() => server.close(0));
beforeEach(() => {
  isFull = true;
  hasEnough = false;
  roomAtHand = 200;
  refusal = undefined;
  clock.pass(60_000);
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

const VARIABLE = ['x-request-id', 'retry-after', 'date', 'content-length', 'connection', 'keep-alive'];
const fixed = ({ status, headers, body: text }: RawAnswer): unknown => ({
  status,
  headers: Object.fromEntries(Object.entries(headers).filter(([name]) => !VARIABLE.includes(name))),
  body: { ...(JSON.parse(text) as object), instance: '' },
});

test('while the gateway is full, filings get the answer that they would get in the end', async () => {
  const [atTheDoor] = (await exchange(post('x'))) as [RawAnswer];
  // What is not turned away at the door is refused by the handler.
  const [inside] = (await exchange(post('x'.repeat(100_000)))) as [RawAnswer];
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

describe('while filings of one key are deferred', () => {
  const filing = (kid: string, payload = 'a payload'): string => {
    const header = { alg: 'ES256', kid, typ: 'filing+jws', aud: 'https://gateway.test' };
    return [JSON.stringify(header), payload, 'signature']
      .map((part) => Buffer.from(part).toString('base64url'))
      .join('.');
  };
  const flood = filing('of the flood');
  const limited = { party: '91350100000000000X', kind: 'filer' } as const;
  const overLimit = new GatewayError('rate-limited', { retryAfterSeconds: 3, limited });
  const overShare = new GatewayError('overloaded');

  beforeEach(() => {
    isFull = false;
  });
  afterEach(() => vi.useRealTimers());

  test.each([overLimit, overShare])('they get the answer that they would get in the end ($code)', async (error) => {
    refusal = error;
    const [inside] = (await exchange(post(flood))) as [RawAnswer];
    refusal = undefined;
    deferrals.defer('of the flood', error);
    const [atTheDoor] = (await exchange(post(flood))) as [RawAnswer];
    expect(fixed(atTheDoor)).toEqual(fixed(inside));
    if (error === overLimit)
      expect(atTheDoor.headers).toMatchObject({ 'retry-after': '3', ratelimit: expect.any(String) });
    expect(server.metrics.counts.at(-1)?.labels).toMatchObject({ operation: 'submit', problem: error.code });
  });

  test('other filings are served, whole, and theirs when the moment is over', async () => {
    deferrals.defer('of the flood', overLimit);
    const others = [
      filing('of another'),
      filing('of another', 'x'.repeat(30_000)),
      filing('never seen'),
      '{"payload":"x"}',
      '',
    ];
    const answers = await exchange(...others.map((text) => post(text)), post(flood));
    expect(answers.map(({ status }) => status)).toEqual([...others.map(() => 200), 429]);
    expect(answers.slice(0, -1).map(({ body: text }) => Number(text))).toEqual(others.map(({ length }) => length));
    clock.pass(100);
    expect((await exchange(post(flood))).map(({ status }) => status)).toEqual([200]);
  });

  test('a filing whose body comes after its head goes the usual way', async () => {
    deferrals.defer('of the flood', overLimit);
    const socket = connect(server.port, '127.0.0.1');
    const answered = new Promise<string>((resolve) => socket.once('data', (data) => resolve(data.toString())));
    const request = post(flood);
    socket.write(request.slice(0, -flood.length));
    await expect.poll(() => asked).toBeGreaterThan(0);
    socket.write(flood);
    expect(await answered).toMatch(/^HTTP\/1.1 200 /);
    socket.destroy();
  });

  test('a refused connection is used again, however long it lasts', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    deferrals.defer('of the flood', overLimit);
    const socket = connect(server.port, '127.0.0.1');
    const answer = (): Promise<string> =>
      new Promise((resolve) => socket.once('data', (data) => resolve(data.toString())));
    for (const text of [flood, flood]) {
      socket.write(post(text));
      expect(await answer()).toMatch(/^HTTP\/1.1 429 /);
    }
    vi.advanceTimersByTime(60_000);
    socket.write(post(filing('of another')));
    expect(await answer()).toMatch(/^HTTP\/1.1 200 /);
    socket.destroy();
  });

  test('who comes with more than its share at once is refused, and the others are served first', async () => {
    const open = Array.from({ length: 400 }, () => connect(server.port, '127.0.0.1'));
    // Used once, or the server would take them one in each turn.
    for (const socket of open) socket.write('GET /filings HTTP/1.1\r\nHost: x\r\n\r\n');
    await Promise.all(open.map((socket) => once(socket, 'data')));
    const order: string[] = [];
    const all = open.map(async (socket, i) => {
      const kid = i < 390 ? 'of the flood' : 'of another';
      const answered = once(socket, 'data');
      socket.write(post(filing(kid)));
      const [head] = (await answered) as [Buffer];
      order.push(`${kid} ${head.toString('latin1', 9, 12)}`);
    });
    await Promise.all(all);
    expect(order.filter((entry) => entry === 'of another 200')).toHaveLength(10);
    expect(order.filter((entry) => entry === 'of the flood 503').length).toBeGreaterThan(0);
    expect(order.lastIndexOf('of another 200')).toBeLessThan(order.lastIndexOf('of the flood 200'));
    for (const socket of open) socket.destroy();
  });

  test('whatever waits for its turn is answered, small or large, empty or chunked, and what has gone is forgotten', async () => {
    const chunked =
      'POST /filings?x HTTP/1.1\r\nHost: x\r\nContent-Type: application/jose\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n0\r\n\r\n';
    const last = [post(''), chunked, post('x'.repeat(70_000))];
    const open = Array.from({ length: 150 }, () => connect(server.port, '127.0.0.1'));
    for (const socket of open) socket.write('GET /filings HTTP/1.1\r\nHost: x\r\n\r\n');
    await Promise.all(open.map((socket) => once(socket, 'data')));
    const served = server.metrics.counts.length;
    const gone = open.splice(0, 10);
    // All at once: the first 64 begin, the others wait.
    const answers = open.map(async (socket, i) => {
      const answered = once(socket, 'data');
      socket.write(last[i - open.length + last.length] ?? post(filing(`of filer ${i}`)));
      const [head] = (await answered) as [Buffer];
      return `${head.toString('latin1', 9, 12)} ${head.toString().split('\r\n\r\n')[1]}`;
    });
    for (const socket of gone) socket.write(post(filing('of one who leaves')), () => socket.destroy());
    const all = await Promise.all(answers);
    expect(all.every((answer) => answer.startsWith('200 '))).toBe(true);
    expect(all.slice(-last.length)).toEqual(['200 0', '200 4', '200 70000']);
    expect(server.metrics.counts.length - served).toBeGreaterThanOrEqual(open.length);
    for (const socket of open) socket.destroy();
  });
});

test('while enough is at work filings wait, and nothing else does', async () => {
  isFull = false;
  hasEnough = true;
  const answers: RawAnswer[] = [];
  const sent = Promise.all(['a', 'bb', 'ccc'].map(async (content) => answers.push(...(await exchange(post(content))))));
  const [other] = await exchange('GET /filings HTTP/1.1\r\nHost: x\r\n\r\n');
  expect(other?.body).toBe('list');
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(answers).toEqual([]);
  hasEnough = false;
  await sent;
  expect(answers.map(({ status, body: text }) => `${status} ${text}`).sort()).toEqual(['200 1', '200 2', '200 3']);
});

test('so many may wait as there is room for', async () => {
  isFull = false;
  hasEnough = true;
  const answers: RawAnswer[] = [];
  const sent = Promise.all(Array.from({ length: 230 }, async () => answers.push(...(await exchange(post('a'))))));
  await expect.poll(() => answers.length).toBeGreaterThanOrEqual(30);
  expect(answers.every(({ status }) => status === 503)).toBe(true);
  hasEnough = false;
  await sent;
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(200);
});

test('what waits is bounded by what it takes up, too', async () => {
  isFull = false;
  hasEnough = true;
  roomAtHand = 10_000;
  const answers: RawAnswer[] = [];
  const large = post('x'.repeat(100_000));
  const sent = Promise.all(Array.from({ length: 1_100 }, async () => answers.push(...(await exchange(large)))));
  // 64 MiB of 68 KiB each: 4 for the request, 64 of its body.
  await expect.poll(() => answers.length, { timeout: 30_000 }).toBe(1_100 - 964);
  expect(answers.every(({ status }) => status === 503)).toBe(true);
  hasEnough = false;
  await sent;
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(964);
}, 60_000);

test('a filing that waits was received when all of it was there', async () => {
  isFull = false;
  hasEnough = true;
  const whole = exchange(post('whole'));
  const [head, rest] = post('later').split('\r\n\r\n') as [string, string];
  const socket = connect(server.port, '127.0.0.1');
  socket.write(`${head}\r\n\r\n`);
  await sleep(200);
  const between = systemClock.now();
  await sleep(200);
  socket.write(rest);
  await sleep(400);
  const released = systemClock.now();
  hasEnough = false;
  const [answer] = await whole;
  expect(Number(answer?.headers['x-received-at'])).toBeLessThan(between);
  const [chunk] = (await once(socket, 'data')) as [Buffer];
  const received = Number(/x-received-at: (\d+)/i.exec(chunk.toString())?.[1]);
  expect(received).toBeGreaterThan(between);
  expect(received).toBeLessThan(released - 100);
  socket.destroy();
});
