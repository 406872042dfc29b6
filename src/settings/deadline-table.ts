import { type Deadline, type DueDate, deadline, deadlineOn } from '../calendar/deadlines.ts';
import type { WorkCalendar } from '../calendar/working-days.ts';
import type { Period } from '../domain/filing.ts';
import type { DeadlineRule, FilingTypeMetadata } from '../domain/filing-type.ts';
import { kindsOfPeriod } from '../domain/period-kinds.ts';
import { matchesType } from '../identity/mandates.ts';
import type { StoredDeadline } from './records.ts';
import { regionLevel, withinRegions } from './regions.ts';

/** By the last day of the period, which decides; by both days where the kind of period does too. null: never late. */
type Known = Map<string, Deadline | null>;

/** What was found out about one type. */
interface OfType {
  /** Those that name the type, the one that goes before the others first. */
  readonly overrides: readonly StoredDeadline[];
  readonly everywhere: Known;
  readonly byRegion: Map<string, Known>;
  /** Regions where the same overrides count share their deadlines: most counties have none of their own. */
  readonly byOverrides: Map<string, Known>;
}

/** In a month most filings of a type have the same period. China has about 3,000 counties. */
const MAX_DAYS = 1_000;
const MAX_REGIONS = 10_000;

/**
 * The deadlines under one calendar and one set of overrides. Immutable but for what it remembers: it is asked for every filing, and
 * working out a deadline takes a hundred times as long as finding it again.
 */
export class DeadlineTable {
  readonly #calendar: WorkCalendar;
  readonly #overrides: readonly StoredDeadline[];
  /** A reloaded catalogue has other types, and the old ones go. */
  readonly #types = new WeakMap<FilingTypeMetadata, OfType>();

  constructor(calendar: WorkCalendar, overrides: readonly StoredDeadline[]) {
    this.#calendar = calendar;
    this.#overrides = overrides;
  }

  /** See `Settings.due`. */
  due(type: FilingTypeMetadata, region: string | undefined, period: Period): DueDate | undefined {
    const found = this.#deadline(type, region, period);
    return found === undefined ? undefined : { date: found.date, estimated: found.estimated };
  }

  /** See `Settings.isLate`. */
  isLate(type: FilingTypeMetadata, region: string | undefined, period: Period, receivedAtEpochMs: number): boolean {
    const found = this.#deadline(type, region, period);
    return found !== undefined && receivedAtEpochMs >= found.lateFrom;
  }

  #deadline(type: FilingTypeMetadata, region: string | undefined, period: Period): Deadline | undefined {
    const ofType = this.#types.get(type) ?? this.#learn(type);
    const known =
      ofType.overrides.length === 0 || region === undefined
        ? ofType.everywhere
        : (ofType.byRegion.get(region) ?? learnRegion(ofType, region));
    const key = type.deadlines === undefined ? period.to : `${period.from}/${period.to}`;
    const found = known.get(key);
    if (found !== undefined) return found ?? undefined;
    const computed = this.#compute(type, ofType, region, period);
    if (known.size >= MAX_DAYS) known.clear();
    known.set(key, computed ?? null);
    return computed;
  }

  #learn(type: FilingTypeMetadata): OfType {
    const overrides = this.#overrides
      .filter((override) => precision(override, type.type) > 0)
      .sort((a, b) => precedence(a, b, type.type));
    const ofType = { overrides, everywhere: new Map(), byRegion: new Map(), byOverrides: new Map() };
    this.#types.set(type, ofType);
    return ofType;
  }

  #compute(type: FilingTypeMetadata, { overrides }: OfType, region: string | undefined, period: Period) {
    const override = overrides.find((each) => countsIn(each, region) && countsFor(each, period));
    if (override?.dueDate !== undefined) return deadlineOn(override.dueDate);
    return deadline(override?.rule ?? ownRule(type, period), period, this.#calendar);
  }
}

function ownRule({ deadline, deadlines, periods }: FilingTypeMetadata, period: Period): DeadlineRule {
  if (deadlines === undefined) return deadline;
  const kind = kindsOfPeriod(period).find((each) => periods.includes(each) && deadlines[each] !== undefined);
  return (kind && deadlines[kind]) ?? deadline;
}

function learnRegion({ overrides, byRegion, byOverrides }: OfType, region: string): Known {
  const here = overrides.filter((override) => countsIn(override, region));
  const names = here.map(({ id }) => id).join(' ');
  const known = byOverrides.get(names) ?? new Map();
  if (byRegion.size >= MAX_REGIONS) byRegion.clear();
  byOverrides.set(names, known);
  byRegion.set(region, known);
  return known;
}

function countsIn(override: StoredDeadline, region: string | undefined): boolean {
  if (override.region === undefined) return true;
  return region !== undefined && withinRegions(region).includes(override.region);
}

function countsFor({ periods }: StoredDeadline, { to }: Period): boolean {
  return periods === undefined || (periods.from <= to && to <= periods.to);
}

/** How closely an override names a type: 0 not at all, more the longer its pattern is, most by its very name. */
function precision({ types }: StoredDeadline, type: string): number {
  const lengths = types
    .filter((pattern) => matchesType(pattern, type))
    .map((pattern) => (pattern === type ? Number.MAX_SAFE_INTEGER : pattern.length));
  return Math.max(0, ...lengths);
}

/**
 * Which of two overrides goes before the other (negative: `a`), decided by the first of these that differs:
 * - the one that names the type more closely
 * - the one for the smaller region
 * - a date before a rule
 * - the one that was set later
 */
function precedence(a: StoredDeadline, b: StoredDeadline, type: string): number {
  return (
    precision(b, type) - precision(a, type) ||
    regionLevel(b.region) - regionLevel(a.region) ||
    Number(b.dueDate !== undefined) - Number(a.dueDate !== undefined) ||
    (a.setAt === b.setAt ? compareText(b.id, a.id) : compareText(b.setAt, a.setAt))
  );
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
