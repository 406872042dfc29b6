import type { Clock } from '../std/clock.ts';
import { assert, GatewayError } from '../std/errors.ts';
import { Bearable } from './bearable.ts';

export interface PoolOptions<Item, Outcome> {
  /** Commits the items of one tick; one outcome for each, in their order. A rejection is every item's outcome. */
  readonly flush: (items: readonly Item[]) => Promise<readonly Outcome[]>;
  readonly clock: Clock;
  /** Filings between admission and answer, and the bytes of their requests. */
  readonly maxItems: number;
  readonly maxBytes: number;
  /** Fewer are admitted when the last of them would have to wait for longer than about this; without it their number alone decides. */
  readonly bearableMs?: number;
  /** Who has no more places than this is no flood, however few are free. One, unless it says otherwise. */
  readonly smallShare?: number;
  readonly maxTickItems: number;
  readonly maxTickBytes: number;
  /** So many whose owners are known keep everything busy; see {@link Pool.hasEnough}. */
  readonly enough?: number;
  /** Without it a tick begins as soon as the one before it has ended. */
  readonly gather?: Gather;
  /** How long an item may wait for its tick to begin, and a tick to end, before its sender is told to come again. */
  readonly maxWaitMs: number;
}

/**
 * For whom a tick waits. It costs much the same whatever it holds, so a busy gateway spends less on each item when they are
 * many; a quiet one would only be slower.
 */
export interface Gather {
  /** Ticks begin this long after one another for each one inside ... */
  readonly msEach: number;
  /** ... and this long at most, */
  readonly maxMs: number;
  /** unless so many wait already, or nobody else is on the way. */
  readonly items: number;
}

/** Of the places that are free, how many one owner may have. */
const SHARE_OF_FREE = 0.25;
/** No tick takes so long unless the database has stopped answering. */
const STALLED_MS = 500;

interface Waiter<Item, Outcome> {
  readonly item: Item;
  readonly bytes: number;
  readonly since: number;
  settled: boolean;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (error: unknown) => void;
}

/** A place in the pool, taken before the signature is verified and given back when the sender has its answer. */
export interface Place {
  leave(): void;
  /**
   * Says whose it is, once that is known. False when this owner has a quarter as many places as are free: whoever comes in a flood gets a
   * fifth of the room at most, two such a sixth each, and the others wait for no more than that. A few places everybody may have.
   */
  claim(owner: string): boolean;
}

/**
 * Group commit. While one tick is being committed the next one collects; a tick ends when its flush ends, so low load
 * waits for no timer and high load makes large ticks, for which it may {@link Gather}. Knows nothing of what an item is or where it goes.
 */
export class Pool<Item, Outcome> {
  readonly #options: PoolOptions<Item, Outcome>;
  #waiting: Waiter<Item, Outcome>[] = [];
  #flushing: readonly Waiter<Item, Outcome>[] | undefined;
  /** When the last tick began. */
  #flushingSince = Number.NEGATIVE_INFINITY;
  #gathering: NodeJS.Timeout | undefined;
  readonly #bearable: Bearable | undefined;
  /** Places by owner, of those that were claimed. */
  readonly #owned = new Map<string, number>();
  #claimed = 0;
  #items = 0;
  #bytes = 0;
  #sweeper: NodeJS.Timeout | undefined;
  #idle: (() => void)[] = [];
  #room: (() => void)[] = [];

  constructor(options: PoolOptions<Item, Outcome>) {
    this.#options = options;
    const { clock, maxItems: most, bearableMs: waitMs, enough } = options;
    const busy = enough === undefined ? {} : { busyAt: enough / 4 };
    if (waitMs !== undefined) this.#bearable = new Bearable({ clock, waitMs, most, ...busy });
  }

  /** Whether there is no room for so many bytes. */
  isFull(bytes: number): boolean {
    return this.#items >= this.#limit || (this.#bytes + bytes > this.#options.maxBytes && this.#items > 0);
  }

  /** How many may enter now, whatever their size. */
  get room(): number {
    return Math.max(0, this.#limit - this.#items);
  }

  /**
   * How many others an owner may have beside the one for which a place is wanted.
   * @param waiting so many want places besides
   */
  shareOf(waiting = 0): number {
    const { smallShare = 1 } = this.#options;
    return Math.max(Math.floor((this.#limit - this.#items - waiting) * SHARE_OF_FREE), smallShare - 1);
  }

  get #limit(): number {
    return this.#bearable?.limit ?? this.#options.maxItems;
  }

  /** Undefined when the pool is full: the answer is then 503, at the cost of no signature check. */
  tryEnter(bytes: number): Place | undefined {
    if (this.isFull(bytes)) return undefined;
    this.#items += 1;
    this.#bytes += bytes;
    let left = false;
    let owner: string | undefined;
    return {
      claim: (name) => {
        const owned = this.#owned.get(name) ?? 0;
        if (owned > this.shareOf()) return false;
        owner = name;
        this.#owned.set(name, owned + 1);
        this.#claimed += 1;
        return true;
      },
      leave: () => {
        if (left) return;
        left = true;
        this.#items -= 1;
        this.#bytes -= bytes;
        if (owner !== undefined) this.#disown(owner);
        this.#bearable?.leave(this.#items);
        this.#wake();
        if (this.#gathering !== undefined) this.#nextTick();
      },
    };
  }

  #disown(owner: string): void {
    this.#claimed -= 1;
    const owned = (this.#owned.get(owner) ?? 0) - 1;
    if (owned > 0) this.#owned.set(owner, owned);
    else this.#owned.delete(owner);
  }

  /** Waits for a place instead of being refused: for uploads, which can be slowed down by not reading on. */
  async enter(bytes: number): Promise<Place> {
    for (;;) {
      const place = this.tryEnter(bytes);
      if (place !== undefined) return place;
      await new Promise<void>((resolve) => this.#room.push(resolve));
    }
  }

  /** Settles when the item's tick has been committed, or not. */
  submit(item: Item, bytes: number): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, bytes, since: this.#options.clock.monotonic(), settled: false, resolve, reject });
      this.#sweeper ??= setInterval(() => this.#ageOut(), 250).unref();
      if (this.#flushing === undefined) this.#nextTick();
    });
  }

  /**
   * Whether whoever can wait outside should. Inside he would wait as well, for those before him, but with all that has been made of his
   * request by then: V8 copies that again and again, and takes a third of the cores for it when two thousand are inside. What comes in
   * uploads is nobody's and does not count. While nothing moves nobody should wait outside: there he would not be told to come again.
   */
  get hasEnough(): boolean {
    const { enough = Number.POSITIVE_INFINITY, clock } = this.#options;
    return this.#claimed >= enough && clock.monotonic() - this.#flushingSince < STALLED_MS;
  }

  /** Filings between admission and answer. */
  get size(): number {
    return this.#items;
  }

  /** Resolves once nothing waits and nothing is being committed. */
  drained(): Promise<void> {
    if (this.#flushing === undefined && this.#waiting.length === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  /** Begins a tick, or sees to it that one begins once those on the way have come. */
  #nextTick(): void {
    const { gather, clock } = this.#options;
    const waiting = this.#waiting.length;
    if (gather !== undefined && waiting > 0 && waiting < Math.min(gather.items, this.#items)) {
      if (this.#gathering !== undefined) return;
      const gatherMs = Math.min(this.#items * gather.msEach, gather.maxMs);
      const leftMs = this.#flushingSince + gatherMs - clock.monotonic();
      if (leftMs > 0) {
        this.#gathering = setTimeout(() => this.#beginTick(), leftMs);
        return;
      }
    }
    this.#beginTick();
  }

  #beginTick(): void {
    clearTimeout(this.#gathering);
    this.#gathering = undefined;
    const tick = this.#takeTick();
    if (tick.length === 0) {
      this.#rest();
      return;
    }
    this.#flushing = tick;
    this.#flushingSince = this.#options.clock.monotonic();
    this.#options
      .flush(tick.map((waiter) => waiter.item))
      .then((outcomes) => {
        assert(outcomes.length === tick.length, 'a tick has one outcome for each of its items');
        tick.forEach((waiter, i) => {
          settle(waiter, () => waiter.resolve(outcomes[i] as Outcome));
        });
      })
      .catch((error: unknown) => {
        for (const waiter of tick) settle(waiter, () => waiter.reject(error));
      })
      .finally(() => {
        this.#flushing = undefined;
        this.#nextTick();
      });
  }

  #takeTick(): Waiter<Item, Outcome>[] {
    const { maxTickItems, maxTickBytes } = this.#options;
    let count = 0;
    for (let bytes = 0; count < this.#waiting.length && count < maxTickItems; count++) {
      bytes += (this.#waiting[count] as Waiter<Item, Outcome>).bytes;
      if (bytes > maxTickBytes && count > 0) break;
    }
    return this.#waiting.splice(0, count);
  }

  /** A database that says nothing must not keep senders waiting: what waits too long is answered. */
  #ageOut(): void {
    const { clock, maxWaitMs } = this.#options;
    const now = clock.monotonic();
    const kept = this.#waiting.filter((waiter) => now - waiter.since <= maxWaitMs);
    if (kept.length < this.#waiting.length) {
      const aged = this.#waiting.filter((waiter) => now - waiter.since > maxWaitMs);
      this.#waiting = kept;
      // Never begun, so certainly not stored.
      for (const waiter of aged) settle(waiter, () => waiter.reject(new GatewayError('unavailable')));
    }
    if (this.#flushing !== undefined && now - this.#flushingSince > maxWaitMs) {
      for (const waiter of this.#flushing) {
        settle(waiter, () => waiter.reject(new GatewayError('outcome-unknown')));
      }
    }
  }

  #rest(): void {
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
    const idle = this.#idle;
    this.#idle = [];
    for (const resolve of idle) resolve();
  }

  #wake(): void {
    const next = this.#room.shift();
    if (next !== undefined) next();
  }
}

function settle<Item, Outcome>(waiter: Waiter<Item, Outcome>, act: () => void): void {
  if (waiter.settled) return;
  waiter.settled = true;
  act();
}
