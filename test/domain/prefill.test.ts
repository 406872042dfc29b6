import { describe, expect, test } from 'vitest';
import { carryOver, sumAt, zeroObstacle } from '../../src/domain/carry-over.ts';
import { buildCatalogue } from '../../src/domain/catalogue.ts';
import type { Prefill } from '../../src/domain/prefill.ts';

const MONTH = { from: '2026-10-01', to: '2026-10-31' };
const SEPTEMBER = { from: '2026-09-01', to: '2026-09-30' };

const prefill = (changes: Partial<Prefill>): Prefill => ({
  skeleton: {},
  carry: [],
  fill: [],
  fillFirst: [],
  ...changes,
});
const carried = (carry: Prefill['carry'], data: unknown, period = SEPTEMBER, to = MONTH): object =>
  carryOver(prefill({ carry }), { data, period }, to);

describe('what carries over', () => {
  test('a value, several added up, at least something, changed, or marked', () => {
    const data = { a: 5, b: -3, c: 'x', list: [1, 2] };
    expect(carried(['c', 'list'], data)).toEqual({ c: 'x', list: [1, 2] });
    expect(carried([{ from: ['a', 'b'], to: ['s', 't.u'] }], data)).toEqual({ s: 2, t: { u: 2 } });
    expect(carried([{ from: ['a', 'b'], to: 's', atLeast: 0 }], data)).toEqual({ s: 5 });
    expect(carried([{ from: 'a', to: 'a', add: 1 }], data)).toEqual({ a: 6 });
    expect(carried([{ from: 'a', to: 'z', as: 0 }], data)).toEqual({ z: 0 });
    expect(carried([{ from: 'missing', to: 'z', as: 0 }, 'missing'], data)).toEqual({});
  });

  test('every member by *, which stands for the same name on both sides', () => {
    const data = { lines: { '1': { month: 1, year: 10 }, '2': { month: 2 } } };
    expect(carried([{ from: 'lines.*.year', to: 'lines.*.year' }], data)).toEqual({ lines: { '1': { year: 10 } } });
    expect(carried([{ from: 'lines.*.month', to: 'before.*' }], data)).toEqual({ before: { '1': 1, '2': 2 } });
  });

  test('within a year, from an earlier one, from the end of the one before', () => {
    const rules: Prefill['carry'] = [
      { from: 'a', to: 'same', within: 'year' },
      { from: 'a', to: 'earlier', within: 'earlier-year' },
      { from: 'a', to: 'end', within: 'year-end' },
      { from: 'a', to: 'quarterly', periods: ['quarter'] },
    ];
    const from = (day: string): object => carried(rules, { a: 1 }, { from: `${day.slice(0, 8)}01`, to: day });
    expect(from('2026-09-30')).toEqual({ same: 1 });
    expect(from('2025-11-30')).toEqual({ earlier: 1 });
    expect(from('2025-12-31')).toEqual({ earlier: 1, end: 1 });
    expect(carried(rules, { a: 1 }, SEPTEMBER, { from: '2026-10-01', to: '2026-12-31' })).toEqual({
      same: 1,
      quarterly: 1,
    });
  });

  test('a list: the elements that are wanted, each begun anew, and their number', () => {
    const people = [
      { name: 'a', kind: 'wages', paid: 1, due: 2, income: 9 },
      { name: 'b', kind: 'labour', income: 9 },
      { name: 'c', kind: 'wages', hidden: false, income: 9 },
    ];
    const rules: Prefill['carry'] = [
      {
        each: 'people',
        where: { kind: 'wages', hidden: false },
        skeleton: { income: 0 },
        carry: ['name', { from: ['paid', 'due'], to: 'paid' }],
      },
      { count: 'people', to: 'count' },
    ];
    expect(carried(rules, { people })).toEqual({
      people: [
        { name: 'a', paid: 3, income: 0 },
        { name: 'c', income: 0 },
      ],
      count: 2,
    });
    expect(carried(rules, {})).toEqual({ count: 0 });
  });

  test('the skeleton is never changed, nor the earlier filing', () => {
    const begun = prefill({
      skeleton: { lines: { x: 0 } },
      byPeriod: { year: { kind: 'annual' } },
      carry: ['lines.y', 'deep'],
    });
    const data = { lines: { y: 1 }, deep: { z: [1] } };
    const result = carryOver(begun, { data, period: SEPTEMBER }, MONTH) as { deep: { z: number[] } };
    result.deep.z.push(2);
    expect([begun.skeleton, data.deep.z]).toEqual([{ lines: { x: 0 } }, [1]]);
    expect(carryOver(begun, undefined, { from: '2026-01-01', to: '2026-12-31' })).toMatchObject({ kind: 'annual' });
  });

  test('what stands in the way of a zero filing', () => {
    const zero = prefill({ zero: { unless: ['a.*', 'list', { path: 'mode', not: 'none' }], periods: ['month'] } });
    expect(zeroObstacle(zero, { a: { b: 0, c: false }, list: [], mode: 'none' }, MONTH)).toBeUndefined();
    expect(zeroObstacle(zero, { a: { b: 0, c: -1 }, list: [0], mode: 'self' }, MONTH)).toEqual({
      paths: ['a.*', 'list', 'mode'],
    });
    expect(zeroObstacle(zero, {}, { from: '2026-01-01', to: '2026-12-31' })).toEqual({ paths: [] });
    expect(zeroObstacle(prefill({}), {}, MONTH)).toEqual({ paths: [] });
  });

  test('amounts come to a sum, absent ones to 0', () => {
    expect(sumAt({ a: { b: 2, c: 3 }, d: -1 }, ['a.*', 'd', 'e'])).toBe(4);
  });
});

/** A small form: what stays, what is counted through the year, and a balance with a rule. */
const fen = (zh: string, en: string): object => ({
  type: 'integer',
  minimum: -1_000_000,
  maximum: 1_000_000,
  default: 0,
  title: zh,
  'x-title-en': en,
});
const SCHEMA = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: '表',
  'x-title-en': 'form',
  type: 'object',
  properties: {
    filerKind: { type: 'string', enum: ['firm', 'person'], title: '类别', 'x-title-en': 'kind' },
    sales: {
      type: 'object',
      properties: { month: fen('本月', 'month'), year: fen('本年', 'year') },
      additionalProperties: false,
      title: '销售额',
      'x-title-en': 'sales',
    },
    balance: {
      type: 'object',
      properties: { opening: fen('期初', 'opening'), closing: fen('期末', 'closing') },
      additionalProperties: false,
      title: '余额',
      'x-title-en': 'balance',
    },
  },
  required: ['filerKind'],
  additionalProperties: false,
};
const text = { zh: '文', en: 'text' };
const TYPE = {
  type: 'tax.toy',
  agency: 'tax',
  title: text,
  description: text,
  periods: ['month', 'year'],
  obliged: [{ period: 'month' }],
  amountDue: ['balance.closing'],
  deadline: { rule: 'none' },
  kinds: { correction: true, void: true },
  notice: text,
  status: 'modelled',
  source: 'a test',
  versions: [
    { version: '2026-01', from: '2026-01-01', to: '2026-06-30' },
    { version: '2026-07', from: '2026-07-01' },
  ],
};
const RULES = {
  rules: [
    {
      id: 'TOY-1',
      severity: 'error',
      pointer: '/data/balance/closing',
      title: text,
      message: text,
      source: 'a test',
      expression: 'data.balance.closing == data.balance.opening + data.sales.month',
    },
  ],
};
const PREFILL = {
  zero: { unless: [] },
  skeleton: { filerKind: 'firm' },
  carry: [
    'filerKind',
    { from: 'sales.year', to: 'sales.year', within: 'year' },
    { from: 'balance.closing', to: ['balance.opening', 'balance.closing'] },
  ],
  fill: ['sales.*'],
  fillFirst: ['filerKind'],
};
const filing = (month: string, version: string, data: object): object => ({
  type: 'tax.toy',
  version,
  filer: '91350100M000100Y43',
  period: { from: `${month}-01`, to: `${month}-28` },
  kind: 'original',
  data,
});

/** Its files, with changes: a text replaces one, an object is written out. */
function files(changes: Readonly<Record<string, object | string>> = {}): Map<string, string> {
  const examples = (month: string, version: string): [string, object][] => [
    [`${version}/examples/valid-nothing.json`, filing(month, version, { filerKind: 'person' })],
    [
      `${version}/examples/valid-sale.json`,
      filing(month, version, { filerKind: 'firm', sales: { month: 5, year: 9 }, balance: { opening: 1, closing: 6 } }),
    ],
    [`${version}/examples/invalid-TOY-1.json`, filing(month, version, { filerKind: 'firm', balance: { closing: 1 } })],
  ];
  const all: [string, object | string][] = [
    ['type.json', TYPE],
    ['2026-01/schema.json', SCHEMA],
    ['2026-01/rules.json', RULES],
    ['2026-01/prefill.json', PREFILL],
    ...examples('2026-02', '2026-01'),
    ['2026-07/schema.json', { extends: '2026-01', patch: {} }],
    ['2026-07/rules.json', { extends: '2026-01', rules: [] }],
    ['2026-07/prefill.json', { extends: '2026-01' }],
    ...examples('2027-02', '2026-07'),
    ...Object.entries(changes),
  ];
  return new Map(
    all.map(([name, value]) => [`tax/toy/${name}`, typeof value === 'string' ? value : JSON.stringify(value, null, 1)]),
  );
}

function problems(changes: Readonly<Record<string, object | string>>): string[] {
  const { problems: found = [] } = buildCatalogue(files(changes));
  return found.map((problem) => `${problem.file.slice('tax/toy/'.length)}:${problem.line} ${problem.message.en}`);
}

describe('prefill.json of a version', () => {
  const changed = (changes: object): string[] => problems({ '2026-01/prefill.json': { ...PREFILL, ...changes } });

  test('is there, inherited too, with or without the checks', () => {
    for (const alreadyChecked of [false, true]) {
      const { catalogue, problems: found } = buildCatalogue(files(), { alreadyChecked });
      expect(found).toBeUndefined();
      const versions = catalogue?.types.get('tax.toy')?.versions;
      expect(versions?.get('2026-07')?.prefill).toEqual(PREFILL);
      expect(versions?.get('2026-01')?.prefill).toEqual(PREFILL);
    }
  });

  test('a path that the schema does not have, in every version that reads the file', () => {
    expect(changed({ fillFirst: ['filerKinds'] })).toEqual([
      '2026-01/prefill.json:27 /fillFirst/0: the schema has no filerKinds',
      '2026-07/prefill.json:1 /fillFirst/0: the schema has no filerKinds',
    ]);
    expect(changed({ carry: [{ from: 'sales.year', to: 'sales.years' }] })[0]).toBe(
      '2026-01/prefill.json:11 /carry/0/to: the schema has no sales.years',
    );
    expect(changed({ zero: { unless: ['nothing'] } })[0]).toMatch(/:4 \/zero\/unless\/0: the schema has no nothing/);
    expect(changed({ carry: [{ each: 'sales', carry: [] }] })[0]).toMatch(
      /\/carry\/0\/each: the schema has no list sales/,
    );
  });

  test('a member that there is not, a * on one side only, text that is no JSON', () => {
    expect(changed({ skeletons: {} })[0]).toMatch(/prefill\.json:\d+ additionalProperties/);
    expect(changed({ carry: [{ from: 'sales.*', to: 'filerKind' }] })[0]).toMatch(/as many \* as each other/);
    expect(problems({ '2026-07/prefill.json': '{' })).toEqual([expect.stringMatching(/prefill\.json:1 not JSON/)]);
  });

  test('a skeleton that is not valid, though nothing of it is left to fill', () => {
    expect(changed({ skeleton: { filerKind: 'company' }, fillFirst: [] })[0]).toMatch(
      /prefill\.json:\d+ \/skeleton: is not valid for a month: \/data\/filerKind/,
    );
  });

  test('what carries over against a rule, from which example', () => {
    expect(changed({ carry: ['filerKind', 'balance.closing'] })).toContainEqual(
      expect.stringMatching(
        /2026-01\/prefill\.json:\d+ \/carry: what carries over from tax\/toy\/2026-01\/examples\/valid-sale\.json .* TOY-1/,
      ),
    );
  });

  test('another version that has none of its own', () => {
    expect(problems({ '2026-01/prefill.json': { extends: '2026-07' } })).toContainEqual(
      expect.stringMatching(/2026-01\/prefill\.json:2 \/extends: there is no version of that name/),
    );
  });

  test('what a type says is owed and payable', () => {
    const type = (changes: object): string[] => problems({ 'type.json': { ...TYPE, ...changes } });
    expect(type({ obliged: [{ period: 'quarter' }] })[0]).toMatch(
      /type\.json:\d+ \/obliged\/0: the type has no period/,
    );
    expect(type({ obliged: [{ period: 'month', or: ['month'] }] })[0]).toMatch(/month is there twice/);
    expect(type({ amountDue: ['filerKind'] })[0]).toMatch(/type\.json:\d+ \/amountDue\/0: filerKind is no amount/);
  });
});
