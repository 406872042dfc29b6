import type { Logger } from '../std/telemetry.ts';
import type { LogContext } from './context.ts';
import { nationalRound, ROUND_MS } from './national.ts';
import { failureFields, type Rounds, startRounds } from './rounds.ts';

/** A part of a round, so that the rounds of several processes together are one round apart and not two. */
const POLLS_A_ROUND = 12;

/** Takes the heads of all offices into the national log, each minute unless the context says otherwise. Every process may run one. */
export function startNationalTimer(
  ctx: LogContext & { readonly log: Logger },
  pollMs = (ctx.nationalRoundMs ?? ROUND_MS) / POLLS_A_ROUND,
): Rounds {
  return startRounds(async () => {
    try {
      await nationalRound(ctx);
    } catch (error) {
      ctx.log.error(failureFields(error), 'national checkpoint not signed');
    }
    return false;
  }, pollMs);
}
