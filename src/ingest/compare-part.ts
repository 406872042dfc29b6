import { setImmediate } from 'node:timers/promises';
import { filingId } from '../domain/filing.ts';
import { periodAfter } from '../domain/period-kinds.ts';
import type { Clock } from '../std/clock.ts';
import type { TransactionSql } from '../storage/db.ts';
import {
  type ComparableFiling,
  type Found,
  insertFindings,
  lockFindings,
  replaceFindings,
  unlockFindings,
} from '../storage/findings.ts';
import type { FilingPosition, StandingRow } from '../storage/standing.ts';
import {
  type CompareContext,
  type ComparisonPlan,
  judge,
  looksBack,
  othersOf,
  planComparisons,
  takeWithin,
} from './compare-filing.ts';
import { findStanding, loadPayloads, payloadIn, type StandingQuery } from './standing.ts';

// Filings that follow one another in an office's log are compared together: each step is one statement for all of them.
//
// Two kinds of findings are stored. Those of the entries themselves: one process at a time has the log's lock. And those of
// what was filed before an entry for the period after it; that may stand in any log, and be the next of entries in several, so
// that two processes may be at it. Its findings are therefore locked before anything is read for it: who comes second has read later.

/** Of rules at one go. */
const TURN_MS = 5;

export interface PartContext extends Omit<CompareContext, 'sql'> {
  readonly sql: TransactionSql;
  readonly clock: Clock;
}

/** A filing whose rules could not be evaluated: it is passed over. */
export interface Fault {
  readonly filing: string;
  readonly error: unknown;
}

export interface ComparedPart {
  /** How many of the entries were compared, from the first on; at least one. */
  readonly taken: number;
  /** Findings of these entries. */
  readonly found: number;
  readonly faults: readonly Fault[];
}

/** An entry, and what stands for the period after its own and has been compared without it, or with what it supersedes. */
interface Step {
  readonly entry: ComparableFiling;
  readonly after: StandingRow | undefined;
}

/**
 * Compares entries of an office's log with the filers' other filings and stores what that finds. The contents that it takes
 * come to no more than `bytes`, and those of the others to no more: what is beyond is left for the next part.
 * @param region of the office
 */
export async function comparePart(
  ctx: PartContext,
  entries: readonly ComparableFiling[],
  { region, bytes }: { readonly region: string; readonly bytes: number },
): Promise<ComparedPart> {
  const steps = takeWithin(
    await stepsOf(ctx, entries),
    bytes,
    ({ entry, after }) => entry.bytes + (after === undefined ? 0 : after.bytes),
  );
  const after = byId(steps.flatMap((step) => step.after ?? []));
  if (after.size > 0) await lockFindings(ctx.sql, [...after.values()], ctx.clock.now());
  const plans = await plansOf(ctx, steps, region);
  const bytesOf = (filing: FilingPosition | undefined): number =>
    filing === undefined ? 0 : (plans.get(idOf(filing))?.bytes ?? 0);
  const taken = takeWithin(steps, bytes, ({ entry, after }) => bytesOf(entry) + bytesOf(after));
  const own = byId(taken.map(({ entry }) => entry));
  const anew = byId(taken.flatMap(({ after }) => after ?? []));
  const { found, faults } = await judgeAll(ctx, new Map<string, FilingPosition>([...own, ...anew]), plans);
  await store(ctx, found, anew);
  const stored = new Set(found.map(idOf));
  const unused = [...after.values()].filter((each) => !stored.has(idOf(each)));
  if (unused.length > 0) await unlockFindings(ctx.sql, unused);
  const count = found.reduce((sum, each) => sum + (own.has(idOf(each)) ? each.findings.length : 0), 0);
  return { taken: taken.length, found: count, faults };
}

/**
 * What stands for the period after and came into the same log later needs no second look: whoever has seen it when he
 * looked at others of its filer has seen the entry too, which was there before.
 */
async function stepsOf(ctx: PartContext, entries: readonly ComparableFiling[]): Promise<Step[]> {
  const queries = entries.map((entry) => queryAfter(ctx, entry));
  const rows = (
    await findStanding(
      ctx,
      queries.flatMap((query) => query ?? []),
    )
  ).values();
  return entries.map((entry, i) => {
    const after = queries[i] && rows.next().value?.[0];
    const isSeen = after !== undefined && after.office === entry.office && after.index > entry.index;
    return { entry, after: isSeen ? undefined : after };
  });
}

function queryAfter(ctx: PartContext, { filer, type: name, period }: ComparableFiling): StandingQuery | undefined {
  const type = ctx.catalogue().types.get(name);
  if (type === undefined || !looksBack(type)) return undefined;
  const after = periodAfter(type.metadata.periods, period);
  return after && { filer, type: name, ...after, reach: 'exactly', limit: 1 };
}

async function plansOf(ctx: PartContext, steps: readonly Step[], region: string): Promise<Map<string, ComparisonPlan>> {
  const filings = byId<FilingPosition & { readonly version: string }>(
    steps.flatMap(({ entry, after }) => (after === undefined ? [entry] : [entry, after])),
  );
  const regions = new Map<string, string | undefined>(steps.map(({ entry }) => [entry.office, region]));
  for (const { office } of filings.values())
    if (!regions.has(office)) regions.set(office, (await ctx.directory.office(office))?.region);
  const payloads = await loadPayloads(ctx.sql, [...filings.values()]);
  const comparands = [...filings.values()].map((filing) => ({
    payload: payloadIn(payloads, filing),
    version: filing.version,
    region: regions.get(filing.office),
  }));
  const plans = await planComparisons(ctx, comparands);
  return new Map([...filings.keys()].flatMap((id, i) => (plans[i] === undefined ? [] : [[id, plans[i]] as const])));
}

/** The contents of the others are held here only. */
async function judgeAll(
  ctx: PartContext,
  filings: ReadonlyMap<string, FilingPosition>,
  plans: ReadonlyMap<string, ComparisonPlan>,
): Promise<{ readonly found: Found[]; readonly faults: Fault[] }> {
  const planned = [...filings].flatMap(([id, filing]) => {
    const plan = plans.get(id);
    return plan === undefined ? [] : [{ id, filing, plan }];
  });
  const others = await loadPayloads(
    ctx.sql,
    planned.flatMap(({ plan }) => othersOf(plan)),
  );
  const found: Found[] = [];
  const faults: Fault[] = [];
  let turnBegan = ctx.clock.monotonic();
  for (const { id, filing, plan } of planned) {
    if (ctx.clock.monotonic() - turnBegan > TURN_MS) {
      await setImmediate(); // what waits for an answer comes between
      turnBegan = ctx.clock.monotonic();
    }
    try {
      const { lane, office, index } = filing;
      found.push({ lane, office, index, findings: judge(ctx, plan, others) });
    } catch (error) {
      faults.push({ filing: id, error });
    }
  }
  return { found, faults };
}

async function store(ctx: PartContext, found: readonly Found[], anew: ReadonlyMap<string, unknown>): Promise<void> {
  const isAnew = (each: Found): boolean => anew.has(idOf(each));
  const again = found.filter(isAnew);
  const first = found.filter((each) => !isAnew(each) && each.findings.length > 0);
  const at = ctx.clock.now();
  if (again.length > 0) await replaceFindings(ctx.sql, again, at);
  if (first.length > 0) await insertFindings(ctx.sql, first, at);
}

function byId<T extends FilingPosition>(filings: readonly T[]): Map<string, T> {
  return new Map(filings.map((filing) => [idOf(filing), filing]));
}

function idOf({ office, index }: FilingPosition): string {
  return filingId(office, index);
}
