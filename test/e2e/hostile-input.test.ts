import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { HOSTILE_CURSORS } from '../corpora/cursors.ts';
import { HOSTILE_HEADERS } from '../corpora/headers.ts';
import { type HostileCase, type HostileRequest, type Known, MARK } from '../corpora/hostile.ts';
import { HOSTILE_COMPRESSION, HOSTILE_MEDIA } from '../corpora/media.ts';
import { HOSTILE_BULK, HOSTILE_IMPORT, type HostileLines } from '../corpora/ndjson.ts';
import { HOSTILE_NOTES } from '../corpora/notes.ts';
import { HOSTILE_URLS } from '../corpora/urls.ts';
import { type RawAnswer, RawClient } from '../fuzz/raw-client.ts';
import { expectProblem, filingOf, type ProblemDocument } from '../support/expect.ts';
import { lodging } from '../support/filer.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { OFFICE, submit } from '../support/parties.ts';
import type { Answer } from '../support/wire.ts';
import { HOSTILE_JSON } from './hostile-json.ts';
import { HOSTILE_JWS } from './hostile-jws.ts';

let gateway: Gateway;
let client: RawClient;
let known: Known;

beforeAll(async () => {
  gateway = await startGateway({ env: { RATE_FILER: '100000', LOG_LEVEL: 'debug' } });
  client = new RawClient(gateway.port);
  const filer = gateway.party('filer');
  const { id } = filingOf(await submit(gateway, filer, lodging()), 201);
  known = { issuer: gateway.issuer, filer, office: OFFICE.psb, filingId: id, batch: await openBatch() };
});
afterAll(async () => {
  client.close();
  await gateway.remove();
});

async function openBatch(): Promise<Known['batch']> {
  const path = `/v1/offices/${OFFICE.psb}/consumers/hostile/batches`;
  const options = { as: 'psb', headers: { 'Content-Type': 'application/json' }, body: '{"lease":3600}' } as const;
  const answer = (await gateway.ask('POST', path, options)).json() as { id: string; to: number; checkpoint: string };
  const { id, to: size, checkpoint } = answer;
  const root = Buffer.from(checkpoint.split('\n')[2] ?? '', 'base64').toString('base64url');
  return { path: `${path}/${id}`, size, root, checkpoint };
}

async function send({ method = 'GET', target, as, headers = [], body = '' }: HostileRequest): Promise<RawAnswer> {
  const lines = ['Host: gateway', ...headers.map(([name, value]) => `${name}: ${value}`)];
  if (as !== undefined) lines.push(`Authorization: Bearer ${await gateway.token(gateway.party(as))}`);
  const isFramed = headers.some(([name]) => /^(content-length|transfer-encoding)$/i.test(name));
  if (!isFramed && body.length > 0) lines.push(`Content-Length: ${Buffer.byteLength(body)}`);
  const head = Buffer.from(`${method} ${target} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
  return client.ask(Buffer.concat([head, Buffer.from(body)]), method);
}

function asAnswer({ status, headers, body }: RawAnswer): Answer {
  const text = body.toString();
  return { status, headers: Object.fromEntries(headers), bytes: body, text, json: () => JSON.parse(text) };
}

const CORPORA: readonly (readonly [string, readonly HostileCase[]])[] = [
  ['URL', HOSTILE_URLS],
  ['cursor', HOSTILE_CURSORS],
  ['header', HOSTILE_HEADERS],
  ['media type', HOSTILE_MEDIA],
  ['compressed body', HOSTILE_COMPRESSION],
  ['note', HOSTILE_NOTES],
];

test('there are three hundred cases, no two of one corpus with the same name', () => {
  const corpora = [...CORPORA.map(([, cases]) => cases), HOSTILE_BULK, HOSTILE_IMPORT, HOSTILE_JWS, HOSTILE_JSON];
  for (const cases of corpora) expect(new Set(cases.map(([name]) => name)).size).toBe(cases.length);
  expect(corpora.reduce((sum, cases) => sum + cases.length, 0)).toBeGreaterThanOrEqual(300);
});

describe.each(CORPORA)('a hostile %s', (_, cases) => {
  test.each(cases)('%s: %d %s', async (_name, status, code, request) => {
    const answer = asAnswer(await send(typeof request === 'function' ? request(known) : request));
    expectProblem(answer, status, code);
    expect(`${JSON.stringify(answer.headers)}${answer.text}`).not.toContain(MARK);
  });
});

interface LineAnswer {
  readonly status: number;
  readonly problem?: ProblemDocument;
}

async function upload(target: string, as: 'operator' | undefined, make: HostileLines[2]): Promise<Answer> {
  const headers = [['Content-Type', 'application/x-ndjson']] as const;
  const who = as === undefined ? {} : { as };
  return asAnswer(await send({ method: 'POST', target, headers, body: make(known), ...who }));
}

function linesOf({ text, status }: Answer): LineAnswer[] {
  expect(status, text).toBe(200);
  for (const line of text.split('\n')) if (line.includes('"problem"')) expect(line).not.toContain(MARK);
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as LineAnswer);
}

describe('a hostile upload of filings', () => {
  test.each(HOSTILE_BULK)('%s: %j', async (_, expected, make) => {
    const answer = await upload('/v1/filings/bulk', undefined, make);
    if ('whole' in expected) {
      expectProblem(answer, ...expected.whole);
      return;
    }
    const got = linesOf(answer).map(({ status, problem }) => (problem === undefined ? status : [status, problem.code]));
    expect(got, answer.text).toEqual(expected.lines);
  });
});

describe('a hostile import', () => {
  test.each(HOSTILE_IMPORT)('%s: %j', async (_, expected, make) => {
    const [before, middle, after] = linesOf(await upload('/v1/import', 'operator', make));
    if ('whole' in expected) throw new Error('an import is never refused as a whole');
    expect([middle?.status, middle?.problem?.code]).toEqual(expected.lines[1]);
    for (const line of [before, after]) expect(line?.status).toBeLessThan(300);
  });
});

test('after all of it the gateway is the same process, has logged nothing of it, and takes a filing', async () => {
  expect(gateway.hasEnded()).toBe(false);
  filingOf(await submit(gateway, known.filer, lodging()), 201);
  expect(gateway.output).not.toMatch(new RegExp(`"level":50|${MARK}`));
});
