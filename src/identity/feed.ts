import { type Clock, formatInstant } from '../std/clock.ts';
import type { Logger } from '../std/telemetry.ts';
import type { Sql } from '../storage/db.ts';
import { failureCode } from '../storage/failures.ts';
import { deleteIdentityChanges, selectIdentityChanges, selectIdentityHead } from '../storage/identity-feed.ts';

export interface FeedOptions {
  readonly sql: Sql;
  readonly clock: Clock;
  readonly log: Logger;
  readonly pollMs?: number;
  /** Called with what changed, in the order of the changes. */
  readonly onChange: (subjects: readonly string[]) => void;
  /** Called when changes may have been missed: everything is to be forgotten. */
  readonly onGap: () => void;
}

const POLL_MS = 1_000;
/** With the time of a poll this keeps "everything is at most 5 s old". */
const FRESH_MS = 4_000;
/** Changes read at once. With more than this behind, forgetting everything is cheaper than reading them. */
const MAX_CHANGES = 500;
/** Kept changes are far older than the longest pause after which a process goes on from where it was. */
const MAX_PAUSE_MS = 10 * 60_000;
const KEEP_CHANGES_MS = 24 * 3_600_000;
const SWEEP_MS = 10 * 60_000;

/**
 * Follows `identity_change`. Each poll reads what came after the last number seen; numbers are in commit order, so that none
 * can be missed. A process that was stopped, or cut off from the database, is not fresh until it has polled again.
 */
export class ChangeFeed {
  readonly #options: FeedOptions;
  #last = 0;
  /** Monotonic time at which the last successful poll was sent; undefined before the first. */
  #polledAt: number | undefined;
  #sweptAt = 0;
  #timer: NodeJS.Timeout | undefined;
  #poll: Promise<void> = Promise.resolve();
  #isRunning = false;

  constructor(options: FeedOptions) {
    this.#options = options;
  }

  /** The newest change that has been told; 0 before the first poll. */
  get heard(): number {
    return this.#last;
  }

  /** False: nothing that was cached may be used. */
  isFresh(): boolean {
    return this.#polledAt !== undefined && this.#options.clock.monotonic() - this.#polledAt <= FRESH_MS;
  }

  /** Resolves after the first poll; rejects when the database cannot be read. */
  async start(): Promise<void> {
    this.#sweptAt = this.#options.clock.monotonic();
    await this.#restart();
    this.#isRunning = true;
    this.#schedule();
  }

  async stop(): Promise<void> {
    this.#isRunning = false;
    clearTimeout(this.#timer);
    await this.#poll;
  }

  #schedule(): void {
    if (!this.#isRunning) return;
    this.#timer = setTimeout(() => {
      this.#poll = this.#tick().finally(() => this.#schedule());
    }, this.#options.pollMs ?? POLL_MS);
    this.#timer.unref();
  }

  /** Never rejects. */
  async #tick(): Promise<void> {
    const { sql, clock, log } = this.#options;
    const sentAt = clock.monotonic();
    try {
      if (this.#polledAt === undefined || sentAt - this.#polledAt > MAX_PAUSE_MS) return await this.#restart();
      // Read first, and heard of when all that it counts was told: what changed nothing has a number and no row.
      const head = await selectIdentityHead(sql);
      const changes = await selectIdentityChanges(sql, this.#last, MAX_CHANGES);
      if (changes.length === MAX_CHANGES) return await this.#restart();
      for (const change of changes) {
        this.#options.onChange(change.subjects);
        this.#last = change.n;
      }
      this.#last = Math.max(this.#last, head);
      this.#polledAt = sentAt;
      await this.#sweep(sentAt);
    } catch (error) {
      log.warn({ code: failureCode(error) }, 'the identity change feed could not be read');
    }
  }

  /** From the newest change on, with nothing kept from before. */
  async #restart(): Promise<void> {
    const sentAt = this.#options.clock.monotonic();
    const head = await selectIdentityHead(this.#options.sql);
    // Forgotten after the head was read: what a query brought in between may be from before it.
    this.#options.onGap();
    this.#last = head;
    this.#polledAt = sentAt;
  }

  async #sweep(now: number): Promise<void> {
    if (now - this.#sweptAt < SWEEP_MS) return;
    this.#sweptAt = now;
    await deleteIdentityChanges(this.#options.sql, formatInstant(this.#options.clock.now() - KEEP_CHANGES_MS));
  }
}
