import type { Clock } from '../std/clock.ts';
import { assert } from '../std/errors.ts';

/** Something that must not take for ever. */
export interface Expiring {
  /** Called about four times a second while it is watched; `now` in milliseconds of the monotonic clock. It may delete itself, and nothing else. */
  expire(now: number): void;
  /** Its neighbours among what is watched, for the sweep alone; undefined at the ends, and of what is not watched. */
  newer: Expiring | undefined;
  older: Expiring | undefined;
}

const SWEEP_MS = 250;

/**
 * Tells everything under way the time, with one timer for all: a timer for each request would cost more than the
 * request's own bookkeeping. The timer runs only while there is something to watch.
 *
 * A list and not a Set: V8 gives a Set whose members come and go new memory again and again, and the old one goes on pointing to the new one and
 * to the members of its time. Once one of them is in the old generation, every request since is kept until all of the heap is collected.
 */
export class Sweep {
  readonly #clock: Clock;
  #newest: Expiring | undefined;
  #size = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#size;
  }

  /** Once, until it is deleted. */
  add(item: Expiring): void {
    assert(item !== this.#newest && item.newer === undefined, 'what is watched is added once');
    item.older = this.#newest;
    if (this.#newest !== undefined) this.#newest.newer = item;
    this.#newest = item;
    this.#size++;
    this.#timer ??= setTimeout(this.#run, SWEEP_MS).unref();
  }

  delete(item: Expiring): void {
    const { newer, older } = item;
    if (newer !== undefined) newer.older = older;
    else if (this.#newest === item) this.#newest = older;
    else return;
    if (older !== undefined) older.newer = newer;
    // What has been answered points to no other request: it would keep it.
    item.newer = undefined;
    item.older = undefined;
    this.#size--;
  }

  readonly #run = (): void => {
    const now = this.#clock.monotonic();
    for (let item = this.#newest; item !== undefined; ) {
      // Whoever has expired mostly deletes itself.
      const { older }: Expiring = item;
      item.expire(now);
      item = older;
    }
    this.#timer = this.#size === 0 ? undefined : setTimeout(this.#run, SWEEP_MS).unref();
  };
}
