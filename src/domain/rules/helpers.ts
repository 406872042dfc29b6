import {
  checkForeignResidentId,
  checkPersonId,
  checkResidencePermit,
  checkResidentId,
  personIdFacts,
} from '../identifiers.ts';

/** A function that rules may call beside CEL's own. Integers arrive and leave as int64 (BigInt). */
export interface Helper {
  readonly name: string;
  readonly signature: string;
  // biome-ignore lint/suspicious/noExplicitAny: the argument types are those of the signature, checked by CEL
  readonly call: (...args: any[]) => bigint | string | boolean;
}

const INT64_MAX = 2n ** 63n - 1n;

/** Functions made for handlers must keep to int64 themselves: CEL checks its own operators only. */
function int64(value: bigint): bigint {
  if (value > INT64_MAX || value < -INT64_MAX - 1n) throw new RangeError('integer overflow');
  return value;
}

/** n / d to the nearest integer, halves away from zero: the 四舍五入 of a tax form. */
export function roundHalfUp(n: bigint, d: bigint): bigint {
  if (d === 0n) throw new RangeError('division by zero');
  const isNegative = n < 0n !== d < 0n;
  const [numerator, denominator] = [n < 0n ? -n : n, d < 0n ? -d : d];
  const quotient = (2n * numerator + denominator) / (2n * denominator);
  return int64(isNegative ? -quotient : quotient);
}

const DAY_MS = 86_400_000;

/** Whole days from one date to another; negative when the second is earlier. */
export function daysBetween(from: string, to: string): bigint {
  const days = (Date.parse(`${to.slice(0, 10)}T00:00:00Z`) - Date.parse(`${from.slice(0, 10)}T00:00:00Z`)) / DAY_MS;
  if (!Number.isInteger(days)) throw new RangeError('not a date');
  return BigInt(days);
}

/** Full years (周岁) on a date; a birthday counts from its day on. */
export function ageOn(birth: string, date: string): bigint {
  const years = BigInt(date.slice(0, 4)) - BigInt(birth.slice(0, 4));
  return date.slice(5) < birth.slice(5) ? years - 1n : years;
}

/** Whole minutes from one RFC 3339 time to another, rounded down. */
export function minutesBetween(from: string, to: string): bigint {
  const minutes = Math.floor((Date.parse(to) - Date.parse(from)) / 60_000);
  if (!Number.isFinite(minutes)) throw new RangeError('not a time');
  return BigInt(minutes);
}

/** The date in Asia/Shanghai of an RFC 3339 time. */
export function localDate(time: string): string {
  const epochMs = Date.parse(time);
  if (Number.isNaN(epochMs)) throw new RangeError('not a time');
  return new Date(epochMs + 8 * 3_600_000).toISOString().slice(0, 10);
}

/** Birth date in an 18-digit person's number, `YYYY-MM-DD`; "" when the number is not valid. */
function birthDateOf(id: string): string {
  return checkPersonId(id).ok ? personIdFacts(id).birthDate : '';
}

/** Sex in an 18-digit person's number, by GB/T 2261.1: "1" male, "2" female; "" when the number is not valid. */
function sexOf(id: string): string {
  if (!checkPersonId(id).ok) return '';
  return personIdFacts(id).sex === 'male' ? '1' : '2';
}

export const HELPERS: readonly Helper[] = [
  { name: 'round_half_up', signature: 'round_half_up(int, int): int', call: roundHalfUp },
  { name: 'abs', signature: 'abs(int): int', call: (n: bigint) => int64(n < 0n ? -n : n) },
  { name: 'min', signature: 'min(int, int): int', call: (a: bigint, b: bigint) => (a < b ? a : b) },
  { name: 'max', signature: 'max(int, int): int', call: (a: bigint, b: bigint) => (a > b ? a : b) },
  { name: 'days_between', signature: 'days_between(string, string): int', call: daysBetween },
  { name: 'minutes_between', signature: 'minutes_between(string, string): int', call: minutesBetween },
  { name: 'local_date', signature: 'local_date(string): string', call: localDate },
  { name: 'age_on', signature: 'age_on(string, string): int', call: ageOn },
  { name: 'is_resident_id', signature: 'is_resident_id(string): bool', call: (id: string) => checkResidentId(id).ok },
  {
    name: 'is_residence_permit',
    signature: 'is_residence_permit(string): bool',
    call: (id: string) => checkResidencePermit(id).ok,
  },
  {
    name: 'is_foreign_resident_id',
    signature: 'is_foreign_resident_id(string): bool',
    call: (id: string) => checkForeignResidentId(id).ok,
  },
  { name: 'birth_date', signature: 'birth_date(string): string', call: birthDateOf },
  { name: 'sex_of', signature: 'sex_of(string): string', call: sexOf },
];
