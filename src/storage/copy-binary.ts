import type { Readable } from 'node:stream';
import type { Sql, TransactionSql } from 'postgres';
import { assert } from '../std/errors.ts';

// PostgreSQL's binary COPY format, read without making an object for each value: a third of the time of rows.

export const SIGNATURE = Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1');
const HEADER_BYTES = SIGNATURE.length + 8;
const NULL_LENGTH = -1;

/** 2000-01-01T00:00:00Z, from which PostgreSQL counts, in milliseconds since 1970. */
export const EPOCH_MS = 946_684_800_000;
export const DAY_MS = 86_400_000;
/** What a Date can hold. */
const MAX_MS = 8.64e15;

/** One row, in place: valid until the next one is read. */
export class CopyRow {
  #buffer: Buffer = Buffer.alloc(0);
  readonly #start: Int32Array;
  readonly #length: Int32Array;

  constructor(columns: number) {
    this.#start = new Int32Array(columns);
    this.#length = new Int32Array(columns);
  }

  /** Where the row after this one begins; -1 when `buffer` ends before this one does. */
  read(buffer: Buffer, at: number): number {
    let next = at + 2;
    for (let column = 0; column < this.#start.length; column++) {
      if (next + 4 > buffer.length) return -1;
      const length = buffer.readInt32BE(next);
      next += 4;
      this.#start[column] = next;
      this.#length[column] = length;
      if (length > 0) next += length;
    }
    if (next > buffer.length) return -1;
    this.#buffer = buffer;
    return next;
  }

  isNull(column: number): boolean {
    return this.#length[column] === NULL_LENGTH;
  }

  /** A view, not a copy. Empty for null. */
  bytes(column: number): Buffer {
    const start = this.#start[column] as number;
    return this.#buffer.subarray(start, start + Math.max(0, this.#length[column] as number));
  }

  /** Copies the value's bytes to `target` from `at` on, and tells where they end there. */
  copyTo(column: number, target: Buffer, at: number): number {
    const start = this.#start[column] as number;
    return at + this.#buffer.copy(target, at, start, start + Math.max(0, this.#length[column] as number));
  }

  /** Bytes of the value; 0 for null. */
  size(column: number): number {
    return Math.max(0, this.#length[column] as number);
  }

  string(column: number, encoding: BufferEncoding): string {
    const start = this.#start[column] as number;
    return this.#buffer.toString(encoding, start, start + Math.max(0, this.#length[column] as number));
  }

  /** UTF-8; undefined for null. */
  text(column: number): string | undefined {
    return this.isNull(column) ? undefined : this.string(column, 'utf8');
  }

  int16(column: number): number {
    return this.#buffer.readInt16BE(this.#start[column] as number);
  }

  int32(column: number): number {
    return this.#buffer.readInt32BE(this.#start[column] as number);
  }

  /** Exact up to 2^53. */
  int64(column: number): number {
    const start = this.#start[column] as number;
    return this.#buffer.readInt32BE(start) * 2 ** 32 + this.#buffer.readUInt32BE(start + 4);
  }

  /** Milliseconds since the epoch; NaN for `infinity` and whatever else no Date can hold. */
  instant(column: number): number {
    const epochMs = this.int64(column) / 1000 + EPOCH_MS;
    return Math.abs(epochMs) <= MAX_MS ? epochMs : Number.NaN;
  }

  /** `YYYY-MM-DD`; empty for `infinity`. */
  date(column: number): string {
    return dateOf(this.int32(column));
  }

  uuid(column: number): string {
    const hex = this.string(column, 'hex');
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  }
}

/** Periods begin and end on few days. */
const dates = new Map<number, string>();
const DATES_KEPT = 10_000;

function dateOf(days: number): string {
  let text = dates.get(days);
  if (text === undefined) {
    const epochMs = days * DAY_MS + EPOCH_MS;
    text = Math.abs(epochMs) <= MAX_MS ? new Date(epochMs).toISOString().slice(0, -14) : '';
    if (dates.size >= DATES_KEPT) dates.clear();
    dates.set(days, text);
  }
  return text;
}

/**
 * Runs `query`, which has `columns` columns, and hands each row to `onRow` as it comes. Memory: what one read of the
 * socket brings, or the largest row. `onRow` must not wait for anything.
 */
export async function copyRows(
  sql: Sql | TransactionSql,
  query: string,
  columns: number,
  onRow: (row: CopyRow) => void,
): Promise<void> {
  const row = new CopyRow(columns);
  let rest: Buffer = Buffer.alloc(0);
  let started = false;
  await receive(sql, `COPY (${query}) TO STDOUT (FORMAT binary)`, (chunk) => {
    const buffer = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    if (!started) {
      if (buffer.length < HEADER_BYTES) {
        rest = buffer;
        return;
      }
      assert(buffer.subarray(0, SIGNATURE.length).equals(SIGNATURE), 'the server sends binary COPY');
      at = HEADER_BYTES;
      started = true;
    }
    while (at + 2 <= buffer.length) {
      const fields = buffer.readInt16BE(at);
      if (fields === -1) break; // the trailer
      assert(fields === columns, 'the statement has the columns that it was announced with');
      const next = row.read(buffer, at);
      if (next < 0) break;
      onRow(row);
      at = next;
    }
    rest = buffer.subarray(at);
  });
}

/** A query of postgres.js, with the two properties that its connection calls: `resolve` twice, at the beginning and at the end. */
interface CopyQuery {
  resolve: (value: unknown) => void;
  reject: (error: unknown) => void;
  readable(): Promise<unknown>;
}

/**
 * Keeps postgres.js from sending another statement on the connection before this one is over, as it does when all connections are
 * busy: while data comes, it refuses that statement (`COPY_IN_PROGRESS`), which may be anybody's.
 */
const ALONE = { prepare: false, onexecute: () => false };

/**
 * Hands on what a COPY sends, in the moment in which it arrives, and resolves when the statement is over. What comes after
 * `take` has thrown is left.
 *
 * postgres.js puts it into a stream, stops reading the socket when the stream is full, and goes on when the stream is read.
 * A result that is whole before anybody could read is never read on from: the connection stays stopped for whoever has it
 * next. So the stream is not used, which is faster too.
 */
function receive(sql: Sql | TransactionSql, statement: string, take: (chunk: Buffer) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const query = sql.unsafe(statement, [], ALONE) as unknown as CopyQuery;
    const { resolve: resolveQuery, reject: rejectQuery } = query;
    let isTaking = true;
    query.resolve = (value) => {
      const stream = value as Readable;
      stream.once('error', reject);
      stream.push = (chunk: Buffer | null) => {
        try {
          if (isTaking && chunk !== null) take(chunk);
        } catch (error) {
          isTaking = false;
          reject(error);
        }
        return true;
      };
      query.resolve = (result) => {
        Reflect.apply(resolveQuery, query, [result]);
        resolve();
      };
    };
    query.reject = (error) => {
      Reflect.apply(rejectQuery, query, [error]);
      reject(error);
    };
    query.readable().catch(reject);
  });
}

/** A text as a literal, for statements that take no parameters. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
