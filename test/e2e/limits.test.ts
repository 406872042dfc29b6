import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { HEADERS_MAX, JSON_LIMITS } from '../../src/http/perform.ts';
import { SERVER_LIMITS } from '../../src/http/server.ts';
import { MAX_LINE_BYTES } from '../../src/identity/import.ts';
import { MAX_HEADER_CHARACTERS } from '../../src/ingest/jws.ts';
import { RawClient } from '../fuzz/raw-client.ts';
import { expectProblem, filingOf } from '../support/expect.ts';
import { lodging } from '../support/filer.ts';
import { type Gateway, type PartyName, startGateway } from '../support/gateway.ts';
import { submit, submitJws } from '../support/parties.ts';
import { until } from '../support/until.ts';
import { type Answer, parseAnswer } from '../support/wire.ts';

interface Operation {
  readonly operationId: string;
  readonly method: string;
  readonly path: string;
  readonly access: 'public' | readonly string[];
  readonly limitBytes: number;
  readonly media: string;
}

/** IDLE_SOCKETS=5000 SLOW_SENDERS=1000 is the promise in full. */
const IDLE_SOCKETS = Number(process.env.IDLE_SOCKETS ?? 60);
const SLOW_SENDERS = Number(process.env.SLOW_SENDERS ?? 60);
// Well below nine tenths of them, beyond which connections that are kept for later are closed.
const CONNECTIONS = 80 + 1.25 * (IDLE_SOCKETS + SLOW_SENDERS);

let gateway: Gateway;
let client: RawClient;
let operations: Operation[];

beforeAll(async () => {
  gateway = await startGateway({ env: { RATE_FILER: '100000', MAX_CONNECTIONS: String(CONNECTIONS) } });
  client = new RawClient(gateway.port);
  const { paths } = (await gateway.ask('GET', '/openapi.json')).json() as {
    paths: Record<string, Record<string, Record<string, unknown>>>;
  };
  operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).flatMap(([method, { operationId, requestBody, 'x-access': access }]) => {
      const body = requestBody as { 'x-limit-bytes': number; content: object } | undefined;
      if (body === undefined) return [];
      const media = Object.keys(body.content)[0] ?? '';
      const limitBytes = body['x-limit-bytes'];
      return [
        {
          operationId: String(operationId),
          method: method.toUpperCase(),
          path,
          access: access as 'public',
          limitBytes,
          media,
        },
      ];
    }),
  );
});
afterAll(async () => {
  client.close();
  await gateway.remove();
});

const VALUES: Readonly<Record<string, string>> = {
  office: '43501000000',
  year: '2040',
  region: '350100',
  kid: 'k'.repeat(43),
};
const ROLES: Readonly<Record<string, PartyName>> = {
  operator: 'operator',
  office: 'psb',
  filer: 'filer',
  agent: 'agent',
};

/** The head of a request that waits for leave to send `length` bytes, and what is said first. */
async function firstLine({ method, path, access, media }: Operation, length: number): Promise<string> {
  const target = path.replace(/\{([^}]+)\}/g, (_, name: string) => VALUES[name] ?? 'x');
  const role = access === 'public' ? undefined : ROLES[access[0] ?? ''];
  const token = role === undefined ? '' : `Authorization: Bearer ${await gateway.token(gateway.party(role))}\r\n`;
  const head = `${method} ${target} HTTP/1.1\r\nHost: x\r\n${token}Content-Type: ${media}\r\nContent-Length: ${length}\r\nExpect: 100-continue\r\n\r\n`;
  const socket = connect(gateway.port, '127.0.0.1');
  try {
    return await new Promise((resolve, reject) => {
      let text = '';
      socket.on('data', (chunk) => {
        text += chunk.toString();
        if (text.includes('\r\n\r\n')) resolve(text);
      });
      socket.on('error', reject);
      socket.write(head);
    });
  } finally {
    socket.destroy();
  }
}

test('every body: as many bytes as documented are asked for, one more is refused before any is sent', async () => {
  expect(operations.length).toBeGreaterThan(15);
  for (const operation of operations) {
    const { operationId, limitBytes } = operation;
    expect([operationId, (await firstLine(operation, limitBytes)).split('\r\n')[0]]).toEqual([
      operationId,
      'HTTP/1.1 100 Continue',
    ]);
    const [, status] = (await firstLine(operation, limitBytes + 1)).split(' ');
    expect([operationId, status]).toEqual([operationId, '413']);
  }
});

const plain = async (...headers: string[]): Promise<number> => {
  const head = ['GET /healthz HTTP/1.1', 'Host: x', ...headers].join('\r\n');
  return (await client.ask(Buffer.from(`${head}\r\n\r\n`), 'GET')).status;
};

describe('the head of a request', () => {
  test(`${HEADERS_MAX} fields, and one more`, async () => {
    const fields = Array.from({ length: HEADERS_MAX - 1 }, (_, i) => `X-${i}: y`);
    expect(await plain(...fields)).toBe(200);
    expect(await plain(...fields, 'X: y')).toBe(431);
    // Also where a token comes first, and where what is asked for is recorded.
    const head = ['GET /v1/filings/13501000000.0/content HTTP/1.1', 'Host: x', ...fields, 'X: y'].join('\r\n');
    expect((await client.ask(Buffer.from(`${head}\r\n\r\n`), 'GET')).status).toBe(431);
  });

  test('16 KiB in all, in one field, in many, or in the target', async () => {
    // Node counts names, values and target, and not what stands between them.
    const most = SERVER_LIMITS.headerBytes;
    expect(await plain(`X: ${'y'.repeat(most - 200)}`)).toBe(200);
    expect(await plain(`X: ${'y'.repeat(most)}`)).toBe(431);
    const many = (length: number) => Array.from({ length: 16 }, (_, i) => `X-${i}: ${'y'.repeat(length)}`);
    expect(await plain(...many(most / 16 - 32))).toBe(200);
    expect(await plain(...many(most / 16))).toBe(431);
    const get = async (length: number) =>
      (await client.ask(Buffer.from(`GET /${'p'.repeat(length)} HTTP/1.1\r\nHost: x\r\n\r\n`), 'GET')).status;
    expect([await get(most - 200), await get(most)]).toEqual([404, 431]);
  });
});

const put = (body: string): Promise<Answer> =>
  gateway.ask('PUT', '/v1/regions/350100/figures', {
    as: 'operator',
    headers: { 'Content-Type': 'application/json' },
    body,
  });
const reason = (answer: Answer): unknown => (answer.json() as { reason?: string }).reason;

describe('JSON', () => {
  test(`${JSON_LIMITS.depth} levels, and one more`, async () => {
    const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`;
    expectProblem(await put(nested(JSON_LIMITS.depth)), 422, 'invalid-resource');
    const refused = await put(nested(JSON_LIMITS.depth + 1));
    expectProblem(refused, 400, 'malformed-json');
    expect(reason(refused)).toBe('too-deep');
  });

  test(`${JSON_LIMITS.values} values, and one more`, async () => {
    // The list itself and each comma count for one.
    const list = (values: number) => `[${Array.from({ length: values }, () => '0').join(',')}]`;
    expectProblem(await put(list(JSON_LIMITS.values)), 422, 'invalid-resource');
    const refused = await put(list(JSON_LIMITS.values + 1));
    expectProblem(refused, 400, 'malformed-json');
    expect(reason(refused)).toBe('too-many-values');
  });

  test(`a protected header of ${MAX_HEADER_CHARACTERS} characters, and more`, async () => {
    const filer = gateway.party('filer');
    const withPadding = (length: number) => filer.filing(gateway.issuer, lodging(), { padding: 'x'.repeat(length) });
    const base = withPadding(0).indexOf('.');
    const room = Math.floor(((MAX_HEADER_CHARACTERS - base) * 3) / 4) - 2;
    filingOf(await submitJws(gateway, withPadding(room)), 201);
    expectProblem(await submitJws(gateway, withPadding(room + 8)), 400, 'malformed-jws');
  });
});

test('a line of an import: as long as it may be, and one byte more', async () => {
  const line = (length: number): string =>
    `{"op":"party","id":"LONG","kind":"operator","name":"A"${' '.repeat(length - 55)}}`;
  const body = `${line(MAX_LINE_BYTES)}\n${line(MAX_LINE_BYTES + 1)}\n`;
  const [fits, exceeds] = body
    .trimEnd()
    .split('\n')
    .map((each) => each.length - MAX_LINE_BYTES);
  expect([fits, exceeds]).toEqual([0, 1]);
  const answer = await gateway.ask('POST', '/v1/import', {
    as: 'operator',
    headers: { 'Content-Type': 'application/x-ndjson' },
    body,
  });
  const statuses = answer.text
    .trimEnd()
    .split('\n')
    .map((each) => (JSON.parse(each) as { status: number }).status);
  expect(statuses).toEqual([201, 413]);
});

interface Held {
  readonly socket: Socket;
  text: string;
  closedAt?: number;
}

function hold(begin: string): Held {
  const held: Held = { socket: connect(gateway.port, '127.0.0.1'), text: '' };
  held.socket.on('data', (chunk) => {
    held.text += chunk.toString();
  });
  held.socket.on('error', () => undefined);
  held.socket.on('close', () => {
    held.closedAt = performance.now();
  });
  if (begin !== '') held.socket.write(begin);
  return held;
}

describe('connections', () => {
  test('those who send nothing and those who send slowly are cut off, while others are served', {
    timeout: 120_000,
  }, async () => {
    const since = performance.now();
    const idle = Array.from({ length: IDLE_SOCKETS }, () => hold(''));
    const heads = Array.from({ length: SLOW_SENDERS / 2 }, () => hold('GET /healthz HTTP/1.1\r\nX: '));
    const bodies = Array.from({ length: SLOW_SENDERS / 2 }, () =>
      hold('POST /v1/filings HTTP/1.1\r\nHost: x\r\nContent-Type: application/jose\r\nContent-Length: 9999\r\n\r\n'),
    );
    const slow = [...idle, ...heads, ...bodies];
    const drip = setInterval(() => {
      for (const { socket } of [...heads, ...bodies]) if (socket.writable) socket.write('x');
    }, 500);
    let served = 0;
    const all = until('all slow connections are closed', async () => {
      filingOf(await submit(gateway, gateway.party('filer'), lodging()), 201);
      served += 1;
      return slow.every(({ closedAt }) => closedAt !== undefined);
    });
    await all.finally(() => clearInterval(drip));
    expect(served).toBeGreaterThan(5);
    for (const { text } of [...heads, ...bodies]) expectProblem(parseAnswer(Buffer.from(text)), 408, 'timeout');
    const last = Math.max(...slow.map(({ closedAt = 0 }) => closedAt)) - since;
    process.stdout.write(`${slow.length} slow connections: the last was closed after ${(last / 1_000).toFixed(1)} s\n`);
  });

  test(`of more than ${CONNECTIONS} the rest are closed, and counted`, async () => {
    const held = Array.from({ length: CONNECTIONS + 20 }, () => hold(''));
    await until(
      'the connections beyond the bound are closed',
      () => held.filter(({ closedAt }) => closedAt !== undefined).length >= 20,
    );
    for (const { socket } of held) socket.destroy();
    const dropped = await until('connections are taken again', async () => {
      const { text } = await gateway.ask('GET', '/metrics').catch(() => ({ text: '' }));
      return /^shenbao_http_connections_dropped_total (\d+)$/m.exec(text)?.[1];
    });
    expect(Number(dropped)).toBeGreaterThanOrEqual(20);
  });
});
