import type { Agency, Period } from '../domain/filing.ts';
import type { Catalogue, FilingType, ObligedPeriod, PeriodKind } from '../domain/filing-type.ts';
import { addDays, periodContaining } from '../domain/period-kinds.ts';
import type { Office, Party, Registration } from '../identity/records.ts';
import type { PlainDate } from '../std/clock.ts';

/** Periods that ended longer ago than this before the first due date that is asked for are not looked at. */
const DAYS_BEFORE = 430;
/** A deadline within its own period is as much as a month before the period's end. */
const DAYS_AFTER = 31;

/** A period for which a filer owes a filing, by one of several kinds of period. */
export interface Duty {
  readonly type: FilingType;
  readonly office: Office;
  readonly required: boolean;
  /** The kind that is owed first, then those that may take its place. */
  readonly kinds: readonly PeriodKind[];
  /** The longest of the kinds' periods; the others lie in it. */
  readonly span: Period;
}

export interface DutyQuery {
  readonly filer: Party;
  /** Where the filer is registered today, by agency; a deadline is that of the office's region. */
  readonly offices: ReadonlyMap<Agency, Office>;
  /** All offices of its registrations. */
  readonly officeOf: (code: string) => Office | undefined;
  readonly maySee: (type: string) => boolean;
  /** The last days of the spans, both included. */
  readonly from: PlainDate;
  readonly to: PlainDate;
}

/**
 * What a filer owes for spans that end within two days, oldest first: of every periodic type of an agency that it is registered
 * with today and was during the span, that suits its kind of taxpayer and was in force. Event types owe nothing.
 */
export function dutiesOf(catalogue: Catalogue, query: DutyQuery): Duty[] {
  const duties: Duty[] = [];
  for (const type of catalogue.types.values()) {
    const { metadata, isEvent } = type;
    const office = query.offices.get(metadata.agency);
    if (isEvent || office === undefined || !isOwedBy(type, query.filer) || !query.maySee(metadata.type)) continue;
    for (const obliged of metadata.obliged ?? [byDefault(metadata.periods)]) {
      const kinds = [obliged.period, ...(obliged.or ?? [])];
      for (const span of spans(longest(kinds), query.from, query.to)) {
        if (type.resolve(undefined, span) === undefined || !wasRegistered(query, metadata.agency, span)) continue;
        duties.push({ type, office, required: obliged.required ?? true, kinds, span });
      }
    }
  }
  return duties;
}

/** Ends of spans whose deadlines may lie within two days. */
export function spansDue(from: PlainDate, to: PlainDate): { readonly from: PlainDate; readonly to: PlainDate } {
  return { from: addDays(from, -DAYS_BEFORE), to: addDays(to, DAYS_AFTER) };
}

/** The periods of a kind within a span, oldest first. */
export function periodsIn(kind: PeriodKind, span: Period): Period[] {
  const periods: Period[] = [];
  for (let day = span.from; day <= span.to; ) {
    const period = periodContaining(kind, day);
    periods.push(period);
    day = addDays(period.to, 1);
  }
  return periods;
}

function byDefault([period = 'month', ...or]: readonly PeriodKind[]): ObligedPeriod {
  return or.length === 0 ? { period } : { period, or };
}

const DAYS: Readonly<Record<PeriodKind, number>> = {
  event: 0,
  day: 1,
  month: 31,
  quarter: 92,
  'half-year': 184,
  year: 366,
};

function longest(kinds: readonly PeriodKind[]): PeriodKind {
  return kinds.reduce((long, kind) => (DAYS[kind] > DAYS[long] ? kind : long));
}

function* spans(kind: PeriodKind, from: PlainDate, to: PlainDate): Generator<Period> {
  for (let day = from; day <= to; ) {
    const span = periodContaining(kind, day);
    if (span.to > to) return;
    yield span;
    day = addDays(span.to, 1);
  }
}

function isOwedBy({ metadata }: FilingType, { taxpayerKind }: Party): boolean {
  const kinds = metadata.filers?.taxpayerKinds;
  return kinds === undefined || (taxpayerKind !== undefined && kinds.includes(taxpayerKind));
}

function wasRegistered({ filer, officeOf }: DutyQuery, agency: Agency, span: Period): boolean {
  const isThen = ({ withdrawn, from, to, office }: Registration): boolean =>
    !withdrawn && from <= span.to && (to === undefined || to >= span.from) && officeOf(office)?.agency === agency;
  return filer.registrations.some(isThen);
}
