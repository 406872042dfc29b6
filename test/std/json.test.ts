import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { JSON_FAULTS, type JsonFault, parseStrictJson } from '../../src/std/json.ts';

const LIMITS = { depth: 8, values: 100 };

function reasonFor(text: string): JsonFault['reason'] | 'accepted' {
  const result = parseStrictJson(text, LIMITS);
  return result.ok ? 'accepted' : result.fault.reason;
}

describe('strict JSON', () => {
  it.each<[string, JsonFault['reason']]>([
    ['{"a":1,"a":2}', 'duplicate-member'],
    ['{"a":1,"\\u0061":2}', 'duplicate-member'],
    ['{"x":{"b":0,"c":{},"b":1}}', 'duplicate-member'],
    ['[{"a":1},{"a":1,"a":1}]', 'duplicate-member'],
    ['{"__proto__":{}}', 'reserved-member'],
    ['{"\\u005f_proto__":1}', 'reserved-member'],
    ['{"n":9007199254740992}', 'unsafe-number'],
    ['{"n":-9007199254740993}', 'unsafe-number'],
    ['{"n":1e400}', 'unsafe-number'],
    ['{"n":1e16}', 'unsafe-number'],
    ['"\\ud800"', 'lone-surrogate'],
    ['{"\\udfff":1}', 'lone-surrogate'],
    ['\ufeff{}', 'byte-order-mark'],
    ['[[[[[[[[[]]]]]]]]]', 'too-deep'],
    [`[${'1,'.repeat(120)}1]`, 'too-many-values'],
    ['{} {}', 'syntax'],
    ['{"a":1,}', 'syntax'],
    ['{"a":01}', 'syntax'],
    ["{'a':1}", 'syntax'],
    ['{"a":"\n"}', 'syntax'],
    ['"unfinished', 'syntax'],
    ['', 'syntax'],
    ['NaN', 'syntax'],
  ])('refuses %j as %s', (text, reason) => {
    expect(reasonFor(text)).toBe(reason);
  });

  it('names only reasons from its closed set, and each of them is reachable', () => {
    const reached = new Set(
      [
        '{"a":1,"a":2}',
        '{"__proto__":1}',
        '1e400',
        '"\\ud800"',
        '\ufeff1',
        '[[[[[[[[[]]]]]]]]]',
        `[${'0,'.repeat(200)}0]`,
        'x',
      ].map(reasonFor),
    );
    expect([...reached].sort()).toEqual([...JSON_FAULTS].sort());
  });

  it('reads what JSON.parse reads, whatever JSON.stringify writes', () => {
    fc.assert(
      fc.property(fc.jsonValue({ depthSize: 'small', maxDepth: 6 }), fc.nat(2), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        const result = parseStrictJson(text, { depth: 64, values: 100_000 });
        if (
          hasUnsafeInteger(value) ||
          text.includes('__proto__') ||
          /\p{Surrogate}/u.test(
            JSON.stringify(value).replace(/\\u(d[89a-f]..)/gi, (_, hex) =>
              String.fromCharCode(Number.parseInt(hex, 16)),
            ),
          )
        )
          return;
        expect(result).toEqual({ ok: true, value: JSON.parse(text) });
      }),
      { numRuns: 500 },
    );
  });

  it('takes the same names in sibling objects, and quotes and brackets inside strings', () => {
    expect(reasonFor('[{"a":1},{"a":2},{"b":"}{\\"a\\":[,]"}]')).toBe('accepted');
    expect(reasonFor('{"a":["x","x"],"b":{"a":1}}')).toBe('accepted');
    expect(reasonFor('{"money":9007199254740991,"rate":0.12345678901234567}')).toBe('accepted');
  });

  it('finds a duplicate among many members', () => {
    const members = Array.from({ length: 60 }, (_, i) => `"m${i}":${i}`);
    expect(reasonFor(`{${members.join()}}`)).toBe('accepted');
    expect(reasonFor(`{${members.join()},"m59":0}`)).toBe('duplicate-member');
    expect(reasonFor(`{${members.join()},"m3":0}`)).toBe('duplicate-member');
  });
});

function hasUnsafeInteger(value: unknown): boolean {
  if (typeof value === 'number') return Number.isInteger(value) && !Number.isSafeInteger(value);
  if (value === null || typeof value !== 'object') return false;
  return Object.values(value).some(hasUnsafeInteger);
}
