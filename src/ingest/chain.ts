import { filingId, laneOf } from '../domain/filing.ts';
import { filingKey } from '../domain/filing-key.ts';
import type { FilingRecord } from '../domain/filing-record.ts';
import type { Sql } from '../storage/db.ts';
import { loadFiling } from '../storage/filing-lookup.ts';
import { findByKeys } from '../storage/filings.ts';
import type { FilingStatus } from './view.ts';

export interface ChainContext {
  readonly sql: Sql;
  readonly lanes: number;
}

/**
 * The filing that supersedes `record`, if there is one. It has the same key tuple with `supersedes` naming `record`, so
 * its key can be computed and looked up: there is no other index, and there can be no second successor.
 *
 * @param offices codes of every office that could hold it
 */
async function successorOf(
  ctx: ChainContext,
  record: FilingRecord,
  offices: readonly string[],
): Promise<FilingRecord | undefined> {
  const key = filingKey({ ...record, supersedes: filingId(record.office, record.index) });
  const lanes = new Set([record.lane, ...offices.map((office) => laneOf(office, ctx.lanes))]);
  const [found] = await findByKeys(
    ctx.sql,
    [...lanes].map((lane) => ({ lane, key })),
  );
  return found && (await loadFiling(ctx.sql, found.lane, found.office, found.index))?.record;
}

export interface HistoryEntry {
  readonly status: FilingStatus;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** The filing that brought this about. */
  readonly by?: string;
}

/** Everything that has happened to a filing, oldest first; the last entry is its status. */
export async function historyOf(
  ctx: ChainContext,
  record: FilingRecord,
  offices: readonly string[],
): Promise<HistoryEntry[]> {
  const history: HistoryEntry[] = [{ status: 'accepted', at: record.receivedAt }];
  const successor = await successorOf(ctx, record, offices);
  if (successor !== undefined) {
    const status = successor.kind === 'void' ? 'voided' : 'superseded';
    history.push({ status, at: successor.receivedAt, by: filingId(successor.office, successor.index) });
  }
  return history;
}

/** Bounds the walk along a chain; a filer who corrects more often has other troubles. */
const MAX_CHAIN = 1_000;

/** The newest filing of the chain that `record` belongs to. */
export async function headOfChain(
  ctx: ChainContext,
  record: FilingRecord,
  offices: readonly string[],
): Promise<FilingRecord> {
  let head = record;
  for (let step = 0; step < MAX_CHAIN; step++) {
    const next = await successorOf(ctx, head, offices);
    if (next === undefined) break;
    head = next;
  }
  return head;
}
