import type { Logger } from '../std/telemetry.ts';
import { failureCode } from '../storage/failures.ts';
import type { LogContext } from './context.ts';
import { nationalRound, ROUND_MS } from './national.ts';

/** A part of a round, so that the rounds of several processes together are one round apart and not two. */
const POLLS_A_ROUND = 12;

export interface NationalTimer {
  /** Resolves when the round in hand is done. */
  stop(): Promise<void>;
}

/** Takes the heads of all offices into the national log, each minute unless the context says otherwise. Every process may run one. */
export function startNationalTimer(
  ctx: LogContext & { readonly log: Logger },
  pollMs = (ctx.nationalRoundMs ?? ROUND_MS) / POLLS_A_ROUND,
): NationalTimer {
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  let round = Promise.resolve();
  const run = async (): Promise<void> => {
    try {
      await nationalRound(ctx);
    } catch (error) {
      ctx.log.error({ code: failureCode(error), reason: reasonOf(error) }, 'national checkpoint not signed');
    }
    if (stopped) return;
    timer = setTimeout(start, pollMs);
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

/** Our own invariants name no one; what a driver says may hold parameters. */
function reasonOf(error: unknown): string {
  return error instanceof Error && error.message.startsWith('broken invariant') ? error.message : 'storage';
}
