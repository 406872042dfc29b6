import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { readHolidayFiles } from '../../src/calendar/holiday-files.ts';
import { checkHolidayYear } from '../../src/calendar/holidays.ts';
import { SHIPPED_CALENDAR, SHIPPED_YEARS } from '../support/calendar.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const sound = { notice: '国办发明电', verified: true, off: ['01-01/01-03'], work: ['01-09'] };

function problemsOf(file: string, text: string): string[] {
  const { years, problems } = readHolidayFiles(new Map([[file, text]]));
  expect(years.length === 0).toBe(problems.length > 0);
  return problems.map(({ line, message }) => `${line} ${message.en}`);
}

/** One member a line: the line tells which member is meant. */
const lines = (year: object): string => JSON.stringify(year, undefined, 1);

describe('files of the calendar', () => {
  test('2024 to 2026 are shipped, verified, with their notices', () => {
    expect(SHIPPED_YEARS.map(({ year, verified }) => [year, verified])).toEqual([
      [2024, true],
      [2025, true],
      [2026, true],
    ]);
    for (const { notice } of SHIPPED_YEARS) expect(notice).toMatch(/国办发明电〔20\d\d〕\d+号/);
    expect([2023, 2024, 2026, 2027].map((year) => SHIPPED_CALENDAR.isVerified(year))).toEqual([
      false,
      true,
      true,
      false,
    ]);
  });

  test('files of filing types are not its matter', () => {
    expect(readHolidayFiles(new Map([['tax/stamp/type.json', '{']]))).toEqual({ years: [], problems: [] });
  });

  test.each([
    ['calendar/2027.json', '{\n"notice": 1,\n}', '3 not JSON: expected a member name'],
    ['calendar/27.json', '{}', '1 a file here is named <year>.json'],
    ['calendar/notes/2027.json', '{}', '1 a file here is named <year>.json'],
    ['calendar/2027.json', lines({ ...sound, verified: 'yes' }), '3 /verified: must be boolean'],
    ['calendar/2027.json', lines({ ...sound, holidays: [] }), '1 must NOT have additional properties'],
    ['calendar/2027.json', lines({ ...sound, work: undefined }), "1 must have required property 'work'"],
  ])('%s with %j', (file, text, problem) => expect(problemsOf(file, text)).toEqual([problem]));

  test('what is wrong with a date is told on its line', () => {
    const [found] = problemsOf('calendar/2027.json', lines({ ...sound, off: ['02-01', '02-29'] }));
    expect(found).toBe('6 /off/1: must be a date of the year as MM-DD, or MM-DD/MM-DD with the first day first');
  });

  test('schemas:check refuses a faulty year by file and line', () => {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'shenbao-calendar-'));
    try {
      cpSync(path.join(root, 'schemas/calendar'), path.join(folder, 'calendar'), { recursive: true });
      const check = (): { status: number | null; text: string } => {
        const args = ['--import', 'tsx', 'src/cli/schemas-check.ts', folder];
        const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
        return { status, text: stdout + stderr };
      };
      expect(check()).toMatchObject({ status: 0, text: expect.stringContaining('calendar 2026: 7 holidays') });
      writeFileSync(path.join(folder, 'calendar/2027.json'), lines({ ...sound, work: ['01-04'] }));
      const { status, text } = check();
      expect(status).toBe(1);
      expect(text).toContain('calendar/2027.json:8: /work/0: a day worked in exchange must be a Saturday or a Sunday');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

describe('a year', () => {
  const faults = (changes: object): string[] =>
    checkHolidayYear({ ...sound, year: 2027, ...changes }).map(({ pointer, message }) => `${pointer} ${message.en}`);
  const due = [
    '01-15',
    '02-15',
    '03-15',
    '04-15',
    '05-17',
    '06-15',
    '07-15',
    '08-16',
    '09-15',
    '10-22',
    '11-15',
    '12-15',
  ];

  test('that is right', () => {
    expect(faults({})).toEqual([]);
    expect(faults({ taxDue: due })).toEqual([]);
    expect(faults({ year: 2028, off: ['02-29'], work: [] })).toEqual([]);
  });

  test.each([
    [{ off: ['01-03/01-01'] }, '/off/0'],
    [{ off: ['13-01'] }, '/off/0'],
    [{ off: ['1-1'] }, '/off/0'],
    [{ off: ['01-01/01-02/01-03'] }, '/off/0'],
    [{ off: ['01-01/01-03', '01-03'] }, '/off/1'],
    [{ off: ['01-09/01-10'] }, '/work/0'],
    [{ off: ['02-01/06-01'] }, '/off'],
    [{ work: ['01-08'] }, '/work/0'],
    [{ work: ['01-09', '01-09'] }, '/work/1'],
    [{ work: ['02-30'] }, '/work/0'],
    [{ work: ['01-09/01-10'] }, '/work/0'],
    [{ taxDue: due.slice(1) }, '/taxDue'],
    [{ taxDue: due.with(1, '01-20') }, '/taxDue/1'],
    [{ taxDue: due.with(1, '02-29') }, '/taxDue/1'],
  ])('with %j is wrong at %s', (changes, pointer) => {
    expect(faults(changes).map((fault) => fault.split(' ')[0])).toEqual([pointer]);
  });

  test('tells all that is wrong at once', () => {
    expect(faults({ off: ['02-30'], work: ['01-08'], taxDue: [] })).toHaveLength(3);
  });
});
