import fc from 'fast-check';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { type DueDate, deadline, taxMonthDue } from '../../src/calendar/deadlines.ts';
import { addWorkingDays, workCalendar, workingDaysBetween } from '../../src/calendar/working-days.ts';
import type { Period } from '../../src/domain/filing.ts';
import type { DeadlineRule } from '../../src/domain/filing-type.ts';
import { addDays, addMonths, kindsOfPeriod, lastDayOfMonth, periodContaining } from '../../src/domain/period-kinds.ts';
import { SHIPPED_CALENDAR, SHIPPED_YEARS } from '../support/calendar.ts';

/** 税总办征科函〔2025〕64号 for 2026; computed for the years before and confirmed against what was published. */
const TAX_DUE: Readonly<Record<number, string>> = {
  2024: '01-15 02-23 03-15 04-18 05-22 06-17 07-15 08-15 09-18 10-24 11-15 12-16',
  2025: '01-15 02-20 03-17 04-18 05-22 06-16 07-15 08-15 09-15 10-27 11-17 12-15',
  2026: '01-20 02-24 03-16 04-20 05-22 06-15 07-15 08-17 09-15 10-26 11-16 12-15',
};
const withoutOfficialDates = workCalendar(SHIPPED_YEARS.map(({ taxDue: _, ...year }) => year));
const MONTHLY = { rule: 'tax-month' } as const;

function dueDate(rule: DeadlineRule, period: Period): DueDate | undefined {
  const found = deadline(rule, period, SHIPPED_CALENDAR);
  return found === undefined ? undefined : { date: found.date, estimated: found.estimated };
}

function isLate(rule: DeadlineRule, period: Period, receivedAt: number): boolean {
  const found = deadline(rule, period, SHIPPED_CALENDAR);
  return found !== undefined && receivedAt >= found.lateFrom;
}

const zone = process.env.TZ;

describe.each([
  ['UTC', 0],
  ['Asia/Shanghai', -480],
  ['America/Los_Angeles', 480],
])('in process zone %s', (tz, offsetMinutes) => {
  beforeEach(() => {
    process.env.TZ = tz;
    expect(new Date(2026, 0, 1).getTimezoneOffset()).toBe(offsetMinutes);
  });
  afterAll(() => {
    if (zone === undefined) delete process.env.TZ;
    else process.env.TZ = zone;
  });

  test.each(Object.entries(TAX_DUE))('the rule gives the tax deadlines of %s', (year, days) => {
    const computed = days
      .split(' ')
      .map((_, i) => taxMonthDue(`${year}-${String(i + 1).padStart(2, '0')}-01`, withoutOfficialDates).slice(5));
    expect(computed.join(' ')).toBe(days);
  });

  test('a filing is late from midnight in Shanghai', () => {
    const period = { from: '2026-09-01', to: '2026-09-30' };
    expect(dueDate(MONTHLY, period)).toEqual({ date: '2026-10-26', estimated: false });
    expect(isLate(MONTHLY, period, Date.parse('2026-10-26T23:59:59.999+08:00'))).toBe(false);
    expect(isLate(MONTHLY, period, Date.parse('2026-10-27T00:00:00.000+08:00'))).toBe(true);
  });

  test('make-up Saturdays and Sundays are worked, long weekends are not', () => {
    for (const day of [
      '2024-02-04',
      '2024-02-18',
      '2025-01-26',
      '2025-10-11',
      '2026-02-14',
      '2026-02-28',
      '2026-10-10',
    ]) {
      expect([day, SHIPPED_CALENDAR.isWorkingDay(day)]).toEqual([day, true]);
    }
    for (const day of [
      '2024-06-10',
      '2025-02-04',
      '2025-10-08',
      '2026-01-02',
      '2026-02-23',
      '2026-10-07',
      '2026-11-21',
      '2026-11-22',
    ]) {
      expect([day, SHIPPED_CALENDAR.isWorkingDay(day)]).toEqual([day, false]);
    }
    expect(SHIPPED_CALENDAR.isWorkingDay('2026-11-23')).toBe(true);
  });
});

describe('other deadlines', () => {
  test('the quarter is due in the month after it', () => {
    expect(dueDate(MONTHLY, { from: '2026-07-01', to: '2026-09-30' })?.date).toBe('2026-10-26');
  });

  test('a year without a published arrangement gives an estimate', () => {
    expect(dueDate(MONTHLY, { from: '2026-12-01', to: '2026-12-31' })).toEqual({ date: '2027-01-15', estimated: true });
    expect(dueDate({ rule: 'after-event', workingDays: 2 }, { from: '2026-12-31', to: '2026-12-31' })?.estimated).toBe(
      true,
    );
    expect(dueDate({ rule: 'after-period', months: 6, day: 30 }, { from: '2026-01-01', to: '2026-12-31' })).toEqual({
      date: '2027-06-30',
      estimated: false,
    });
  });

  test('a day that the month has not is its last day; rolling is only on demand', () => {
    const period = { from: '2026-01-01', to: '2026-01-31' };
    expect(dueDate({ rule: 'after-period', months: 1, day: 31 }, period)?.date).toBe('2026-02-28');
    expect(dueDate({ rule: 'after-period', months: 1, day: 15 }, period)?.date).toBe('2026-02-15');
    expect(dueDate({ rule: 'after-period', months: 1, day: 15, roll: true }, period)?.date).toBe('2026-02-24');
  });

  test('hours after an event run from the end of its day', () => {
    const period = { from: '2026-10-03', to: '2026-10-03' };
    const rule = { rule: 'after-event', hours: 3 } as const;
    expect(isLate(rule, period, Date.parse('2026-10-04T02:59:59.999+08:00'))).toBe(false);
    expect(isLate(rule, period, Date.parse('2026-10-04T03:00:00.000+08:00'))).toBe(true);
    expect(dueDate(rule, period)?.date).toBe('2026-10-04');
    expect(dueDate({ rule: 'after-event', hours: 24 }, period)?.date).toBe('2026-10-04');
    expect(dueDate({ rule: 'after-event', days: 5 }, period)?.date).toBe('2026-10-08');
    expect(dueDate({ rule: 'after-event', workingDays: 2 }, { from: '2026-09-30', to: '2026-09-30' })?.date).toBe(
      '2026-10-09',
    );
  });

  test('without a deadline nothing is late', () => {
    const period = { from: '2020-01-01', to: '2020-01-31' };
    expect(dueDate({ rule: 'none' }, period)).toBeUndefined();
    expect(isLate({ rule: 'none' }, period, Date.parse('2030-01-01T00:00:00Z'))).toBe(false);
  });
});

describe('algebra', () => {
  const day = fc.integer({ min: 0, max: 1095 }).map((n) => addDays('2024-01-01', n));

  test('the n-th working day after a date is a working day, n working days away', () => {
    fc.assert(
      fc.property(day, fc.integer({ min: 1, max: 40 }), (date, n) => {
        const end = addWorkingDays(SHIPPED_CALENDAR, date, n);
        expect(SHIPPED_CALENDAR.isWorkingDay(end)).toBe(true);
        expect(workingDaysBetween(SHIPPED_CALENDAR, date, end)).toBe(n);
      }),
    );
  });

  test('every date lies in one period of each kind, and the recogniser knows it', () => {
    fc.assert(
      fc.property(day, fc.constantFrom('month', 'quarter', 'half-year', 'year', 'day', 'event'), (date, kind) => {
        const period = periodContaining(kind, date);
        expect(period.from <= date && date <= period.to).toBe(true);
        expect(kindsOfPeriod(period)).toContain(kind);
        expect(periodContaining(kind, period.to)).toEqual(period);
      }),
    );
  });

  test('months add up', () => {
    fc.assert(
      fc.property(day, fc.integer({ min: -30, max: 30 }), (date, n) => {
        expect(addMonths(addMonths(date, n), -n)).toBe(`${date.slice(0, 8)}01`);
      }),
    );
    expect(lastDayOfMonth('2024-02-10')).toBe('2024-02-29');
    expect(addMonths('2026-01-31', -1)).toBe('2025-12-01');
  });
});
