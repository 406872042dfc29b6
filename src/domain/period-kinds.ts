import type { PlainDate } from '../std/clock.ts';
import { isPlainDate } from '../std/clock.ts';
import type { Violation } from '../std/errors.ts';
import type { Text } from '../std/text.ts';
import type { Period } from './filing.ts';
import type { PeriodKind } from './filing-type.ts';

interface KindOfPeriod {
  readonly name: Text;
  readonly matches: (period: Period) => boolean;
}

const whole =
  (months: number) =>
  ({ from, to }: Period): boolean =>
    from.endsWith('-01') && (monthOf(from) - 1) % months === 0 && to === lastDayOfMonth(addMonths(from, months - 1));
const oneDay = ({ from, to }: Period): boolean => from === to;

const KINDS: Readonly<Record<PeriodKind, KindOfPeriod>> = {
  month: { name: { zh: '一个完整的月份', en: 'a whole month' }, matches: whole(1) },
  quarter: { name: { zh: '一个完整的季度', en: 'a whole quarter' }, matches: whole(3) },
  'half-year': { name: { zh: '完整的半年', en: 'a whole half-year' }, matches: whole(6) },
  year: { name: { zh: '完整的年度', en: 'a whole year' }, matches: whole(12) },
  day: { name: { zh: '一天（起止同日）', en: 'one day (the same date twice)' }, matches: oneDay },
  event: { name: { zh: '事件发生日（起止同日）', en: "the event's date twice" }, matches: oneDay },
};

function isPeriodOf(kind: PeriodKind, period: Period): boolean {
  return isPlainDate(period.from) && isPlainDate(period.to) && KINDS[kind].matches(period);
}

/** The kinds that a period is one of: a day is both `day` and `event`. */
export function kindsOfPeriod(period: Period): PeriodKind[] {
  return (Object.keys(KINDS) as PeriodKind[]).filter((kind) => isPeriodOf(kind, period));
}

/** Says which periods fit when `period` is none of them. The filing month is not the 所属期: the commonest mistake. */
export function checkPeriodKind(kinds: readonly PeriodKind[], period: Period): Violation | undefined {
  if (kinds.some((kind) => isPeriodOf(kind, period))) return undefined;
  const names = kinds.map((kind) => KINDS[kind].name);
  return {
    pointer: '/period',
    code: 'period',
    severity: 'error',
    message: {
      zh: `所属期应为${names.map((name) => name.zh).join('或')}（所属期不是申报月份）`,
      en: `The period must be ${names.map((name) => name.en).join(' or ')} (the tax period, not the month of filing)`,
    },
  };
}

/** The period of a kind that contains a date. */
export function periodContaining(kind: PeriodKind, date: PlainDate): Period {
  const months = { month: 1, quarter: 3, 'half-year': 6, year: 12, day: 0, event: 0 }[kind];
  if (months === 0) return { from: date, to: date };
  const from = addMonths(`${date.slice(0, 8)}01`, -((monthOf(date) - 1) % months));
  return { from, to: lastDayOfMonth(addMonths(from, months - 1)) };
}

/**
 * The period of the same kind just before; undefined for an event, which has none. A day's is the day before.
 * @param kinds those of the type
 */
export function periodBefore(kinds: readonly PeriodKind[], period: Period): Period | undefined {
  const kind = regularKind(kinds, period);
  return kind && periodContaining(kind, addDays(period.from, -1));
}

/** The period of the same kind that follows; undefined for an event. */
export function periodAfter(kinds: readonly PeriodKind[], period: Period): Period | undefined {
  const kind = regularKind(kinds, period);
  return kind && periodContaining(kind, addDays(period.to, 1));
}

/** The same period a year earlier; undefined for an event, and for 29 February. */
export function periodYearBefore(kinds: readonly PeriodKind[], period: Period): Period | undefined {
  const kind = regularKind(kinds, period);
  if (kind === undefined) return undefined;
  const from = `${String(Number(period.from.slice(0, 4)) - 1).padStart(4, '0')}${period.from.slice(4)}`;
  return isPlainDate(from) ? periodContaining(kind, from) : undefined;
}

function regularKind(kinds: readonly PeriodKind[], period: Period): PeriodKind | undefined {
  return kinds.find((kind) => kind !== 'event' && isPeriodOf(kind, period));
}

/** Whether these periods together have every day of one; they may reach beyond it. */
export function doFill(periods: readonly Period[], whole: Period): boolean {
  let next = whole.from;
  for (const { from, to } of periods.toSorted((a, b) => (a.from < b.from ? -1 : 1))) {
    if (from > next) return false;
    if (to >= next) next = addDays(to, 1);
  }
  return next > whole.to;
}

/** Whether these periods follow one another day by day from the first day of one to its last. */
export function doTile(periods: readonly Period[], whole: Period): boolean {
  let next = whole.from;
  for (const { from, to } of periods.toSorted((a, b) => (a.from < b.from ? -1 : 1))) {
    if (from !== next) return false;
    next = addDays(to, 1);
  }
  return next === addDays(whole.to, 1);
}

function monthOf(date: PlainDate): number {
  return Number(date.slice(5, 7));
}

/** The first day of the month that lies `count` months from the date's own. */
export function addMonths(date: PlainDate, count: number): PlainDate {
  const index = Number(date.slice(0, 4)) * 12 + monthOf(date) - 1 + count;
  return `${String(Math.floor(index / 12)).padStart(4, '0')}-${String((index % 12) + 1).padStart(2, '0')}-01`;
}

export function lastDayOfMonth(date: PlainDate): PlainDate {
  return addDays(addMonths(date, 1), -1);
}

/** Calendar days; no time zone is involved. */
export function addDays(date: PlainDate, days: number): PlainDate {
  return new Date(Date.parse(`${date}T00:00:00Z`) + days * 86_400_000).toISOString().slice(0, 10);
}
