import type { PlainDate } from '../std/clock.ts';

/** A year of the State Council's holiday arrangement (国务院办公厅关于部分节假日安排的通知). */
export interface HolidayYear {
  readonly year: number;
  /** Days off, weekends inside a holiday included, as `MM-DD` or `MM-DD/MM-DD`, both included. */
  readonly off: readonly string[];
  /** Saturdays and Sundays worked in exchange (调休上班). */
  readonly work: readonly string[];
  readonly notice: string;
  /** The State Taxation Administration's own list of 征期 ends, January to December, which goes before any computation. */
  readonly taxDue?: readonly string[];
}

/**
 * Years whose notice is known. A year that is not here has weekends only, and what is computed from it is an estimate:
 * the notice for a year comes out in the November before it.
 */
export const HOLIDAY_YEARS: readonly HolidayYear[] = [
  {
    year: 2024,
    off: ['01-01', '02-10/02-17', '04-04/04-06', '05-01/05-05', '06-10', '09-15/09-17', '10-01/10-07'],
    work: ['02-04', '02-18', '04-07', '04-28', '05-11', '09-14', '09-29', '10-12'],
    notice: '国办发明电〔2023〕7号',
  },
  {
    year: 2025,
    off: ['01-01', '01-28/02-04', '04-04/04-06', '05-01/05-05', '05-31/06-02', '10-01/10-08'],
    work: ['01-26', '02-08', '04-27', '09-28', '10-11'],
    notice: '国办发明电〔2024〕12号',
  },
  {
    year: 2026,
    off: ['01-01/01-03', '02-15/02-23', '04-04/04-06', '05-01/05-05', '06-19/06-21', '09-25/09-27', '10-01/10-07'],
    work: ['01-04', '02-14', '02-28', '05-09', '09-20', '10-10'],
    notice: '国办发明电〔2025〕7号；税总办征科函〔2025〕64号（申报纳税期限）',
    taxDue: [
      '01-20',
      '02-24',
      '03-16',
      '04-20',
      '05-22',
      '06-15',
      '07-15',
      '08-17',
      '09-15',
      '10-26',
      '11-16',
      '12-15',
    ],
  },
];

/** The days of `MM-DD` or `MM-DD/MM-DD` in a year. */
export function daysOf(year: number, range: string): PlainDate[] {
  const [from = '', to = from] = range.split('/');
  const days: PlainDate[] = [];
  for (
    let at = Date.parse(`${year}-${from}T00:00:00Z`);
    at <= Date.parse(`${year}-${to}T00:00:00Z`);
    at += 86_400_000
  ) {
    days.push(new Date(at).toISOString().slice(0, 10));
  }
  return days;
}
