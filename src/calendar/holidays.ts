import { isPlainDate, type PlainDate } from '../std/clock.ts';
import type { Text } from '../std/text.ts';

/** What a year's notice (国务院办公厅关于部分节假日安排的通知) arranges, as it is written in a file or sent by an operator. */
export interface HolidayArrangement {
  /** Days off, weekends inside a holiday included, as `MM-DD` or `MM-DD/MM-DD`, both included. */
  readonly off: readonly string[];
  /** Saturdays and Sundays worked in exchange (调休上班), as `MM-DD`. */
  readonly work: readonly string[];
  /** Where it was published. */
  readonly notice: string;
  /** False for a draft or a forecast: what is computed from it stays an estimate. */
  readonly verified: boolean;
  /** The State Taxation Administration's own list of 征期 ends, January to December, which goes before any computation. */
  readonly taxDue?: readonly string[];
}

export interface HolidayYear extends HolidayArrangement {
  readonly year: number;
}

/** Something wrong with an arrangement; the pointer is relative to it. */
interface Fault {
  readonly pointer: string;
  readonly message: Text;
}

/** Years that a file or an operator may arrange. */
export const FIRST_YEAR = 2000;
export const LAST_YEAR = 2099;
/** China has about 30 days off a year, and 8 worked in exchange. More than this is a slip. */
const MAX_DAYS_OFF = 100;

/**
 * All that is wrong with a year:
 * - every date is one of that year, and no day is named twice
 * - worked days are Saturdays or Sundays, and not off
 * - there are at most 100 days off
 * - `taxDue` has a date of each month, in order
 */
export function checkHolidayYear(arrangement: HolidayYear): Fault[] {
  const { year, off, work, taxDue } = arrangement;
  const faults: Fault[] = [];
  const seen = new Set<PlainDate>();
  const name = (days: readonly PlainDate[], pointer: string): void => {
    if (days.some((day) => seen.has(day))) faults.push({ pointer, message: TWICE });
    for (const day of days) seen.add(day);
  };
  for (const [i, range] of off.entries()) {
    const days = daysOf(year, range);
    if (days.length === 0) faults.push({ pointer: `/off/${i}`, message: NO_RANGE });
    name(days, `/off/${i}`);
  }
  if (seen.size > MAX_DAYS_OFF) faults.push({ pointer: '/off', message: TOO_MANY });
  for (const [i, day] of work.entries()) {
    const date = `${year}-${day}`;
    if (!isPlainDate(date)) faults.push({ pointer: `/work/${i}`, message: NO_DATE });
    else if (!isWeekend(date)) faults.push({ pointer: `/work/${i}`, message: NO_WEEKEND });
    else name([date], `/work/${i}`);
  }
  return [...faults, ...checkTaxDue(year, taxDue)];
}

function checkTaxDue(year: number, taxDue: readonly string[] | undefined): Fault[] {
  if (taxDue === undefined) return [];
  if (taxDue.length !== 12) return [{ pointer: '/taxDue', message: NOT_TWELVE }];
  return taxDue.flatMap((day, i) => {
    const fits = isPlainDate(`${year}-${day}`) && Number(day.slice(0, 2)) === i + 1;
    return fits ? [] : [{ pointer: `/taxDue/${i}`, message: NOT_OF_MONTH }];
  });
}

const NO_RANGE: Text = {
  zh: '应为该年的日期 MM-DD，或首日在前的 MM-DD/MM-DD',
  en: 'must be a date of the year as MM-DD, or MM-DD/MM-DD with the first day first',
};
const NO_DATE: Text = { zh: '应为该年的日期 MM-DD', en: 'must be a date of the year as MM-DD' };
const NO_WEEKEND: Text = {
  zh: '调休上班日应为星期六或星期日',
  en: 'a day worked in exchange must be a Saturday or a Sunday',
};
const TWICE: Text = {
  zh: '有日期已在前面列出；同一天不能列两次，也不能既放假又上班',
  en: 'names a day a second time; no day is listed twice, or both off and worked',
};
const TOO_MANY: Text = {
  zh: `放假日最多${MAX_DAYS_OFF}天`,
  en: `may not come to more than ${MAX_DAYS_OFF} days off`,
};
const NOT_TWELVE: Text = {
  zh: '应有12个日期，从1月到12月',
  en: 'must have 12 dates, January to December',
};
const NOT_OF_MONTH: Text = {
  zh: '应为该月的日期 MM-DD；日期从1月到12月依次排列',
  en: 'must be a date of its month as MM-DD; the dates go from January to December',
};

/** The days of `MM-DD` or `MM-DD/MM-DD` in a year; none when it is not that. */
export function daysOf(year: number, range: string): PlainDate[] {
  const [from = '', to = from, ...rest] = range.split('/').map((day) => `${year}-${day}`);
  if (!isPlainDate(from) || !isPlainDate(to) || rest.length > 0) return [];
  const days: PlainDate[] = [];
  for (let at = Date.parse(`${from}T00:00:00Z`); at <= Date.parse(`${to}T00:00:00Z`); at += 86_400_000) {
    days.push(new Date(at).toISOString().slice(0, 10));
  }
  return days;
}

/** Saturday or Sunday; no time zone has a say. */
export function isWeekend(date: PlainDate): boolean {
  const day = new Date(`${date}T00:00:00Z`).getUTCDay();
  return day === 0 || day === 6;
}
