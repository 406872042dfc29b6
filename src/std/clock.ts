/** Where the time comes from. Every part takes it as an argument, so that tests can turn it. */
export interface Clock {
  /** Milliseconds since 1970-01-01T00:00:00Z. */
  now(): number;
  /** Milliseconds from an arbitrary origin; never runs backwards. For durations only. */
  monotonic(): number;
}

export const systemClock: Clock = { now: () => Date.now(), monotonic: () => performance.now() };

/** The instant that was written last: a filing's time is written four times, and many filings share a millisecond. */
let lastInstant = { epochMs: Number.NaN, text: '' };
/** Up to the point before the milliseconds: what follows in a log is nearly always of the same second. */
let lastSecond = { number: Number.NaN, text: '' };

/** RFC 3339, UTC, milliseconds: the only form of time on the wire. */
export function formatInstant(epochMs: number): string {
  if (epochMs !== lastInstant.epochMs) lastInstant = { epochMs, text: instantText(epochMs) };
  return lastInstant.text;
}

function instantText(epochMs: number): string {
  const wholeMs = Math.trunc(epochMs);
  const number = Math.floor(wholeMs / 1_000);
  if (number !== lastSecond.number) lastSecond = { number, text: new Date(epochMs).toISOString().slice(0, -4) };
  return `${lastSecond.text}${String(wholeMs - number * 1_000).padStart(3, '0')}Z`;
}

/** Milliseconds since the epoch, or undefined when `text` is not RFC 3339 with a zone. */
export function parseInstant(text: string): number | undefined {
  if (!/^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d(:?\d\d)?)$/.test(text)) return undefined;
  const iso = text.replace(' ', 'T').replace(/([+-]\d\d)$/, '$1:00');
  const epochMs = Date.parse(iso);
  return Number.isNaN(epochMs) ? undefined : epochMs;
}

/** A calendar date, `YYYY-MM-DD`. Which zone it is in is the caller's matter; the gateway's dates are Asia/Shanghai. */
export type PlainDate = string;

/** China has had one zone without daylight saving since 1992; the gateway knows no earlier filings. */
const SHANGHAI_OFFSET_MS = 8 * 3_600_000;

const DAY_MS = 86_400_000;
/** The day that was asked for last: nearly always today. */
let lastDay = { number: Number.NaN, date: '' };

/** The date in Asia/Shanghai at an instant. */
export function shanghaiDate(epochMs: number): PlainDate {
  const number = Math.floor((epochMs + SHANGHAI_OFFSET_MS) / DAY_MS);
  if (number !== lastDay.number) lastDay = { number, date: new Date(number * DAY_MS).toISOString().slice(0, 10) };
  return lastDay.date;
}

/** The first instant of a date in Asia/Shanghai, in milliseconds since the epoch. */
export function shanghaiMidnight(date: PlainDate): number {
  return Date.parse(`${date}T00:00:00Z`) - SHANGHAI_OFFSET_MS;
}

const DAYS_IN_MONTH = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** True for an existing calendar date in the form `YYYY-MM-DD`, years 1900 to 2999. */
export function isPlainDate(text: string): boolean {
  if (!/^(19|2\d)\d\d-\d\d-\d\d$/.test(text)) return false;
  const year = Number(text.slice(0, 4));
  const month = Number(text.slice(5, 7));
  const day = Number(text.slice(8));
  const isLeapDay = month === 2 && day === 29 && year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return isLeapDay || (day >= 1 && day <= (DAYS_IN_MONTH[month - 1] ?? 0));
}
