import { explain } from '../domain/explanations.ts';
import type { FilingPayload, Period } from '../domain/filing.ts';
import type { Catalogue, FilingType, FilingTypeVersion, OtherFiling } from '../domain/filing-type.ts';
import { doTile, periodBefore, periodYearBefore } from '../domain/period-kinds.ts';
import type { Settings } from '../settings/records.ts';
import type { Violation } from '../std/errors.ts';
import type { StandingRow } from '../storage/standing.ts';
import { checkEarlierPeriods } from './earlier-period.ts';
import {
  findStanding,
  loadPayloads,
  type Payloads,
  payloadIn,
  type StandingContext,
  type StandingQuery,
} from './standing.ts';

// A filing beside the filer's other filings, in three steps that many filings take together: which others (`planComparisons`,
// by rows alone), their contents (`loadPayloads`), and what the rules say of them (`judge`).

export interface CompareContext extends StandingContext {
  readonly catalogue: () => Catalogue;
  readonly settings: Settings;
}

/** A filing that is to be compared. */
export interface Comparand {
  readonly payload: FilingPayload;
  /** That it was accepted under; undefined: as it says itself. */
  readonly version: string | undefined;
  /** Of the office that it is filed with. */
  readonly region: string | undefined;
}

/** What a filing is to be compared with. */
export interface ComparisonPlan extends Comparand {
  /** Undefined: it is compared with nothing. */
  readonly form: FilingTypeVersion | undefined;
  /** By the names that rules read them by: only what stands. */
  readonly others: ReadonlyMap<string, readonly StandingRow[]>;
  /** What is known without their contents. */
  readonly findings: readonly Violation[];
  /** Of the contents of the others. */
  readonly bytes: number;
}

/** Kept with a filing; nobody reads more. */
const MAX_FINDINGS = 100;
/** Of contents that one name stands for; the largest filing may have more alone. The older ones beyond are left out. */
const MAX_BYTES = 48 * 1024 * 1024;

/** Whether filings of a type are looked at beside others once they are accepted. */
export function isCompared(type: FilingType | undefined): boolean {
  if (type === undefined) return false;
  if (type.metadata.earlierPeriod === 'warning') return true;
  for (const { ruleSet } of type.versions.values()) if (Object.keys(ruleSet.others).length > 0) return true;
  return false;
}

/** Whether a filing of a type says something of the type's filing for the period before. */
export function looksBack({ metadata, versions }: FilingType): boolean {
  if (metadata.earlierPeriod === 'warning') return true;
  for (const { ruleSet } of versions.values())
    if (Object.values(ruleSet.others).some((other) => other.period === 'previous' && other.type === metadata.type))
      return true;
  return false;
}

/**
 * What a filing looks like beside the filer's other filings: that nothing stands for the period before, then the rules
 * that read others. Warnings only, with the filer's explanations.
 */
export async function compareFiling(ctx: CompareContext, comparand: Comparand): Promise<readonly Violation[]> {
  const plans = await planComparisons(ctx, [comparand]);
  const payloads = await loadPayloads(ctx.sql, plans.flatMap(othersOf));
  return plans.flatMap((plan) => judge(ctx, plan, payloads));
}

/** The filings whose contents a plan needs. */
export function othersOf({ others }: ComparisonPlan): StandingRow[] {
  return [...others.values()].flat();
}

/** What each filing is to be compared with: two statements, however many filings there are. */
export async function planComparisons(
  ctx: CompareContext,
  comparands: readonly Comparand[],
): Promise<ComparisonPlan[]> {
  const drafts = comparands.map((comparand) => draftFor(ctx, comparand));
  const rows = (
    await findStanding(
      ctx,
      drafts.flatMap(({ lookups }) => lookups.map(({ query }) => query)),
    )
  ).values();
  const found = drafts.map(({ lookups }) =>
    lookups.map((lookup) => ({ ...lookup, rows: lookup.choose(rows.next().value ?? []) })),
  );
  const successors = drafts.flatMap(({ payload, type }, i) => {
    if (type?.metadata.earlierPeriod !== 'warning') return [];
    // Mostly the period before stands and has just been found: then nothing more need be asked about it.
    const isFiledBefore = found[i]?.some(({ isBefore, rows: { length } }) => isBefore && length > 0);
    return isFiledBefore ? [] : [{ payload, type, i }];
  });
  const missing = await checkEarlierPeriods(ctx, successors, 'warning');
  const missingOf = new Map(successors.map(({ i }, n) => [i, missing[n] ?? []]));
  return drafts.map(({ payload, version, region, form }, i) => {
    const others = found[i]?.filter((each) => each.rows.length > 0) ?? [];
    return {
      payload,
      version,
      region,
      form,
      others: new Map(others.flatMap(({ names, rows }) => names.map((name) => [name, rows] as const))),
      findings: missingOf.get(i) ?? [],
      bytes: others.reduce((sum, { rows }) => sum + bytesOf(rows), 0),
    };
  });
}

/**
 * What the rules say of a filing beside others.
 * @param payloads those of {@link othersOf}
 */
export function judge({ settings }: CompareContext, plan: ComparisonPlan, payloads: Payloads): readonly Violation[] {
  const { form, payload, region } = plan;
  if (form === undefined) return [];
  const findings = [...plan.findings];
  if (Object.keys(form.ruleSet.others).length > 0) {
    const others = new Map<string, readonly FilingPayload[]>();
    for (const [name, rows] of plan.others)
      others.set(
        name,
        rows.map((row) => payloadIn(payloads, row)),
      );
    findings.push(...form.compare(payload, others, settings.figures(region, payload.period.to)));
  }
  // A rule that cannot be evaluated says so as an error; the filing stands, so here it is one more warning.
  const warnings = findings.slice(0, MAX_FINDINGS).map((each) => ({ ...each, severity: 'warning' as const }));
  return explain(warnings, payload.explanations);
}

/** As many from the first on as come to no more than `limit` together, but at least one. */
export function takeWithin<T>(items: readonly T[], limit: number, weigh: (item: T) => number): T[] {
  let sum = 0;
  const end = items.findIndex((item, i) => {
    sum += weigh(item);
    return i > 0 && sum > limit;
  });
  return items.slice(0, end < 0 ? items.length : end);
}

interface Draft extends Comparand {
  readonly type: FilingType | undefined;
  readonly form: FilingTypeVersion | undefined;
  readonly lookups: readonly Lookup[];
}

/** Several names may stand for the same filing, of which rules read different elements: it is looked up once. */
interface Lookup {
  readonly names: string[];
  readonly query: StandingQuery;
  /** Whether it is for the same type's filing for the period before. */
  readonly isBefore: boolean;
  readonly choose: (rows: readonly StandingRow[]) => readonly StandingRow[];
}

function draftFor(ctx: CompareContext, comparand: Comparand): Draft {
  const { payload, version } = comparand;
  const type = ctx.catalogue().types.get(payload.type);
  const form = type?.resolve(version, payload.period);
  if (type === undefined || form === undefined || payload.kind === 'void')
    return { ...comparand, type: undefined, form: undefined, lookups: [] };
  const lookups = new Map<string, Lookup>();
  for (const [name, other] of Object.entries(form.ruleSet.others)) {
    const which = JSON.stringify([other.type, other.period, other.reference]);
    const lookup = lookups.get(which) ?? lookupFor(payload, type, other);
    if (lookup === undefined) continue;
    lookup.names.push(name);
    lookups.set(which, lookup);
  }
  return { ...comparand, type, form, lookups: [...lookups.values()] };
}

function lookupFor(payload: FilingPayload, { metadata }: FilingType, other: OtherFiling): Lookup | undefined {
  const query = queryFor(payload, metadata.periods, other);
  if (query === undefined) return undefined;
  const isOwnType = other.type === payload.type;
  const isWithin = other.reference === undefined && other.period === 'within';
  return {
    names: [],
    query,
    isBefore: isOwnType && other.period === 'previous',
    choose: (rows) => {
      const held = takeWithin(rows, MAX_BYTES, ({ bytes }) => bytes);
      return isWithin ? partsOf(payload.period, held, isOwnType) : held;
    },
  };
}

/** Days of a year, and some more than fill it. */
const MAX_WITHIN = 400;

function queryFor(
  payload: FilingPayload,
  periods: FilingType['metadata']['periods'],
  { type, period = 'same', reference }: OtherFiling,
): StandingQuery | undefined {
  const { filer, period: own } = payload;
  if (reference !== undefined) return referenceQuery(payload, type, reference);
  if (period === 'within') return { filer, type, ...own, limit: MAX_WITHIN };
  const wanted = {
    previous: () => periodBefore(periods, own),
    'year-before': () => periodYearBefore(periods, own),
    same: () => own,
  }[period]();
  return wanted && { filer, type, ...wanted, reach: 'exactly', limit: 1 };
}

/** All of them or none: a sum over some would be a wrong figure. */
function partsOf(period: Period, rows: readonly StandingRow[], isOwnType: boolean): readonly StandingRow[] {
  const isItself = (row: StandingRow): boolean =>
    isOwnType && row.period.from === period.from && row.period.to === period.to;
  const parts = rows.filter((row) => !isItself(row));
  const periods = parts.map((row) => row.period);
  return doTile(periods, period) ? parts : [];
}

/** How long before and after a filing the one may be dated whose document number it names. */
const REFERENCE_YEARS = { before: 10, after: 1 };

function referenceQuery({ filer, period, data }: FilingPayload, type: string, path: string): StandingQuery | undefined {
  let value: unknown = data;
  for (const name of path.split('.'))
    value = typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
  if (typeof value !== 'string') return undefined;
  const year = Number(period.to.slice(0, 4));
  const from = `${year - REFERENCE_YEARS.before}-01-01`;
  const to = `${year + REFERENCE_YEARS.after}-12-31`;
  return { filer, type, from, to, reference: value, limit: 1 };
}

function bytesOf(rows: readonly StandingRow[]): number {
  return rows.reduce((sum, { bytes }) => sum + bytes, 0);
}
