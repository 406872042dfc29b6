import { gzipSync } from 'node:zlib';
import { Type } from 'typebox';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { route } from '../../src/http/route.ts';
import { type ErrorCode, GatewayError } from '../../src/std/errors.ts';
import { type RawAnswer, rawExchange, sleep, type TestServer, testServer } from './support.ts';

/** Stands for personal data: wherever it is sent, it must not come back or reach the log. */
const MARKER = '350104199003078888';

const texts = { tag: 'test', summary: { zh: '测试', en: 'Test' }, access: 'public', responses: {} } as const;
const routes = [
  route({
    ...texts,
    method: 'PUT',
    path: '/things/{id}',
    operationId: 'putThing',
    params: Type.Object({ id: Type.String({ pattern: '^[a-z]{1,8}$' }) }),
    query: Type.Object(
      { limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 10 })) },
      { additionalProperties: false },
    ),
    body: {
      kind: 'json',
      schema: Type.Object(
        { name: Type.String({ maxLength: 10 }), count: Type.Integer() },
        { additionalProperties: false },
      ),
      limitBytes: 4_096,
    },
    handle: (call) => Response.json({ ...call.params, ...call.query, ...call.body }),
  }),
  route({
    ...texts,
    method: 'POST',
    path: '/raw',
    operationId: 'postRaw',
    body: { kind: 'raw', media: { 'application/jose': Type.String() }, limitBytes: 1_000 },
    handle: async (call) => new Response(String((await call.text()).length)),
  }),
  route({
    ...texts,
    method: 'GET',
    path: '/crash',
    operationId: 'crash',
    handle: () => {
      throw new Error(`duplicate key ${MARKER}\n    at ${MARKER}:1:1`, {
        cause: Object.assign(new TypeError(MARKER), { code: '23505' }),
      });
    },
  }),
  route({
    ...texts,
    method: 'GET',
    path: '/throw-text',
    operationId: 'throwText',
    handle: () => Promise.reject(MARKER),
  }),
  route({
    ...texts,
    method: 'GET',
    path: '/violations',
    operationId: 'violations',
    handle: () => {
      const message = { zh: '有误', en: 'wrong' };
      const errors = Array.from({ length: 130 }, (_, line) => ({
        pointer: `/${line}`,
        code: 'rule',
        severity: 'error' as const,
        message,
      }));
      throw new GatewayError('invalid-filing', { errors, more: 7, members: { digest: 'abc', status: 200 } });
    },
  }),
  route({
    ...texts,
    method: 'GET',
    path: '/database',
    operationId: 'database',
    handle: () => Promise.reject(new Error(MARKER)),
  }),
  route({
    ...texts,
    method: 'GET',
    path: '/feed',
    operationId: 'feed',
    responses: { 200: { description: 'lines', media: { 'application/x-ndjson': Type.String() } } },
    handle: () => {
      let sent = 0;
      const body = new ReadableStream<Uint8Array>({
        pull(controller) {
          if (sent++ > 0) throw new Error(`row ${MARKER}`);
          controller.enqueue(new TextEncoder().encode('{"line":1}\n'));
        },
      });
      return new Response(body, { headers: { 'Content-Type': 'application/x-ndjson' } });
    },
  }),
];

let server: TestServer;
beforeAll(async () => {
  server = await testServer(routes, {
    classify: (error) => (error instanceof Error && error.message === MARKER ? 'unavailable' : undefined),
    serverLimits: { headersTimeoutMs: 1_500, headerBytes: 8_192 },
  });
});
afterAll(() => server.close(100));

interface Problem {
  readonly code: ErrorCode;
  readonly errors?: readonly { readonly pointer: string }[];
  readonly [member: string]: unknown;
}

function checkProblem(
  body: string,
  headers: { get(name: string): string | null | undefined },
  status: number,
): Problem {
  expect(headers.get('content-type')).toBe('application/problem+json');
  const problem = JSON.parse(body) as Problem;
  expect(problem.type).toBe(`urn:shenbao:problem:${problem.code}`);
  expect(problem.status).toBe(status);
  expect(problem.instance).toBe(headers.get('x-request-id'));
  expect(problem.instance).toMatch(/^[0-9a-f]{10}-[0-9a-z]+$/);
  expect(typeof problem.title).toBe('string');
  expect(typeof problem.detail).toBe('string');
  expect(typeof problem.retryable).toBe('boolean');
  expect(body).not.toContain(MARKER);
  expect(server.log.text).not.toContain(MARKER);
  return problem;
}

async function problemOf(
  path: string,
  init: RequestInit & { duplex?: 'half' } = {},
): Promise<Problem & { response: Response }> {
  const response = await fetch(server.url + path, init);
  return { ...checkProblem(await response.text(), response.headers, response.status), response };
}

function rawProblem(answer: RawAnswer): Problem {
  return checkProblem(answer.body, { get: (name) => answer.headers[name] }, answer.status);
}

const put = (
  body: NonNullable<RequestInit['body']>,
  headers: Record<string, string> = { 'content-type': 'application/json' },
) => ({
  method: 'PUT',
  headers,
  body,
});

describe('a problem document from every layer', () => {
  test('no such path', async () => {
    const { code, response } = await problemOf(`/${MARKER}`);
    expect([code, response.status]).toEqual(['not-found', 404]);
  });

  test('wrong method, with the right ones', async () => {
    const { code, response } = await problemOf('/raw', { method: 'DELETE' });
    expect([code, response.status, response.headers.get('allow')]).toEqual([
      'method-not-allowed',
      405,
      'POST, OPTIONS',
    ]);
  });

  test('HEAD on a path that has no GET', async () => {
    const response = await fetch(`${server.url}/raw`, { method: 'HEAD' });
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST, OPTIONS']);
  });

  test('every fault of path, query and body', async () => {
    const parameters = await problemOf(`/things/${MARKER}?limit=11&nosuch=${MARKER}`, put('{}'));
    expect(parameters.code).toBe('invalid-parameter');
    expect(parameters.errors?.map((error) => error.pointer).sort()).toEqual(['/path/id', '/query', '/query/limit']);
    const body = await problemOf('/things/a', put(JSON.stringify({ name: MARKER, [MARKER]: 1 })));
    expect(body.code).toBe('invalid-resource');
    expect(body.errors?.map((error) => error.pointer).sort()).toEqual(['', '/count', '/name']);
    expect((await problemOf('/things/a', { method: 'PUT' })).errors?.map((error) => error.pointer)).toEqual([
      '/name',
      '/count',
    ]);
  });

  test('a parameter given twice, or no number', async () => {
    for (const query of [
      'limit=1&limit=2',
      'limit=0x1',
      'limit=1.0',
      'limit=',
      'limit=1e0',
      'limit=99999999999999999999',
    ]) {
      expect((await problemOf(`/things/a?${query}`, put('{"name":"a","count":1}'))).code).toBe('invalid-parameter');
    }
  });

  test('bodies that are not JSON as it is signed', async () => {
    const bad = [
      '',
      '{',
      '[1,]',
      '{"name":1,"name":2}',
      '{"count":9007199254740993}',
      '\ufeff{}',
      '"\\ud800"',
      '{"__proto__":1}',
      '1e400',
      '{} {}',
    ];
    for (const text of bad.slice(1)) {
      const { code, response } = await problemOf('/things/a', put(text));
      expect([text, code, response.status]).toEqual([text, 'malformed-json', 400]);
    }
    expect((await problemOf('/things/a', put('['.repeat(4_000)))).code).toBe('malformed-json');
  });

  test('bytes that are not UTF-8', async () => {
    for (const bytes of [[0xff], [0xc3, 0x28], [0xed, 0xa0, 0x80], [0xc0, 0xaf]]) {
      expect((await problemOf('/things/a', put(Buffer.from([0x22, ...bytes, 0x22])))).code).toBe('malformed');
      const raw = { method: 'POST', body: Buffer.from(bytes), headers: { 'content-type': 'application/jose' } };
      expect((await problemOf('/raw', raw)).code).toBe('malformed');
    }
  });

  test('bodies of a wrong type', async () => {
    for (const type of [
      'text/plain',
      'application/xml',
      'application/json; charset=gbk',
      'application/jsonx',
      MARKER,
    ]) {
      const { code, response, accepted } = await problemOf('/things/a', put('{}', { 'content-type': type }));
      expect([code, response.status, accepted]).toEqual(['unsupported-media-type', 415, ['application/json']]);
    }
    expect((await problemOf('/raw', { method: 'POST', body: Buffer.from('x') })).code).toBe('unsupported-media-type');
    expect((await problemOf('/raw', { method: 'POST' })).code).toBe('unsupported-media-type');
    const utf8 = await fetch(
      `${server.url}/things/a`,
      put('{"name":"a","count":1}', { 'content-type': 'Application/JSON; charset="UTF-8"' }),
    );
    expect(utf8.status).toBe(200);
  });

  test('compressed bodies, which are never unpacked', async () => {
    for (const encoding of ['gzip', 'br', 'deflate', 'zstd', 'gzip, identity', MARKER]) {
      const headers = { 'content-type': 'application/json', 'content-encoding': encoding };
      const { code } = await problemOf('/things/a', put(gzipSync('{"name":"a","count":1}'), headers));
      expect([encoding, code]).toEqual([encoding, 'unsupported-media-type']);
    }
  });

  test('bodies over the limit, told by their length or counted', async () => {
    const large = 'x'.repeat(1_001);
    const headers = { 'content-type': 'application/jose' };
    const told = await problemOf('/raw', { method: 'POST', headers, body: large });
    expect([told.code, told.response.status, told.limitBytes]).toEqual(['too-large', 413, 1_000]);
    const chunked = await problemOf('/raw', {
      method: 'POST',
      headers,
      body: new Blob([large]).stream(),
      duplex: 'half',
    });
    expect(chunked.code).toBe('too-large');
    const exact = await fetch(`${server.url}/raw`, { method: 'POST', headers, body: 'x'.repeat(1_000) });
    expect(await exact.text()).toBe('1000');
  });

  test('a refusal before the body is sent, for a client that waits', async () => {
    const answer = await rawExchange(server.port, (socket) => {
      socket.write('POST /raw HTTP/1.1\r\nHost: x\r\nContent-Type: application/jose\r\nExpect: 100-continue\r\n');
      socket.write('Content-Length: 5000\r\nConnection: close\r\n\r\n');
    });
    expect(rawProblem(answer).code).toBe('too-large');
  });

  test('100 Continue when the body is wanted', async () => {
    const answer = await rawExchange(server.port, (socket) => {
      socket.write('POST /raw HTTP/1.1\r\nHost: x\r\nContent-Type: application/jose\r\nExpect: 100-continue\r\n');
      socket.write('Content-Length: 3\r\nConnection: close\r\n\r\n');
      socket.once('data', () => socket.write('abc'));
    });
    expect(answer.status).toBe(100);
    expect(answer.body).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\n3$/);
  });

  test('a crash in a handler: an id and nothing else', async () => {
    for (const path of ['/crash', '/throw-text']) {
      const { response, ...problem } = await problemOf(path);
      expect([problem.code, response.status]).toEqual(['internal', 500]);
      expect(Object.keys(problem).sort()).toEqual([
        'code',
        'detail',
        'instance',
        'retryable',
        'status',
        'title',
        'type',
      ]);
      expect(server.log.lines.at(-1)).toMatchObject({ level: 'error', fields: { requestId: problem.instance } });
    }
    const logged = server.log.lines.find(({ fields }) => 'operation' in fields && fields.operation === 'crash');
    expect(logged?.fields).toMatchObject({ error: 'Error', code: '23505' });
    expect(JSON.stringify(logged)).toContain('problems.test.ts');
  });

  test('a database that cannot be reached', async () => {
    const { code, response } = await problemOf('/database');
    expect([code, response.status]).toEqual(['unavailable', 503]);
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
  });

  test('at most a hundred violations, and how many more', async () => {
    const { errors, more, digest, status } = await problemOf('/violations');
    expect([errors?.length, more, digest, status]).toEqual([100, 37, 'abc', 422]);
  });

  test('a stream that breaks is cut, not finished', async () => {
    const response = await fetch(`${server.url}/feed`);
    await expect(response.text()).rejects.toThrow();
    expect(server.log.text).not.toContain(MARKER);
    expect(server.log.lines.at(-1)?.fields).toMatchObject({ operation: 'feed', brokenOff: true });
  });
});

describe('what never becomes a request', () => {
  test.each([
    ['garbage', `\u0000\u0001 ${MARKER}\r\n\r\n`],
    ['TLS on a plain port', '\u0016\u0003\u0001\u0002\u0000\u0001\u0000'],
    ['a request line that is none', 'HELO gateway\r\n\r\n'],
    ['two lengths', 'POST /raw HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab'],
    [
      'length and chunks',
      'POST /raw HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['a broken header', `GET /crash HTTP/1.1\r\nHost: x\r\n${MARKER}\r\n\r\n`],
    ['no host', 'GET /crash HTTP/1.1\r\nConnection: close\r\n\r\n'],
    ['a host that is none', 'GET /crash HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n'],
    ['a target that is none', 'GET crash HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'],
    ['a backslash in the path', 'GET /\\crash HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'],
    ['a request line that has lost a space', 'GET /crash?HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['a version that is not of HTTP/1', 'GET /crash HTTP/2.0\r\nHost: x\r\n\r\n'],
  ])('%s', async (_, bytes) => {
    const answer = await rawExchange(server.port, (socket) => socket.write(bytes));
    expect([answer.status, rawProblem(answer).code]).toEqual([400, 'malformed']);
  });

  test('headers over the limit', async () => {
    const answer = await rawExchange(server.port, (socket) => {
      socket.write(`GET /crash HTTP/1.1\r\nHost: x\r\nX-Long: ${MARKER.repeat(2_000)}\r\n\r\n`);
    });
    expect([answer.status, rawProblem(answer).code]).toEqual([431, 'header-too-large']);
  });

  test('CONNECT and unknown methods', async () => {
    const connect = await rawExchange(server.port, (socket) =>
      socket.write('CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n'),
    );
    expect(rawProblem(connect).code).toBe('method-not-allowed');
    const trace = await rawExchange(server.port, (socket) => {
      socket.write('TRACE /raw HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    });
    expect(rawProblem(trace).code).toBe('method-not-allowed');
  });

  test('headers that come too slowly, or not at all', async () => {
    const drip = async (socket: import('node:net').Socket) => {
      for (const byte of `GET /crash HTTP/1.1\r\nX-Slow: ${'a'.repeat(200)}`) {
        if (socket.destroyed || socket.writableEnded) return;
        socket.write(byte);
        await sleep(30);
      }
    };
    const [slow, silent] = await Promise.all([
      rawExchange(server.port, (socket) => void drip(socket)),
      rawExchange(server.port, () => {}),
    ]);
    expect([slow.status, rawProblem(slow).code]).toEqual([408, 'timeout']);
    expect(silent.status).toBe(408);
  });
});

describe('answers that are none of a route', () => {
  test('the language follows Accept-Language', async () => {
    const cases: [string | undefined, string][] = [
      [undefined, 'zh-CN'],
      ['en', 'en'],
      ['en-GB,en;q=0.9,zh;q=0.8', 'en'],
      ['zh-TW, en;q=0.5', 'zh-CN'],
      ['fr, *;q=0.5', 'zh-CN'],
      ['en;q=0', 'zh-CN'],
      ['zh;q=0.2, en;q=0.3', 'en'],
      [';;;q=x,,', 'zh-CN'],
      ['a,'.repeat(3_000), 'zh-CN'],
    ];
    for (const [header, expected] of cases) {
      const { response, title } = await problemOf('/none', {
        headers: header === undefined ? {} : { 'accept-language': header },
      });
      expect([header, response.headers.get('content-language')]).toEqual([header, expected]);
      expect(title).toBe(expected === 'en' ? 'Not found' : '未找到');
    }
  });

  test('an answer has its own request id, never the client’s', async () => {
    const { response } = await problemOf('/none', { headers: { 'x-request-id': MARKER } });
    expect(response.headers.get('x-request-id')).not.toBe(MARKER);
    const other = await problemOf('/none');
    expect(other.instance).not.toBe(response.headers.get('x-request-id'));
  });
});
