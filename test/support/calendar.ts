import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { readHolidayFiles } from '../../src/calendar/holiday-files.ts';
import { workCalendar } from '../../src/calendar/working-days.ts';
import { DeadlineTable } from '../../src/settings/deadline-table.ts';
import type { Settings, StoredDeadline } from '../../src/settings/records.ts';

const folder = fileURLToPath(new URL('../../schemas', import.meta.url));
const texts = [2024, 2025, 2026].map((year) => {
  const file = `calendar/${year}.json`;
  return [file, readFileSync(path.join(folder, file), 'utf8')] as const;
});

export const { years: SHIPPED_YEARS } = readHolidayFiles(new Map(texts));
export const SHIPPED_CALENDAR = workCalendar(SHIPPED_YEARS);

/** The shipped calendar, no figures, and these deadlines in place of the types' own. */
export function settingsWith(overrides: readonly StoredDeadline[] = []): Settings {
  const table = new DeadlineTable(SHIPPED_CALENDAR, overrides);
  return {
    figures: () => undefined,
    due: (type, region, period) => table.due(type, region, period),
    isLate: (type, region, period, receivedAtEpochMs) => table.isLate(type, region, period, receivedAtEpochMs),
  };
}
