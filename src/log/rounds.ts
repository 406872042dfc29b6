import { failureCode } from '../storage/failures.ts';

export interface Rounds {
  /** Resolves when the round in hand is done. */
  stop(): Promise<void>;
}

/**
 * One round after another until it is stopped, the first at once.
 *
 * @param run a round; it must not throw, and may ask whether to go on. True: the next one follows without a pause.
 */
export function startRounds(run: (stopped: () => boolean) => Promise<boolean>, pauseMs: number): Rounds {
  let isStopped = false;
  let timer: NodeJS.Timeout | undefined;
  let round = Promise.resolve();
  const begin = async (): Promise<void> => {
    const more = await run(() => isStopped);
    if (isStopped) return;
    timer = setTimeout(start, more ? 0 : pauseMs);
    timer.unref();
  };
  const start = (): void => {
    round = begin();
  };
  start();
  return {
    stop: async () => {
      isStopped = true;
      clearTimeout(timer);
      await round;
    },
  };
}

/** What may be logged of a failure: our own invariants name no one; what a driver says may hold parameters. */
export function failureFields(error: unknown): { readonly code: string | undefined; readonly reason: string } {
  const isOwn = error instanceof Error && error.message.startsWith('broken invariant');
  return { code: failureCode(error), reason: isOwn ? error.message : 'database' };
}
