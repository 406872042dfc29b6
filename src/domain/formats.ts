import { isPlainDate, parseInstant } from '../std/clock.ts';
import type { Text } from '../std/text.ts';
import { checkGtin13, checkPersonId, checkRegionCode, checkResidentId, checkUscc } from './identifiers.ts';

/** A `format` of the catalogue's schemas: a linear check and what a person is told when it fails. */
export interface Format {
  readonly validate: (text: string) => boolean;
  readonly expected: Text;
}

/** RFC 3339 with a zone, at most milliseconds, at most 30 characters. */
function isTime(text: string): boolean {
  return (
    text.length <= 30 && text.charAt(10) === 'T' && isPlainDate(text.slice(0, 10)) && parseInstant(text) !== undefined
  );
}

/** Printable text on one line: no control, format or separator characters, no blank at either end. */
function isLineOfText(text: string): boolean {
  return !/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u.test(text) && text.trim() === text && text !== '';
}

export const FORMATS: Readonly<Record<string, Format>> = {
  date: {
    validate: isPlainDate,
    expected: { zh: '应为存在的日期，格式 YYYY-MM-DD', en: 'must be an existing date, YYYY-MM-DD' },
  },
  'date-time': {
    validate: isTime,
    expected: {
      zh: '应为带时区的时间，例如 2026-10-01T14:30:00+08:00',
      en: 'must be a time with a zone, such as 2026-10-01T14:30:00+08:00',
    },
  },
  uscc: {
    validate: (text) => checkUscc(text).ok,
    expected: {
      zh: '不是有效的统一社会信用代码（校验位不符）',
      en: 'is not a valid unified social credit code (check digit)',
    },
  },
  'resident-id': {
    validate: (text) => checkResidentId(text).ok,
    expected: {
      zh: '不是有效的公民身份号码（校验位或日期不符）',
      en: 'is not a valid resident identity number (check digit or date)',
    },
  },
  'person-id': {
    validate: (text) => checkPersonId(text).ok,
    expected: {
      zh: '不是有效的18位证件号码（校验位或日期不符）',
      en: 'is not a valid 18-digit identity number (check digit or date)',
    },
  },
  'document-number': {
    validate: (text) => /^[0-9A-Z()/-]{4,30}$/.test(text),
    expected: {
      zh: '应为4至30位数字、大写字母或 - / ( )',
      en: 'must have 4 to 30 digits, capital letters or - / ( )',
    },
  },
  region: {
    validate: (text) => checkRegionCode(text).ok,
    expected: { zh: '应为6位行政区划代码', en: 'must be a six-digit administrative division code' },
  },
  gtin13: {
    validate: (text) => checkGtin13(text).ok,
    expected: { zh: '不是有效的商品条码（GTIN-13）', en: 'is not a valid GTIN-13' },
  },
  text: {
    validate: isLineOfText,
    expected: { zh: '应为一行可见文字，首尾无空格', en: 'must be one line of visible text without blanks at its ends' },
  },
};
