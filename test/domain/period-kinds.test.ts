import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Period } from '../../src/domain/filing.ts';
import type { PeriodKind } from '../../src/domain/filing-type.ts';
import {
  doFill,
  doTile,
  periodAfter,
  periodBefore,
  periodContaining,
  periodYearBefore,
} from '../../src/domain/period-kinds.ts';

const period = (text: string): Period => {
  const [from = '', to = ''] = text.split('/');
  return { from, to };
};
const text = (found: Period | undefined): string | undefined => found && `${found.from}/${found.to}`;

describe('the neighbours of a period', () => {
  test.each<[PeriodKind[], string, string | undefined, string | undefined]>([
    [['month'], '2026-03-01/2026-03-31', '2026-02-01/2026-02-28', '2025-03-01/2025-03-31'],
    [['month'], '2024-01-01/2024-01-31', '2023-12-01/2023-12-31', '2023-01-01/2023-01-31'],
    [['month'], '2025-02-01/2025-02-28', '2025-01-01/2025-01-31', '2024-02-01/2024-02-29'],
    [['month', 'quarter'], '2026-01-01/2026-03-31', '2025-10-01/2025-12-31', '2025-01-01/2025-03-31'],
    [['half-year'], '2026-07-01/2026-12-31', '2026-01-01/2026-06-30', '2025-07-01/2025-12-31'],
    [['year'], '2026-01-01/2026-12-31', '2025-01-01/2025-12-31', '2025-01-01/2025-12-31'],
    [['day'], '2024-03-01/2024-03-01', '2024-02-29/2024-02-29', '2023-03-01/2023-03-01'],
    [['day'], '2024-02-29/2024-02-29', '2024-02-28/2024-02-28', undefined],
    [['event'], '2026-03-01/2026-03-01', undefined, undefined],
    [['month'], '2026-03-02/2026-03-31', undefined, undefined],
  ])('%s %s', (kinds, own, before, yearBefore) => {
    expect(text(periodBefore(kinds, period(own)))).toBe(before);
    expect(text(periodYearBefore(kinds, period(own)))).toBe(yearBefore);
  });

  test('the one after the one before is itself', () => {
    const kinds = fc.constantFrom<PeriodKind>('month', 'quarter', 'half-year', 'year', 'day');
    const days = fc.date({ min: new Date('2000-01-01'), max: new Date('2090-01-01'), noInvalidDate: true });
    fc.assert(
      fc.property(kinds, days, (kind, day) => {
        const own = periodContaining(kind, day.toISOString().slice(0, 10));
        const before = periodBefore([kind], own);
        expect(before && periodAfter([kind], before)).toEqual(own);
      }),
    );
  });
});

describe('periods that make up another', () => {
  const quarter = period('2026-07-01/2026-09-30');
  const months = ['2026-07-01/2026-07-31', '2026-08-01/2026-08-31', '2026-09-01/2026-09-30'].map(period);
  const year = period('2026-01-01/2026-12-31');

  test('fill it when it has no day without one', () => {
    expect(doFill(months, quarter)).toBe(true);
    expect(doFill(months.toReversed(), quarter)).toBe(true);
    expect(doFill([year], quarter)).toBe(true);
    expect(doFill([year, ...months], quarter)).toBe(true);
    for (let i = 0; i < 3; i++) expect(doFill(months.toSpliced(i, 1), quarter)).toBe(false);
    expect(doFill([], quarter)).toBe(false);
  });

  test('tile it when moreover no day has two, and none reaches beyond it', () => {
    expect(doTile(months.toReversed(), quarter)).toBe(true);
    expect(doTile([quarter], quarter)).toBe(true);
    expect(doTile([year], quarter)).toBe(false);
    expect(doTile([quarter, ...months], quarter)).toBe(false);
    for (let i = 0; i < 3; i++) expect(doTile(months.toSpliced(i, 1), quarter)).toBe(false);
    expect(doTile([], quarter)).toBe(false);
  });
});
