import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { DeadlineRule, FilingTypeMetadata } from '../../src/domain/filing-type.ts';
import { periodContaining } from '../../src/domain/period-kinds.ts';
import type { StoredDeadline } from '../../src/settings/records.ts';
import { settingsWith } from './calendar.ts';

/**
 * Prints as JSON what this process, in its time zone, takes for the deadlines of all shipped types, of rules that none of them has, and
 * of what an operator sets: the due date, and the first instant that is late.
 */

const schemas = fileURLToPath(new URL('../../schemas', import.meta.url));
const reason = { zh: '', en: '' };
const set: readonly StoredDeadline[] = [
  {
    id: 'province',
    types: ['test.set'],
    region: '350000',
    rule: { rule: 'after-period', months: 1, day: 1, roll: true },
    reason,
    setAt: '2026-01-01',
  },
  {
    id: 'extension',
    types: ['test.set'],
    region: '350100',
    periods: { from: '2025-12-31', to: '2025-12-31' },
    dueDate: '2026-01-31',
    reason,
    setAt: '2026-01-01',
  },
];
const settings = settingsWith(set);

function made(type: string, period: FilingTypeMetadata['periods'][number], deadline: DeadlineRule): FilingTypeMetadata {
  return { type, periods: [period], deadline } as unknown as FilingTypeMetadata;
}

const types = [
  ...readdirSync(schemas, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('type.json'))
    .map((file) => JSON.parse(readFileSync(`${schemas}/${file}`, 'utf8')) as FilingTypeMetadata),
  made('test.quarter', 'quarter', { rule: 'after-period', months: 1, day: 15, roll: true }),
  made('test.half', 'half-year', { rule: 'after-period', months: 2, day: 31, roll: true }),
  made('test.year', 'year', { rule: 'after-period', months: 5, day: 31, roll: true }),
  made('test.annual', 'year', { rule: 'after-period', months: 6, day: 30 }),
  made('test.hours', 'event', { rule: 'after-event', hours: 24 }),
  made('test.days', 'event', { rule: 'after-event', days: 30 }),
  made('test.working-days', 'event', { rule: 'after-event', workingDays: 10 }),
  made('test.set', 'month', { rule: 'tax-month' }),
];

/** A day in each month of two years, and the days on which years, leap days and holidays begin and end. */
const days = [
  ...Array.from({ length: 24 }, (_, i) => `${2025 + Math.floor(i / 12)}-${String((i % 12) + 1).padStart(2, '0')}-10`),
  ...['2024-02-28', '2024-02-29', '2025-12-31', '2026-01-01', '2026-02-14', '2026-09-30', '2026-12-31'],
];

/** The first millisecond that is late, found by halving between the day before the due date and two days after it. */
function lateFrom(type: FilingTypeMetadata, region: string, period: { from: string; to: string }, due: string): string {
  let inTime = Date.parse(`${due}T00:00:00Z`) - 86_400_000;
  let late = inTime + 3 * 86_400_000;
  while (late - inTime > 1) {
    const middle = Math.floor((inTime + late) / 2);
    if (settings.isLate(type, region, period, middle)) late = middle;
    else inTime = middle;
  }
  return new Date(late).toISOString();
}

const answers: Record<string, string> = {};
for (const type of types.sort((a, b) => (a.type < b.type ? -1 : 1))) {
  for (const kind of type.periods) {
    for (const day of days) {
      for (const region of type.type === 'test.set' ? ['350102', '350203', '110101'] : ['350102']) {
        const period = periodContaining(kind, day);
        const due = settings.due(type, region, period);
        const key = `${type.type} ${period.from}/${period.to} ${region}`;
        answers[key] =
          due === undefined
            ? 'none'
            : `${due.date}${due.estimated ? '?' : ''} ${lateFrom(type, region, period, due.date)}`;
      }
    }
  }
}

process.stdout.write(JSON.stringify({ zone: new Date(2026, 0, 1).getTimezoneOffset(), answers }));
