import { setTimeout as sleep } from 'node:timers/promises';
import { type Agency, filingId } from '../domain/filing.ts';
import type { Catalogue } from '../domain/filing-type.ts';
import type { Clock } from '../std/clock.ts';
import type { Database } from '../storage/db.ts';
import { type HeadRecord, readHeads, readUrgent } from '../storage/feed.ts';

const POLL_MS = 300;
/** Callers that wait at a time in a process; one more is answered at once, as if it had not asked to wait. */
const MAX_WAITING = 200;
export const MAX_URGENT = 100;

export interface HeadsContext {
  readonly db: Pick<Database, 'sql'>;
  readonly clock: Clock;
  readonly catalogue: () => Catalogue;
}

export interface Head {
  readonly office: string;
  readonly size: number;
  /** Ids of the urgent filings that no consumer of the office has acknowledged, the oldest first; absent when there are none. */
  readonly urgent?: readonly string[];
}

export interface Heads {
  /** Logs with entries that grew since the cursor: those with urgent filings first, each part in the order of its offices. */
  readonly items: readonly Head[];
  /** Cursor to ask with next. Opaque; never null, because a log is never finished. */
  readonly next: string;
}

let waiting = 0;

/**
 * What grew since the cursor `since` (all when it is `0`). Waits up to `waitMs` for something to tell, until `signal`
 * is aborted. May tell of a log twice, never misses one.
 */
export async function headsSince(
  ctx: HeadsContext,
  input: { readonly agency: Agency; readonly since: string; readonly waitMs: number; readonly signal: AbortSignal },
): Promise<Heads> {
  const { agency, since, signal } = input;
  const deadline = ctx.clock.monotonic() + (waiting < MAX_WAITING ? input.waitMs : 0);
  waiting++;
  try {
    for (;;) {
      const { heads, next } = await readHeads(ctx.db.sql, agency, since);
      const left = deadline - ctx.clock.monotonic();
      if (heads.length > 0) return { items: await urgentFirst(ctx, agency, heads), next };
      if (left <= 0 || signal.aborted) return { items: [], next };
      await sleep(Math.min(POLL_MS, left), undefined, { signal }).catch(() => undefined);
    }
  } finally {
    waiting--;
  }
}

async function urgentFirst(ctx: HeadsContext, agency: Agency, heads: readonly HeadRecord[]): Promise<Head[]> {
  const urgent = new Map<string, string[]>();
  // Nothing is looked up for agencies whose filings are never urgent.
  const found = knowsUrgent(ctx.catalogue(), agency) ? await readUrgent(ctx.db.sql, heads, MAX_URGENT) : [];
  for (const { office, index } of found) {
    const ids = urgent.get(office);
    if (ids === undefined) urgent.set(office, [filingId(office, index)]);
    else ids.push(filingId(office, index));
  }
  const told = heads.map(({ office, size }): Head => {
    const ids = urgent.get(office);
    return ids === undefined ? { office, size } : { office, size, urgent: ids };
  });
  return [...told.filter((head) => head.urgent !== undefined), ...told.filter((head) => head.urgent === undefined)];
}

function knowsUrgent({ types }: Catalogue, agency: Agency): boolean {
  return [...types.values()].some(({ metadata }) => metadata.agency === agency && metadata.urgent !== undefined);
}
