import { lodging } from '../support/filer.ts';

/** What is properly signed and sent as a payload, or sent as an operator's body; the statuses that it may get. */
export type HostileJson = readonly [name: string, statuses: readonly number[], make: () => string | Uint8Array];

const MIB = 1024 * 1024;
const good = (): string => JSON.stringify(lodging());
const inserted = (text: string) => () => good().replace('{', `{${text},`);
const inData = (text: string) => () => good().replace('"data":{', `"data":{${text},`);
const nested = (open: string, close: string, depth: number) => `${open.repeat(depth)}1${close.repeat(depth)}`;

/** 400 for what is no acceptable JSON, whatever it would mean. */
export const HOSTILE_JSON: readonly HostileJson[] = [
  ['nothing', [400], () => ' '],
  ['33 levels', [400], inData(`"x":${nested('[', ']', 33)}`)],
  ['100,000 levels of arrays', [400], () => nested('[', ']', 100_000)],
  ['100,000 levels of objects', [400], () => nested('{"a":', '}', 100_000)],
  ['12 MiB of opening brackets', [400, 413], () => '['.repeat(12 * MIB - 4_096)],
  ['a duplicate member', [400], inserted('"kind":"void"')],
  ['a duplicate member further in', [400], inData('"room":"1"')],
  ['a duplicate member spelt with escapes', [400], inserted('"k\\u0069nd":"void"')],
  ['__proto__', [400], inserted('"__proto__":{"kind":"void"}')],
  ['__proto__ further in', [400], inData('"__proto__":{}')],
  ['__proto__ spelt with escapes', [400], inserted('"__pr\\u006fto__":{}')],
  ['constructor and prototype', [422], inData('"constructor":{"prototype":{"x":1}}')],
  ['2^53 + 1', [400], inData('"x":9007199254740993')],
  ['-2^53 - 1', [400], inData('"x":-9007199254740993')],
  ['1e400', [400], inData('"x":1e400')],
  ['-1e999999999', [400], inData('"x":-1e999999999')],
  ['an integer of a million digits', [400], inData(`"x":${'9'.repeat(MIB)}`)],
  ['a fraction of a million digits', [400, 422], inData(`"x":0.${'3'.repeat(MIB)}`)],
  ['a lone high surrogate', [400], inData('"x":"\\ud800"')],
  ['a lone low surrogate in a name', [400], inData('"\\udc00":1')],
  ['surrogates the wrong way round', [400], inData('"x":"\\udc00\\ud800"')],
  [
    'bytes that are not UTF-8',
    [400],
    () => Buffer.concat([Buffer.from('{"a":"'), Buffer.of(0xff, 0xfe), Buffer.from('"}')]),
  ],
  ['overlong UTF-8', [400], () => Buffer.concat([Buffer.from('{"a":"'), Buffer.of(0xc0, 0xaf), Buffer.from('"}')])],
  [
    'surrogates in UTF-8',
    [400],
    () => Buffer.concat([Buffer.from('{"a":"'), Buffer.of(0xed, 0xa0, 0x80), Buffer.from('"}')]),
  ],
  ['UTF-16', [400], () => Buffer.from(good(), 'utf16le')],
  ['a BOM', [400], () => `\ufeff${good()}`],
  ['trailing bytes', [400], () => `${good()}x`],
  ['two values', [400], () => `${good()}${good()}`],
  ['a trailing comma', [400], () => good().replace(/}$/, ',}')],
  ['a comment', [400], () => `/* */${good()}`],
  ['single quotes', [400], () => "{'a':1}"],
  ['NaN', [400], inData('"x":NaN')],
  ['Infinity', [400], inData('"x":Infinity')],
  ['a leading zero', [400], inData('"x":007')],
  ['a control character in a string', [400], inData('"x":"\u0001"')],
  ['an unfinished string', [400], () => '{"type":"'],
  ['an unfinished escape', [400], inData('"x":"\\u12"')],
  ['a NUL after the end', [400], () => `${good()}\0`],
  ['a NUL in a text', [400, 422], inData('"note":"\\u0000"')],
  ['a NUL in the reference', [422], () => JSON.stringify(lodging({ reference: 'a\u0000b' }))],
  [
    'a NUL in the room',
    [422],
    () => JSON.stringify(lodging({ data: { ...(lodging().data as object), room: '1\u0000' } })),
  ],
  ['null', [422], () => 'null'],
  ['a list', [422], () => '[]'],
  ['a string', [422], () => '"x"'],
  ['a number', [422], () => '-0'],
  ['an empty object', [422], () => '{}'],
  [
    '100,000 unknown members',
    [400, 422],
    () => `{${Array.from({ length: 100_000 }, (_, i) => `"m${i}":1`).join(',')}}`,
  ],
  ['a list of 3 million numbers', [400], inData(`"x":[${'1,'.repeat(3_000_000)}1]`)],
  ['a name of 1 MiB', [422], inserted(`"${'n'.repeat(MIB)}":1`)],
  [
    'a text of 1 MiB where a pattern applies',
    [422],
    () => JSON.stringify(lodging({ data: { ...(lodging().data as object), hotel: { code: '1'.repeat(MIB) } } })),
  ],
  ['1 MiB of blanks for a filing type', [422], () => JSON.stringify(lodging({ type: `a${'.a'.repeat(MIB / 2)}!` }))],
  ['1 MiB for a code', [422], () => JSON.stringify(lodging({ filer: 'A'.repeat(MIB) }))],
  ['1 MiB for a reference', [422], () => JSON.stringify(lodging({ reference: 'é'.repeat(MIB / 2) }))],
  [
    '1 MiB for what it supersedes',
    [422],
    () => JSON.stringify(lodging({ kind: 'void', supersedes: `${'9'.repeat(MIB)}.1` })),
  ],
  [
    'numbers where texts belong',
    [422],
    () => JSON.stringify(lodging({ type: 1, filer: 2, kind: 3, office: 4, period: 5 })),
  ],
  [
    'a date that is not there',
    [422],
    () => JSON.stringify(lodging({ period: { from: '2026-02-30', to: '2026-02-30' } })),
  ],
  ['the year 99999', [422], () => JSON.stringify(lodging({ period: { from: '99999-01-01', to: '99999-01-01' } }))],
  ['the year 9999', [422], () => JSON.stringify(lodging({ period: { from: '9999-12-31', to: '9999-12-31' } }))],
  ['the year 0000', [422], () => JSON.stringify(lodging({ period: { from: '0000-01-01', to: '0000-01-01' } }))],
];
