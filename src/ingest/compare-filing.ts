import { explain } from '../domain/explanations.ts';
import type { FilingPayload, Period } from '../domain/filing.ts';
import type { Catalogue, FilingType, OtherFiling } from '../domain/filing-type.ts';
import { doTile, periodBefore, periodYearBefore } from '../domain/period-kinds.ts';
import type { Settings } from '../settings/records.ts';
import type { Violation } from '../std/errors.ts';
import { checkEarlierPeriod } from './earlier-period.ts';
import { type StandingContext, standingPayloads } from './standing.ts';

export interface CompareContext extends StandingContext {
  readonly catalogue: () => Catalogue;
  readonly settings: Settings;
}

/** Kept with a filing; nobody reads more. */
const MAX_FINDINGS = 100;

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
 * @param version that it was accepted under; undefined: as it says itself
 * @param region of the office that it is filed with
 */
export async function compareFiling(
  ctx: CompareContext,
  payload: FilingPayload,
  version: string | undefined,
  region: string | undefined,
): Promise<readonly Violation[]> {
  const type = ctx.catalogue().types.get(payload.type);
  const form = type?.resolve(version, payload.period);
  if (type === undefined || form === undefined || payload.kind === 'void') return [];
  const findings: Violation[] = [];
  const wanted = Object.entries(form.ruleSet.others);
  const others = await findAllOthers(ctx, payload, type, wanted);
  // Mostly the period before stands and has just been read: then nothing more need be asked about it.
  const isFiledBefore = wanted.some(
    ([name, { type, period }]) => type === payload.type && period === 'previous' && others.has(name),
  );
  if (type.metadata.earlierPeriod === 'warning' && !isFiledBefore)
    findings.push(...(await checkEarlierPeriod(ctx, payload, type, 'warning')));
  if (wanted.length > 0)
    findings.push(...form.compare(payload, others, ctx.settings.figures(region, payload.period.to)));
  // A rule that cannot be evaluated says so as an error; the filing stands, so here it is one more warning.
  const warnings = findings.slice(0, MAX_FINDINGS).map((each) => ({ ...each, severity: 'warning' as const }));
  return explain(warnings, payload.explanations);
}

/** Several names may stand for the same filing, of which rules read different elements: it is read once. */
async function findAllOthers(
  ctx: CompareContext,
  payload: FilingPayload,
  type: FilingType,
  wanted: readonly (readonly [string, OtherFiling])[],
): Promise<Map<string, readonly FilingPayload[]>> {
  const read = new Map<string, readonly FilingPayload[]>();
  const others = new Map<string, readonly FilingPayload[]>();
  for (const [name, other] of wanted) {
    const which = JSON.stringify([other.type, other.period, other.reference]);
    const found = read.get(which) ?? (await findOthers(ctx, payload, type, other));
    read.set(which, found);
    if (found.length > 0) others.set(name, found);
  }
  return others;
}

async function findOthers(
  ctx: CompareContext,
  payload: FilingPayload,
  { metadata }: FilingType,
  other: OtherFiling,
): Promise<FilingPayload[]> {
  const { filer, period } = payload;
  const who = { filer, type: other.type };
  if (other.reference !== undefined) return await findByReference(ctx, payload, other.type, other.reference);
  if (other.period === 'within') return await findWithin(ctx, who, period, metadata.type);
  const wanted = {
    previous: () => periodBefore(metadata.periods, period),
    'year-before': () => periodYearBefore(metadata.periods, period),
    same: () => period,
  }[other.period ?? 'same']();
  if (wanted === undefined) return [];
  return (await standingPayloads(ctx, { ...who, ...wanted, reach: 'exactly', limit: 1 })).map((each) => each.payload);
}

/** Days of a year, and some more than fill it. */
const MAX_WITHIN = 400;

/** All of them or none: a sum over some would be a wrong figure. */
async function findWithin(
  ctx: CompareContext,
  who: { readonly filer: string; readonly type: string },
  period: Period,
  ownType: string,
): Promise<FilingPayload[]> {
  const found = (await standingPayloads(ctx, { ...who, ...period, limit: MAX_WITHIN })).map((each) => each.payload);
  const isItself = (each: FilingPayload): boolean =>
    ownType === who.type && each.period.from === period.from && each.period.to === period.to;
  const parts = found.filter((each) => !isItself(each));
  const periods = parts.map((each) => each.period);
  return doTile(periods, period) ? parts : [];
}

/** How long before and after a filing the one may be dated whose document number it names. */
const REFERENCE_YEARS = { before: 10, after: 1 };

async function findByReference(
  ctx: CompareContext,
  { filer, period, data }: FilingPayload,
  type: string,
  path: string,
): Promise<FilingPayload[]> {
  let value: unknown = data;
  for (const name of path.split('.'))
    value = typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
  if (typeof value !== 'string') return [];
  const year = Number(period.to.slice(0, 4));
  const from = `${year - REFERENCE_YEARS.before}-01-01`;
  const to = `${year + REFERENCE_YEARS.after}-12-31`;
  const found = await standingPayloads(ctx, { filer, type, from, to, reference: value, limit: 1 });
  return found.map((each) => each.payload);
}
