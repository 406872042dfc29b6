import type { Clock } from '../std/clock.ts';

/** How often what can be borne is estimated anew. Several ticks end in it, or their sizes would be taken for a change of pace. */
const WINDOW_MS = 1_000;
/** However slowly it goes: fewer at once would not fill the ticks. */
const LEAST = 512;

export interface BearableOptions {
  readonly clock: Clock;
  /** How long the last of those inside should have to wait. */
  readonly waitMs: number;
  /** However fast it goes. */
  readonly most: number;
  /** With so many inside at all times it is as busy as can be; half of the least, unless others wait elsewhere. */
  readonly busyAt?: number;
}

/**
 * How many may be inside at once so that the last of them waits for about `waitMs`: Little's law over the pace at which
 * they leave. The pace tells what can be borne only while there is more to do than that: in quieter times what was learned
 * before stands. A fixed number would be minutes of work on a slow machine and an idle moment on a fast one.
 */
export class Bearable {
  readonly #options: BearableOptions;
  readonly #least: number;
  #limit: number;
  #windowStart: number;
  #left = 0;
  #fewest = Number.POSITIVE_INFINITY;

  constructor(options: BearableOptions) {
    this.#options = options;
    this.#least = Math.min(LEAST, options.most);
    this.#limit = options.most;
    this.#windowStart = options.clock.monotonic();
  }

  get limit(): number {
    return this.#limit;
  }

  /** One has left, and `inside` remain. */
  leave(inside: number): void {
    this.#left += 1;
    if (inside < this.#fewest) this.#fewest = inside;
    const elapsedMs = this.#options.clock.monotonic() - this.#windowStart;
    if (elapsedMs < WINDOW_MS) return;
    // Never empty, never nearly so: what left is what could be done.
    if (this.#fewest >= (this.#options.busyAt ?? this.#least / 2))
      this.#learn((this.#left * this.#options.waitMs) / elapsedMs);
    this.#windowStart += elapsedMs;
    this.#left = 0;
    this.#fewest = inside;
  }

  /**
   * Down by half at most: a stall of one window, such as when a flood begins, says little of the next, and whoever is inside meanwhile would
   * have all others refused until there are fewer.
   */
  #learn(bearable: number): void {
    const least = Math.max(this.#least, Math.floor(this.#limit / 2));
    this.#limit = Math.min(this.#options.most, Math.max(least, Math.round(bearable)));
  }
}
