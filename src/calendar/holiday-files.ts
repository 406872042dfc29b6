import type { Problem } from '../domain/catalogue.ts';
import { type JsonDocument, JsonSyntaxError, parseJsonDocument } from '../domain/json-document.ts';
import { newAjv } from '../domain/schema-compile.ts';
import type { Text } from '../std/text.ts';
import { checkHolidayYear, FIRST_YEAR, type HolidayArrangement, type HolidayYear, LAST_YEAR } from './holidays.ts';

export interface HolidayFiles {
  /** Those that nothing is wrong with, earliest first. */
  readonly years: readonly HolidayYear[];
  readonly problems: readonly Problem[];
}

const FOLDER = 'calendar/';
const YEAR_FILE = /^calendar\/(20\d\d)\.json$/;
const days = { type: 'array', items: { type: 'string' } };

let shape: ReturnType<ReturnType<typeof newAjv>['compile']> | undefined;

/** Made when it is first used: a start that finds no such file does without. */
function matchesShape(value: unknown): value is HolidayArrangement {
  shape ??= newAjv().compile({
    type: 'object',
    properties: {
      notice: { type: 'string', minLength: 1 },
      verified: { type: 'boolean' },
      off: days,
      work: days,
      taxDue: days,
    },
    required: ['notice', 'verified', 'off', 'work'],
    additionalProperties: false,
  });
  return shape(value) === true;
}

/** The years of `schemas/calendar/<year>.json` among the texts of `schemas/`, by path relative to it. */
export function readHolidayFiles(files: ReadonlyMap<string, string>): HolidayFiles {
  const years: HolidayYear[] = [];
  const problems: Problem[] = [];
  for (const [file, text] of files) {
    if (!file.startsWith(FOLDER)) continue;
    const year = yearOf(file, text);
    if ('problems' in year) problems.push(...year.problems);
    else years.push(year);
  }
  return { years: years.sort((a, b) => a.year - b.year), problems };
}

function yearOf(file: string, text: string): HolidayYear | { readonly problems: readonly Problem[] } {
  const year = Number(YEAR_FILE.exec(file)?.[1]);
  if (!(year >= FIRST_YEAR && year <= LAST_YEAR))
    return { problems: [problem(file, 1, { zh: '文件名应为<年份>.json', en: 'a file here is named <year>.json' })] };
  let document: JsonDocument;
  try {
    document = parseJsonDocument(file, text);
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    return {
      problems: [problem(file, error.line, { zh: `不是 JSON：${error.message}`, en: `not JSON: ${error.message}` })],
    };
  }
  const { value } = document;
  const faults = matchesShape(value)
    ? checkHolidayYear({ ...value, year })
    : (shape?.errors ?? []).map(({ instancePath: pointer, message = '' }) => ({
        pointer,
        message: { zh: message, en: message },
      }));
  if (faults.length === 0) return { ...(value as HolidayArrangement), year };
  return {
    problems: faults.map(({ pointer, message }) =>
      problem(file, document.lineOf(pointer), {
        zh: pointer === '' ? message.zh : `${pointer}：${message.zh}`,
        en: pointer === '' ? message.en : `${pointer}: ${message.en}`,
      }),
    ),
  };
}

function problem(file: string, line: number, { zh, en }: Text): Problem {
  return { file, line, message: { zh: `工作日历有误：${zh}`, en } };
}
