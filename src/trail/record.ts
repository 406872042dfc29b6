import { sha256 } from '../std/bytes.ts';
import { type Clock, formatInstant } from '../std/clock.ts';
import { GatewayError } from '../std/errors.ts';
import type { Sql } from '../storage/db.ts';
import {
  insertTrailRows,
  lockTrailHead,
  readNewestTrailTime,
  readTrailTime,
  type StoredTrailRow,
  type TrailHead,
  updateTrailHead,
} from '../storage/trail.ts';
import { transaction } from '../storage/transaction.ts';
import { type TrailDetails, type TrailEvent, trailHash } from './chain.ts';

export interface TrailContext {
  readonly sql: Sql;
  readonly clock: Clock;
}

/**
 * Adds rows to the chain, in the order given, in one transaction. Durable when it resolves; when it throws, none of them
 * stands, or, when the connection was lost during COMMIT, possibly all. The lock on the head lets one process at a time add.
 */
export async function appendToTrail(ctx: TrailContext, events: readonly TrailEvent[]): Promise<TrailHead> {
  return transaction(ctx.sql, async (tx) => {
    // Sent together: the server reads the newest row when it has the lock.
    const [head, newestRow] = await Promise.all([lockTrailHead(tx), readNewestTrailTime(tx)]);
    // Never backwards, whatever the clocks of the processes say: rows are then found by time without an index on it.
    const latest = newestRow?.n === head.n ? newestRow.at : ((await readTrailTime(tx, head.n)) ?? 0);
    const at = formatInstant(Math.max(ctx.clock.now(), latest));
    const rows = chained(head, at, events);
    const newest = rows.at(-1) ?? head;
    await Promise.all([insertTrailRows(tx, rows), updateTrailHead(tx, newest)]);
    return newest;
  });
}

function chained(head: TrailHead, at: string, events: readonly TrailEvent[]): StoredTrailRow[] {
  let { n, hash } = head;
  return events.map((event) => {
    const row = { ...event, n: ++n, at };
    hash = Buffer.from(trailHash(sha256, hash, row));
    return { ...row, hash };
  });
}

/** Where events wait until the transaction before has ended: the group commit of ingest/pool.ts. */
interface Queue {
  /** Undefined when it is full. */
  tryEnter(bytes: number): { leave(): void } | undefined;
  /** Settles when the event stands, or does not. */
  submit(event: TrailEvent, bytes: number): Promise<unknown>;
}

/** What a row takes in memory, roughly. */
const ROW_BYTES = 512;

/** Records what requests do. Those that wait together become one transaction. */
export class Recorder {
  readonly #queue: Queue;

  constructor(queue: Queue) {
    this.#queue = queue;
  }

  /**
   * Resolves when the row is durable. Throws `overloaded` when too many wait and `unavailable` when it could not be
   * written; what it is about must then not be done, or not be handed out.
   */
  async record(event: TrailEvent): Promise<void> {
    const place = this.#queue.tryEnter(ROW_BYTES);
    if (place === undefined) throw new GatewayError('overloaded');
    try {
      await this.#queue.submit(event, ROW_BYTES);
    } catch (cause) {
      throw new GatewayError('unavailable', { detail: NOT_RECORDED, cause });
    } finally {
      place.leave();
    }
  }
}

const NOT_RECORDED = {
  zh: '审计记录暂时无法写入，因此没有读取或更改任何内容。请稍后再试。',
  en: 'The audit trail cannot be written at present, so nothing was read or changed. Try again later.',
};

/** Who works at the machine itself: a command, or a process that starts. */
export interface ActContext extends TrailContext {
  /** The operator whose key lies in the data folder; `-` when there is none. */
  readonly operator: string;
  /** Joins the two rows of the act; unique. */
  readonly request: string;
}

export interface Act {
  /** The name of the command, or of what a starting process does. */
  readonly action: string;
  readonly target: string;
  readonly details?: TrailDetails;
}

/**
 * Does something that no request asks for, between two rows: `begun`, and `done` or `failed`. Throws without having done it
 * when the first cannot be written, and as `work` does.
 */
export async function recordAct<T>(ctx: ActContext, act: Act, work: () => Promise<T>): Promise<T> {
  const { operator: party, request } = ctx;
  const append = (result: string) => appendToTrail(ctx, [{ role: 'operator', party, request, ...act, result }]);
  await append('begun');
  let outcome: T;
  try {
    outcome = await work();
  } catch (error) {
    // What went wrong is what counts: a database that has gone away takes this row with it.
    await append(error instanceof GatewayError ? `failed ${error.code}` : 'failed').catch(() => undefined);
    throw error;
  }
  await append('done');
  return outcome;
}
