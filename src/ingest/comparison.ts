import { AGENCIES, filingId } from '../domain/filing.ts';
import type { Catalogue } from '../domain/filing-type.ts';
import type { Clock } from '../std/clock.ts';
import type { Logger, Metrics } from '../std/telemetry.ts';
import type { Database } from '../storage/db.ts';
import { failureCode, isUnavailable } from '../storage/failures.ts';
import {
  advanceComparison,
  type ComparableFiling,
  commitWithoutWaiting,
  findGrownOffices,
  type GrownOffice,
  insertComparison,
  lockComparison,
  readComparable,
} from '../storage/findings.ts';
import { transaction } from '../storage/transaction.ts';
import { type CompareContext, isCompared } from './compare-filing.ts';
import { type ComparedPart, comparePart } from './compare-part.ts';

// After acceptance each filing is compared with the filer's others. Every process follows all logs; the lock on an office's
// row of progress gives each part of a log to one of them, and what it found is stored together with the progress.

export interface ComparisonContext extends Omit<CompareContext, 'sql'> {
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Filings between admission and answer: they come first. */
  readonly inside: () => number;
}

interface Committed {
  readonly type: string;
}

export interface Comparison {
  /** Says that this process has committed filings, so that nobody has to wait for the next look. */
  wake(filings: readonly Committed[]): void;
  /** Resolves when the part in hand is done. */
  stop(): Promise<void>;
}

/** Between two looks for logs that grew in other processes. */
const POLL_MS = 1_500;
/** After a commit, for the others of the same moment. */
const GATHER_MS = 100;
/**
 * Rest after each part, in times of what the part took, the database's share included: while filings come, a fifth of a core; while they wait for
 * one another, a twentieth.
 */
const REST = { quiet: 1, busy: 4, pressed: 19 };
/** So many inside, of many senders or of one upload, wait for one another. */
const PRESSED = 64;
/** A part that took long, because the database did, is no reason to rest for minutes. */
const MAX_REST_MS = 15_000;
/** Filings come when this process has committed some within this time. */
const BUSY_MS = 1_000;
const ROUND_OFFICES = 256;
/**
 * A part of a log ends at whichever bound it reaches first. It holds a connection and an office's lock, and contents in memory:
 * so many bytes of the filings' own and of those after them, as many of others; one filing may have more alone.
 */
const PART = { entries: 4_096, filings: 32, bytes: 8 * 1024 * 1024 };
/** After a failure of the database. */
const BACKOFF_MS = { first: 1_000, most: 30_000 };
/** A filing during which the database fails so often is passed over. */
const MAX_ATTEMPTS = 5;

/**
 * @param tookMs what the part took
 * @param inside filings between admission and answer
 * @param sinceCommitMs how long ago this process committed filings
 */
export function restMs(tookMs: number, inside: number, sinceCommitMs: number): number {
  const isBusy = inside > 0 || sinceCommitMs < BUSY_MS;
  const times = inside >= PRESSED ? REST.pressed : isBusy ? REST.busy : REST.quiet;
  return Math.min(tookMs * times, MAX_REST_MS);
}

/** Starts following; never throws, also when the database is down. */
export function startComparison(ctx: ComparisonContext, pollMs = POLL_MS): Comparison {
  const follower = new Follower(ctx, pollMs);
  const running = follower.run();
  return {
    wake: (filings) => follower.wake(filings),
    stop: () => {
      follower.stop();
      return running;
    },
  };
}

/** What a failure of a part leaves to be remembered. */
interface Trouble {
  /** Filings before this index are taken one at a time. */
  readonly until: number;
  /** The filing that failed alone, and how often one after the other. */
  readonly index: number;
  readonly attempts: number;
}

interface PartOutcome {
  /** Whether there is more to do. */
  readonly moved: boolean;
  /** For the database to come to itself. */
  readonly pauseMs?: number;
}

/** The names of the types that are compared, and their agencies: the logs of others are not even looked at. */
interface Compared {
  readonly types: ReadonlySet<string>;
  readonly agencies: readonly string[];
}

function comparedIn(catalogue: Catalogue): Compared {
  const types = [...catalogue.types.values()].filter(isCompared).map((type) => type.metadata.type);
  const agencies = AGENCIES.filter((agency) => types.some((type) => type.startsWith(`${agency}.`)));
  return { types: new Set(types), agencies };
}

class Follower {
  readonly #ctx: ComparisonContext;
  readonly #pollMs: number;
  #stopped = false;
  #woken = false;
  #busyAt = Number.NEGATIVE_INFINITY;
  #rouse: (() => void) | undefined;
  #lag = 0;
  #after: { readonly lane: number; readonly office: string } = { lane: -1, office: '' };
  /** By office. */
  readonly #troubles = new Map<string, Trouble>();
  #catalogue: Catalogue | undefined;
  #compared: Compared = { types: new Set(), agencies: [] };

  constructor(ctx: ComparisonContext, pollMs: number) {
    this.#ctx = ctx;
    this.#pollMs = pollMs;
    ctx.metrics.gauge('comparison_lag_filings', () => this.#lag);
  }

  wake(filings: readonly Committed[]): void {
    this.#busyAt = this.#ctx.clock.monotonic();
    if (this.#woken || !filings.some(({ type }) => this.#compared.types.has(type))) return;
    this.#woken = true;
    this.#rouse?.();
  }

  stop(): void {
    this.#stopped = true;
    this.#rouse?.();
  }

  async run(): Promise<void> {
    let backoffMs = 0;
    while (!this.#stopped) {
      this.#woken = false;
      let isDone = true;
      try {
        isDone = await this.#round();
        backoffMs = 0;
      } catch (error) {
        backoffMs = Math.min(Math.max(backoffMs * 2, BACKOFF_MS.first), BACKOFF_MS.most);
        this.#report(error, {}, 'filings not compared');
      }
      if (backoffMs > 0) await this.#rest(backoffMs);
      else if (isDone) await this.#nap();
    }
  }

  /** One part of each log that grew. True when there is nothing left to do. */
  async #round(): Promise<boolean> {
    const { types, agencies } = this.#known();
    if (types.size === 0) return true;
    const { clock, db } = this.#ctx;
    const grown = await findGrownOffices(db.sql, agencies, this.#after, ROUND_OFFICES);
    this.#lag = grown[0]?.lag ?? 0;
    let isDone = true;
    for (const office of grown) {
      if (this.#stopped) return true;
      this.#after = { lane: office.lane, office: office.office };
      const began = clock.monotonic();
      const { moved, pauseMs = 0 } = await this.#part(office, [...types]);
      if (moved) isDone = false;
      const took = clock.monotonic() - began;
      const rest = restMs(took, this.#ctx.inside(), clock.monotonic() - this.#busyAt);
      await this.#rest(Math.max(rest, pauseMs));
    }
    return isDone;
  }

  #known(): Compared {
    const catalogue = this.#ctx.catalogue();
    if (catalogue !== this.#catalogue) {
      this.#catalogue = catalogue;
      this.#compared = comparedIn(catalogue);
    }
    return this.#compared;
  }

  /** The next part of one office's log, in one transaction: a crash takes back all of it or nothing. */
  async #part(office: GrownOffice, types: readonly string[]): Promise<PartOutcome> {
    const { db, metrics } = this.#ctx;
    if (!office.isKnown) await insertComparison(db.sql, office);
    let entries: readonly ComparableFiling[] = [];
    let done: (ComparedPart & { readonly next: number }) | undefined;
    try {
      done = await transaction(db.sql, async (tx) => {
        await commitWithoutWaiting(tx);
        const from = await lockComparison(tx, office);
        if (from === undefined || from >= office.head) return undefined;
        const to = Math.min(office.head, from + PART.entries);
        const limit = from < (this.#troubles.get(office.office)?.until ?? 0) ? 1 : PART.filings;
        entries = await readComparable(tx, office, { from, to, types, limit });
        const { region } = office;
        const part = await comparePart({ ...this.#ctx, sql: tx }, entries, { region, bytes: PART.bytes });
        const last = entries[part.taken - 1];
        const isAll = part.taken === entries.length && entries.length < limit;
        const next = isAll || last === undefined ? to : last.index + 1;
        await advanceComparison(tx, office, next);
        return { ...part, next };
      });
    } catch (error) {
      return await this.#fail(office, entries, error);
    }
    if (done === undefined) return { moved: false };
    if (done.next >= (this.#troubles.get(office.office)?.until ?? 0)) this.#troubles.delete(office.office);
    if (done.found > 0) metrics.count('comparison_findings', undefined, done.found);
    for (const { filing, error } of done.faults) this.#report(error, { filing }, 'filing passed over');
    return { moved: true };
  }

  /**
   * Nothing of a part was stored. Several filings are done once more one at a time, so that the one whose fault it is gets
   * known. One that is alone is passed over when it is its own fault, or when the database fails with it again and again: it
   * must not stop the log.
   */
  async #fail(office: GrownOffice, entries: readonly ComparableFiling[], error: unknown): Promise<PartOutcome> {
    const [first] = entries;
    const last = entries.at(-1);
    if (first === undefined || last === undefined) throw error;
    const known = this.#troubles.get(office.office);
    const isAlone = first === last;
    const attempts = isAlone ? (known?.index === first.index ? known.attempts : 0) + 1 : 0;
    const until = Math.max(last.index + 1, known?.until ?? 0);
    this.#troubles.set(office.office, { until, index: first.index, attempts });
    const pauseMs = isUnavailable(error) ? BACKOFF_MS.first : 0;
    if (!isAlone) {
      this.#report(error, { office: office.office }, 'filings not compared together');
      return { moved: true, pauseMs };
    }
    const isGivenUp = !isUnavailable(error) || attempts >= MAX_ATTEMPTS;
    const fields = { filing: filingId(first.office, first.index), attempts };
    this.#report(error, fields, isGivenUp ? 'filing passed over' : 'filing not compared');
    if (isGivenUp) await this.#passOver(office, first.index);
    return { moved: isGivenUp, pauseMs };
  }

  async #passOver(office: GrownOffice, index: number): Promise<void> {
    await transaction(this.#ctx.db.sql, async (tx) => {
      const from = await lockComparison(tx, office);
      if (from !== undefined && from <= index) await advanceComparison(tx, office, index + 1);
    });
  }

  #report(error: unknown, fields: object, message: string): void {
    this.#ctx.metrics.count('comparison_failures');
    this.#ctx.log.error({ ...fields, code: failureCode(error), error }, message);
  }

  async #nap(): Promise<void> {
    if (!this.#woken) await this.#rest(this.#pollMs, true);
    if (!this.#stopped) await this.#rest(GATHER_MS);
  }

  /** A commit ends it only where there was nothing else to do; a stop always. */
  #rest(ms: number, untilWoken = false): Promise<void> {
    if (this.#stopped) return Promise.resolve();
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        this.#rouse = undefined;
        resolve();
      };
      const timer = setTimeout(end, ms);
      timer.unref();
      this.#rouse = () => {
        if (untilWoken || this.#stopped) end();
      };
    });
  }
}
