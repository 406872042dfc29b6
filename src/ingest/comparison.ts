import { AGENCIES, type FilingPayload, filingId } from '../domain/filing.ts';
import type { Catalogue } from '../domain/filing-type.ts';
import { periodAfter } from '../domain/period-kinds.ts';
import type { Clock } from '../std/clock.ts';
import type { Logger, Metrics } from '../std/telemetry.ts';
import type { Database, TransactionSql } from '../storage/db.ts';
import { failureCode, isUnavailable } from '../storage/failures.ts';
import {
  advanceComparison,
  type ComparableFiling,
  commitWithoutWaiting,
  findGrownOffices,
  type GrownOffice,
  insertComparison,
  insertFindings,
  lockComparison,
  readComparable,
  replaceFindings,
} from '../storage/findings.ts';
import { transaction } from '../storage/transaction.ts';
import { type CompareContext, compareFiling, isCompared, looksBack } from './compare-filing.ts';
import { findStandingFor, loadPayload } from './standing.ts';

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
/** A part of a log ends at whichever bound it reaches first. It holds a connection and an office's lock. */
const PART = { entries: 4_096, filings: 32, ms: 100 };
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
  readonly #attempts = new Map<string, number>();
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
      const moved = await this.#part(office, [...types]);
      if (moved) isDone = false;
      const took = clock.monotonic() - began;
      await this.#rest(restMs(took, this.#ctx.inside(), clock.monotonic() - this.#busyAt));
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

  /** The next part of one office's log, in one transaction: a crash takes back all of it or nothing. False: no progress. */
  async #part(office: GrownOffice, types: readonly string[]): Promise<boolean> {
    const { db, clock, metrics } = this.#ctx;
    if (!office.isKnown) await insertComparison(db.sql, office);
    const { moved, found } = await transaction(db.sql, async (tx) => {
      await commitWithoutWaiting(tx);
      const from = await lockComparison(tx, office);
      if (from === undefined || from >= office.head) return { moved: false, found: 0 };
      const to = Math.min(office.head, from + PART.entries);
      const entries = await readComparable(tx, office, { from, to, types, limit: PART.filings });
      let next = entries.length < PART.filings ? to : (entries.at(-1)?.index ?? to) + 1;
      const deadline = clock.monotonic() + PART.ms;
      let found = 0;
      for (const [i, entry] of entries.entries()) {
        const findings = i > 0 && clock.monotonic() > deadline ? undefined : await this.#attempt(tx, entry, office);
        if (findings === undefined) {
          next = entry.index;
          break;
        }
        found += findings;
      }
      if (next > from) await advanceComparison(tx, office, next);
      return { moved: next > from, found };
    });
    if (found > 0) metrics.count('comparison_findings', undefined, found);
    return moved;
  }

  /**
   * How much comparing one filing found. A fault of the filing's own is reported and passed over: it must not stop the log.
   * Undefined: the database failed, and it is tried again later.
   */
  async #attempt(tx: TransactionSql, entry: ComparableFiling, { region }: GrownOffice): Promise<number | undefined> {
    const id = filingId(entry.office, entry.index);
    try {
      const found = await tx.savepoint((nested) => this.#compare(nested, entry, region));
      this.#attempts.delete(id);
      return found;
    } catch (error) {
      const attempts = (this.#attempts.get(id) ?? 0) + 1;
      const isGivenUp = !isUnavailable(error) || attempts >= MAX_ATTEMPTS;
      if (isGivenUp) this.#attempts.delete(id);
      else this.#attempts.set(id, attempts);
      this.#report(error, { filing: id, attempts }, isGivenUp ? 'filing passed over' : 'filing not compared');
      return isGivenUp ? 0 : undefined;
    }
  }

  async #compare(tx: TransactionSql, entry: ComparableFiling, region: string): Promise<number> {
    const ctx = { ...this.#ctx, sql: tx };
    const payload = await loadPayload(tx, entry);
    const findings = await compareFiling(ctx, payload, entry.version, region);
    if (findings.length > 0) await insertFindings(tx, entry, findings, this.#ctx.clock.now());
    await this.#compareNext(ctx, tx, payload);
    return findings.length;
  }

  /** What the filer has filed for the period after this one was compared without it, or with what it supersedes. */
  async #compareNext(ctx: CompareContext, tx: TransactionSql, payload: FilingPayload): Promise<void> {
    const type = ctx.catalogue().types.get(payload.type);
    if (type === undefined || !looksBack(type)) return;
    const after = periodAfter(type.metadata.periods, payload.period);
    if (after === undefined) return;
    const next = await findStandingFor(ctx, { filer: payload.filer, type: payload.type, ...after });
    if (next === undefined) return;
    const region = (await ctx.directory.office(next.office))?.region;
    const findings = await compareFiling(ctx, await loadPayload(tx, next), next.version, region);
    await replaceFindings(tx, next, findings, this.#ctx.clock.now());
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
