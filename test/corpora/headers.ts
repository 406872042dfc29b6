import { type HostileCase, MARK } from './hostile.ts';

const limits = (...headers: (readonly [string, string])[]) => ({ target: '/v1/limits', headers });
const bearer = (token: string) => limits(['Authorization', token]);
const receipt =
  (accept: string): HostileCase[3] =>
  ({ filingId }) => ({
    target: `/v1/filings/${filingId}/receipt`,
    as: 'filer',
    headers: [['Accept', accept]],
  });
const plain = (...headers: (readonly [string, string])[]) => ({ target: '/v1/problems', headers });
const b64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

const TOKENS: readonly HostileCase[] = [
  ['no token', 401, 'unauthenticated', { target: '/v1/limits' }],
  ['an empty token', 401, 'unauthenticated', bearer('Bearer ')],
  ['a word for a token', 401, 'unauthenticated', bearer(`Bearer ${MARK}`)],
  ['another scheme', 401, 'unauthenticated', bearer(`Basic ${Buffer.from(`a:${MARK}`).toString('base64')}`)],
  ['two tokens', 401, 'unauthenticated', bearer('Bearer a.b.c, Bearer d.e.f')],
  [
    'a token without a signature',
    401,
    'unauthenticated',
    bearer(`Bearer ${b64({ alg: 'none' })}.${b64({ sub: MARK })}.`),
  ],
  [
    'a token of HS256',
    401,
    'unauthenticated',
    bearer(`Bearer ${b64({ alg: 'HS256', typ: 'JWT' })}.${b64({ sub: MARK })}.${'A'.repeat(43)}`),
  ],
  [
    'a token with an embedded key',
    401,
    'unauthenticated',
    bearer(`Bearer ${b64({ alg: 'ES256', jwk: { kty: 'EC' } })}.${b64({})}.${'A'.repeat(86)}`),
  ],
  [
    'a token with a jku',
    401,
    'unauthenticated',
    bearer(`Bearer ${b64({ alg: 'EdDSA', jku: 'http://127.0.0.1:1/' })}.${b64({})}.${'A'.repeat(86)}`),
  ],
  ['a token whose header is a list', 401, 'unauthenticated', bearer(`Bearer ${b64([])}.${b64({})}.AA`)],
  ['a token of five parts', 401, 'unauthenticated', bearer('Bearer a.b.c.d.e')],
  ['a token of 12 kB', 401, 'unauthenticated', bearer(`Bearer ${'a'.repeat(12_000)}`)],
  ['a filing for a token', 401, 'unauthenticated', ({ filer, issuer }) => bearer(`Bearer ${filer.filing(issuer, {})}`)],
  [
    'a client assertion for a token',
    401,
    'unauthenticated',
    ({ filer, issuer }) => bearer(`Bearer ${filer.assertion(issuer)}`),
  ],
  ['a token on what needs none', 401, 'unauthenticated', plain(['Authorization', `Bearer ${MARK}`])],
  ['a token in the query', 401, 'unauthenticated', { target: `/v1/limits?access_token=${MARK}` }],
  ['a token in a cookie', 401, 'unauthenticated', limits(['Cookie', `access_token=${MARK}`])],
];

const HEADS: readonly HostileCase[] = [
  ['a media type that nobody makes', 406, 'not-acceptable', receipt(`application/${MARK}`)],
  ['a refusal of all', 406, 'not-acceptable', receipt('*/*;q=0')],
  ['a quality that is no number', 406, 'not-acceptable', receipt('application/json;q=abc')],
  ['a quality beyond one', 406, 'not-acceptable', receipt('application/json;q=1.5')],
  [
    'a hundred types, none of ours',
    406,
    'not-acceptable',
    receipt(Array.from({ length: 100 }, (_, i) => `x/y${i}`).join(',')),
  ],
  ['half a type', 406, 'not-acceptable', receipt('application/')],
  ['a type of 8 kB', 406, 'not-acceptable', receipt(`x/${'y'.repeat(8_000)}`)],
  [
    'another method in a header',
    405,
    'method-not-allowed',
    { method: 'POST', target: '/v1/problems', headers: [['X-HTTP-Method-Override', 'GET']] },
  ],
  ['another path in a header', 404, 'not-found', { target: '/nothing', headers: [['X-Original-URL', '/v1/problems']] }],
  ['a header of 17 kB', 431, 'header-too-large', plain(['X-Long', MARK.padEnd(17_000, 'x')])],
  [
    'two hundred headers',
    431,
    'header-too-large',
    plain(...Array.from({ length: 200 }, (_, i) => [`X-${MARK}-${i}`, 'y'] as const)),
  ],
  ['a target of 17 kB', 431, 'header-too-large', { target: `/${'x'.repeat(17_000)}` }],
  ['a blank in the name of a header', 400, 'malformed', plain([`X ${MARK}`, 'y'])],
  ['no name', 400, 'malformed', plain(['', MARK])],
  ['a NUL in a value', 400, 'malformed', plain(['X-A', `\0${MARK}`])],
  ['a line feed in a value', 400, 'malformed', plain(['X-A', `a\n${MARK}`])],
  ['a bell in a value', 400, 'malformed', plain(['X-A', `\u0007${MARK}`])],
  ['an unknown method', 400, 'malformed', { method: 'BREW', target: '/v1/problems' }],
  ['a method in small letters', 400, 'malformed', { method: 'get', target: '/v1/problems' }],
  ['a blank in the target', 400, 'malformed', { target: `/v1/problems ${MARK}` }],
  ['a length in words', 400, 'malformed', plain(['Content-Length', MARK])],
  ['a length with a sign', 400, 'malformed', plain(['Content-Length', '+1'])],
  ['a length below zero', 400, 'malformed', plain(['Content-Length', '-1'])],
  ['a length beyond 2^64', 400, 'malformed', plain(['Content-Length', '99999999999999999999'])],
  ['two lengths', 400, 'malformed', plain(['Content-Length', '1'], ['Content-Length', '2'])],
  ['a length and chunks', 400, 'malformed', plain(['Content-Length', '1'], ['Transfer-Encoding', 'chunked'])],
  [
    'a transfer encoding that is none',
    400,
    'malformed',
    { method: 'POST', target: '/v1/filings', headers: [['Transfer-Encoding', MARK]] },
  ],
  [
    'chunks that are not the last encoding',
    400,
    'malformed',
    { method: 'POST', target: '/v1/filings', headers: [['Transfer-Encoding', 'chunked, gzip']] },
  ],
  [
    'a body announced and too large',
    413,
    'too-large',
    {
      method: 'POST',
      target: '/v1/filings',
      headers: [
        ['Content-Type', 'application/jose'],
        ['Content-Length', '16777217'],
        ['Connection', 'close'],
      ],
    },
  ],
];

export const HOSTILE_HEADERS: readonly HostileCase[] = [...TOKENS, ...HEADS];
