import type { Text } from '../../std/text.ts';

/** How a construct reads, `$0`, `$1`, ... being its operands. */
type Phrase = readonly [zh: string, en: string];

/** Binds tighter the higher it is; an operand that binds less tightly goes into brackets. */
export interface Operator {
  readonly phrase: Phrase;
  readonly level: number;
}

export const ATOM = 9;
export const COMPARISON = 4;

export const OPERATORS: Readonly<Record<string, Operator>> = {
  '?:': { phrase: ['$0 时为 $1，否则为 $2', '$1 if $0, otherwise $2'], level: 1 },
  '||': { phrase: ['$0，或$1', '$0, or $1'], level: 2 },
  '&&': { phrase: ['$0 且 $1', '$0 and $1'], level: 3 },
  '==': { phrase: ['$0 = $1', '$0 = $1'], level: COMPARISON },
  '!=': { phrase: ['$0 ≠ $1', '$0 ≠ $1'], level: COMPARISON },
  '<': { phrase: ['$0 < $1', '$0 < $1'], level: COMPARISON },
  '<=': { phrase: ['$0 ≤ $1', '$0 ≤ $1'], level: COMPARISON },
  '>': { phrase: ['$0 > $1', '$0 > $1'], level: COMPARISON },
  '>=': { phrase: ['$0 ≥ $1', '$0 ≥ $1'], level: COMPARISON },
  in: { phrase: ['$0 为 $1 之一', '$0 is one of $1'], level: COMPARISON },
  '+': { phrase: ['$0 + $1', '$0 + $1'], level: 5 },
  '-': { phrase: ['$0 − $1', '$0 − $1'], level: 5 },
  '*': { phrase: ['$0 × $1', '$0 × $1'], level: 6 },
  '/': { phrase: ['$0 ÷ $1（取整）', '$0 ÷ $1 (whole part)'], level: 6 },
  '%': { phrase: ['$0 除以 $1 的余数', 'remainder of $0 by $1'], level: 6 },
  '!_': { phrase: ['非$0', 'not $0'], level: 7 },
  '-_': { phrase: ['−$0', '−$0'], level: 7 },
};

export const FUNCTIONS: Readonly<Record<string, Phrase>> = {
  round_half_up: ['四舍五入（$0 ÷ $1）', 'round($0 ÷ $1)'],
  basis_points: ['四舍五入（$0 × $1 ÷ 10000）', 'round($0 × $1 ÷ 10000)'],
  per_mille: ['四舍五入（$0 × $1 ÷ 1000）', 'round($0 × $1 ÷ 1000)'],
  abs: ['|$0|', '|$0|'],
  min: ['较小者（$0，$1）', 'lesser of ($0; $1)'],
  max: ['较大者（$0，$1）', 'greater of ($0; $1)'],
  step: ['按$0所在级距（$1）取$2', '$2 at the step of $0 ($1)'],
  lookup: ['按$1查$0', '$0 for $1'],
  month_of: ['$0的月份', 'month of $0'],
  days_between: ['$0至$1的天数', 'days from $0 to $1'],
  minutes_between: ['$0至$1的分钟数', 'minutes from $0 to $1'],
  age_on: ['$0出生者在$1的周岁', 'age on $1 of a person born $0'],
  local_date: ['$0的日期（北京时间）', 'date of $0 (Beijing time)'],
  birth_date: ['$0中的出生日期', 'date of birth in $0'],
  sex_of: ['$0中的性别', 'sex in $0'],
  is_resident_id: ['$0是有效的公民身份号码', '$0 is a valid resident identity number'],
  is_residence_permit: ['$0是有效的港澳台居民居住证号码', '$0 is a valid residence permit number'],
  is_foreign_resident_id: ['$0是有效的外国人永久居留身份证号码', '$0 is a valid foreign permanent resident number'],
  is_uscc: ['$0是有效的统一社会信用代码', '$0 is a valid unified social credit code'],
  is_gtin: ['$0是有效的商品条码', '$0 is a valid bar code'],
  is_luhn: ['$0是有效的银行卡号', '$0 is a valid card number'],
  size: ['$0的长度', 'length of $0'],
  int: ['$0', '$0'],
  string: ['$0', '$0'],
};

export const METHODS: Readonly<Record<string, Phrase>> = {
  size: ['$0的长度', 'length of $0'],
  startsWith: ['$0以$1开头', '$0 begins with $1'],
  endsWith: ['$0以$1结尾', '$0 ends with $1'],
  contains: ['$0含有$1', '$0 contains $1'],
  all: ['$0的每一项均符合（$1）', 'every one of $0 keeps ($1)'],
  exists: ['$0中有一项符合（$1）', 'one of $0 at least keeps ($1)'],
  exists_one: ['$0中恰有一项符合（$1）', 'exactly one of $0 keeps ($1)'],
};

/** The variable of `all` and its kin. */
export const ELEMENT: Text = { zh: '该项', en: 'it' };

/** What a rule may read around `data`. */
export const ENVELOPE: Readonly<Record<string, Text>> = {
  'period.from': { zh: '所属期起', en: 'start of the period' },
  'period.to': { zh: '所属期止', en: 'end of the period' },
  filer: { zh: '申报人统一社会信用代码', en: "filer's unified social credit code" },
  kind: { zh: '申报性质', en: 'kind of filing' },
  reference: { zh: '单据号', en: 'reference' },
};

/** For a rule that is written once for several columns. */
export const COLUMN: Text = { zh: '各项', en: 'each' };

export function say([zh, en]: Phrase, operands: readonly Text[]): Text {
  const fill = (phrase: string, language: 'zh' | 'en'): string =>
    phrase.replaceAll(/\$(\d)/g, (_, place: string) => operands[Number(place)]?.[language] ?? '');
  return { zh: fill(zh, 'zh'), en: fill(en, 'en') };
}

export function join(texts: readonly Text[], zh: string, en: string): Text {
  return { zh: texts.map((text) => text.zh).join(zh), en: texts.map((text) => text.en).join(en) };
}
