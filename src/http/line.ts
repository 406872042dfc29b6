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
/** As long as a full gateway asks everybody to stay away at the least: whoever does finds his connection open. */
const LONGEST_MS = 2_000;

/** There was no room, or there was some, but not for this one. */
type Why = 'full' | 'own';

/**
 * Connections that were just told to come again later. Each is read on when its turn comes: as many as there is room for, a few more
 * that will be refused, and all after a while. Whoever keeps to `Retry-After` notices nothing. Whoever does not would otherwise
 * keep a full gateway busy with refusals, of which each costs a fifth of a filing, until nobody gets anything.
 *
 * Who is refused although there is room has more than its share already: the room is for the others, and does not let it go on.
 */
export class Line {
  readonly #options: LineOptions;
  /** Since when, in the order in which they came. */
  readonly #waiting = { full: new Map<Socket, number>(), own: new Map<Socket, number>() };
  #timer: NodeJS.Timeout | undefined;
  #lastRound = 0;
  #isOver = false;

  constructor(options: LineOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#waiting.full.size + this.#waiting.own.size;
  }

  /** Once its answer is on its way: Node itself reads on when a request is done. */
  enter(socket: Socket): void {
    const why = this.#options.room() > 0 ? 'own' : 'full';
    setImmediate(() => this.#hold(socket, why));
  }

  /** Everybody is read on, and nobody waits any more. */
  end(): void {
    this.#isOver = true;
    this.#round();
  }

  #hold(socket: Socket, why: Why): void {
    const { full, own } = this.#waiting;
    if (this.#isOver || socket.destroyed || full.has(socket) || own.has(socket)) return;
    socket.pause();
    const now = this.#options.clock.monotonic();
    this.#waiting[why].set(socket, now);
    if (this.#timer !== undefined) return;
    this.#lastRound = now;
    this.#timer = setInterval(() => this.#round(), EVERY_MS).unref();
  }

  #round(): void {
    const now = this.#options.clock.monotonic();
    const refused = ((now - this.#lastRound) * REFUSED_A_SECOND) / 1_000;
    this.#lastRound = now;
    const left = this.#readOn('full', this.#options.room() + refused, now);
    this.#readOn('own', Math.min(left, refused), now);
    if (this.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** How many more could have been read on. */
  #readOn(why: Why, most: number, now: number): number {
    const waiting = this.#waiting[why];
    let left = most;
    for (const [socket, since] of waiting) {
      const isDue = this.#isOver || now - since >= LONGEST_MS;
      if (left < 1 && !isDue) break;
      left -= 1;
      waiting.delete(socket);
      if (!socket.destroyed) socket.resume();
    }
    return left;
  }
}
