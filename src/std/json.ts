/** Bounds on a JSON text from outside. */
export interface JsonLimits {
  /** Levels of arrays and objects. */
  readonly depth: number;
  /** Members and elements in the whole text. */
  readonly values: number;
}

export const JSON_FAULTS = [
  'syntax',
  'byte-order-mark',
  'too-deep',
  'too-many-values',
  'duplicate-member',
  'reserved-member',
  'unsafe-number',
  'lone-surrogate',
] as const;

export interface JsonFault {
  readonly reason: (typeof JSON_FAULTS)[number];
  /** Offset in UTF-16 code units. Exact for all reasons but `syntax`, where it is 0. */
  readonly at: number;
}

export type JsonResult =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly fault: JsonFault };

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const COMMA = 0x2c;
const COLON = 0x3a;
const MINUS = 0x2d;

const SURROGATE = /\p{Surrogate}/u;

/**
 * JSON.parse for bytes that are signed: refuses what different readers would read differently. These are duplicate
 * members (also when one is spelt with escapes), numbers that a double cannot hold (integers beyond 2^53, 1e400, fractions
 * that round to a whole number), lone surrogates and `__proto__`, and what exhausts a reader: depth and the count of values.
 *
 * One scan over the text, then JSON.parse, which decides on syntax. The scan need not understand wrong syntax, because
 * a text counts only when both accept it.
 */
export function parseStrictJson(text: string, limits: JsonLimits): JsonResult {
  const fault = scan(text, limits);
  if (fault !== undefined) return { ok: false, fault };
  try {
    return { ok: true, value: JSON.parse(text) };
  } catch {
    return { ok: false, fault: { reason: 'syntax', at: 0 } };
  }
}

function scan(text: string, limits: JsonLimits): JsonFault | undefined {
  if (text.charCodeAt(0) === 0xfeff) return { reason: 'byte-order-mark', at: 0 };
  /** For each open level: the member names so far, or undefined for an array. */
  const open: (MemberNames | undefined)[] = [];
  let values = 0;
  let expectsName = false;
  let backslash = nextEscape(text, 0);
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit === QUOTE) {
      if (backslash < at) backslash = nextEscape(text, at);
      const end = endOfString(text, at, backslash);
      if (end < 0) return { reason: 'syntax', at };
      const reason = checkString(text, at, end, backslash < end, expectsName ? open[open.length - 1] : undefined);
      if (reason !== undefined) return { reason, at };
      at = end;
    } else if (unit === OPEN_BRACE || unit === OPEN_BRACKET) {
      if (open.length >= limits.depth) return { reason: 'too-deep', at };
      if (++values > limits.values) return { reason: 'too-many-values', at };
      expectsName = unit === OPEN_BRACE;
      open.push(expectsName ? new MemberNames() : undefined);
    } else if (unit === CLOSE_BRACE || unit === CLOSE_BRACKET) {
      open.pop();
      expectsName = false;
    } else if (unit === COMMA) {
      if (++values > limits.values) return { reason: 'too-many-values', at };
      expectsName = open[open.length - 1] !== undefined;
    } else if (unit === COLON) {
      expectsName = false;
    } else if (unit === MINUS || (unit >= 0x30 && unit <= 0x39)) {
      const end = endOfNumber(text, at);
      if (!(end - at <= 15 && isInteger(text, at, end)) && !isExactNumber(text, at, end))
        return { reason: 'unsafe-number', at };
      at = end - 1;
    }
  }
  return undefined;
}

/** The names of one object. Most objects are small, where a list is faster than a set. */
class MemberNames {
  #few: string[] = [];
  #many: Set<string> | undefined;

  /** False when the name was there already. */
  add(name: string): boolean {
    if (this.#many !== undefined) {
      const size = this.#many.size;
      return this.#many.add(name).size > size;
    }
    if (this.#few.includes(name)) return false;
    this.#few.push(name);
    if (this.#few.length > 16) this.#many = new Set(this.#few);
    return true;
  }
}

/** Index of the closing quote, or -1. `backslash`: index of the first one after `start`; most texts have none. */
function endOfString(text: string, start: number, backslash: number): number {
  const end = text.indexOf('"', start + 1);
  if (end < backslash) return end;
  for (let at = backslash; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit === QUOTE) return at;
    if (unit === BACKSLASH) at++;
  }
  return -1;
}

/** Index of the first backslash from `at` on, or beyond the text. */
function nextEscape(text: string, at: number): number {
  const found = text.indexOf('\\', at);
  return found < 0 ? Number.POSITIVE_INFINITY : found;
}

function checkString(
  text: string,
  start: number,
  end: number,
  isEscaped: boolean,
  names: MemberNames | undefined,
): JsonFault['reason'] | undefined {
  if (!isEscaped && names === undefined) return undefined;
  let value = text.slice(start + 1, end);
  if (isEscaped) {
    try {
      value = JSON.parse(text.slice(start, end + 1));
    } catch {
      return 'syntax';
    }
    if (SURROGATE.test(value)) return 'lone-surrogate';
  }
  if (names === undefined) return undefined;
  if (value === '__proto__') return 'reserved-member';
  return names.add(value) ? undefined : 'duplicate-member';
}

function endOfNumber(text: string, start: number): number {
  let at = start + 1;
  for (; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    const isPart =
      (unit >= 0x30 && unit <= 0x39) ||
      unit === 0x2e ||
      unit === 0x65 ||
      unit === 0x45 ||
      unit === 0x2b ||
      unit === MINUS;
    if (!isPart) break;
  }
  return at;
}

/** Digits, and a sign: most numbers, told without a copy. */
function isInteger(text: string, start: number, end: number): boolean {
  for (let at = start + 1; at < end; at++) {
    const unit = text.charCodeAt(at);
    if (unit < 0x30 || unit > 0x39) return false;
  }
  return true;
}

/** Up to 15 characters without an exponent are always exact enough: no integer of that length exceeds 2^53. */
function isExactNumber(text: string, start: number, end: number): boolean {
  const token = text.slice(start, end);
  if (token.length <= 15 && !/[eE]/.test(token)) return true;
  const value = Number(token);
  if (!Number.isFinite(value)) return false;
  return !Number.isInteger(value) || (Number.isSafeInteger(value) && isWhole(token));
}

/** Whether a whole number is written: 0.99999999999999999 is read as 1, but other readers may see a fraction of a fen. */
function isWhole(token: string): boolean {
  const [, whole = '', fraction = '', exponent = '0'] = /^-?(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(token) ?? [];
  const digits = whole + fraction;
  let significant = digits.length;
  while (significant > 0 && digits.charCodeAt(significant - 1) === 0x30) significant--;
  return significant === 0 || whole.length + Number(exponent) >= significant;
}
