import fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseStrictJson } from '../../src/std/json.ts';

// A second reading of RFC 8259 with the gateway's restrictions: slow, recursive, and with exact numbers.

const LIMITS = { depth: 6, values: 60 };

class Refused extends Error {}

class Reference {
  #at = 0;
  #values = 0;
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  read(): unknown {
    const value = this.#value(0);
    this.#blanks();
    if (this.#at < this.#text.length) throw new Refused('trailing');
    return value;
  }

  #value(depth: number): unknown {
    this.#blanks();
    const rest = this.#text.slice(this.#at);
    for (const [word, value] of [['null', null], ['true', true], ['false', false]] as const) // biome-ignore format: a table
      if (rest.startsWith(word)) {
        this.#at += word.length;
        return value;
      }
    if (rest.startsWith('"')) return this.#string();
    if (rest.startsWith('[')) return this.#list(depth + 1);
    if (rest.startsWith('{')) return this.#object(depth + 1);
    const number = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/.exec(rest)?.[0];
    if (number === undefined) throw new Refused('no value');
    this.#at += number.length;
    return exactNumber(number);
  }

  #list(depth: number): unknown[] {
    const items: unknown[] = [];
    this.#members(depth, ']', () => items.push(this.#value(depth)));
    return items;
  }

  #object(depth: number): object {
    const entries: [string, unknown][] = [];
    this.#members(depth, '}', () => {
      this.#blanks();
      if (this.#text[this.#at] !== '"') throw new Refused('no name');
      const name = this.#string();
      if (name === '__proto__' || entries.some(([known]) => known === name)) throw new Refused('name');
      this.#expect(':');
      entries.push([name, this.#value(depth)]);
    });
    return Object.fromEntries(entries);
  }

  #members(depth: number, end: string, read: () => void): void {
    if (depth > LIMITS.depth) throw new Refused('depth');
    this.#at++;
    this.#count();
    this.#blanks();
    if (this.#text[this.#at] === end) {
      this.#at++;
      return;
    }
    for (;;) {
      read();
      this.#blanks();
      if (this.#text[this.#at] === end) break;
      this.#expect(',');
      this.#count();
    }
    this.#at++;
  }

  #count(): void {
    if (++this.#values > LIMITS.values) throw new Refused('values');
  }

  #string(): string {
    const token = /^"(?:[^"\\\p{Cc}]|[\x7f-\x9f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/u.exec(
      this.#text.slice(this.#at),
    )?.[0];
    if (token === undefined) throw new Refused('string');
    this.#at += token.length;
    const value = token
      .slice(1, -1)
      .replace(/\\(u[0-9a-fA-F]{4}|.)/g, (_, code: string) =>
        code.length === 5
          ? String.fromCharCode(Number.parseInt(code.slice(1), 16))
          : ({ b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' }[code] ?? code),
      );
    if (/\p{Surrogate}/u.test(value)) throw new Refused('surrogate');
    return value;
  }

  #expect(character: string): void {
    this.#blanks();
    if (this.#text[this.#at] !== character) throw new Refused(character);
    this.#at++;
  }

  #blanks(): void {
    while (' \t\n\r'.includes(this.#text[this.#at] ?? 'x')) this.#at++;
  }
}

/** A number whose double is another whole number than what was written is not read at all. */
function exactNumber(token: string): number {
  const value = Number(token);
  if (!Number.isFinite(value)) throw new Refused('infinite');
  if (!Number.isInteger(value)) return value;
  if (!Number.isSafeInteger(value)) throw new Refused('unsafe');
  const [, digits = '', fraction = '', exponent = '0'] = /^-?(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(token) ?? [];
  const shift = BigInt(exponent) - BigInt(fraction.length);
  const written = BigInt(digits + fraction);
  const read = BigInt(Math.abs(value));
  const same = shift >= 0n ? written === 0n || written * 10n ** shift === read : written === read * 10n ** -shift;
  if (!same) throw new Refused('rounded');
  return value;
}

function reference(text: string): { value: unknown } | undefined {
  try {
    return { value: new Reference(text).read() };
  } catch (error) {
    if (error instanceof Refused) return undefined;
    throw error;
  }
}

const digits = fc.stringMatching(/^[0-9]{1,20}$/);
const numbers = fc
  .tuple(fc.constantFrom('', '-'), digits, fc.option(digits, { nil: '' }), fc.constantFrom('', 'e', 'E-', 'e+'), fc.nat(330)) // biome-ignore format: one line
  .map(([sign, whole, fraction, e, exponent]) => `${sign}${whole.replace(/^0+(?=\d)/, '')}${fraction && `.${fraction}`}${e && e + exponent}`); // biome-ignore format: one line
const nearOne = fc
  .tuple(fc.constantFrom('0', '1', '9007199254740991', '4503599627370496'), fc.constantFrom('0', '9', '3'), fc.nat(40))
  .map(([whole, digit, count]) => `${whole}.${digit.repeat(count + 1)}`);
const strings = fc.constantFrom('"a"', '"b"', '"\\u0061"', '"__proto__"', '"\\ud83d\\ude00"', '"\\ud83d"', '"é😀"', '"\\\\"', '"\\""', '"\n"', '"\\x"', '"{[,:"'); // biome-ignore format: a list
const json = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    strings,
    numbers,
    nearOne,
    fc.constantFrom('null', 'true', 'false', ' 1 ', '-', '01', '+1', '.5', '1.', 'NaN'),
    fc.array(tie('value'), { maxLength: 5 }).map((items) => `[${items.join(', ')}]`),
    fc.array(fc.tuple(strings, tie('value')), { maxLength: 5 }).map((members) => `{${members.map(([name, value]) => `${name}:${value}`).join(',')}}`), // biome-ignore format: one line
  ),
})).value;
/** Mostly right texts, some with a character more, less or other than that. */
const texts = fc
  .tuple(json, fc.nat(), fc.constantFrom('', ...'{}[]",:\\ 0-e\ufeff'), fc.boolean(), fc.nat(3))
  .map(([text, at, character, replaces, luck]) => {
    if (luck > 0) return text;
    const place = at % (text.length + 1);
    const changed = text.slice(0, place) + character + text.slice(place + (replaces ? 1 : 0));
    // A text comes from UTF-8, which cannot carry half of a character.
    return Buffer.from(changed).toString();
  });

it('reads what a slow reading of the standard reads, and refuses what that refuses', () => {
  let accepted = 0;
  fc.assert(
    fc.property(texts, (text) => {
      const result = parseStrictJson(text, LIMITS);
      const expected = reference(text);
      if (expected !== undefined) accepted++;
      expect(result.ok ? { value: result.value } : undefined).toEqual(expected);
    }),
    { numRuns: 20_000 },
  );
  expect(accepted).toBeGreaterThan(2_000);
});

it.each(['0.99999999999999999999', '1.00000000000000000001', '9007199254740991.4', '4503599627370496.3', '1e-400'])(
  'refuses %s, which a double holds as another whole number',
  (token) => {
    const result = parseStrictJson(`{"fen":${token}}`, LIMITS);
    expect(result).toEqual({ ok: false, fault: { reason: 'unsafe-number', at: 7 } });
  },
);
