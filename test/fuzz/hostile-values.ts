import fc from 'fast-check';
import type { Tree } from './tree.ts';

/**
 * Every hostile value carries a marker that nothing else contains: where one turns up in an error or in a log, a value
 * that was sent has been repeated.
 */
const MARK = 'zq7k';
const MARK_DIGITS = '773109';
export const MARKERS = new RegExp(`${MARK}[0-9a-z]{6}|${MARK_DIGITS}[0-9]{6}`, 'gi');

const marker = fc.nat(36 ** 6 - 1).map((n) => MARK + n.toString(36).padStart(6, '0'));
const markedNumber = fc.nat(999_999).map((n) => MARK_DIGITS + String(n).padStart(6, '0'));

const SHAPES: readonly ((mark: string) => string)[] = [
  (m) => m,
  (m) => m.toUpperCase(),
  (m) => `${m}${'x'.repeat(50)}`,
  (m) => `${m}${'长'.repeat(600)}`,
  (m) => m.repeat(3_000),
  (m) => `${m}\u0000`,
  (m) => `\u0007${m}\u007f`,
  (m) => `${m}\n    at ${m} (file:///${m}.js:1:1)`,
  (m) => `'; DROP TABLE filing; -- ${m}`,
  (m) => `"${m}\\`,
  (m) => `<script>${m}</script>`,
  (m) => `${m}有限公司`,
  (m) => `../../${m}`,
  (m) => `%s%n$\{${m}}{{${m}}}`,
  (m) => `${m}.__proto__.constructor`,
  (m) => `\ud800${m}`,
  (m) => `~0~1/${m}/`,
  (m) => `\u202e${m}\ufeff`,
  (m) => `2026-13-99T${m}`,
  (m) => `${m}@example.test`,
  (m) => `-${m}_.`,
];

const CONSTANTS = [
  '',
  ' ',
  '*',
  '.',
  '..',
  '__proto__',
  'constructor',
  'null',
  'true',
  '-1',
  '0',
  '1e400',
  'NaN',
  '9'.repeat(30),
  '9007199254740993',
  '2026-02-30',
  '0000-00-00',
  '99999-01-01',
  '2026-10-01/2026-09-01',
  'tax.*',
  '91350100M000100Y43',
];

/** Texts of forms that parsers, databases, logs and pages stumble over. */
export const hostileText: fc.Arbitrary<string> = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(fc.constantFrom(...SHAPES), marker).map(([shape, mark]) => shape(mark)) },
  { weight: 1, arbitrary: fc.constantFrom(...CONSTANTS) },
  { weight: 1, arbitrary: markedNumber },
);

const RAW = [
  '1e400',
  '-1e999999999',
  '9007199254740993',
  '-0',
  '0.99999999999999999',
  '1e-400',
  '01',
  'NaN',
  'undefined',
  "'a'",
  '"\\ud800"',
  '"\\u0000"',
  '"\u0001"',
  '{"__proto__":{"kind":"void"}}',
  '{"a":1,"a":2}',
  '{"a":1,"\\u0061":2}',
  '[1,]',
  '/**/1',
  `${'['.repeat(40)}${']'.repeat(40)}`,
  `${'{"a":'.repeat(40)}1${'}'.repeat(40)}`,
  `[${'0,'.repeat(500)}0]`,
  '',
];

export const hostileTree: fc.Arbitrary<Tree> = fc.oneof(
  { weight: 5, arbitrary: hostileText },
  { weight: 2, arbitrary: markedNumber.map((raw) => ({ raw })) },
  { weight: 2, arbitrary: fc.constantFrom(...RAW).map((raw) => ({ raw })) },
  {
    weight: 1,
    arbitrary: fc.constantFrom<Tree>(null, true, false, 0, -1, 1.5, 2 ** 53, { items: [] }, { members: [] }),
  },
  { weight: 1, arbitrary: fc.array(hostileText, { maxLength: 3 }).map((items) => ({ items })) },
  {
    weight: 1,
    arbitrary: fc
      .array(fc.tuple(hostileText, hostileText), { maxLength: 3 })
      .map((members) => ({ members: members.map(([name, value]) => [name, value] as const) })),
  },
);

/** Names and values that a header may be given; `*` stands for a hostile text. */
const HEADERS: Readonly<Record<string, readonly string[]>> = {
  Accept: [
    '*',
    'application/nothing',
    'text/html',
    '*/*;q=0',
    'application/json;q=2',
    ','.repeat(500),
    'text/*',
    ';;q=*',
  ],
  'Accept-Language': ['*', 'zh;q=0', 'en;q=abc', ',,,', 'fr'],
  'Accept-Encoding': ['*', 'gzip;q=0', 'br', 'gzip,gzip'],
  Authorization: ['*', 'Bearer *', 'Bearer', 'Bearer a.b.c', 'Basic *', 'Bearer e30.e30.', 'DPoP *'],
  Connection: ['close', 'keep-alive', '*'],
  'Content-Encoding': ['gzip', 'identity', '*', 'br, gzip'],
  'Content-Language': ['*'],
  'Content-Length': ['0', '1', '99', '-1', '1e3', '18446744073709551616', '300000000', '*', '5, 5', ''],
  'Content-Type': [
    '*',
    '',
    'application/json',
    'application/jose',
    'application/jose+json',
    'application/x-ndjson',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=*',
    'application/json; charset=gbk',
    'application/json; charset=*',
    'text/plain;*',
  ],
  Cookie: ['*=*'],
  Expect: ['100-continue', '*'],
  Forwarded: ['for=*;host=*'],
  Host: ['*', '', 'elsewhere.example', 'a:b:c'],
  'If-Match': ['*'],
  'If-None-Match': ['"*"', 'W/"*"', ','.repeat(400), '"'],
  'If-Modified-Since': ['*'],
  'Last-Event-ID': ['*'],
  Origin: ['*', 'null', 'https://elsewhere.example'],
  Prefer: ['wait=1', 'respond-async', '*', 'wait=-1', 'wait=0.5', 'return=minimal'],
  Range: ['bytes=0-1', 'bytes=*'],
  Referer: ['https://elsewhere.example/*'],
  TE: ['trailers', '*'],
  Trailer: ['X'],
  'Transfer-Encoding': ['chunked', 'identity', 'gzip, chunked', 'chunked, chunked', '*', 'xchunked'],
  Upgrade: ['websocket', 'h2c', '*'],
  'User-Agent': ['*'],
  'X-Forwarded-For': ['*', '127.0.0.1'],
  'X-Forwarded-Host': ['*'],
  'X-HTTP-Method-Override': ['DELETE', '*'],
  'X-Request-Id': ['*'],
  'X-Original-URL': ['/metrics', '*'],
  traceparent: ['00-*-*-01'],
};

export const hostileHeader: fc.Arbitrary<readonly [name: string, value: string]> = fc.oneof(
  {
    weight: 9,
    arbitrary: fc
      .constantFrom(...Object.keys(HEADERS))
      .chain((name) =>
        fc
          .tuple(fc.constantFrom(...(HEADERS[name] ?? [])), hostileText)
          .map(([value, text]) => [name, value.replaceAll('*', () => oneLine(text))] as const),
      ),
  },
  { weight: 1, arbitrary: fc.tuple(hostileText.map(oneLine), hostileText.map(oneLine)) },
  // Within the limit of the whole head, and beyond it.
  { weight: 1, arbitrary: fc.constantFrom(8_000, 20_000).map((length) => ['X-Long', 'y'.repeat(length)] as const) },
);

/** A line that ends in the middle would make another request of it: that is for the mutations of bytes. */
function oneLine(text: string): string {
  return text.replace(/[\r\n]/g, ' ');
}
