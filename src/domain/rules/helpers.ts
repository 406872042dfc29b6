import {
  checkBankCard,
  checkForeignResidentId,
  checkGtin13,
  checkPersonId,
  checkResidencePermit,
  checkResidentId,
  checkUscc,
  personIdFacts,
} from '../identifiers.ts';

/** A function that rules may call beside CEL's own. Integers arrive and leave as int64 (BigInt). */
export interface Helper {
  readonly name: string;
  readonly signature: string;
  // biome-ignore lint/suspicious/noExplicitAny: the argument types are those of the signature, checked by CEL
  readonly call: (...args: any[]) => bigint | string | boolean;
  readonly result: 'int' | 'string' | 'bool';
  /** The same over safe integers; undefined where the result, or a step to it, would not be one. */
  // biome-ignore lint/suspicious/noExplicitAny: as above
  readonly exact: (...args: any[]) => ExactValue | undefined;
}

/** A value as JSON has it: integers are safe integers. Lists and tables are constants. */
export type ExactValue = number | string | boolean | readonly number[] | Readonly<Record<string, number>>;

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

/**
 * The value of the step that an amount lies on, for tables of tax brackets: `values` has one more element than `upTo`,
 * the last for what is above all bounds. An amount equal to a bound lies below it (不超过).
 */
function step<N extends number | bigint>(amount: N, upTo: readonly N[], values: readonly N[]): N {
  let at = 0;
  while (at < upTo.length && amount > (upTo[at] as N)) at++;
  const value = values[at];
  if (value === undefined || values.length !== upTo.length + 1) throw new RangeError('one value more than bounds');
  return value;
}

/** The figure of a table for a code. A code that is not there has none: schemas list the codes, so that is a fault. */
function lookup<N extends number | bigint>(table: Readonly<Record<string, N>>, code: string): N {
  const value = Object.hasOwn(table, code) ? table[code] : undefined;
  if (value === undefined) throw new RangeError('not in the table');
  return value;
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

/** The month of a date, 1 to 12. */
function monthOf(date: string): number {
  const month = (date.charCodeAt(5) - 48) * 10 + date.charCodeAt(6) - 48;
  if (!(month >= 1 && month <= 12)) throw new RangeError('not a date');
  return month;
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

/** {@link roundHalfUp} in doubles. The remainder is exact, so the quotient is that of a multiple, and exact too. */
function roundHalfUpExact(n: number, d: number): number | undefined {
  const numerator = 2 * Math.abs(n) + Math.abs(d);
  const denominator = 2 * Math.abs(d);
  if (denominator === 0 || !Number.isSafeInteger(numerator) || !Number.isSafeInteger(denominator)) return undefined;
  const quotient = (numerator - (numerator % denominator)) / denominator;
  return n < 0 !== d < 0 ? 0 - quotient : quotient;
}

const overInts = (name: string, arity: number, call: Helper['call'], exact: Helper['exact']): Helper => ({
  name,
  signature: `${name}(${Array(arity).fill('int').join(', ')}): int`,
  call,
  result: 'int',
  exact,
});

/** Functions over strings are the same in both worlds, but for the integers that they return. */
const overStrings = (name: string, arity: number, result: Helper['result'], call: Helper['call']): Helper => ({
  name,
  signature: `${name}(${Array(arity).fill('string').join(', ')}): ${result}`,
  call,
  result,
  exact: (...args) => {
    const value = call(...args);
    return typeof value === 'bigint' ? Number(value) : value;
  },
});

export const HELPERS: readonly Helper[] = [
  overInts('round_half_up', 2, roundHalfUp, roundHalfUpExact),
  // A rate in basis points (万分之一) or per mille (千分之一) of an amount, rounded half up in fen.
  overInts(
    'basis_points',
    2,
    (n: bigint, rate: bigint) => roundHalfUp(int64(n * rate), 10_000n),
    (n: number, rate: number) => roundHalfUpExact(n * rate, 10_000),
  ),
  overInts(
    'per_mille',
    2,
    (n: bigint, rate: bigint) => roundHalfUp(int64(n * rate), 1_000n),
    (n: number, rate: number) => roundHalfUpExact(n * rate, 1_000),
  ),
  overInts('abs', 1, (n: bigint) => int64(n < 0n ? -n : n), Math.abs),
  overInts('min', 2, (a: bigint, b: bigint) => (a < b ? a : b), Math.min),
  overInts('max', 2, (a: bigint, b: bigint) => (a > b ? a : b), Math.max),
  {
    name: 'step',
    signature: 'step(int, list<int>, list<int>): int',
    call: step<bigint>,
    result: 'int',
    exact: step<number>,
  },
  {
    name: 'lookup',
    signature: 'lookup(map<string, int>, string): int',
    call: lookup<bigint>,
    result: 'int',
    exact: lookup<number>,
  },
  { ...overStrings('month_of', 1, 'int', (date: string) => BigInt(monthOf(date))), exact: monthOf },
  overStrings('days_between', 2, 'int', daysBetween),
  overStrings('minutes_between', 2, 'int', minutesBetween),
  overStrings('age_on', 2, 'int', ageOn),
  overStrings('local_date', 1, 'string', localDate),
  overStrings('birth_date', 1, 'string', birthDateOf),
  overStrings('sex_of', 1, 'string', sexOf),
  overStrings('is_resident_id', 1, 'bool', (id: string) => checkResidentId(id).ok),
  overStrings('is_residence_permit', 1, 'bool', (id: string) => checkResidencePermit(id).ok),
  overStrings('is_foreign_resident_id', 1, 'bool', (id: string) => checkForeignResidentId(id).ok),
  overStrings('is_uscc', 1, 'bool', (code: string) => checkUscc(code).ok),
  overStrings('is_gtin', 1, 'bool', (code: string) => checkGtin13(code).ok),
  overStrings('is_luhn', 1, 'bool', (number: string) => checkBankCard(number).ok),
];
