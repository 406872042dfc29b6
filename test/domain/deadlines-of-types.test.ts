import { expect, test } from 'vitest';
import { parseJsonDocument } from '../../src/domain/json-document.ts';
import { readTypeFile } from '../../src/domain/type-file.ts';

const text = { zh: '甲', en: 'a' };
const sound = {
  type: 'tax.fs',
  agency: 'tax',
  title: text,
  description: text,
  periods: ['quarter', 'year'],
  deadline: { rule: 'tax-month' },
  kinds: { correction: true, void: true },
  notice: text,
  status: 'modelled',
  source: 'x',
  versions: [{ version: '2026-01', from: '2026-01-01' }],
};

function problemsOf(changes: object): string[] {
  const problems: string[] = [];
  const document = parseJsonDocument('type.json', JSON.stringify({ ...sound, ...changes }));
  readTypeFile(document, (pointer, message) => problems.push(`${pointer} ${message}`));
  return problems;
}

const year = { rule: 'after-period', months: 5, day: 31, roll: true };

test('a kind of period may have a deadline of its own', () => {
  expect(problemsOf({ deadlines: { year } })).toEqual([]);
});

test.each([
  [{ deadlines: { month: year } }, '/deadlines/month the type has no period month'],
  [{ deadlines: { year: { rule: 'after-event', days: 1 } } }, '/deadlines/year after-event is for event types'],
  [{ deadline: { rule: 'after-event', days: 1, hours: 1 } }, '/deadline exactly one of hours, days and workingDays'],
  [{ deadlines: {} }, '/deadlines minProperties: must NOT have fewer than 1 properties'],
  [{ deadlines: { year: { rule: 'soon' } } }, '/deadlines/year oneOf: must match exactly one schema in oneOf'],
])('%j is refused', (changes, problem) => expect(problemsOf(changes)).toContain(problem));
