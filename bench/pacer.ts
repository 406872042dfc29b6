/** How often those who wait for their turn are looked at. */
const TURN_MS = 1;

/**
 * Spreads requests evenly over time at a fixed rate (autocannon's own `overallRate` sends each second's requests at the
 * second's beginning). When every connection is busy at a request's time the request is late, and its lateness is part of
 * its latency: a slow server does not slow the clock down.
 */
export class Pacer {
  readonly #intervalMs: number;
  readonly #startMs: number;
  readonly #waiting: ((lateMs: number) => void)[] = [];
  readonly #timer: NodeJS.Timeout;
  #sent = 0;

  constructor(ratePerSecond: number) {
    this.#intervalMs = 1000 / ratePerSecond;
    this.#startMs = performance.now();
    this.#timer = setInterval(() => this.#release(), TURN_MS);
  }

  /** Calls `send` when the next request is due: now, or in its turn. */
  await(send: (lateMs: number) => void): void {
    this.#waiting.push(send);
    this.#release();
  }

  /** Lets everyone who waits go at once; they find out that the run is over. */
  stop(): void {
    clearInterval(this.#timer);
    for (const send of this.#waiting.splice(0)) send(0);
  }

  #release(): void {
    const elapsedMs = performance.now() - this.#startMs;
    while (this.#waiting.length > 0) {
      const lateMs = elapsedMs - this.#sent * this.#intervalMs;
      if (lateMs < 0) return;
      this.#sent++;
      this.#waiting.shift()?.(lateMs);
    }
  }
}
