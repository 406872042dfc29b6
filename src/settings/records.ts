import type { DueDate } from '../calendar/deadlines.ts';
import type { HolidayArrangement } from '../calendar/holidays.ts';
import type { Period } from '../domain/filing.ts';
import type { DeadlineRule, Figures, FilingTypeMetadata } from '../domain/filing-type.ts';
import type { PlainDate } from '../std/clock.ts';
import type { Text } from '../std/text.ts';

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

/** A year of the working calendar. */
export interface CalendarYear extends HolidayArrangement {
  readonly year: number;
  /** False when an operator has set it, in place of what may be shipped. */
  readonly shipped: boolean;
  /** When the operator did. */
  readonly setAt?: string;
}

/** A deadline that an operator sets in place of the types' own: for a region, for some periods, or for good. */
export interface DeadlineOverride {
  /** Filing types, or groups of them: `tax.vat.general`, `tax.*`, `*`. */
  readonly types: readonly string[];
  /** Six digits (GB/T 2260); it counts for all that lies in it. Absent: the whole country. */
  readonly region?: string;
  /** For periods that end on one of these days. Absent: all. */
  readonly periods?: { readonly from: PlainDate; readonly to: PlainDate };
  /** Exactly one of the two. */
  readonly rule?: DeadlineRule;
  readonly dueDate?: PlainDate;
  readonly reason: Text;
}

export interface StoredDeadline extends DeadlineOverride {
  readonly id: string;
  readonly setAt: string;
}

/** A figure of a region between two days, both included. */
export interface LoadedFigure {
  /** As the rules of a filing type name it. */
  readonly name: string;
  readonly from: PlainDate;
  /** Absent: until further notice. */
  readonly to?: PlainDate;
  /** In the unit that the filing type gives: fen, basis points or a count. */
  readonly value: number;
  readonly source: string;
}
