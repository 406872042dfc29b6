import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Type } from 'typebox';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { route } from '../../src/http/route.ts';
import { systemClock } from '../../src/std/clock.ts';
import { type TestServer, testServer } from './support.ts';

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
  handle: async (call) => new Response(await call.text()),
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
let server: TestServer;
let clients: Impatient[] = [];

beforeEach(async () => {
  room = 0;
  server = await testServer([submit], {
    door: { path: '/filings', operationId: 'submit', room: () => room, clock: systemClock },
  });
  clients = Array.from({ length: CONNECTIONS }, () => new Impatient(server.port));
});
afterEach(async () => {
  for (const client of clients) client.end();
  await server.close(0);
});

const counted = (status: number): number => clients.reduce((sum, client) => sum + (client.answers.get(status) ?? 0), 0);
const inLine = (): number => server.metrics.gauges.get('http_connections_in_line')?.() ?? 0;

test('who comes again at once is refused at a bounded pace, and nobody is forgotten', async () => {
  await expect.poll(() => counted(503)).toBeGreaterThanOrEqual(CONNECTIONS);
  const [since, before] = [performance.now(), counted(503)];
  await expect.poll(() => clients.every(({ answers }) => (answers.get(503) ?? 0) >= 4)).toBe(true);
  const seconds = (performance.now() - since) / 1_000;
  expect(counted(503) - before).toBeLessThan(CONNECTIONS + seconds * 1_500);
  expect(inLine()).toBeLessThanOrEqual(CONNECTIONS);
});

test('when there is room again everybody is served', async () => {
  await expect.poll(() => counted(503)).toBeGreaterThanOrEqual(CONNECTIONS);
  room = 50;
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
