import type { PlainDate } from '../std/clock.ts';

const DAY_MS = 86_400_000;
/** 万分之五 a day (税收征收管理法 32): 5 of 10,000. */
const RATE = 5n;
const RATE_BASE = 10_000n;

/** Days that count as late on a date: from the day after the due date to the date itself. Zero while in time. */
export function daysLate(due: PlainDate, date: PlainDate): number {
  const days = (Date.parse(`${date}T00:00:00Z`) - Date.parse(`${due}T00:00:00Z`)) / DAY_MS;
  return Math.max(0, days);
}

/**
 * 滞纳金: what is unpaid x 0.0005 x days late, rounded half up to a fen. Undefined when it is more than an integer of JSON
 * can say, which no real debt comes near.
 * @param unpaidFen not negative
 */
export function surchargeFen(unpaidFen: number, daysLate: number): number | undefined {
  const surcharge = (BigInt(unpaidFen) * BigInt(daysLate) * RATE + RATE_BASE / 2n) / RATE_BASE;
  return surcharge > BigInt(Number.MAX_SAFE_INTEGER) ? undefined : Number(surcharge);
}
