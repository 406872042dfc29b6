import { LRUCache } from 'lru-cache';
import { GatewayError } from '../std/errors.ts';

export interface CacheOptions<V extends object> {
  /** Entries kept; the least recently used goes first. */
  readonly size: number;
  /** Looks many keys up in one query. A key without an entry in the answer does not exist. */
  readonly load: (keys: readonly string[]) => Promise<ReadonlyMap<string, V>>;
  /** False: the entries may be out of date, so every answer is loaded anew. */
  readonly trusted: () => boolean;
  /** Milliseconds that never run backwards. */
  readonly now: () => number;
  /** How long "does not exist" is believed, in milliseconds. Short: the list of absent keys is an attacker's to fill. */
  readonly absentMs?: number;
  /** Keys in one query. */
  readonly batch?: number;
  /** Queries at once: while they run, the next misses gather. */
  readonly concurrency?: number;
  /** Keys that wait for a query; beyond it a miss is answered `overloaded`. */
  readonly waiting?: number;
  /** Runs a function after the current turn of the event loop, when all requests of the turn have asked. */
  readonly schedule?: (run: () => void) => void;
}

interface Miss<V> {
  readonly key: string;
  readonly promise: Promise<V | undefined>;
  readonly resolve: (value: V | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * A bounded cache in front of a table. All misses of a turn go into one query; a key is never in two queries at once.
 *
 * Staleness: an invalidation empties the entry, and what any running query brings is handed to those who already wait but
 * not kept, since it may have been read before the change. So nothing older than the last invalidation is ever cached.
 */
export class BatchedCache<V extends object> {
  readonly #options: Required<CacheOptions<V>>;
  readonly #entries: LRUCache<string, V>;
  /** Key to the time until which its absence is believed. */
  readonly #absent: LRUCache<string, number>;
  readonly #misses = new Map<string, Miss<V>>();
  #queue: Miss<V>[] = [];
  #running = 0;
  #scheduled = false;
  /** Counts invalidations. */
  #generation = 0;

  constructor(options: CacheOptions<V>) {
    this.#options = {
      absentMs: 1_000,
      batch: 1_000,
      concurrency: 2,
      waiting: 20_000,
      schedule: setImmediate,
      ...options,
    };
    this.#entries = new LRUCache({ max: options.size });
    this.#absent = new LRUCache({ max: 10_000 });
  }

  /** The cached value without waiting; undefined when there is none to rely on. Allocates nothing. */
  peek(key: string): V | undefined {
    return this.#options.trusted() ? this.#entries.get(key) : undefined;
  }

  /** Undefined: it does not exist. */
  get(key: string): Promise<V | undefined> {
    const { trusted, now } = this.#options;
    if (trusted()) {
      const value = this.#entries.get(key);
      if (value !== undefined) return Promise.resolve(value);
      const absentUntil = this.#absent.get(key);
      if (absentUntil !== undefined && now() < absentUntil) return Promise.resolve(undefined);
    }
    return this.#miss(key);
  }

  /** A mark to be taken before a query whose rows {@link prime} is given. */
  mark(): number {
    return this.#generation;
  }

  /** Keeps what another query has read along, unless something was invalidated since the mark. */
  prime(key: string, value: V, mark: number): void {
    if (mark === this.#generation) this.#entries.set(key, value);
  }

  invalidate(key: string): void {
    this.#generation++;
    this.#entries.delete(key);
    this.#absent.delete(key);
    // Who asks from now on must not get what was read before the change.
    this.#misses.delete(key);
  }

  clear(): void {
    this.#generation++;
    this.#entries.clear();
    this.#absent.clear();
    this.#misses.clear();
  }

  get size(): number {
    return this.#entries.size;
  }

  #miss(key: string): Promise<V | undefined> {
    const known = this.#misses.get(key);
    if (known !== undefined) return known.promise;
    if (this.#queue.length >= this.#options.waiting) return Promise.reject(new GatewayError('overloaded'));
    let resolve: Miss<V>['resolve'] = () => {};
    let reject: Miss<V>['reject'] = () => {};
    const promise = new Promise<V | undefined>((onValue, onError) => {
      resolve = onValue;
      reject = onError;
    });
    const miss: Miss<V> = { key, promise, resolve, reject };
    this.#misses.set(key, miss);
    this.#queue.push(miss);
    this.#wake();
    return promise;
  }

  #wake(): void {
    if (this.#scheduled || this.#queue.length === 0 || this.#running >= this.#options.concurrency) return;
    this.#scheduled = true;
    this.#options.schedule(() => {
      this.#scheduled = false;
      const batch = this.#queue.splice(0, this.#options.batch);
      this.#running++;
      void this.#loadBatch(batch).finally(() => {
        this.#running--;
        this.#wake();
      });
      this.#wake();
    });
  }

  /** Never rejects: each waiter gets the outcome. */
  async #loadBatch(batch: readonly Miss<V>[]): Promise<void> {
    const mark = this.#generation;
    // An invalidated key may be asked for twice in one batch: once before, once after.
    const keys = [...new Set(batch.map((miss) => miss.key))];
    try {
      const values = await this.#options.load(keys);
      if (mark === this.#generation) this.#keep(keys, values);
      for (const miss of batch) miss.resolve(values.get(miss.key));
    } catch (error) {
      for (const miss of batch) miss.reject(error);
    } finally {
      for (const miss of batch) if (this.#misses.get(miss.key) === miss) this.#misses.delete(miss.key);
    }
  }

  #keep(keys: readonly string[], values: ReadonlyMap<string, V>): void {
    const absentUntil = this.#options.now() + this.#options.absentMs;
    for (const key of keys) {
      const value = values.get(key);
      if (value === undefined) this.#absent.set(key, absentUntil);
      else this.#entries.set(key, value);
    }
  }
}
