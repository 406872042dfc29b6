import type { Logger } from '../std/telemetry.ts';
import { findOverdueLogs } from '../storage/log.ts';
import type { LogContext } from './context.ts';
import { failureFields, type Rounds, startRounds } from './rounds.ts';
import { freshCheckpoint } from './tree.ts';

/** Together with the age below well under the promise: a checkpoint at most 60 s after a change. */
const POLL_MS = 10_000;
/** A checkpoint this young is left alone, so that a busy log is signed twice a minute and not every poll. */
const YOUNG_MS = 30_000;
/** Offices looked at in a round. Another round follows at once when there were as many. */
const ROUND_OFFICES = 256;

/** Signs checkpoints of logs that nobody asks for. Every process may run one: what one has done, the next finds done. */
export function startCheckpointTimer(ctx: LogContext & { readonly log: Logger }, pollMs = POLL_MS): Rounds {
  return startRounds((stopped) => signOverdue(ctx, stopped), pollMs);
}

/** One round. True when there may be more to do. Never throws: an office that fails is logged and tried again later. */
async function signOverdue(ctx: LogContext & { readonly log: Logger }, stopped: () => boolean): Promise<boolean> {
  let failed = false;
  const attempt = async <T>(fields: object, work: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await work();
    } catch (error) {
      failed = true;
      ctx.log.error({ ...fields, ...failureFields(error) }, 'checkpoint not signed');
      return undefined;
    }
  };
  const signedBefore = ctx.clock.now() - YOUNG_MS;
  const overdue = await attempt({}, () => findOverdueLogs(ctx.db.sql, signedBefore, ROUND_OFFICES));
  for (const { office } of overdue ?? []) {
    if (stopped()) return false;
    await attempt({ office }, () => freshCheckpoint(ctx, office));
  }
  return !failed && overdue?.length === ROUND_OFFICES;
}
