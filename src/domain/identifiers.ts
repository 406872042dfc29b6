import type { PlainDate } from '../std/clock.ts';
import type { Text } from '../std/text.ts';

/** Verdict on one identifier. The reason names the part that is wrong and never repeats the value. */
export type IdentifierCheck = { readonly ok: true } | { readonly ok: false; readonly reason: Text };

const OK: IdentifierCheck = { ok: true };

function bad(zh: string, en: string): IdentifierCheck {
  return { ok: false, reason: { zh, en } };
}

// Unified social credit code, GB 32100-2015.

/** The 31 characters of GB 32100-2015: no I, O, S, V, Z. A character's value is its place. */
const USCC_ALPHABET = '0123456789ABCDEFGHJKLMNPQRTUWXY';
const USCC_SHAPE = /^[0-9A-HJ-NPQRTUWXY]{2}[1-9][0-9]{5}[0-9A-HJ-NPQRTUWXY]{10}$/;
/** 3^i mod 31. */
const USCC_WEIGHTS = [1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28];
/** GB 11714. */
const ORGANISATION_WEIGHTS = [3, 7, 9, 10, 5, 8, 4, 2];

const USCC_LENGTH = bad('统一社会信用代码应为18位', 'a unified social credit code has 18 characters');
const USCC_CHARACTERS = bad(
  '统一社会信用代码只含数字和大写字母（不含I、O、S、V、Z），第3至8位为行政区划代码',
  'a unified social credit code has digits and capitals without I, O, S, V, Z; characters 3 to 8 are a region code',
);
const USCC_ORGANISATION = bad(
  '统一社会信用代码中的组织机构代码（第9至17位）校验位不符',
  'the check digit of the organisation code (characters 9 to 17) does not fit',
);
const USCC_CHECK = bad('统一社会信用代码的校验位（第18位）不符', 'the check digit (character 18) does not fit');

/** 统一社会信用代码, GB 32100-2015: its shape, its own check digit, and that of the organisation code in it (GB 11714). */
export function checkUscc(text: string): IdentifierCheck {
  if (text.length !== 18) return USCC_LENGTH;
  if (!USCC_SHAPE.test(text)) return USCC_CHARACTERS;
  if (text.charAt(17) !== usccCheckCharacter(text)) return USCC_CHECK;
  if (text.charAt(16) !== organisationCheckCharacter(text.slice(8, 16))) return USCC_ORGANISATION;
  return OK;
}

/** Check character over the first 17. */
function usccCheckCharacter(text: string): string {
  let sum = 0;
  for (let i = 0; i < 17; i++) sum += USCC_ALPHABET.indexOf(text.charAt(i)) * (USCC_WEIGHTS[i] as number);
  return USCC_ALPHABET.charAt((31 - (sum % 31)) % 31);
}

function organisationCheckCharacter(body: string): string {
  let sum = 0;
  for (let i = 0; i < 8; i++) sum += Number.parseInt(body.charAt(i), 36) * (ORGANISATION_WEIGHTS[i] as number);
  const check = 11 - (sum % 11);
  if (check === 10) return 'X';
  return check === 11 ? '0' : String(check);
}

/**
 * A synthetic code with valid check digits, for demos and tests: an enterprise (91) of `region`, organisation code `MA` and
 * `serial` in the code's alphabet. Different serials below 31^6 give different codes.
 */
export function makeUscc(serial: number, region = '350100'): string {
  let rest = serial;
  let digits = '';
  for (let i = 0; i < 6; i++) {
    digits = USCC_ALPHABET.charAt(rest % 31) + digits;
    rest = Math.floor(rest / 31);
  }
  const organisation = `MA${digits}`;
  const head = `91${region}${organisation}${organisationCheckCharacter(organisation)}`;
  return head + usccCheckCharacter(head);
}

// Identity numbers of persons, GB 11643 and the documents that follow its form.

const RESIDENT_WEIGHTS = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
const RESIDENT_CHECKS = '10X98765432';
const PERSON_ID_SHAPE = /^[1-9][0-9]{16}[0-9X]$/;

const PERSON_ID_FORM = bad(
  '证件号码应为18位：前17位为数字，末位为数字或大写X',
  'the number has 17 digits and then a digit or a capital X',
);
const PERSON_ID_DATE = bad(
  '证件号码中的出生日期（第7至14位）不存在',
  'the date of birth (digits 7 to 14) does not exist',
);
const PERSON_ID_CHECK = bad('证件号码的校验位（第18位）不符', 'the check digit (character 18) does not fit');
const NOT_RESIDENT = bad('不是公民身份号码', 'not a resident identity number');
const NOT_PERMIT = bad(
  '港澳台居民居住证号码以810000、820000或830000开头',
  'a residence permit number begins with 810000, 820000 or 830000',
);
const NOT_FOREIGN = bad('外国人永久居留身份证号码以9开头', 'a foreign permanent resident number begins with 9');

/** 公民身份号码, GB 11643. The region is not looked up: a card keeps the code of the year in which it was issued. */
export function checkResidentId(text: string): IdentifierCheck {
  const check = checkPersonId(text);
  if (!check.ok) return check;
  return /^[1-7]/.test(text) ? OK : NOT_RESIDENT;
}

/** 港澳台居民居住证. */
export function checkResidencePermit(text: string): IdentifierCheck {
  const check = checkPersonId(text);
  if (!check.ok) return check;
  return /^8[123]0000/.test(text) ? OK : NOT_PERMIT;
}

/** 外国人永久居留身份证, the 18-digit form of 2023. */
export function checkForeignResidentId(text: string): IdentifierCheck {
  const check = checkPersonId(text);
  if (!check.ok) return check;
  return text.startsWith('9') ? OK : NOT_FOREIGN;
}

/** Any of the three: an 18-character number with a date of birth and the check digit of GB 11643. */
export function checkPersonId(text: string): IdentifierCheck {
  if (!PERSON_ID_SHAPE.test(text)) return PERSON_ID_FORM;
  if (!isBirthDate(birthDate(text))) return PERSON_ID_DATE;
  return text.charAt(17) === residentCheckCharacter(text) ? OK : PERSON_ID_CHECK;
}

/** What a valid 18-character number says about its bearer. */
export function personIdFacts(text: string): { readonly birthDate: PlainDate; readonly sex: 'male' | 'female' } {
  return { birthDate: birthDate(text), sex: Number(text.charAt(16)) % 2 === 1 ? 'male' : 'female' };
}

function birthDate(text: string): PlainDate {
  return `${text.slice(6, 10)}-${text.slice(10, 12)}-${text.slice(12, 14)}`;
}

/** An existing date from 1800 on: the numbers of people born in the 19th century are still in registers. */
function isBirthDate(date: PlainDate): boolean {
  if (date < '1800') return false;
  const epochMs = Date.parse(`${date}T00:00:00Z`);
  return !Number.isNaN(epochMs) && new Date(epochMs).toISOString().startsWith(date);
}

function residentCheckCharacter(text: string): string {
  let sum = 0;
  for (let i = 0; i < 17; i++) sum += Number(text.charAt(i)) * (RESIDENT_WEIGHTS[i] as number);
  return RESIDENT_CHECKS.charAt(sum % 11);
}

/** A synthetic number with a valid check digit, for demos and tests. `serial` 0 to 999; odd is male. */
export function makeResidentId(birth: PlainDate, serial: number, region = '350100'): string {
  const head = `${region}${birth.replaceAll('-', '')}${String(serial).padStart(3, '0')}`;
  return head + residentCheckCharacter(head);
}

// Others.

const GTIN_FORM = bad('商品条码应为13位数字', 'a GTIN-13 has 13 digits');
const GTIN_CHECK = bad('商品条码的校验位（第13位）不符', 'the check digit (digit 13) does not fit');

/** 商品条码, GTIN-13 (GB 12904): weights 1 and 3, modulus 10. */
export function checkGtin13(text: string): IdentifierCheck {
  if (!/^[0-9]{13}$/.test(text)) return GTIN_FORM;
  let sum = 0;
  for (let i = 0; i < 13; i++) sum += Number(text.charAt(i)) * (i % 2 === 0 ? 1 : 3);
  return sum % 10 === 0 ? OK : GTIN_CHECK;
}

const CARD_FORM = bad('银行卡号应为12至19位数字', 'a card number has 12 to 19 digits');
const CARD_CHECK = bad('银行卡号的校验位不符', 'the check digit does not fit');

/** 银行卡号, Luhn. For cards only: a corporate account number has no check digit. */
export function checkBankCard(text: string): IdentifierCheck {
  if (!/^[0-9]{12,19}$/.test(text)) return CARD_FORM;
  let sum = 0;
  for (let i = 0; i < text.length; i++) {
    const digit = Number(text.charAt(text.length - 1 - i));
    const doubled = digit * 2;
    sum += i % 2 === 0 ? digit : doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0 ? OK : CARD_CHECK;
}

const REGISTRATION_FORM = bad('旧工商注册号应为15位数字', 'a legacy registration number has 15 digits');
const REGISTRATION_CHECK = bad('旧工商注册号的校验位（第15位）不符', 'the check digit (digit 15) does not fit');

/** 旧工商注册号 of 15 digits, ISO 7064 MOD 11,10. */
export function checkLegacyRegistration(text: string): IdentifierCheck {
  if (!/^[0-9]{15}$/.test(text)) return REGISTRATION_FORM;
  let product = 10;
  for (let i = 0; i < 14; i++) {
    const sum = (product + Number(text.charAt(i))) % 10 || 10;
    product = (sum * 2) % 11;
  }
  return (product + Number(text.charAt(14))) % 10 === 1 ? OK : REGISTRATION_CHECK;
}

const REGION_FORM = bad(
  '行政区划代码应为6位数字，前2位为省级代码',
  'a region code has six digits, the first two of a province',
);
/** Province-level codes of GB/T 2260, with 100000 for the centre. */
const PROVINCE = /^(10|1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|81|82)[0-9]{4}$/;

/** 行政区划代码: the shape of GB/T 2260. Which codes are in force is data with dates, not a check. */
export function checkRegionCode(text: string): IdentifierCheck {
  return PROVINCE.test(text) ? OK : REGION_FORM;
}
