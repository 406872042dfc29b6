import type { Period } from '../domain/filing.ts';
import { isPlainDate } from '../std/clock.ts';
import { GatewayError } from '../std/errors.ts';

/** The parameter `period`: a year, a quarter, a month, a day, or two days with a slash (ISO 8601). */
export function parsePeriod(text: string): Period {
  const period = read(text);
  if (period === undefined || !isPlainDate(period.from) || !isPlainDate(period.to) || period.from > period.to) {
    throw new GatewayError('invalid-parameter', {
      detail: {
        zh: 'period 应形如 2026、2026-Q4、2026-10、2026-10-08 或 2026-10-01/2026-10-31。',
        en: 'period looks like 2026, 2026-Q4, 2026-10, 2026-10-08 or 2026-10-01/2026-10-31.',
      },
    });
  }
  return period;
}

function read(text: string): Period | undefined {
  const interval = /^(\d{4}-\d\d-\d\d)(?:\/|\.\.)(\d{4}-\d\d-\d\d)$/.exec(text);
  if (interval !== null) return { from: interval[1] as string, to: interval[2] as string };
  if (/^\d{4}-\d\d-\d\d$/.test(text)) return { from: text, to: text };
  const month = /^(\d{4})-(0[1-9]|1[0-2])$/.exec(text);
  if (month !== null) return months(Number(month[1]), Number(month[2]), Number(month[2]));
  const quarter = /^(\d{4})-?Q([1-4])$/.exec(text);
  if (quarter !== null) return months(Number(quarter[1]), Number(quarter[2]) * 3 - 2, Number(quarter[2]) * 3);
  return /^\d{4}$/.test(text) ? months(Number(text), 1, 12) : undefined;
}

function months(year: number, first: number, last: number): Period {
  const lastDay = new Date(Date.UTC(year, last, 0)).getUTCDate();
  return { from: `${year}-${twoDigits(first)}-01`, to: `${year}-${twoDigits(last)}-${lastDay}` };
}

function twoDigits(number: number): string {
  return String(number).padStart(2, '0');
}
