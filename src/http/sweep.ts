import type { Clock } from '../std/clock.ts';

/** Something that must not take for ever. */
export interface Expiring {
  /** Called about four times a second while it is watched; `now` in milliseconds of the monotonic clock. */
  expire(now: number): void;
}

const SWEEP_MS = 250;

/**
 * Tells everything under way the time, with one timer for all: a timer for each request would cost more than the
 * request's own bookkeeping. The timer runs only while there is something to watch.
 */
export class Sweep {
  readonly #clock: Clock;
  readonly #watched = new Set<Expiring>();
  #timer: NodeJS.Timeout | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#watched.size;
  }

  add(item: Expiring): void {
    this.#watched.add(item);
    this.#timer ??= setTimeout(this.#run, SWEEP_MS).unref();
  }

  delete(item: Expiring): void {
    this.#watched.delete(item);
  }

  readonly #run = (): void => {
    const now = this.#clock.monotonic();
    for (const item of this.#watched) item.expire(now);
    this.#timer = this.#watched.size === 0 ? undefined : setTimeout(this.#run, SWEEP_MS).unref();
  };
}
