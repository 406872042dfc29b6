import type { Logger } from '../std/telemetry.ts';
import { failureCode } from '../storage/failures.ts';
import { findOverdueLogs } from '../storage/log.ts';
import type { LogContext } from './context.ts';
import { freshCheckpoint } from './tree.ts';

/** Together with the age below well under the promise: a checkpoint at most 60 s after a change. */
const POLL_MS = 10_000;
/** A checkpoint this young is left alone, so that a busy log is signed twice a minute and not every poll. */
const YOUNG_MS = 30_000;
/** Offices looked at in a round. Another round follows at once when there were as many. */
const ROUND_OFFICES = 256;

export interface CheckpointTimer {
  /** Resolves when the office in hand is done. */
  stop(): Promise<void>;
}

/** Signs checkpoints of logs that nobody asks for. Every process may run one: what one has done, the next finds done. */
export function startCheckpointTimer(ctx: LogContext & { readonly log: Logger }, pollMs = POLL_MS): CheckpointTimer {
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  let round = Promise.resolve();
  const run = async (): Promise<void> => {
    const more = await signOverdue(ctx, () => stopped);
    if (stopped) return;
    timer = setTimeout(start, more ? 0 : pollMs);
    timer.unref();
  };
  const start = (): void => {
    round = run();
  };
  start();
  return {
    stop: async () => {
      stopped = true;
      clearTimeout(timer);
      await round;
    },
  };
}

/** One round. True when there may be more to do. Never throws: an office that fails is logged and tried again later. */
async function signOverdue(ctx: LogContext & { readonly log: Logger }, stopped: () => boolean): Promise<boolean> {
  let failed = false;
  const attempt = async <T>(fields: object, work: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await work();
    } catch (error) {
      failed = true;
      ctx.log.error({ ...fields, code: failureCode(error), reason: reasonOf(error) }, 'checkpoint not signed');
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

/** Our own invariants name no one; what a driver says may hold parameters. */
function reasonOf(error: unknown): string {
  return error instanceof Error && error.message.startsWith('broken invariant') ? error.message : 'database';
}
