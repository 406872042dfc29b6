import { filingId, laneOf } from '../domain/filing.ts';
import { filingKey } from '../domain/filing-key.ts';
import type { FilingRecord } from '../domain/filing-record.ts';
import type { Clock } from '../std/clock.ts';
import type { Database } from '../storage/db.ts';
import { loadFilings, loadTicks } from '../storage/filing-lookup.ts';
import { findKeyed, type KeyedFiling } from '../storage/obligations.ts';
import type { FilingPosition } from '../storage/standing.ts';
import { Pool } from './pool.ts';
import { SignedTick } from './receipt.ts';
import { type FilingStatus, type FilingView, filingView } from './view.ts';

export interface OriginalsContext {
  readonly db: Database;
  readonly lanes: number;
  readonly env: string;
  readonly clock: Clock;
}

/** A filing that stands, and every office in whose log its successor could stand. */
export interface Wanted extends FilingPosition {
  readonly offices: readonly string[];
}

/** A filing as it was first answered, with the status that it has now. */
export interface Original {
  readonly record: FilingRecord;
  view(): FilingView;
}

export type Originals = Pool<Wanted, Original | undefined>;

/** As many as a tick has: these come when a tick has found them. */
const BOUNDS = {
  maxItems: 4_096,
  maxBytes: 1,
  maxTickItems: 256,
  maxTickBytes: Number.POSITIVE_INFINITY,
  maxWaitMs: 4_000,
};

/**
 * Looks up what is sent again. Whatever is asked for while a lookup is under way waits for the next one, so that a flood of
 * replays costs three statements for some hundred of them, and the tree of a tick once for all of its filings among them.
 */
export function originals(ctx: OriginalsContext): Originals {
  return new Pool({ ...BOUNDS, clock: ctx.clock, flush: (wanted: readonly Wanted[]) => loadOriginals(ctx, wanted) });
}

async function loadOriginals(ctx: OriginalsContext, wanted: readonly Wanted[]): Promise<(Original | undefined)[]> {
  const { sql } = ctx.db;
  const places = new Map(wanted.map((each) => [filingId(each.office, each.index), each]));
  const records = await loadFilings(sql, [...places.values()]);
  const found = new Map(records.map((record) => [filingId(record.office, record.index), record]));
  const ticks = new Map(records.map(({ tick }) => [`${tick.lane}.${tick.id}`, tick]));
  const [ticksFound, successors] = await Promise.all([
    loadTicks(sql, [...ticks.values()]),
    findSuccessors(ctx, records, (id) => places.get(id)?.offices ?? []),
  ]);
  const signed = new Map(
    ticksFound.map((tick) => [`${tick.lane}.${tick.id}`, once(() => SignedTick.fromRecord(tick, ctx.env))]),
  );
  return wanted.map(({ office, index }) => {
    const id = filingId(office, index);
    const record = found.get(id);
    const tick = record && signed.get(`${record.tick.lane}.${record.tick.id}`);
    if (record === undefined || tick === undefined) return undefined;
    return { record, view: () => filingView(record, tick(), statusAfter(successors.get(id))) };
  });
}

/** The filings that supersede these, by the id of what they supersede: their keys can be computed. */
async function findSuccessors(
  { db, lanes }: OriginalsContext,
  records: readonly FilingRecord[],
  officesOf: (id: string) => readonly string[],
): Promise<ReadonlyMap<string, KeyedFiling>> {
  const supersededBy = new Map<string, string>();
  const keys = records.flatMap((record) => {
    const id = filingId(record.office, record.index);
    const key = filingKey({ ...record, supersedes: id });
    supersededBy.set(key.toString('latin1'), id);
    return [...new Set([record.lane, ...officesOf(id).map((office) => laneOf(office, lanes))])].map((lane) => {
      return { lane, key };
    });
  });
  const found = await findKeyed(db.sql, keys);
  return new Map(found.map((filing) => [supersededBy.get(filing.key.toString('latin1')) ?? '', filing]));
}

function statusAfter(successor: KeyedFiling | undefined): FilingStatus {
  if (successor === undefined) return 'accepted';
  return successor.kind === 'void' ? 'voided' : 'superseded';
}

/** Trees are made when the answers are, some at a time, and not all in one turn of the event loop. */
function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
