import { setTimeout as sleep } from 'node:timers/promises';
import type { Agency } from '../domain/filing.ts';
import type { Clock } from '../std/clock.ts';
import type { Database } from '../storage/db.ts';
import { type HeadRecord, readHeads } from '../storage/feed.ts';

const POLL_MS = 300;
/** Callers that wait at a time in a process; one more is answered at once, as if it had not asked to wait. */
const MAX_WAITING = 200;

export interface HeadsContext {
  readonly db: Pick<Database, 'sql'>;
  readonly clock: Clock;
}

export interface Heads {
  /** Logs with entries that grew since the cursor, in the order of their offices. */
  readonly items: readonly HeadRecord[];
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
      if (heads.length > 0 || left <= 0 || signal.aborted) return { items: heads, next };
      await sleep(Math.min(POLL_MS, left), undefined, { signal }).catch(() => undefined);
    }
  } finally {
    waiting--;
  }
}
