import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { type HostileCase, MARK } from './hostile.ts';

const file = (type: string | undefined, body: string | Uint8Array = MARK, ...more: (readonly [string, string])[]) => ({
  method: 'POST',
  target: '/v1/filings',
  headers: [...(type === undefined ? [] : [['Content-Type', type] as const]), ...more],
  body,
});
const refused = (name: string, ...request: Parameters<typeof file>): HostileCase => [
  name,
  415,
  'unsupported-media-type',
  file(...request),
];
const put = (type: string | undefined): HostileCase[3] => ({
  method: 'PUT',
  target: '/v1/offices/T1',
  as: 'operator',
  headers: type === undefined ? [] : [['Content-Type', type]],
  body: '{}',
});

export const HOSTILE_MEDIA: readonly HostileCase[] = [
  refused('no type', undefined),
  refused('an empty type', ''),
  refused('a type without a slash', 'jose'),
  refused('a wildcard', '*/*'),
  refused('plain text', 'text/plain'),
  refused('a form', 'application/x-www-form-urlencoded'),
  refused('a form of parts', `multipart/form-data; boundary=${MARK}`),
  refused('JSON where a signature is wanted', 'application/json'),
  refused('two types at once', 'application/jose, application/json'),
  refused('a type that only begins with ours', 'application/josex'),
  refused('a suffix of our type', 'application/jose+xml'),
  refused('GBK', 'application/jose; charset=gbk'),
  refused('UTF-16', 'application/jose; charset=utf-16le'),
  refused('UTF-7', 'application/jose; charset="utf-7"'),
  refused('a charset that is none', `application/jose; charset=${MARK}`),
  refused('a type of 8 kB', `application/${'x'.repeat(8_000)}`),
  ['JSON as text', 415, 'unsupported-media-type', put('text/json')],
  ['a patch', 415, 'unsupported-media-type', put('application/merge-patch+json')],
  ['XML', 415, 'unsupported-media-type', put('application/xml')],
  ['JSON in Latin-1', 415, 'unsupported-media-type', put('application/json; charset=iso-8859-1')],
  ['a body without a type', 415, 'unsupported-media-type', put(undefined)],
  [
    'lines as JSON',
    415,
    'unsupported-media-type',
    {
      method: 'POST',
      target: '/v1/import',
      as: 'operator',
      headers: [['Content-Type', 'application/json']],
      body: '{}',
    },
  ],
  [
    'a bulk upload as JSON',
    415,
    'unsupported-media-type',
    { method: 'POST', target: '/v1/filings/bulk', headers: [['Content-Type', 'application/json']], body: '[]' },
  ],
  [
    'a token request as JSON',
    415,
    'unsupported-media-type',
    { method: 'POST', target: '/oauth2/token', headers: [['Content-Type', 'application/json']], body: '{}' },
  ],
];

const JOSE = 'application/jose';
const MIB = 1024 * 1024;
const compressed = (name: string, coding: string, body: string | Uint8Array): HostileCase =>
  refused(name, JOSE, body, ['Content-Encoding', coding]);

export const HOSTILE_COMPRESSION: readonly HostileCase[] = [
  compressed('gzip', 'gzip', gzipSync(MARK)),
  compressed('gzip in capitals', 'GZIP', gzipSync(MARK)),
  compressed('gzip by its old name', 'x-gzip', gzipSync(MARK)),
  compressed('deflate', 'deflate', deflateSync(MARK)),
  compressed('brotli', 'br', brotliCompressSync(MARK)),
  compressed('zstd', 'zstd', '(\u00b5/\u00fd'),
  compressed('two codings', 'gzip, br', gzipSync(brotliCompressSync(MARK))),
  compressed('identity and then one', 'identity, gzip', gzipSync(MARK)),
  compressed('a coding that is none', MARK, MARK),
  compressed('an empty coding', '', MARK),
  compressed('a gzip bomb of 256 MiB', 'gzip', gzipSync(Buffer.alloc(256 * MIB))),
  compressed('a bomb of brotli', 'br', brotliCompressSync(Buffer.alloc(64 * MIB))),
  compressed('a bomb within a bomb', 'gzip, gzip', gzipSync(gzipSync(Buffer.alloc(64 * MIB)))),
  compressed('gzip that is cut off', 'gzip', gzipSync(MARK).subarray(0, 8)),
  [
    'a compressed import',
    415,
    'unsupported-media-type',
    {
      method: 'POST',
      target: '/v1/import',
      as: 'operator',
      headers: [
        ['Content-Type', 'application/x-ndjson'],
        ['Content-Encoding', 'gzip'],
      ],
      body: gzipSync(MARK),
    },
  ],
  [
    'a compressed bulk upload',
    415,
    'unsupported-media-type',
    {
      method: 'POST',
      target: '/v1/filings/bulk',
      headers: [
        ['Content-Type', 'application/x-ndjson'],
        ['Content-Encoding', 'gzip'],
      ],
      body: gzipSync(MARK),
    },
  ],
  [
    'compressed JSON of an operator',
    415,
    'unsupported-media-type',
    {
      method: 'PUT',
      target: '/v1/offices/T1',
      as: 'operator',
      headers: [
        ['Content-Type', 'application/json'],
        ['Content-Encoding', 'gzip'],
      ],
      body: gzipSync('{}'),
    },
  ],
  ['compressed without saying so', 400, 'malformed', file(JOSE, gzipSync(MARK))],
];
