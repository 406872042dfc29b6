import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { BODY_TIMEOUT_MS, STREAM_WINDOW_BYTES, STREAM_WINDOW_MS } from '../../src/http/body.ts';
import { MAX_WAIT_SECONDS } from '../../src/http/call.ts';
import { DOOR_PATIENCE_MS } from '../../src/http/door.ts';
import { openApiText } from '../../src/http/openapi-build.ts';
import { HEADERS_MAX, JSON_LIMITS } from '../../src/http/perform.ts';
import { bodyLimitBytes } from '../../src/http/route.ts';
import { SERVER_LIMITS } from '../../src/http/server.ts';
import { MAX_LINE_BYTES, MAX_SKIPPED_BYTES } from '../../src/identity/import.ts';
import { BULK_FILINGS_MAX, FILING_BYTES_MAX } from '../../src/ingest/bulk.ts';
import { MAX_HEADER_CHARACTERS } from '../../src/ingest/jws.ts';
import { PAYLOAD_LIMITS } from '../../src/ingest/pipeline.ts';
import { type Rate, readConfig } from '../../src/ops/config.ts';

/** The rows of the table in docs/http.md: limit, value, answer, setting. */
const ROWS = readFileSync(new URL('../../docs/http.md', import.meta.url), 'utf8')
  .split('\n')

  .filter((line) => /^\|.*\|.*\|.*\|.*\|$/.test(line) && !/^\| *(-|limit )/.test(line))
  .map((line) =>
    line
      .split('|')
      .slice(1, 5)
      .map((cell) => cell.trim()),
  ) as [limit: string, value: string, answer: string, setting: string][];

const number = (value: number): string => value.toLocaleString('en-US');
const bytes = (value: number): string => (value % 2 ** 20 === 0 ? `${value / 2 ** 20} MiB` : `${value / 1024} KiB`);
const seconds = (ms: number): string => `${ms / 1_000} s`;
const rate = ({ ratePerSecond, burst }: Rate): string => `${number(ratePerSecond)}/s, burst ${number(burst)}`;

test('the table says of every limit what the code does', () => {
  const { rates, pool, maxConnections } = readConfig({});
  expect(SERVER_LIMITS.connections).toBe(maxConnections);
  const values = new Map(ROWS.filter(([limit]) => !limit.startsWith('body')).map(([limit, value]) => [limit, value]));
  expect(Object.fromEntries(values)).toEqual({
    'request line and headers together': bytes(SERVER_LIMITS.headerBytes),
    'header fields of a request': number(HEADERS_MAX),
    'filings of a bulk upload': number(BULK_FILINGS_MAX),
    'line of a bulk upload': bytes(FILING_BYTES_MAX),
    'line of an import': bytes(MAX_LINE_BYTES),
    'line of an import, to be passed over': bytes(MAX_SKIPPED_BYTES),
    'levels of arrays and objects in JSON': number(JSON_LIMITS.depth),
    'members and elements in JSON': number(JSON_LIMITS.values),
    'members and elements in a filing': number(PAYLOAD_LIMITS.values),
    'protected header of a JWS, encoded': number(MAX_HEADER_CHARACTERS),
    "headers, from the connection's start or the request's first byte": seconds(SERVER_LIMITS.headersTimeoutMs),
    'a body that is read whole': seconds(BODY_TIMEOUT_MS),
    'a body that is read as a stream (bulk, import), while the gateway waits for it': `${bytes(STREAM_WINDOW_BYTES)} in ${seconds(STREAM_WINDOW_MS)}`,
    'a whole request, however steadily it moves': seconds(SERVER_LIMITS.requestTimeoutMs),
    'an answer, once the whole request is here': '5 s',
    "of these, a filing's wait for its turn while enough others are at work": seconds(DOOR_PATIENCE_MS),
    'what `Prefer: wait=n` adds where an operation waits for news': seconds(1_000 * MAX_WAIT_SECONDS),
    'an idle connection between requests': seconds(SERVER_LIMITS.keepAliveTimeoutMs),
    'a connection on which nothing moves either way': seconds(SERVER_LIMITS.silenceTimeoutMs),
    'connections of a process': number(maxConnections),
    'requests and filings of a filer': rate(rates.filer),
    'requests and filings of an agent': rate(rates.agent),
    'requests of an office': rate(rates.office),
    'requests of an operator': rate(rates.operator),
    'filings that wait for a commit in a process': number(pool.maxFilings),
    'bytes of these': bytes(pool.maxBytes),
  });
  expect(PAYLOAD_LIMITS.depth).toBe(JSON_LIMITS.depth);
});

test('and of every body what OpenAPI says', () => {
  const { paths } = JSON.parse(openApiText()) as {
    paths: Record<string, Record<string, { operationId: string; requestBody?: { 'x-limit-bytes': number } }>>;
  };
  const documented = new Map(
    ROWS.filter(([limit]) => limit.startsWith('body of')).flatMap(([limit, value]) =>
      [...limit.matchAll(/`([^`]+)`/g)].map(([, operation]) => [operation as string, value] as const),
    ),
  );
  const usual = ROWS.find(([limit]) => limit.startsWith('body, unless'))?.[1];
  expect(usual).toBe(bytes(bodyLimitBytes(undefined)));
  const seen = new Set<string>();
  for (const { operationId, requestBody } of Object.values(paths).flatMap((methods) => Object.values(methods))) {
    if (requestBody === undefined) continue;
    seen.add(operationId);
    expect([operationId, bytes(requestBody['x-limit-bytes'])]).toEqual([
      operationId,
      documented.get(operationId) ?? usual,
    ]);
  }
  expect([...documented.keys()].filter((operation) => !seen.has(operation))).toEqual([]);
});

test('every setting in the table is one, and every answer a code', () => {
  const config = readFileSync(new URL('../../src/ops/config.ts', import.meta.url), 'utf8');
  const problems = readFileSync(new URL('../../src/std/errors.ts', import.meta.url), 'utf8');
  for (const [, , answer, setting] of ROWS) {
    for (const [, name = ''] of setting.matchAll(/`([A-Z_]+)`/g))
      expect(config).toContain(`'${name.replace(/_BURST$/, '')}'`);
    const [, status, code] = /^(\d{3}) `([a-z-]+)`/.exec(answer) ?? [];
    if (status !== undefined) expect(problems).toContain(`'${code}'`);
    else expect(answer).toMatch(/^(closed|the answer)/);
  }
});
