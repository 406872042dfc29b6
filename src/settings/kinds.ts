import type { HolidayArrangement } from '../calendar/holidays.ts';
import type { SettingRow } from '../storage/settings.ts';
import type { CalendarYear, DeadlineOverride, LoadedFigure, StoredDeadline } from './records.ts';

/** The kinds of table `setting`: what their ids and values are, and how many there may be. */
export const KINDS = {
  /** By the year; {@link HolidayArrangement}. */
  year: { max: 100 },
  /** By a name of the operator's choice; {@link DeadlineOverride}. */
  deadline: { max: 1_000 },
  /** By the region; {@link LoadedFigure}s. */
  figures: { max: 5_000 },
} as const;

export type SettingKind = keyof typeof KINDS;

export function yearOfRow({ id, value, setAt }: SettingRow): CalendarYear {
  return { year: Number(id), ...(value as HolidayArrangement), shipped: false, setAt };
}

export function deadlineOfRow({ id, value, setAt }: SettingRow): StoredDeadline {
  return { id, ...(value as DeadlineOverride), setAt };
}

export function figuresOfRow({ value }: SettingRow): readonly LoadedFigure[] {
  return value as readonly LoadedFigure[];
}
