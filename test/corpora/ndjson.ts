import { makeUscc } from '../../src/domain/identifiers.ts';
import type { ErrorCode } from '../../src/std/errors.ts';
import { lodging } from '../support/filer.ts';
import { type Known, MARK } from './hostile.ts';

/** An upload of lines, and what becomes of each; of the upload as a whole where it is refused as one. */
export type HostileLines = readonly [
  name: string,
  expected:
    | { readonly whole: readonly [number, ErrorCode] }
    | { readonly lines: readonly (number | readonly [number, ErrorCode])[] },
  make: (known: Known) => string | Uint8Array,
];

const good = ({ filer, issuer }: Known): string => `"${filer.filing(issuer, lodging())}"`;
const around =
  (line: (known: Known) => string) =>
  (known: Known): string =>
    `${good(known)}\n${line(known)}\n${good(known)}\n`;
const bad = (code: ErrorCode, status = 400) => ({ lines: [201, [status, code], 201] }) as const;
const manifest = ({ filer, issuer }: Known, claims: unknown): string =>
  `"${filer.filing(issuer, claims as object as Record<string, unknown>)}"`;
const ROOT = 'A'.repeat(43);

/** To `POST /v1/filings/bulk`. */
export const HOSTILE_BULK: readonly HostileLines[] = [
  ['nothing', { whole: [400, 'malformed'] }, () => ''],
  ['blank lines only', { whole: [400, 'malformed'] }, () => '\n\r\n\n'],
  ['a word', bad('malformed-jws'), around(() => MARK)],
  ['a word in quotes', bad('malformed-jws'), around(() => `"${MARK}"`)],
  ['a list', bad('malformed-jws'), around(() => '[]')],
  ['null', bad('malformed-jws'), around(() => 'null')],
  ['a payload that nobody has signed', bad('malformed-jws'), around(() => JSON.stringify(lodging()))],
  ['a JWS without its quotes', bad('malformed-jws'), around((known) => good(known).replaceAll('"', ''))],
  ['a JWS with escapes', bad('malformed-jws'), around((known) => good(known).replace('.', '\\u002e'))],
  ['two JWS in a line', bad('malformed-jws'), around((known) => `${good(known)} ${good(known)}`)],
  ['a BOM', bad('malformed-jws'), around((known) => `\ufeff${good(known)}`)],
  ['a NUL', bad('malformed-jws'), around(() => '\0')],
  [
    'a duplicate member',
    bad('malformed-jws'),
    around(() => '{"payload":"a","payload":"b","protected":"c","signature":"d"}'),
  ],
  ['nesting of 10,000 levels', bad('malformed-jws'), around(() => '['.repeat(10_000))],
  [
    'a signature of somebody else',
    bad('bad-signature', 401),
    around((known) => good(known).replace(/.{10}"$/, `${'A'.repeat(10)}"`)),
  ],
  [
    'a filing for another gateway',
    bad('wrong-audience', 401),
    around(({ filer }) => `"${filer.filing('https://elsewhere.example', lodging())}"`),
  ],
  [
    'a payload that is no JSON',
    bad('malformed-json'),
    around(({ filer, issuer }) => `"${filer.filing(issuer, MARK)}"`),
  ],
  [
    'a payload of another filer',
    bad('no-mandate', 403),
    around(({ filer, issuer }) => `"${filer.filing(issuer, lodging({ filer: makeUscc(99) }))}"`),
  ],
  [
    'a line that is no UTF-8',
    bad('malformed'),
    (known) => Buffer.concat([Buffer.from(`${good(known)}\n`), Buffer.of(0xff, 0xfe, 0x0a), Buffer.from(good(known))]),
  ],
  ['carriage returns', { lines: [201, 201] }, (known) => `${good(known)}\r\n\r\n${good(known)}\r`],
  [
    'a line end in the middle of a JWS',
    {
      lines: [
        [400, 'malformed-jws'],
        [400, 'malformed-jws'],
      ],
    },
    (known) => good(known).replace('.', '\n.'),
  ],
  [
    'a manifest with a count below zero',
    { whole: [401, 'bulk-root-mismatch'] },
    (known) => `${manifest(known, { count: -1, root: ROOT })}\n{}`,
  ],
  [
    'a manifest with a count of words',
    { whole: [400, 'malformed'] },
    (known) => `${manifest(known, { count: MARK, root: ROOT })}\n{}`,
  ],
  [
    'a manifest with a count beyond 2^53',
    {
      lines: [
        [400, 'malformed-json'],
        [400, 'malformed-jws'],
      ],
    },
    (known) => `"${known.filer.filing(known.issuer, `{"count":9007199254740993,"root":"${ROOT}"}`)}"\n{}`,
  ],
  [
    'a manifest with a root of 31 bytes',
    { whole: [400, 'malformed'] },
    (known) => `${manifest(known, { count: 1, root: 'A'.repeat(42) })}\n{}`,
  ],
  [
    'a manifest with the root of other lines',
    { whole: [401, 'bulk-root-mismatch'] },
    (known) => `${manifest(known, { count: 1, root: ROOT })}\n{"${MARK}":1}`,
  ],
  [
    'a manifest of nothing',
    { whole: [401, 'bulk-root-mismatch'] },
    (known) => manifest(known, { count: 0, root: ROOT }),
  ],
  [
    'a manifest for another gateway',
    { whole: [401, 'wrong-audience'] },
    ({ filer }) => `"${filer.filing('https://elsewhere.example', { count: 1, root: ROOT })}"\n{}`,
  ],
  [
    'a manifest with a member more',
    {
      lines: [
        [422, 'invalid-filing'],
        [400, 'malformed-jws'],
      ],
    },
    (known) => `${manifest(known, { count: 1, root: ROOT, [MARK]: 1 })}\n{}`,
  ],
];

const party = '{"op":"party","id":"IMPORTED-PARTY","kind":"operator","name":"A"}';
const between = (line: string) => (): string => `${party}\n${line}\n${party}\n`;
const wrong = (code: ErrorCode, status: number) =>
  ({
    lines: [
      [0, code],
      [status, code],
      [0, code],
    ],
  }) as const;

/** To `POST /v1/import`, each between two lines that are good: only the middle one counts here. */
export const HOSTILE_IMPORT: readonly HostileLines[] = [
  ['a word', wrong('malformed-json', 400), between(MARK)],
  ['half an object', wrong('malformed-json', 400), between('{"op":"party"')],
  ['two objects', wrong('malformed-json', 400), between('{} {}')],
  ['a duplicate member', wrong('malformed-json', 400), between(`{"op":"party","op":"${MARK}"}`)],
  ['__proto__', wrong('malformed-json', 400), between('{"op":"party","__proto__":{}}')],
  ['a number beyond 2^53', wrong('malformed-json', 400), between('{"op":9007199254740993}')],
  ['nesting of 10,000 levels', wrong('malformed-json', 400), between('['.repeat(10_000))],
  ['a list', wrong('invalid-resource', 422), between('[]')],
  ['null', wrong('invalid-resource', 422), between('null')],
  ['no op', wrong('invalid-resource', 422), between('{}')],
  ['an op that is none', wrong('invalid-resource', 422), between(`{"op":"${MARK}"}`)],
  ['an op named constructor', wrong('invalid-resource', 422), between('{"op":"constructor"}')],
  [
    'a member that is not known',
    wrong('invalid-resource', 422),
    between(`{"op":"party","id":"X1","kind":"filer","name":"A","${MARK}":1}`),
  ],
  [
    'a name with a line end',
    wrong('invalid-resource', 422),
    between(`{"op":"party","id":"X1","kind":"operator","name":"a\\n${MARK}"}`),
  ],
  [
    'a key that is a word',
    wrong('invalid-resource', 422),
    between(`{"op":"key","party":"IMPORTED-PARTY","jwk":"${MARK}"}`),
  ],
  [
    'a key with its private half',
    wrong('invalid-resource', 422),
    between(
      '{"op":"key","party":"IMPORTED-PARTY","jwk":{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}}',
    ),
  ],
  [
    'a party that does not exist',
    wrong('not-found', 404),
    between(`{"op":"registration","filer":"${MARK}","registrations":[]}`),
  ],
];
