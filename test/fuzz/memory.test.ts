import { readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { filingOf } from '../support/expect.ts';
import { lodging } from '../support/filer.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { submit } from '../support/parties.ts';
import { until } from '../support/until.ts';
import { RawClient } from './raw-client.ts';

/** BAD_REQUESTS=100000 is the promise in full; the test command sends a part of it. */
const REQUESTS = Number(process.env.BAD_REQUESTS ?? 30_000);
/** The first third warms up: until then code is compiled, and pools and caches take what they take once. */
const WARM_UP = Math.ceil(REQUESTS / 3);
const BATCHES = 4;
const LANES = 24;
/** An entry of a map with a short text in it takes more than a hundred. */
const BYTES_A_REQUEST = 60;

const PROBE = fileURLToPath(new URL('../support/heap-probe.mjs', import.meta.url));
const file = path.join(os.tmpdir(), `shenbao-heap-${process.pid}.json`);

let gateway: Gateway;
let client: RawClient;

beforeAll(async () => {
  const rates = { RATE_FILER: '100000', RATE_OPERATOR: '100000' };
  gateway = await startGateway({ env: { ...rates, NODE_OPTIONS: `--import ${PROBE}`, HEAP_PROBE: file } });
  client = new RawClient(gateway.port);
});
afterAll(async () => {
  client.close();
  await gateway.remove();
  rmSync(file, { force: true });
});

interface Use {
  readonly heapUsed: number;
  readonly external: number;
  readonly rss: number;
}

async function measured(): Promise<Use> {
  rmSync(file, { force: true });
  process.kill(gateway.pid, 'SIGUSR2');
  return await until('the figures of the heap', () => {
    try {
      return JSON.parse(readFileSync(file, 'utf8')) as Use;
    } catch {
      return undefined;
    }
  });
}

type Bad = (n: number) => readonly [head: string, body?: string];

/** Each other than all before it: whatever is kept by what was sent grows with every one. */
function badRequests(filing: string, token: string): readonly Bad[] {
  const json = 'Content-Type: application/json';
  const jose = 'Content-Type: application/jose';
  const operator = `Authorization: Bearer ${token}`;
  const [header, payload, signature = ''] = filing.split('.');
  return [
    (n) => [`GET /nothing/${n} HTTP/1.1`],
    (n) => [`GET /v1/filing-types/no.such-${n} HTTP/1.1`],
    (n) => [`BREW /v1/filings/${n} HTTP/1.1`],
    (n) => [`PATCH /v1/filings/${n} HTTP/1.1`],
    (n) => [`GET /v1/limits HTTP/1.1\r\nAuthorization: Bearer e30.${n}.AA`],
    (n) => [`GET /v1/calendar/deadlines?limit=${n}x HTTP/1.1`],
    (n) => [`GET /v1/calendar/deadlines/none-${n} HTTP/1.1`],
    (n) => [`GET / HTTP/1.1\r\nX-${n}: y\r\nX ${n}: z`],
    (n) => [`POST /v1/filings HTTP/1.1\r\n${jose}`, `no-${n}`],
    (n) => [`POST /v1/filings HTTP/1.1\r\n${jose}`, `${header}.${payload}x${n}.${signature}`],
    (n) => [
      `POST /v1/filings HTTP/1.1\r\n${jose}`,
      `${header}.${Buffer.from(`{"n":${n}}`).toString('base64url')}.${signature}`,
    ],
    (n) => [`POST /v1/filings HTTP/1.1\r\n${jose}\r\nContent-Encoding: gzip`, `x${n}`],
    (n) => [`POST /v1/filings HTTP/1.1\r\nContent-Type: text/x-${n}`, 'x'],
    (n) => [`POST /v1/validations HTTP/1.1\r\n${json}`, `{"type":"no.such-${n}","x${n}":1}`],
    (n) => [`POST /v1/validations HTTP/1.1\r\n${json}`, `{"a":1,"a":${n}`],
    (n) => [`POST /oauth2/token HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded`, `grant_type=g${n}`],
    (n) => [`PUT /v1/parties/P-${n} HTTP/1.1\r\n${json}\r\n${operator}`, `{"kind":"k${n}"}`],
    (n) => [`PUT /v1/calendar/deadlines/D-${n} HTTP/1.1\r\n${json}\r\n${operator}`, `{"x${n}":[${n}]}`],
    (n) => [`POST /v1/filings/bulk HTTP/1.1\r\nContent-Type: application/x-ndjson`, `"a.${n}.c"\n{"x":${n}}\n`],
  ];
}

async function sendBatch(kinds: readonly Bad[], from: number, count: number): Promise<void> {
  let next = from;
  const lane = async (): Promise<void> => {
    while (next < from + count) {
      const n = next++;
      const [head, body = ''] = (kinds[n % kinds.length] as Bad)(n);
      const text = `${head}\r\nHost: gateway\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
      const { status, body: answer } = await client.ask(Buffer.from(text), head.split(' ')[0] ?? '');
      const isRefusal = status >= 400 || (status === 200 && /"valid":false|"problem"/.test(answer.toString()));
      if (!isRefusal || status >= 500) throw new Error(`${head}: ${status} ${answer.toString().slice(0, 300)}`);
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

test(`${REQUESTS} bad requests leave nothing behind`, { timeout: 600_000 }, async () => {
  const filer = gateway.party('filer');
  const kinds = badRequests(filer.filing(gateway.issuer, lodging()), await gateway.token(gateway.party('operator')));
  const size = Math.ceil((REQUESTS - WARM_UP) / BATCHES);
  const since = performance.now();
  await sendBatch(kinds, 0, WARM_UP);
  const uses = [await measured()];
  for (let batch = 0; batch < BATCHES; batch++) {
    await sendBatch(kinds, WARM_UP + batch * size, size);
    uses.push(await measured());
  }
  const grown = uses.slice(1).map((use, i) => (use.heapUsed + use.external - heapOf(uses[i])) / size);
  const seconds = Math.round((performance.now() - since) / 1_000);
  const mib = (bytes: number): number => Math.round(bytes / 2 ** 20);
  process.stdout.write(
    `${REQUESTS} bad requests in ${seconds} s: bytes kept of each, batch by batch: ${grown.map(Math.round).join(', ')}; ` +
      `RSS ${uses.map(({ rss }) => mib(rss)).join(', ')} MiB\n`,
  );
  // A leak grows in every batch; what a collector or a cache does, in one or the other.
  expect(median(grown)).toBeLessThan(BYTES_A_REQUEST);
  filingOf(await submit(gateway, filer, lodging()), 201);
  expect(gateway.output).not.toMatch(/"level":50/);
});

function heapOf(use: Use | undefined): number {
  return use === undefined ? 0 : use.heapUsed + use.external;
}

function median(figures: readonly number[]): number {
  const sorted = figures.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.floor(middle)] ?? 0) + (sorted[Math.ceil(middle) - 1] ?? 0)) / 2;
}
