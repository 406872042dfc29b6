import type { Clock } from '../std/clock.ts';
import type { Logger } from '../std/telemetry.ts';
import { describeError } from './telemetry.ts';

/** One part that has to be stopped. Steps run in their order, each to its end. */
export interface StopStep {
  readonly name: string;
  run(): Promise<void> | void;
}

export interface ShutdownOptions {
  readonly steps: readonly StopStep[];
  readonly log: Logger;
  readonly clock: Clock;
  /** The process is gone after this, whatever hangs. */
  readonly limitMs?: number;
  /** A worker leaves SIGINT to its primary process: Ctrl-C reaches both. */
  readonly signals?: readonly NodeJS.Signals[];
}

/**
 * Two signals this close together are one: on Ctrl-C the terminal tells the gateway, and so does the npm that started
 * it.
 */
const ONE_SIGNAL_MS = 1_000;

/**
 * On SIGTERM or SIGINT runs the steps and ends the process: with 0 when all of them did what they should, with 1
 * otherwise. A second signal ends it at once. So does what was thrown outside any request: the state of the process is
 * then unknown, and everything that was answered is in the database.
 *
 * The returned function stops for another reason, with that exit code.
 */
export function stopOnSignals(options: ShutdownOptions): (reason: string, exitCode?: number) => void {
  const { log, clock } = options;
  let stoppingSince: number | undefined;
  const stop = (reason: string, exitCode = 0): void => {
    if (stoppingSince !== undefined) return;
    stoppingSince = clock.monotonic();
    log.info({ reason }, 'stopping');
    const limit = setTimeout(() => end(1), options.limitMs ?? 9_500);
    void runSteps(options.steps, log).then((isClean) => {
      clearTimeout(limit);
      end(isClean ? exitCode : 1);
    });
  };
  for (const signal of options.signals ?? (['SIGTERM', 'SIGINT'] as const)) {
    process.on(signal, () => {
      if (stoppingSince === undefined) return stop(signal);
      if (clock.monotonic() - stoppingSince > ONE_SIGNAL_MS) end(1);
    });
  }
  process.on('uncaughtException', (error) => {
    log.error({ error: describeError(error) }, 'an error that nothing handled');
    stop('uncaught exception', 1);
  });
  process.on('unhandledRejection', (reason) => {
    log.error(
      { error: reason instanceof Error ? describeError(reason) : typeof reason },
      'a rejection that nothing handled',
    );
  });
  return stop;
}

async function runSteps(steps: readonly StopStep[], log: Logger): Promise<boolean> {
  let isClean = true;
  for (const step of steps) {
    try {
      await step.run();
    } catch (error) {
      isClean = false;
      log.error(
        { step: step.name, error: error instanceof Error ? describeError(error) : typeof error },
        'a part did not stop cleanly',
      );
    }
  }
  return isClean;
}

function end(code: number): never {
  process.exit(code);
}
