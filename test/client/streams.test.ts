import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { generateKey, ShenbaoClient } from '../../src/client/client.ts';
import { parseNdjson, splitLines, splitTexts } from '../../src/client/ndjson.ts';
import { dropConnection, FAST, json, problem, type Reply, serveReplies } from './support.ts';

async function* chunked(bytes: Uint8Array, cuts: readonly number[]): AsyncGenerator<Uint8Array> {
  const at = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  let from = 0;
  for (const to of [...at, bytes.length]) {
    // One buffer, reused and wiped, as some readers do.
    const chunk = bytes.slice(from, to);
    yield chunk;
    chunk.fill(0x0a);
    from = to;
  }
}

async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of source) items.push(item);
  return items;
}

describe('NDJSON', () => {
  test('values come out whole, wherever the chunks are cut, within characters too', async () => {
    const value = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.integer(),
      fc.constantFrom('增值税', '回执\n'),
      fc.record({ a: fc.string() }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(value), fc.array(fc.nat(500)), fc.boolean(), async (values, cuts, newlineLast) => {
        const text = values.map((item) => JSON.stringify(item)).join('\n') + (newlineLast ? '\n' : '');
        const bytes = new TextEncoder().encode(text);
        expect(await collect(parseNdjson(chunked(bytes, cuts)))).toEqual(values);
        const texts = (await collect(splitTexts(chunked(bytes, cuts)))).flat();
        expect(texts.map((line) => JSON.parse(line))).toEqual(values);
      }),
    );
  });

  test('empty lines are passed over, a line beyond the limit is refused', async () => {
    const lines = splitLines(chunked(new TextEncoder().encode('\n\na\n\nb'), [3]));
    expect((await collect(lines)).map((line) => Buffer.from(line).toString())).toEqual(['a', 'b']);
    const texts = splitTexts(chunked(new TextEncoder().encode('\n\na\n\nb'), [3]));
    expect(await collect(texts)).toEqual([[], ['a'], ['b']]);
    for (const split of [splitLines, splitTexts])
      await expect(collect<unknown>(split(chunked(new Uint8Array(100).fill(0x61), [50]), 60))).rejects.toThrow(
        RangeError,
      );
  });
});

/** Answers each line with its own text, `count` lines at most, then breaks off. */
function answerLines(count = Number.POSITIVE_INFINITY): Reply {
  return (response, { body }) => {
    const lines = body.toString().trimEnd().split('\n');
    response.writeHead(200, { 'content-type': 'application/x-ndjson' });
    const answers = lines
      .slice(0, count)
      .map((line, i) => JSON.stringify({ line: i + 1, status: 201, filing: { id: line } }));
    response.write(`${answers.join('\n')}\n`);
    if (count < lines.length) setTimeout(() => response.socket?.destroy(), 20);
    else response.end();
  };
}

describe('bulk', () => {
  const jwsLines = ['a.b.c', 'd.e.f', 'g.h.i', 'j.k.l'];

  test('lines without an answer are sent again, those with one are not', async () => {
    const { url, seen } = await serveReplies(dropConnection, answerLines(1), answerLines(2), answerLines());
    const client = new ShenbaoClient({ gateway: url, retry: FAST });
    const results = await collect(client.submitBulk(jwsLines));
    expect(results.map(({ line }) => line)).toEqual([1, 2, 3, 4]);
    expect(results.map((result) => 'filing' in result && result.filing.id)).toEqual(
      jwsLines.map((line) => JSON.stringify(line)),
    );
    expect(seen.map(({ body }) => body.toString().trimEnd().split('\n').length)).toEqual([4, 4, 3, 1]);
  });

  test('lines whose problem can pass are sent again, others are final', async () => {
    const problemLine = (code: string, retryable: boolean): object => ({
      line: 0,
      status: retryable ? 503 : 422,
      problem: { code, status: 503, retryable },
    });
    const first: Reply = (response) => {
      response.writeHead(200, { 'content-type': 'application/x-ndjson' });
      const answers = [
        problemLine('overloaded', true),
        problemLine('invalid-filing', false),
        { line: 3, status: 201, filing: { id: 'x' } },
      ];
      response.end(answers.map((answer) => JSON.stringify(answer)).join('\n'));
    };
    const { url, seen } = await serveReplies(first, answerLines());
    const results = await collect(new ShenbaoClient({ gateway: url, retry: FAST }).submitBulk(jwsLines.slice(0, 3)));
    expect(results.map(({ line, status }) => [line, status])).toEqual([
      [2, 422],
      [3, 201],
      [1, 201],
    ]);
    expect(seen[1]?.body.toString()).toBe('"a.b.c"\n');
  });

  test('input is cut into requests and numbered through', async () => {
    const { url, seen } = await serveReplies(answerLines());
    const client = new ShenbaoClient({ gateway: url, retry: FAST });
    const results = await collect(client.submitBulk(jwsLines, { linesARequest: 3 }));
    expect(results.map(({ line }) => line)).toEqual([1, 2, 3, 4]);
    expect(seen).toHaveLength(2);
  });

  test('a refusal of the whole upload is thrown', async () => {
    const { url } = await serveReplies(problem(413, 'too-large', false));
    const client = new ShenbaoClient({ gateway: url, retry: FAST });
    await expect(collect(client.submitBulk(jwsLines))).rejects.toMatchObject({ code: 'too-large', status: 413 });
  });
});

test('an upload that is stopped midway ends with the gateway’s reason', async () => {
  const stopped: Reply = (response) => {
    response.writeHead(200, { 'content-type': 'application/x-ndjson' });
    response.write('{"line":1,"status":201,"filing":{"id":"x"}}\n');
    response.end('{"status":413,"problem":{"code":"too-large","status":413,"retryable":false}}\n');
  };
  const { url } = await serveReplies(stopped);
  const results = new ShenbaoClient({ gateway: url, retry: FAST }).submitBulk(['a.b.c', 'd.e.f']);
  expect((await results.next()).value).toMatchObject({ line: 1 });
  await expect(results.next()).rejects.toMatchObject({ code: 'too-large' });
});

describe('access tokens', () => {
  const metadata = json(200, { issuer: 'https://gateway.example' });
  const token = (value: string, seconds: number): Reply =>
    json(200, { access_token: value, expires_in: seconds, token_type: 'Bearer' });
  const page = json(200, { items: [], next: null });

  test('one serves many calls, and a refused one is replaced once', async () => {
    const refusal = problem(401, 'unauthenticated', false);
    const { url, seen } = await serveReplies(metadata, token('one', 600), page, page, refusal, token('two', 600), page);
    const client = new ShenbaoClient({ gateway: url, key: await generateKey('ES256', 'me'), retry: FAST });
    for (let i = 0; i < 3; i++) await collect(client.filings({ filer: 'me' }));
    expect(seen.map(({ headers }) => headers.authorization)).toEqual([
      undefined,
      undefined,
      'Bearer one',
      'Bearer one',
      'Bearer one',
      undefined,
      'Bearer two',
    ]);
    const form = new URLSearchParams(seen[1]?.body.toString());
    const assertion = (form.get('client_assertion') as string)
      .split('.')
      .map((part) => Buffer.from(part, 'base64url').toString());
    expect(form.get('grant_type')).toBe('client_credentials');
    expect(JSON.parse(assertion[1] as string)).toMatchObject({ iss: 'me', sub: 'me', aud: 'https://gateway.example' });
  });

  test('one that is about to end is replaced before', async () => {
    const { url, seen } = await serveReplies(metadata, token('one', 29), page, token('two', 600), page);
    const client = new ShenbaoClient({ gateway: url, key: await generateKey('ES256', 'me'), retry: FAST });
    for (let i = 0; i < 2; i++) await collect(client.filings({ filer: 'me' }));
    expect(seen.at(-1)?.headers.authorization).toBe('Bearer two');
  });

  test('pages follow the cursor', async () => {
    const { url, seen } = await serveReplies(
      metadata,
      token('one', 600),
      json(200, { items: [{ id: '1' }, { id: '2' }], next: 'c+1' }),
      json(200, { items: [{ id: '3' }], next: null }),
    );
    const client = new ShenbaoClient({ gateway: url, key: await generateKey('ES256', 'me'), retry: FAST });
    expect((await collect(client.filings({ filer: 'me', limit: 2 }))).map(({ id }) => id)).toEqual(['1', '2', '3']);
    expect(seen[3]?.url).toBe('/v1/filings?filer=me&limit=2&cursor=c%2B1');
  });
});
