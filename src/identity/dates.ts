import { isPlainDate, type PlainDate } from '../std/clock.ts';
import type { Violation } from '../std/errors.ts';
import { finding } from './change.ts';

/** Findings in a pair of dates, both included, the second optional. */
export function checkDates(dates: { readonly from: PlainDate; readonly to?: PlainDate }, pointer: string): Violation[] {
  const message = { zh: '应为存在的日期（YYYY-MM-DD）', en: 'must be an existing date (YYYY-MM-DD)' };
  const found: Violation[] = [];
  if (!isPlainDate(dates.from)) found.push(finding(`${pointer}/from`, 'date', message));
  if (dates.to === undefined) return found;
  if (!isPlainDate(dates.to)) found.push(finding(`${pointer}/to`, 'date', message));
  else if (dates.to < dates.from)
    found.push(finding(`${pointer}/to`, 'date', { zh: '不应早于起始日期', en: 'must not be before the first day' }));
  return found;
}
