import { addDays } from '../domain/period-kinds.ts';
import type { PlainDate } from '../std/clock.ts';
import { daysOf, type HolidayYear, isWeekend } from './holidays.ts';

/** Which days are worked in China. Dates are plain: no time zone has a say. */
export interface WorkCalendar {
  isWorkingDay(date: PlainDate): boolean;
  /** A day off by the State Council's arrangement: not an ordinary weekend. */
  isHoliday(date: PlainDate): boolean;
  /** False for a year whose notice is not known: without any, Mondays to Fridays are worked. */
  isVerified(year: number): boolean;
  /** The official end of the 征期 in a month (`YYYY-MM`), when the tax administration has published it. */
  officialTaxDue(month: string): PlainDate | undefined;
}

/** The calendar of some years, each of which is there once. */
export function workCalendar(years: readonly HolidayYear[]): WorkCalendar {
  const off = new Set(years.flatMap(({ year, off: ranges }) => ranges.flatMap((range) => daysOf(year, range))));
  const work = new Set(years.flatMap(({ year, work: days }) => days.flatMap((day) => daysOf(year, day))));
  const verified = new Set(years.filter((each) => each.verified).map(({ year }) => year));
  const taxDue = new Map<string, PlainDate>(
    years.flatMap(({ year, taxDue: days }) =>
      (days ?? []).map((day) => [`${year}-${day.slice(0, 2)}`, `${year}-${day}`]),
    ),
  );
  return {
    isWorkingDay: (date) => (isWeekend(date) ? work.has(date) : !off.has(date)),
    isHoliday: (date) => off.has(date),
    isVerified: (year) => verified.has(year),
    officialTaxDue: (month) => taxDue.get(month),
  };
}

/** The date itself, or the first working day after it. */
export function rollForward(calendar: WorkCalendar, date: PlainDate): PlainDate {
  let day = date;
  while (!calendar.isWorkingDay(day)) day = addDays(day, 1);
  return day;
}

/** The `count`-th working day after a date; the date itself is not counted. */
export function addWorkingDays(calendar: WorkCalendar, date: PlainDate, count: number): PlainDate {
  let day = date;
  for (let left = count; left > 0; ) {
    day = addDays(day, 1);
    if (calendar.isWorkingDay(day)) left--;
  }
  return day;
}

/** Working days from one date to another: the first is not counted, the last is. Zero when the second is not later. */
export function workingDaysBetween(calendar: WorkCalendar, from: PlainDate, to: PlainDate): number {
  let count = 0;
  for (let day = addDays(from, 1); day <= to; day = addDays(day, 1)) if (calendar.isWorkingDay(day)) count++;
  return count;
}
