import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Type } from 'typebox';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { route } from '../../src/http/route.ts';
import { type ErrorCode, GatewayError } from '../../src/std/errors.ts';
import { type TestServer, testDoor, testServer } from './support.ts';

const CONNECTIONS = 200;
const REQUEST = 'POST /filings HTTP/1.1\r\nHost: x\r\nContent-Type: application/jose\r\nContent-Length: 1\r\n\r\nx';

const submit = route({
  tag: 'test',
  summary: { zh: '', en: '' },
  access: 'public',
  responses: {},
  method: 'POST',
  path: '/filings',
  operationId: 'submit',
  body: { kind: 'raw', media: { 'application/jose': Type.String() }, limitBytes: 1_000 },
  handle: async (call) => {
    if (refusal !== undefined) throw new GatewayError(refusal);
    return new Response(await call.text());
  },
});

/** Sends the next request as soon as the one before was answered, whatever it was told. */
class Impatient {
  readonly #socket: Socket;
  readonly answers = new Map<number, number>();
  sent = 0;
  #isSending = true;

  constructor(port: number) {
    this.#socket = connect(port, '127.0.0.1', () => this.#send());
    this.#socket.on('error', () => {});
    let text = '';
    this.#socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      const end = text.indexOf('\r\n\r\n') + 4;
      const length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? Number.NaN);
      if (end < 4 || !(text.length - end >= length)) return;
      const status = Number(text.slice(9, 12));
      this.answers.set(status, (this.answers.get(status) ?? 0) + 1);
      text = '';
      if (this.#isSending) this.#send();
    });
  }

  #send(): void {
    this.#socket.write(REQUEST);
    this.sent++;
  }

  /** The request under way is the last one. */
  rest(): void {
    this.#isSending = false;
  }

  get closed(): Promise<unknown> {
    return this.#socket.closed ? Promise.resolve() : once(this.#socket, 'close');
  }

  end(): void {
    this.#socket.destroy();
  }
}

let room = 0;
/** By the handler, whatever room there is. */
let refusal: ErrorCode | undefined;
let server: TestServer;
let clients: Impatient[] = [];

beforeEach(async () => {
  room = 0;
  refusal = undefined;
  server = await testServer([submit], { door: testDoor(() => room) });
  clients = Array.from({ length: CONNECTIONS }, () => new Impatient(server.port));
});
afterEach(async () => {
  for (const client of clients) client.end();
  await server.close(0);
});

const counted = (status: number): number => clients.reduce((sum, client) => sum + (client.answers.get(status) ?? 0), 0);
const inLine = (): number => server.metrics.gauges.get('http_connections_in_line')?.() ?? 0;

test.each([
  { why: 'there is no room', atHand: 0, by: undefined, status: 503 },
  { why: 'its party has its share of the room', atHand: 10_000, by: 'overloaded', status: 503 },
  { why: 'its party is over its limit', atHand: 10_000, by: 'rate-limited', status: 429 },
] as const)(
  'who comes again at once is refused at a bounded pace when $why, and nobody is forgotten',
  async (example) => {
    const { atHand, by, status } = example;
    // Refused at the door until all have come, then as the example says.
    await expect.poll(() => counted(503)).toBeGreaterThanOrEqual(CONNECTIONS);
    refusal = by;
    room = atHand;
    await expect.poll(() => clients.every(({ answers }) => (answers.get(status) ?? 0) >= 2)).toBe(true);
    const [since, before] = [performance.now(), counted(status)];
    const goal = before + 3 * CONNECTIONS;
    await expect.poll(() => counted(status)).toBeGreaterThanOrEqual(goal);
    const seconds = (performance.now() - since) / 1_000;
    expect(counted(status) - before).toBeLessThan(CONNECTIONS + seconds * 1_500);
    expect(inLine()).toBeLessThanOrEqual(CONNECTIONS);
    expect(clients.every(({ answers }) => (answers.get(status) ?? 0) >= 3)).toBe(true);
  },
);

test('when there is room again everybody is served', async () => {
  await expect.poll(() => counted(503)).toBeGreaterThanOrEqual(CONNECTIONS);
  room = CONNECTIONS;
  await expect.poll(() => clients.every(({ answers }) => (answers.get(200) ?? 0) > 0)).toBe(true);
  await expect.poll(inLine).toBe(0);
});

test('who waits in line while the server stops is answered', async () => {
  await expect.poll(() => clients.every(({ answers }) => (answers.get(503) ?? 0) > 0)).toBe(true);
  await expect.poll(inLine).toBeGreaterThan(0);
  for (const client of clients) client.rest();
  await server.close(10_000);
  await Promise.all(clients.map(({ closed }) => closed));
  expect(clients.map(({ answers }) => answers.get(503))).toEqual(clients.map(({ sent }) => sent));
  expect(inLine()).toBe(0);
});

test('while there are nearly too many connections, whoever is refused comes back on a new one', async () => {
  const small = await testServer([submit], { door: testDoor(() => 0), serverLimits: { connections: 10 } });
  const sockets = Array.from({ length: 10 }, () => connect(small.port, '127.0.0.1'));
  const refuse = async (socket: Socket | undefined): Promise<string> => {
    socket?.write(REQUEST);
    const [answer] = (await once(socket as Socket, 'data')) as [Buffer];
    return answer.toString().split('\r\n\r\n')[0] as string;
  };
  await Promise.all(sockets.map((socket) => once(socket, 'connect')));
  await expect.poll(() => small.metrics.gauges.get('http_connections')?.()).toBe(10);
  const [first, ...others] = sockets;
  const closed = once(first as Socket, 'close');
  expect(await refuse(first)).toMatch(/^HTTP\/1.1 503 .*\r\nConnection: close/s);
  await closed;
  await expect.poll(() => small.metrics.gauges.get('http_connections')?.()).toBeLessThan(10);
  expect(await refuse(others[0])).toMatch(/^HTTP\/1.1 503 .*\r\nConnection: keep-alive/s);
  await expect.poll(() => small.metrics.gauges.get('http_connections_in_line')?.()).toBeLessThanOrEqual(1);
  for (const socket of sockets) socket.destroy();
  await small.close(0);
});
