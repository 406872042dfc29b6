import type { TransactionSql } from 'postgres';
import { assert } from '../std/errors.ts';

// PostgreSQL's binary COPY format, read without making an object for each value: a third of the time of rows.

const SIGNATURE = Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1');
const HEADER_BYTES = SIGNATURE.length + 8;
const NULL_LENGTH = -1;

/** 2000-01-01T00:00:00Z, from which PostgreSQL counts, in milliseconds since 1970. */
const EPOCH_MS = 946_684_800_000;
const DAY_MS = 86_400_000;
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
  tx: TransactionSql,
  query: string,
  columns: number,
  onRow: (row: CopyRow) => void,
): Promise<void> {
  const stream = await tx.unsafe(`COPY (${query}) TO STDOUT (FORMAT binary)`).readable();
  const row = new CopyRow(columns);
  let rest: Buffer = Buffer.alloc(0);
  let started = false;
  const take = (chunk: Buffer): void => {
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
  };
  await new Promise<void>((resolve, reject) => {
    stream.on('data', (chunk: Buffer) => {
      try {
        take(chunk);
      } catch (error) {
        stream.destroy();
        reject(error);
      }
    });
    stream.once('end', resolve);
    stream.once('error', reject);
    stream.once('close', () => reject(new Error('the copy broke off')));
  });
}

/** A text as a literal, for statements that take no parameters. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
