import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseJsonDocument } from '../../src/domain/json-document.ts';
import { mergePatch } from '../../src/domain/merge-patch.ts';
import { CelFault, type CelVariable, compileCondition, readExpression } from '../../src/domain/rules/cel.ts';
import { ageOn, daysBetween, localDate, minutesBetween, roundHalfUp } from '../../src/domain/rules/helpers.ts';

const INTS: readonly CelVariable[] = ['a', 'b', 'c'].map((name, index) => ({ name, index, type: 'int' }));

/** Exact integer arithmetic, the oracle, as a tree that can be written as CEL. */
interface Term {
  readonly text: string;
  readonly value: (variables: readonly bigint[]) => bigint;
}

const leaf: fc.Arbitrary<Term> = fc.oneof(
  fc
    .constantFrom(0, 1, 2)
    .map((i) => ({ text: 'abc'.charAt(i), value: (variables: readonly bigint[]) => variables[i] ?? 0n })),
  fc.integer({ min: 0, max: 10_000 }).map((n) => ({ text: String(n), value: () => BigInt(n) })),
);
const { term } = fc.letrec<{ term: Term }>((tie) => ({
  term: fc.oneof(
    { maxDepth: 4 },
    leaf,
    fc
      .tuple(fc.constantFrom('+', '-', '*', 'min', 'max', 'round_half_up'), tie('term'), tie('term'))
      .map(([op, left, right]) => join(op, left, right)),
  ),
}));

const APPLY: Readonly<Record<string, (a: bigint, b: bigint) => bigint>> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  // biome-ignore lint/complexity/useMathMinMax: Math.min takes no BigInt
  min: (a, b) => (a < b ? a : b),
  // biome-ignore lint/complexity/useMathMinMax: Math.max takes no BigInt
  max: (a, b) => (a > b ? a : b),
  round_half_up: roundHalfUp,
};

const LIMIT = 2n ** 63n;

function join(op: string, left: Term, right: Term): Term {
  const text = op.length === 1 ? `(${left.text} ${op} ${right.text})` : `${op}(${left.text}, ${right.text})`;
  const value = (variables: readonly bigint[]): bigint => {
    const result = APPLY[op]?.(left.value(variables), right.value(variables)) ?? 0n;
    if (result >= LIMIT || result < -LIMIT) throw new RangeError('overflow');
    return result;
  };
  return { text, value };
}

function outcome(work: () => boolean): boolean | 'fails' {
  try {
    return work();
  } catch {
    return 'fails';
  }
}

test('conditions are exact in int64, whatever the figures, and fail where int64 ends', () => {
  const figure = fc.oneof(fc.integer({ min: -1_000_000, max: 1_000_000 }), fc.maxSafeInteger());
  fc.assert(
    fc.property(
      term,
      term,
      fc.constantFrom('<', '<=', '==', '!=', '>=', '>'),
      fc.tuple(figure, figure, figure),
      (left, right, op, figures) => {
        const condition = compileCondition(`${left.text} ${op} ${right.text}`, INTS);
        const big = figures.map(BigInt);
        const expected = outcome(() => {
          const [a, b] = [left.value(big), right.value(big)];
          return { '<': a < b, '<=': a <= b, '==': a === b, '!=': a !== b, '>=': a >= b, '>': a > b }[op];
        });
        expect(outcome(() => condition(figures))).toBe(expected);
      },
    ),
    { numRuns: 400 },
  );
});

describe('conditions', () => {
  const variables: readonly CelVariable[] = [
    ...INTS,
    { name: 's', index: 3, type: 'string' },
    { name: 'l', index: 4, type: 'list<int>' },
    { name: 'm', index: 5, type: 'list<int>' },
    { name: 't', index: 6, type: 'map<string, int>' },
  ];
  const verdict = (source: string, values: readonly unknown[]): boolean | 'fails' =>
    outcome(() => compileCondition(source, variables)(values));

  test.each([
    ['a / b == 2', [7, 3, 0], true],
    ['a / b == 2', [7, 0, 0], 'fails'],
    ['b == 0 || a / b == 2', [7, 0, 0], true],
    ['a * a > 0', [9007199254740991, 0, 0], 'fails'],
    ['a + b > 9007199254740992', [9007199254740991, 9007199254740991, 0], true],
    ['round_half_up(a, b) == 3', [5, 2, 0], true],
    ['round_half_up(a, b) == -3', [-5, 2, 0], true],
    ['round_half_up(a, b) == 0', [5, 0, 0], 'fails'],
    ['s in ["x", "y"]', [0, 0, 0, 'y'], true],
    ['s.size() == 2', [0, 0, 0, '💧中'], true],
    ['l.exists(x, x == a)', [3, 0, 0, '', [1, 2, 3]], true],
    ['l.all(x, x < a)', [3, 0, 0, '', [1, 2, 3]], false],
    ['a == 1 ? b == 2 : c == 3', [1, 2, 9], true],
    ['!(a == -b)', [2, -2, 0], false],
    ['days_between(s, "2026-03-01") == 1', [0, 0, 0, '2026-02-28'], true],
    ['days_between(s, "2026-03-01") == 1', [0, 0, 0, 'x'], 'fails'],
    ['a == 1', [undefined, 0, 0], 'fails'],
    ['step(a, l, m) == 3', [100, 0, 0, '', [100, 200], [3, 10, 20]], true],
    ['step(a, l, m) == 10', [101, 0, 0, '', [100, 200], [3, 10, 20]], true],
    ['step(a, l, m) == 20', [9007199254740991, 0, 0, '', [100, 200], [3, 10, 20]], true],
    ['step(a, l, m) == 20 && a / 2 == 150', [300, 0, 0, '', [100, 200], [3, 10, 20]], true],
    ['step(a, l, m) == 3', [1, 0, 0, '', [100, 200], [3, 10]], 'fails'],
    ['lookup(t, s) == 30', [0, 0, 0, 'sale', [], [], { sale: 30, loan: 5 }], true],
    ['lookup(t, s) == a / 2', [60, 0, 0, 'sale', [], [], { sale: 30, loan: 5 }], true],
    ['lookup(t, s) == 30', [0, 0, 0, 'toString', [], [], { sale: 30 }], 'fails'],
    ['month_of(s) == 7', [0, 0, 0, '2026-07-31'], true],
    ['basis_points(a, b) == 617', [1_234_567, 5], true],
    ['basis_points(a, b) == -1', [-1, 5_000], true],
    ['per_mille(a, b) == 1', [1, 500], true],
    ['per_mille(a, b) == 12346', [12_345_678, 1], true],
    ['basis_points(a, b) > 0', [9007199254740991, 1000], true],
    ['basis_points(a, b) > 0', [9007199254740991, 9007199254740991], 'fails'],
    ['is_uscc(s)', [0, 0, 0, '91350100M000100Y43'], true],
    ['is_uscc(s)', [0, 0, 0, '91350200M000000510'], false],
    ['is_gtin(s)', [0, 0, 0, '6901234567892'], true],
    ['is_gtin(s)', [0, 0, 0, '6901234567893'], false],
    ['is_luhn(s)', [0, 0, 0, '6228480402564890018'], true],
    ['is_luhn(s)', [0, 0, 0, '6228480402564890017'], false],
    ['a > 1', [9007199254740993n, 0, 0], true],
  ])('%s (%#)', (source, values, expected) => {
    expect(verdict(source, values)).toBe(expected);
  });

  test.each([
    's.matches("(a+)+$")',
    'dyn(a) == 1',
    'double(a) > 0.5',
    'timestamp(s) > timestamp(s)',
    'a.b.c()',
    'optional.of(1)',
    'l.map(x, x).size() == 1',
    '{"a": 1}.size() == 1',
    'l[0] == 1',
  ])('%s is refused', (source) => {
    expect(() => readExpression(source, new Set(['a', 'l', 's']))).toThrow(CelFault);
  });
});

test('helpers', () => {
  expect(roundHalfUp(1_234_567n * 5n, 10_000n)).toBe(617n);
  expect(() => roundHalfUp(2n ** 63n, 1n)).toThrow(RangeError);
  expect(daysBetween('2024-02-28', '2024-03-01')).toBe(2n);
  expect(ageOn('2008-10-04', '2026-10-03')).toBe(17n);
  expect(ageOn('2008-10-03', '2026-10-03')).toBe(18n);
  expect(localDate('2026-10-03T16:30:00Z')).toBe('2026-10-04');
  expect(minutesBetween('2026-10-03T00:00:00+08:00', '2026-10-02T16:01:59Z')).toBe(1n);
});

describe('definition files', () => {
  const json = fc.jsonValue({ maxDepth: 4 }).filter((value) => !JSON.stringify(value).includes('__proto__'));

  test('are read as JSON.parse reads them, with lines', () => {
    fc.assert(
      fc.property(json, fc.integer({ min: 0, max: 3 }), (value, indent) => {
        const text = JSON.stringify(value, undefined, indent);
        expect(parseJsonDocument('x', text).value).toEqual(JSON.parse(text));
      }),
    );
    const document = parseJsonDocument('x', '{\n "a": [\n  1,\n  { "b/c": 2 }\n ]\n}');
    expect(['', '/a', '/a/0', '/a/1/b~1c', '/a/1/none'].map((pointer) => document.lineOf(pointer))).toEqual([
      1, 2, 3, 4, 4,
    ]);
  });

  test.each([
    ['{"a":1,"a":2}', 1],
    ['{\n"a":\n}', 3],
    ['[1,\n2', 2],
    ['{"a":1}\nx', 1],
    ['["\u0001"]', 1],
    ['', 1],
    ['[01]', 1],
  ])('%j is refused with its line', (text, line) => {
    expect(() => parseJsonDocument('x', text)).toThrow(expect.objectContaining({ line }));
  });

  test('merge patches follow the examples of RFC 7396', () => {
    expect(mergePatch({ a: 'b', c: { d: 'e', f: 'g' } }, { a: 'z', c: { f: null } })).toEqual({
      a: 'z',
      c: { d: 'e' },
    });
    expect(mergePatch({ a: [1, 2] }, { a: [3] })).toEqual({ a: [3] });
    expect(mergePatch({}, { a: { bb: { ccc: null } } })).toEqual({ a: { bb: {} } });
    expect(mergePatch('x', { a: 1 })).toEqual({ a: 1 });
  });
});
