import { checkHolidayYear, type HolidayYear } from '../calendar/holidays.ts';
import { finding, notFound, type Outcome, refuseIfAny } from '../identity/change.ts';
import { yearOfRow } from './kinds.ts';
import { type PutSettingContext, putSetting, takeBackSetting } from './put-setting.ts';
import type { CalendarYear } from './records.ts';
import type { DatabaseSettings } from './settings.ts';

export interface ReadSettingsContext {
  readonly settings: Pick<DatabaseSettings, 'all' | 'shipped'>;
}

/** Sets a year of the working calendar, in place of the shipped one. */
export async function putCalendarYear(ctx: PutSettingContext, input: HolidayYear): Promise<Outcome<CalendarYear>> {
  refuseIfAny(checkHolidayYear(input).map(({ pointer, message }) => finding(pointer, 'calendar', message)));
  const { year, ...arrangement } = input;
  const { created, resource } = await putSetting(ctx, { kind: 'year', id: String(year) }, arrangement);
  return { created, resource: yearOfRow(resource) };
}

/** From then on the shipped year counts again, if there is one. */
export async function deleteCalendarYear(ctx: PutSettingContext, year: number): Promise<void> {
  await takeBackSetting(ctx, { kind: 'year', id: String(year) });
}

/** The years whose arrangement is known, earliest first. */
export function listCalendarYears({ settings }: ReadSettingsContext): CalendarYear[] {
  const loaded = settings.all('year');
  const shipped = settings.shipped.filter(({ year }) => !loaded.has(String(year)));
  return [...[...loaded.values()].map(yearOfRow), ...shipped.map((year) => ({ ...year, shipped: true }))].sort(
    (a, b) => a.year - b.year,
  );
}

export function readCalendarYear(ctx: ReadSettingsContext, year: number): CalendarYear {
  const found = listCalendarYears(ctx).find((each) => each.year === year);
  if (found === undefined)
    throw notFound(
      '该年的放假安排尚未载入；工作日按星期一至星期五推算，据此算出的期限为预估。',
      'The arrangement of that year is not loaded: Mondays to Fridays are taken as worked, and what is computed from it is an estimate.',
    );
  return found;
}
