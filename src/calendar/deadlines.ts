import type { Period } from '../domain/filing.ts';
import type { DeadlineRule } from '../domain/filing-type.ts';
import { addDays, addMonths, lastDayOfMonth } from '../domain/period-kinds.ts';
import { type PlainDate, shanghaiDate, shanghaiMidnight } from '../std/clock.ts';
import { addWorkingDays, rollForward, type WorkCalendar } from './working-days.ts';

/** Until when a filing is in time. */
export interface DueDate {
  /** The last day, Asia/Shanghai. */
  readonly date: PlainDate;
  /** True when working days of a year without a published arrangement went into it. */
  readonly estimated: boolean;
}

/** Days end at midnight in Asia/Shanghai. */
export interface Deadline extends DueDate {
  /** The first instant that is late, milliseconds since the epoch. */
  readonly lateFrom: number;
}

const HOUR_MS = 3_600_000;

type Computed = {
  readonly [R in DeadlineRule['rule']]: (
    rule: Extract<DeadlineRule, { rule: R }>,
    period: Period,
    calendar: WorkCalendar,
  ) => Deadline | undefined;
};

const RULES: Computed = {
  'tax-month': (_, { to }, calendar) => {
    const month = addMonths(to, 1);
    const date = calendar.officialTaxDue(month.slice(0, 7)) ?? taxMonthDue(month, calendar);
    return endOf(date, isEstimated(calendar, month, date));
  },
  'after-period': ({ months, day, roll }, { to }, calendar) => {
    const month = addMonths(to, months);
    const last = lastDayOfMonth(month);
    const nominal = `${month.slice(0, 8)}${String(day).padStart(2, '0')}`;
    const date = nominal < last ? nominal : last;
    if (roll !== true) return endOf(date, false);
    const rolled = rollForward(calendar, date);
    return endOf(rolled, isEstimated(calendar, date, rolled));
  },
  'after-event': ({ hours, days, workingDays }, { to }, calendar) => {
    if (workingDays !== undefined) {
      const date = addWorkingDays(calendar, to, workingDays);
      return endOf(date, isEstimated(calendar, to, date));
    }
    if (days !== undefined) return endOf(addDays(to, days), false);
    // A filing says the day of its event, not the hour, so the hours run from the end of that day.
    const lateFrom = shanghaiMidnight(addDays(to, 1)) + (hours ?? 0) * HOUR_MS;
    return { date: shanghaiDate(lateFrom - 1), estimated: false, lateFrom };
  },
  none: () => undefined,
};

/** Undefined when the rule is that nothing is late. Computed anew each time: who asks often keeps the answer. */
export function deadline(rule: DeadlineRule, period: Period, calendar: WorkCalendar): Deadline | undefined {
  const compute = RULES[rule.rule] as (
    rule: DeadlineRule,
    period: Period,
    calendar: WorkCalendar,
  ) => Deadline | undefined;
  return compute(rule, period, calendar);
}

/** The deadline at the end of a day that somebody has named. */
export function deadlineOn(date: PlainDate): Deadline {
  return endOf(date, false);
}

/**
 * End of the 征期 in a month (税收征管法实施细则 109): the 15th; when holidays within days 1 to 15 make runs of three days or
 * more, as many working days later; otherwise, when the 15th is not worked, the next working day.
 * @param month any date in the month of filing
 */
export function taxMonthDue(month: PlainDate, calendar: WorkCalendar): PlainDate {
  const first = `${month.slice(0, 8)}01`;
  const fifteenth = addDays(first, 14);
  const shift = longHolidayDays(first, calendar);
  return shift > 0 ? addWorkingDays(calendar, fifteenth, shift) : rollForward(calendar, fifteenth);
}

/** Days of holiday within days 1 to 15 that stand in runs of three or more. */
function longHolidayDays(first: PlainDate, calendar: WorkCalendar): number {
  let total = 0;
  let run = 0;
  for (let i = 0; i <= 15; i++) {
    if (i < 15 && calendar.isHoliday(addDays(first, i))) {
      run++;
      continue;
    }
    if (run >= 3) total += run;
    run = 0;
  }
  return total;
}

function endOf(date: PlainDate, estimated: boolean): Deadline {
  return { date, estimated, lateFrom: shanghaiMidnight(addDays(date, 1)) };
}

function isEstimated(calendar: WorkCalendar, ...dates: readonly PlainDate[]): boolean {
  return dates.some((date) => !calendar.isVerified(Number(date.slice(0, 4))));
}
