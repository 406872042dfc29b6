import type { DueDate } from '../calendar/deadlines.ts';
import type { Period } from '../domain/filing.ts';
import type { Figures, FilingTypeMetadata } from '../domain/filing-type.ts';
import type { PlainDate } from '../std/clock.ts';

/** What operators have set, as the other parts ask for it: from memory, without waiting. */
export interface Settings {
  /**
   * Figures of a region on a date: its own, else those of the city or the province that it is in, else those of the country
   * (`000000`). Undefined when nothing is loaded for any of them, so that the usual case costs nothing.
   * @param region six digits (GB/T 2260); undefined: only the country's
   */
  figures(region: string | undefined, date: PlainDate): Figures | undefined;
  /** The last day on which a filing of the type is in time in a region; undefined: there is no deadline. */
  due(type: FilingTypeMetadata, region: string | undefined, period: Period): DueDate | undefined;
  /** Whether a filing that had arrived whole at an instant was late. */
  isLate(type: FilingTypeMetadata, region: string | undefined, period: Period, receivedAtEpochMs: number): boolean;
}
