import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { deadline } from '../../src/calendar/deadlines.ts';
import type { Period } from '../../src/domain/filing.ts';
import type { FilingTypeMetadata } from '../../src/domain/filing-type.ts';
import { addDays, periodContaining } from '../../src/domain/period-kinds.ts';
import { DeadlineTable } from '../../src/settings/deadline-table.ts';
import { FigureTable } from '../../src/settings/figure-table.ts';
import type { LoadedFigure, StoredDeadline } from '../../src/settings/records.ts';
import { SHIPPED_CALENDAR, settingsWith } from '../support/calendar.ts';

const OCTOBER: Period = { from: '2026-10-01', to: '2026-10-31' };
const VAT = typeOf('tax.vat.general');
const reason = { zh: '台风', en: 'typhoon' };

function typeOf(type: string, rule: FilingTypeMetadata['deadline'] = { rule: 'tax-month' }): FilingTypeMetadata {
  const text = { zh: '', en: '' };
  return {
    type,
    agency: 'tax',
    title: text,
    description: text,
    periods: ['month'],
    deadline: rule,
    kinds: { correction: true, void: true },
    notice: text,
    status: 'modelled',
    versions: [],
  };
}

/** Due on a day of November 2026, which tells which one counted; `rule` members make it a rule for that day. */
function override(id: string, day: string, changes: Partial<StoredDeadline> = {}): StoredDeadline {
  const base = { id, types: ['*'], reason, setAt: '2026-11-01T00:00:00.000Z', ...changes };
  if (changes.rule !== undefined) return base;
  return { periods: { from: '2026-01-01', to: '2026-12-31' }, dueDate: `2026-11-${day}`, ...base };
}

const rule = (day: number) => ({ rule: 'after-period', months: 1, day }) as const;

function dueIn(overrides: readonly StoredDeadline[], region: string | undefined = '350102', type = VAT): string {
  return settingsWith(overrides).due(type, region, OCTOBER)?.date.slice(8) ?? 'none';
}

describe('deadlines that were set', () => {
  test('without any, the type has its own', () => {
    expect(dueIn([])).toBe('16');
    expect(dueIn([override('x', '20', { types: ['si.*', 'tax.stamp', 'tax.vat'] })])).toBe('16');
  });

  test.each([
    ['its name before a group', { types: ['tax.vat.general'] }, { types: ['tax.*'], region: '350102' }],
    ['a small group before a large one', { types: ['tax.vat.*'] }, { types: ['tax.*'] }],
    ['a group before all', { types: ['tax.*'] }, { types: ['*'], region: '350102' }],
    ['the closest of several names', { types: ['si.*', 'tax.vat.general'] }, { types: ['tax.vat.*'] }],
    ['the county before the city', { region: '350102' }, { region: '350100' }],
    ['the city before the province', { region: '350100' }, { region: '350000' }],
    ['the province before the country', { region: '350000' }, {}],
    ['what was set later', { setAt: '2026-11-02T00:00:00.000Z' }, { setAt: '2026-11-01T23:59:59.999Z' }],
  ])('%s goes first, in whatever order they are kept', (_, first, second) => {
    const [winner, loser] = [override('a', '20', first), override('b', '25', second)];
    expect([dueIn([winner, loser]), dueIn([loser, winner])]).toEqual(['20', '20']);
  });

  test('a date goes before a rule, even one that was set later', () => {
    const date = override('a', '20');
    const later = override('b', '', { rule: rule(25), setAt: '2026-11-05T00:00:00.000Z' });
    expect([dueIn([date, later]), dueIn([later, date])]).toEqual(['20', '20']);
    expect(dueIn([later])).toBe('25');
    // The region decides before that.
    expect(dueIn([date, { ...later, region: '350100' }])).toBe('25');
  });

  test('counts in its region and all that lies in it', () => {
    const found = (region: string) =>
      ['350102', '350103', '350100', '350200', '350000', '110101', undefined].map((office) =>
        settingsWith([override('a', '20', { region })])
          .due(VAT, office, OCTOBER)
          ?.date.slice(8),
      );
    expect(found('350102')).toEqual(['20', '16', '16', '16', '16', '16', '16']);
    expect(found('350100')).toEqual(['20', '20', '20', '16', '16', '16', '16']);
    expect(found('350000')).toEqual(['20', '20', '20', '20', '20', '16', '16']);
  });

  test('counts for periods that end in its range, both ends included', () => {
    const periods = { from: '2026-09-30', to: '2026-10-31' };
    const settings = settingsWith([override('a', '20', { periods })]);
    const due = (date: string) => settings.due(VAT, undefined, periodContaining('month', date))?.date;
    expect(['2026-08-01', '2026-09-01', '2026-10-01', '2026-11-01'].map(due)).toEqual([
      '2026-09-15',
      '2026-11-20',
      '2026-11-20',
      '2026-12-15',
    ]);
  });

  test('may say that there is none, and may give one to a type that has none', () => {
    expect(dueIn([override('a', '', { rule: { rule: 'none' } })])).toBe('none');
    const never = typeOf('tax.fs', { rule: 'none' });
    expect([dueIn([], '350102', never), dueIn([override('a', '20')], '350102', never)]).toEqual(['none', '20']);
  });

  test('a day that was set ends at midnight in China, and is no estimate even in a year without a calendar', () => {
    const settings = settingsWith([
      override('a', '', { periods: { from: '2027-01-01', to: '2027-12-31' }, dueDate: '2028-01-20' }),
    ]);
    const december: Period = { from: '2027-12-01', to: '2027-12-31' };
    expect(settings.due(VAT, '350102', december)).toEqual({ date: '2028-01-20', estimated: false });
    const late = (at: string) => settings.isLate(VAT, '350102', december, Date.parse(at));
    expect([late('2028-01-20T15:59:59.999Z'), late('2028-01-20T16:00:00.000Z')]).toEqual([false, true]);
  });

  test('a kind of period may be due by a rule of its own, which what is set replaces too', () => {
    const year = { rule: 'after-period', months: 5, day: 31, roll: true } as const;
    const statements: FilingTypeMetadata = {
      ...typeOf('tax.fs'),
      periods: ['month', 'quarter', 'year'],
      deadlines: { year },
    };
    // The three end on the same day, in whatever order they are asked for.
    const [month, quarter, annual] = (['month', 'quarter', 'year'] as const).map((kind) =>
      periodContaining(kind, '2025-12-31'),
    ) as [Period, Period, Period];
    const due = (overrides: readonly StoredDeadline[]) => {
      const settings = settingsWith(overrides);
      return [annual, quarter, month, annual].map((period) => settings.due(statements, '350102', period)?.date);
    };
    expect(due([])).toEqual(['2026-06-01', '2026-01-20', '2026-01-20', '2026-06-01']);
    const all = override('a', '', { rule: { rule: 'after-period', months: 2, day: 1 } });
    expect(due([all])).toEqual(['2026-02-01', '2026-02-01', '2026-02-01', '2026-02-01']);
  });

  test('whatever was asked before, the answer is the same', () => {
    const overrides = [
      override('a', '20', { region: '350000' }),
      override('b', '21', { region: '350100', types: ['tax.*'] }),
      override('c', '', { types: ['tax.vat.*'], rule: rule(9) }),
      override('d', '24', { types: ['si.*'], region: '110000' }),
    ];
    const types = ['tax.vat.general', 'tax.stamp', 'si.contribution', 'psb.lodging'].map((type) => typeOf(type));
    const region = fc.constantFrom('350102', '350100', '350200', '110101', '440305', undefined);
    // Few, so that the same is often asked twice.
    const day = fc.constantFrom('2025-12-10', '2026-01-10', '2026-10-10', '2027-01-10');
    const asked = fc.array(fc.tuple(fc.constantFrom(...types), region, day), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(asked, (questions) => {
        const remembering = new DeadlineTable(SHIPPED_CALENDAR, overrides);
        for (const [type, where, date] of questions) {
          const period = periodContaining('month', date);
          const fresh = new DeadlineTable(SHIPPED_CALENDAR, overrides);
          const expected = fresh.due(type, where, period);
          expect(remembering.due(type, where, period)).toEqual(expected);
          expect(remembering.due(type, where, period)).toEqual(expected);
        }
      }),
      { numRuns: 50 },
    );
  });

  test('more periods than are remembered are still right', () => {
    const table = new DeadlineTable(SHIPPED_CALENDAR, []);
    const monthly = typeOf('tax.stamp');
    for (let i = 0; i < 2_500; i++) {
      const to = addDays('2024-01-01', i % 1_200);
      const period = { from: to, to };
      expect(table.due(monthly, '350102', period)?.date).toBe(
        deadline(monthly.deadline, period, SHIPPED_CALENDAR)?.date,
      );
    }
  });
});

describe('figures', () => {
  const figure = (name: string, value: number, from = '2026-01-01', to?: string): LoadedFigure => ({
    name,
    from,
    ...(to === undefined ? {} : { to }),
    value,
    source: 'x',
  });
  const table = new FigureTable(
    new Map([
      ['000000', [figure('floor', 1), figure('rate', 10)]],
      ['350000', [figure('floor', 2, '2026-01-01', '2026-06-30'), figure('floor', 3, '2026-07-01')]],
      ['350100', [figure('ceiling', 50)]],
      ['350102', [figure('floor', 4, '2026-10-01', '2026-10-31')]],
      ['110000', []],
    ]),
  );
  const read = (region: string | undefined, date: string) =>
    ['floor', 'rate', 'ceiling'].map((name) => table.figures(region, date)?.(name));

  test('come from the county, else the city, the province, the country, each by its dates', () => {
    expect(read('350102', '2026-10-31')).toEqual([4, 10, 50]);
    expect(read('350102', '2026-11-01')).toEqual([3, 10, 50]);
    expect(read('350103', '2026-06-30')).toEqual([2, 10, 50]);
    expect(read('350203', '2026-07-01')).toEqual([3, 10, undefined]);
    expect(read('110101', '2026-07-01')).toEqual([1, 10, undefined]);
    expect(read(undefined, '2026-07-01')).toEqual([1, 10, undefined]);
  });

  test('are undefined where none is in force, and where none is loaded at all', () => {
    expect(table.figures('350102', '2025-12-31')).toBeUndefined();
    expect(new FigureTable(new Map()).figures('350102', '2026-12-31')).toBeUndefined();
    expect(
      new FigureTable(new Map([['350000', [figure('floor', 1)]]])).figures('110101', '2026-12-31'),
    ).toBeUndefined();
  });

  test('names that objects have of themselves are no figures', () => {
    const figures = table.figures('350102', '2026-11-01');
    expect(['constructor', '__proto__', 'toString'].map((name) => figures?.(name))).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });
});
