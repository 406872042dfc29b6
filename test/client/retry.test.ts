import { describe, expect, test } from 'vitest';
import { generateKey, ShenbaoClient, ShenbaoError } from '../../src/client/client.ts';
import { retryAfterMs } from '../../src/client/retry.ts';
import { dropConnection, FAST, json, problem, type Reply, serveReplies } from './support.ts';

const FILING = { id: '13501000000.0', receipt: { salt: 'x' } };
const JWS = 'aaaa.bbbb.cccc';

/** The headers and half of the body, then nothing. */
const breakOff: Reply = (response) => {
  response.writeHead(201, { 'content-type': 'application/json', 'content-length': '100' });
  response.write('{"id":"13501');
  setTimeout(() => response.socket?.destroy(), 10);
};

const hang: Reply = () => undefined;

async function failure(promise: Promise<unknown>): Promise<ShenbaoError> {
  const error: unknown = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(ShenbaoError);
  return error as ShenbaoError;
}

describe('submit', () => {
  test.each([
    ['a dropped connection', dropConnection],
    ['an answer that breaks off', breakOff],
    ['503', problem(503, 'overloaded', true, { 'retry-after': '0' })],
    ['429', problem(429, 'rate-limited', true, { 'retry-after': '0' })],
    ['a proxy’s 502', ((response) => response.writeHead(502).end('<html>')) as Reply],
  ])('sends the same bytes again after %s', async (_, reply) => {
    const { url, seen } = await serveReplies(reply, reply, json(200, FILING, { 'idempotent-replayed': 'true' }));
    const client = new ShenbaoClient({ gateway: url, retry: FAST });
    expect(await client.submit(JWS)).toEqual({ filing: FILING, replayed: true });
    expect(seen.map(({ body }) => body.toString())).toEqual([JWS, JWS, JWS]);
    expect(new Set(seen.map(({ headers }) => headers['content-type']))).toEqual(new Set(['application/jose']));
  });

  test('an attempt without any answer is lost after its time', async () => {
    const { url, seen } = await serveReplies(hang, json(201, FILING));
    const client = new ShenbaoClient({ gateway: url, retry: { ...FAST, attemptMs: 1_000, deadlineMs: 25_000 } });
    expect((await client.submit(JWS)).replayed).toBe(false);
    expect(seen.length).toBeGreaterThanOrEqual(2);
  });

  test('waits at least as long as Retry-After asks', async () => {
    const { url } = await serveReplies(problem(503, 'overloaded', true, { 'retry-after': '1' }), json(201, FILING));
    const waits: number[] = [];
    const client = new ShenbaoClient({ gateway: url, retry: FAST, onRetry: (_, waitMs) => waits.push(waitMs) });
    const begun = performance.now();
    await client.submit(JWS);
    expect(performance.now() - begun).toBeGreaterThanOrEqual(990);
    expect(waits).toHaveLength(1);
    expect(waits[0]).toBeGreaterThanOrEqual(1_000);
    expect(waits[0]).toBeLessThanOrEqual(1_250);
  });

  test('does not repeat what cannot succeed, and tells all that the gateway said', async () => {
    const body = {
      type: 'urn:shenbao:problem:invalid-filing',
      title: '申报内容有误',
      status: 422,
      code: 'invalid-filing',
      retryable: false,
      errors: [{ pointer: '/data', code: 'schema', severity: 'error', message: { zh: '缺', en: 'missing' } }],
    };
    const { url, seen } = await serveReplies(json(422, body));
    const error = await failure(new ShenbaoClient({ gateway: url, retry: FAST }).submit(JWS));
    expect(error).toMatchObject({ code: 'invalid-filing', status: 422, retryable: false, requestId: 'req-1' });
    expect(error.errors).toEqual(body.errors);
    expect(seen).toHaveLength(1);
  });

  test('gives up at the deadline', async () => {
    const { url, seen } = await serveReplies(dropConnection);
    const retry = { ...FAST, deadlineMs: 1_500, firstMs: 20, longestMs: 20 };
    const error = await failure(new ShenbaoClient({ gateway: url, retry }).submit(JWS));
    expect(error).toMatchObject({ code: 'unreachable', status: 0, retryable: true });
    expect(seen.length).toBeGreaterThan(2);
  });

  test('a Retry-After beyond the deadline is not waited for', async () => {
    const { url } = await serveReplies(problem(503, 'overloaded', true, { 'retry-after': '3600' }));
    const error = await failure(new ShenbaoClient({ gateway: url, retry: FAST }).submit(JWS));
    expect(error).toMatchObject({ code: 'overloaded', status: 503 });
  });

  test('stops when the caller aborts', async () => {
    const abort = new AbortController();
    const { url, seen } = await serveReplies(() => abort.abort(new Error('enough')));
    const submission = new ShenbaoClient({ gateway: url, retry: FAST }).submit(JWS, { signal: abort.signal });
    await expect(submission).rejects.toThrow('enough');
    expect(seen).toHaveLength(1);
  });

  test('nobody listens', async () => {
    const client = new ShenbaoClient({ gateway: 'http://127.0.0.1:1', retry: { ...FAST, deadlineMs: 20 } });
    expect(await failure(client.submit(JWS))).toMatchObject({ code: 'unreachable' });
  });
});

describe('Retry-After', () => {
  test.each([
    ['7', 7_000],
    ['Thu, 01 Jan 1970 00:00:10 GMT', 9_000],
    ['Thu, 01 Jan 1970 00:00:00 GMT', 0],
    ['soon', undefined],
    [null, undefined],
  ])('%s', (header, ms) => {
    expect(retryAfterMs(header, 1_000)).toBe(ms);
  });
});

test('each attempt to get a token has an assertion of its own: one is good once, also when its answer was lost', async () => {
  const key = await generateKey('EdDSA', '13501000000');
  const token = json(200, { access_token: 'token', expires_in: 600 });
  const heads = json(200, { items: [], next: '0' });
  const { url, seen } = await serveReplies(dropConnection, dropConnection, token, heads);
  const client = new ShenbaoClient({ gateway: url, issuer: 'https://gateway.test', key, retry: FAST });
  await client.heads('tax');
  const assertions = seen.slice(0, 3).map(({ body }) => new URLSearchParams(body.toString()).get('client_assertion'));
  expect(assertions).not.toContain(null);
  expect(new Set(assertions).size).toBe(3);
});
