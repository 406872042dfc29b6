import { describe, expect, test } from 'vitest';
import { buildCatalogue } from '../../src/domain/catalogue.ts';
import type { FilingTypeVersion } from '../../src/domain/filing-type.ts';
import {
  february,
  fen,
  found,
  load,
  named,
  payload,
  problemsOf,
  rule,
  sales,
  schemaOf,
  tax,
  text,
  versionOf,
} from '../support/comparing-types.ts';

describe('a rule that reads another filing', () => {
  const previous = { previous: { title: text('the month before'), type: 'tax.sales', period: 'previous' } };
  const yearToDate = 'data.year == data.month + (month_of(period.from) == 1 ? 0 : others.previous.year)';

  test('adds up the year, month by month, and begins anew in January', () => {
    const version = versionOf({ sales: { others: previous, rules: [rule('T-YEAR', yearToDate)] } });
    const before = february({ month: 5, year: 12 });
    const march = (data: object) => sales('2026-03', data);
    expect(found(version, march({ month: 3, year: 15 }), { previous: [before] })).toEqual([]);
    expect(found(version, march({ month: 3, year: 14 }), { previous: [before] })).toEqual(['T-YEAR']);
    expect(found(version, sales('2026-01', { month: 3, year: 3 }), { previous: [before] })).toEqual([]);
    expect(found(version, march({ month: 3, year: 14 }), {})).toEqual([]);
    expect(version.check(march({ month: 3, year: 14 }))).toMatchObject({ errors: [], warnings: [] });
    expect(version.compare(march({ year: 1 }), new Map([['previous', [before]]]))).toEqual([
      {
        pointer: '/data/year',
        code: 'rule',
        rule: 'T-YEAR',
        severity: 'warning',
        message: text('T-YEAR is broken'),
      },
    ]);
  });

  test('nothing of one comparison is left for the next', () => {
    const version = versionOf({ sales: { others: previous, rules: [rule('T-YEAR', yearToDate)] } });
    const march = sales('2026-03', { month: 3, year: 99 });
    expect(found(version, march, { previous: [february({ year: 1 })] })).toEqual(['T-YEAR']);
    expect(found(version, march, {})).toEqual([]);
    expect(found(version, march, { previous: [february({})] })).toEqual(['T-YEAR']);
    expect(found(version, { ...march, kind: 'void', data: undefined }, { previous: [february({})] })).toEqual([]);
  });

  test('may ask whether it stands, and only then speaks of one that does not', () => {
    const asking = versionOf({ sales: { others: previous, rules: [rule('T-ASK', 'has(others.previous)')] } });
    expect(found(asking, february({}), {})).toEqual(['T-ASK']);
    expect(found(asking, february({}), { previous: [sales('2026-01', {})] })).toEqual([]);
    const both = rule('T-BOTH', 'has(others.previous) && others.previous.year == 1');
    expect(found(versionOf({ sales: { others: previous, rules: [both] } }), february({}), {})).toEqual([]);
  });

  test('reads its period and its sums', () => {
    const rules = [
      rule('T-DATE', 'days_between(others.previous.period.to, period.from) == 1'),
      rule('T-SUM', 'others.previous.sums.paid == sums.paid'),
    ];
    const version = versionOf({ sales: { others: previous, let: [{ name: 'paid', sum: 'staff[].paid' }], rules } });
    const staff = (paid: number) => ({ staff: [{ id: 'a', paid }] });
    const january = payload('tax.sales', '2026-01-01', '2026-01-31', staff(5));
    expect(found(version, february(staff(5)), { previous: [january] })).toEqual([]);
    expect(found(version, february(staff(6)), { previous: [january] })).toEqual(['T-SUM']);
    expect(found(version, sales('2026-03', staff(5)), { previous: [january] })).toEqual(['T-DATE']);
  });

  test('a value over all periods inside this one is their sum, exact beyond 2^53', () => {
    const months = { months: { title: text('the months'), type: 'tax.sales', period: 'within' } };
    const version = versionOf(
      {
        income: {
          others: months,
          rules: [rule('T-SALES', 'data.revenue == others.months.month', { pointer: '/data/revenue' })],
        },
      },
      'tax.income',
    );
    const filings = [1, 20, 300].map((month) => sales('2026-01', { month }));
    expect(found(version, tax({ revenue: 321 }), { months: filings })).toEqual([]);
    expect(found(version, tax({ revenue: 320 }), { months: filings })).toEqual(['T-SALES']);
    expect(found(version, tax({ revenue: 1 }), { months: [sales('2026-01', {})] })).toEqual(['T-SALES']);
    const large = versionOf(
      {
        income: {
          others: months,
          rules: [rule('T-LARGE', 'others.months.month == 9007199254740993 + data.revenue', { pointer: '/data' })],
        },
      },
      'tax.income',
    );
    const most = [Number.MAX_SAFE_INTEGER, 1, 1].map((month) => sales('2026-01', { month }));
    expect(found(large, tax({}), { months: most })).toEqual([]);
  });

  test('an element goes with the item that has the same members', () => {
    const line = {
      earlier: {
        title: text('the line of the month before'),
        type: 'tax.sales',
        period: 'previous',
        element: { list: 'staff', by: ['id'] },
      },
    };
    const version = versionOf({
      sales: {
        others: line,
        rules: [
          rule('T-PAID', 'item.paid >= others.earlier.paid', {
            each: '/data/staff',
            pointer: '/data/staff/{index}/paid',
          }),
        ],
      },
    });
    const staff = (paid: Readonly<Record<string, number>>) => ({
      staff: Object.entries(paid).map(([id, amount]) => ({ id, paid: amount })),
    });
    const before = [february(staff({ a: 10, b: 20, c: 30 }))];
    const pointers = version
      .compare(sales('2026-03', staff({ d: 1, c: 29, a: 10, b: 19 })), new Map([['earlier', before]]))
      .map(({ pointer }) => pointer);
    expect(pointers).toEqual(['/data/staff/1/paid', '/data/staff/3/paid']);
    expect(found(version, sales('2026-03', staff({ c: 29 })), {})).toEqual([]);
  });

  test('what cannot be evaluated is a warning too', () => {
    const version = versionOf({
      sales: { others: previous, rules: [rule('T-DIVIDE', 'data.year / others.previous.year == 1')] },
    });
    expect(version.compare(february({ year: 1 }), new Map([['previous', [february({})]]]))).toEqual([
      expect.objectContaining({ rule: 'T-DIVIDE', severity: 'warning' }),
    ]);
  });
});

describe('a filing of another version of the form', () => {
  const others = (more: object) => ({
    previous: { title: text('before'), type: 'tax.sales', period: 'previous', ...more },
  });
  const versions = [
    { version: '0', from: '2020-01-01', to: '2025-12-31' },
    { version: '1', from: '2026-01-01' },
  ];
  const files = (more: object, expression: string, older: object) => {
    const changed = load({ sales: { others: others(more), rules: [rule('T-A', expression)] } }, { versions });
    for (const [path, value] of [
      ['schema.json', older],
      ['rules.json', { rules: [] }],
      ['examples/valid-a.json', sales('2022-02', {})],
      ['examples/valid-b.json', sales('2023-02', {})],
    ] as const)
      changed.set(`tax/sales/0/${path}`, JSON.stringify(value, undefined, 1));
    return changed;
  };
  const other = schemaOf({ month: named(fen, 'this month') });
  const yearRule = 'data.year >= others.previous.year';

  test('counts as not filed where the rule names its versions', () => {
    const built = buildCatalogue(files({ versions: ['1'] }, yearRule, other), { alreadyChecked: true });
    const version = built.catalogue?.types.get('tax.sales')?.versions.get('1');
    if (version === undefined) throw new Error('the version is there');
    const before = { ...february({ year: 5 }), version: '1' };
    expect(found(version, sales('2026-03', { year: 1 }), { previous: [before] })).toEqual(['T-A']);
    expect(found(version, sales('2026-03', { year: 1 }), { previous: [{ ...before, version: '0' }] })).toEqual([]);
    const inForce = sales('2025-12', { year: 5 });
    expect(found(version, sales('2026-01', { year: 1 }), { previous: [inForce] })).toEqual([]);
  });

  test('must have what the rule reads, unless it names its versions', () => {
    const messages = (more: object, expression: string): string[] =>
      (buildCatalogue(files(more, expression, other)).problems ?? []).map(({ message }) => message.en);
    expect(messages({}, yearRule)).toContainEqual(expect.stringMatching(/the schema has no others\.previous\.year/));
    expect(messages({ versions: ['1'] }, yearRule)).toEqual([expect.stringMatching(/has no example/)]);
    expect(messages({}, 'data.month >= others.previous.month')).toEqual([expect.stringMatching(/has no example/)]);
  });
});

test('ten thousand items find their elements', () => {
  const line = {
    earlier: { title: text('before'), type: 'tax.sales', period: 'previous', element: { list: 'staff', by: ['id'] } },
  };
  const rules = [
    rule('T-PAID', 'item.paid == others.earlier.paid', { each: '/data/staff', pointer: '/data/staff/{index}' }),
  ];
  const version = versionOf({ sales: { others: line, rules } });
  const staff = Array.from({ length: 10_000 }, (_, i) => ({ id: String(i), paid: i }));
  const before = new Map([['earlier', [february({ staff: staff.toReversed() })]]]);
  expect(version.compare(sales('2026-03', { staff }), before)).toEqual([]);
  const changed = staff.map(({ id, paid }) => ({ id, paid: paid === 9_000 ? 1 : paid }));
  expect(version.compare(sales('2026-03', { staff: changed }), before).map(({ pointer }) => pointer)).toEqual([
    '/data/staff/9000',
  ]);
});

describe('a figure of the region', () => {
  const regional = (value?: number) => ({
    cap: { title: text('cap'), unit: 'fen', source: 'test', ...(value === undefined ? {} : { value }) },
  });
  const rules = [rule('T-CAP', 'data.year <= regional.cap')];

  test('is what is loaded, else what the country has, else nothing is said', () => {
    const check = (version: FilingTypeVersion, year: number, loaded?: number) =>
      version
        .check(february({ year }), loaded === undefined ? undefined : (name) => (name === 'cap' ? loaded : undefined))
        .warnings.map((finding) => finding.rule);
    const national = versionOf({ sales: { regional: regional(10), rules } });
    expect(check(national, 10)).toEqual([]);
    expect(check(national, 11)).toEqual(['T-CAP']);
    expect(check(national, 11, 20)).toEqual([]);
    expect(check(national, 11)).toEqual(['T-CAP']);
    const local = versionOf({ sales: { regional: regional(), rules } });
    expect(check(local, 11)).toEqual([]);
    expect(check(local, 11, 10)).toEqual(['T-CAP']);
    expect(check(local, 11)).toEqual([]);
    expect(local.check(february({ year: 11 }), () => undefined).warnings).toEqual([]);
  });

  test('may stand in a rule that compares', () => {
    const others = { previous: { title: text('before'), type: 'tax.sales', period: 'previous' } };
    const version = versionOf({
      sales: {
        others,
        regional: regional(),
        rules: [rule('T-RISE', 'data.year - others.previous.year <= regional.cap')],
      },
    });
    const before = new Map([['previous', [february({ year: 1 })]]]);
    expect(version.compare(sales('2026-03', { year: 9 }), before)).toEqual([]);
    expect(version.compare(sales('2026-03', { year: 9 }), before, () => 5)).toHaveLength(1);
  });
});

describe('what is wrong with such a rule is said at its place', () => {
  const previous = { previous: { title: text('before'), type: 'tax.sales', period: 'previous' } };
  const wrong = (expression: string, more: object = {}, others: object = previous) => ({
    sales: { others, rules: [rule('T-A', expression, more)] },
  });

  test.each([
    ['an error', wrong('others.previous.year == 1', { severity: 'error' }), /rules\.json:\d+ rule T-A: .*is a warning/],
    ['an unknown name', wrong('others.next.year == 1'), /others\.next is not declared/],
    ['an unknown path', wrong('others.previous.years == 1'), /the schema has no others\.previous\.years/],
    ['a value that may be absent', wrong('others.previous.note == ""'), /others\.previous\.note may be absent/],
    ['a whole filing', wrong('others.previous == 1'), /is a filing: read a path/],
    ['an unknown sum', wrong('others.previous.sums.all == 1'), /declare no sum all/],
    [
      'an unknown type',
      wrong('others.x.year == 1', {}, { x: { title: text('x'), type: 'tax.none', period: 'same' } }),
      /rules\.json:\d+ \/others\/x\/type: there is no type tax\.none/,
    ],
    [
      'an unknown version',
      wrong('others.x.year == 1', {}, { x: { title: text('x'), type: 'tax.sales', period: 'same', versions: ['2'] } }),
      /has no version 2/,
    ],
    [
      'a reference that is no text',
      wrong('others.x.year == 1', {}, { x: { title: text('x'), type: 'tax.sales', reference: 'year' } }),
      /data\.year is not a string/,
    ],
    [
      'a text over several filings',
      wrong(
        'others.x.note == ""',
        { when: ['others.x.note'] },
        { x: { title: text('x'), type: 'tax.sales', period: 'within' } },
      ),
      /only numbers can be read/,
    ],
    [
      'an element without each',
      wrong(
        'others.x.paid == 1',
        {},
        { x: { title: text('x'), type: 'tax.sales', period: 'same', element: { list: 'staff', by: ['id'] } } },
      ),
      /"each" does not have/,
    ],
    ['an unknown figure', { sales: { rules: [rule('T-A', 'regional.none == 1')] } }, /regional\.none is not declared/],
    [
      'a filing that no rule reads',
      { sales: { others: previous } },
      /rules\.json:\d+ \/others\/previous: no rule reads others\.previous/,
    ],
    ['English with Chinese', wrong('true', { title: { zh: '一', en: '一' } }), /rules\.json:\d+ \/rules\/0\/title\/en/],
    ['no example', wrong('others.previous.year == data.year'), /rule T-A has no example/],
  ])('%s', (_, rules, message) => {
    expect(problemsOf(rules)).toContainEqual(expect.stringMatching(message));
  });

  const checked = (example: object, more: Readonly<Record<string, object>> = {}): string[] => {
    const files = load(wrong('others.previous.year == data.year'));
    files.set('tax/sales/1/examples/invalid-T-A.json', JSON.stringify(example, undefined, 1));
    for (const [path, value] of Object.entries(more)) files.set(path, JSON.stringify(value, undefined, 1));
    return (buildCatalogue(files).problems ?? []).map(({ file, line, message }) => `${file}:${line} ${message.en}`);
  };
  const filing = february({ year: 1 });
  const at = 'tax/sales/1/examples/invalid-T-A.json';

  test('an example that breaks just that rule is accepted; others are not', () => {
    expect(checked({ filing, others: { previous: [february({ year: 2 })] } })).toEqual([]);
    expect(checked(filing)).toContainEqual(expect.stringMatching(/^tax.*invalid-T-A\.json:1 rule T-A compares/));
    expect(checked({ filing, others: { previous: [filing] } })).toContainEqual(
      expect.stringMatching(/must break rule T-A/),
    );
    expect(checked({ filing, others: { next: [filing] } })).toContainEqual(
      expect.stringMatching(/a name that the rules declare/),
    );
    expect(checked({ filing, others: { previous: [{ ...filing, data: { year: 'x' } }] } })).toContainEqual(
      expect.stringContaining(`${at}:25 /others/previous/0/data/year schema`),
    );
    expect(checked({ filing, others: { previous: [tax({})] } })).toContainEqual(
      expect.stringMatching(/must have that type/),
    );
    expect(checked({ filing, figures: { cap: 1 } })).toContainEqual(expect.stringMatching(/figures\/cap/));
  });

  test('an example of filings that agree finds nothing', () => {
    const broken = { filing, others: { previous: [february({ year: 2 })] } };
    const path = 'tax/sales/1/examples/compared-with-before.json';
    expect(checked(broken, { [path]: { filing, others: { previous: [filing] } } })).toEqual([]);
    expect(checked(broken, { [path]: broken })).toContainEqual(
      expect.stringMatching(/compared-with-before.*no finding/),
    );
  });
});

test('what a supplement must keep is there in every version', () => {
  const problems = (supplement: object): string[] =>
    problemsOf({}, { kinds: { correction: true, void: true, supplement } });
  expect(problems({ lists: { staff: ['id'] }, amounts: ['year'] })).toEqual([]);
  expect(problems({ lists: { people: ['id'] }, amounts: [] })[0]).toMatch(
    /type\.json:\d+ .*people is no list in version 1/,
  );
  expect(problems({ lists: { staff: ['name'] }, amounts: [] })[0]).toMatch(/has no name in version 1/);
  expect(problems({ lists: {}, amounts: ['note'] })[0]).toMatch(/note is no whole number/);
});
