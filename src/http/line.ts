import type { Socket } from 'node:net';
import type { Clock } from '../std/clock.ts';

export interface LineOptions {
  readonly clock: Clock;
  /** How many filings could be taken now. */
  readonly room: () => number;
}

const EVERY_MS = 10;
/** Read on though there is no room, each second: their refusals cost what a fifth as many filings would. */
const REFUSED_A_SECOND = 1_000;
const LONGEST_MS = 2_000;

/**
 * Connections that were just told to come again later. Each is read on when its turn comes: as many as there is room for, a few more
 * that will be refused, and all after a while. Whoever keeps to `Retry-After` notices nothing. Whoever does not would otherwise
 * keep a full gateway busy with refusals, of which each costs a fifth of a filing, until nobody gets anything.
 */
export class Line {
  readonly #options: LineOptions;
  /** Since when, in the order in which they came. */
  readonly #waiting = new Map<Socket, number>();
  #timer: NodeJS.Timeout | undefined;
  #lastRound = 0;
  #isOver = false;

  constructor(options: LineOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** Once its answer is on its way: Node itself reads on when a request is done. */
  enter(socket: Socket): void {
    setImmediate(() => this.#hold(socket));
  }

  /** Everybody is read on, and nobody waits any more. */
  end(): void {
    this.#isOver = true;
    this.#round();
  }

  #hold(socket: Socket): void {
    if (this.#isOver || socket.destroyed || this.#waiting.has(socket)) return;
    socket.pause();
    const now = this.#options.clock.monotonic();
    this.#waiting.set(socket, now);
    if (this.#timer !== undefined) return;
    this.#lastRound = now;
    this.#timer = setInterval(() => this.#round(), EVERY_MS).unref();
  }

  #round(): void {
    const now = this.#options.clock.monotonic();
    let next = this.#options.room() + ((now - this.#lastRound) * REFUSED_A_SECOND) / 1_000;
    this.#lastRound = now;
    for (const [socket, since] of this.#waiting) {
      const isDue = this.#isOver || now - since >= LONGEST_MS;
      if (next < 1 && !isDue) break;
      next -= 1;
      this.#waiting.delete(socket);
      if (!socket.destroyed) socket.resume();
    }
    if (this.#waiting.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
