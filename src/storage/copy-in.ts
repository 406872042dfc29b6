import type { TransactionSql } from 'postgres';
import { assert } from '../std/errors.ts';
import { DAY_MS, EPOCH_MS, SIGNATURE } from './copy-binary.ts';

// Rows written with COPY in PostgreSQL's binary format: two thirds of the server's time of a multi-row INSERT, since it
// neither plans nor parses values, and half of the client's, since no parameter is a string of its own.

const NULL_LENGTH = -1;
const UTF8_BYTES_A_CHARACTER = 3;
const UUID_BYTES = 16;
const JSONB_VERSION = 1;
/** Fits every column that has a fixed width, with its length. */
const FIXED_BYTES = 16;

/** Rows one after another in one buffer, each by `row` and then one call a column. Undefined is NULL. */
export class CopyWriter {
  #buffer: Buffer;
  #at = 0;

  /** @param bytes room to begin with; grows when it is not enough */
  constructor(bytes: number) {
    this.#buffer = Buffer.allocUnsafe(bytes + SIGNATURE.length + FIXED_BYTES);
    this.#at = SIGNATURE.copy(this.#buffer);
    this.#at = this.#buffer.writeInt32BE(0, this.#at); // flags
    this.#at = this.#buffer.writeInt32BE(0, this.#at); // length of the header's extension
  }

  row(columns: number): void {
    this.#fit(FIXED_BYTES);
    this.#at = this.#buffer.writeInt16BE(columns, this.#at);
  }

  /** All of it. Nothing can be added afterwards. */
  end(): Buffer {
    this.row(-1);
    return this.#buffer.subarray(0, this.#at);
  }

  null(): void {
    this.#fit(FIXED_BYTES);
    this.#length(NULL_LENGTH);
  }

  boolean(value: boolean): void {
    this.#fit(FIXED_BYTES);
    this.#length(1);
    this.#at = this.#buffer.writeUInt8(value ? 1 : 0, this.#at);
  }

  int16(value: number): void {
    this.#fit(FIXED_BYTES);
    this.#length(2);
    this.#at = this.#buffer.writeInt16BE(value, this.#at);
  }

  int32(value: number | undefined): void {
    if (value === undefined) {
      this.null();
      return;
    }
    this.#fit(FIXED_BYTES);
    this.#length(4);
    this.#at = this.#buffer.writeInt32BE(value, this.#at);
  }

  /** Exact up to 2^53. */
  int64(value: number): void {
    assert(Number.isSafeInteger(value), 'a whole number');
    this.#fit(FIXED_BYTES);
    this.#length(8);
    const high = Math.floor(value / 2 ** 32);
    this.#at = this.#buffer.writeInt32BE(high, this.#at);
    this.#at = this.#buffer.writeUInt32BE(value - high * 2 ** 32, this.#at);
  }

  /** @param epochMs milliseconds since 1970 */
  instant(epochMs: number): void {
    this.int64((epochMs - EPOCH_MS) * 1000);
  }

  /** @param value `YYYY-MM-DD` */
  date(value: string): void {
    this.int32(dayOf(value));
  }

  text(value: string | undefined): void {
    if (value === undefined) {
      this.null();
      return;
    }
    this.#fit(FIXED_BYTES + value.length * UTF8_BYTES_A_CHARACTER);
    const start = this.#at + 4;
    const length = this.#buffer.write(value, start);
    this.#length(length);
    this.#at = start + length;
  }

  bytes(value: Uint8Array): void {
    this.#fit(FIXED_BYTES + value.length);
    this.#length(value.length);
    this.#buffer.set(value, this.#at);
    this.#at += value.length;
  }

  uuid(value: string | undefined): void {
    if (value === undefined) {
      this.null();
      return;
    }
    this.#fit(4 + UUID_BYTES);
    this.#length(UUID_BYTES);
    const written = this.#buffer.write(value.replaceAll('-', ''), this.#at, 'hex');
    assert(written === UUID_BYTES, 'a UUID');
    this.#at += UUID_BYTES;
  }

  jsonb(value: unknown): void {
    const text = JSON.stringify(value);
    this.#fit(FIXED_BYTES + text.length * UTF8_BYTES_A_CHARACTER);
    const start = this.#at + 4;
    this.#buffer.writeUInt8(JSONB_VERSION, start);
    const length = 1 + this.#buffer.write(text, start + 1);
    this.#length(length);
    this.#at = start + length;
  }

  #length(bytes: number): void {
    this.#at = this.#buffer.writeInt32BE(bytes, this.#at);
  }

  #fit(bytes: number): void {
    const needed = this.#at + bytes;
    if (needed <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2));
    this.#buffer.copy(larger, 0, 0, this.#at);
    this.#buffer = larger;
  }
}

/** Days since 2000; periods begin and end on few of them. */
const days = new Map<string, number>();
const DAYS_KEPT = 10_000;

function dayOf(date: string): number {
  let day = days.get(date);
  if (day === undefined) {
    const epochMs = Date.parse(date);
    // Date.parse takes the 30th of February for a day in March.
    assert(new Date(epochMs).toJSON()?.startsWith(`${date}T`) === true, 'a day of the calendar');
    day = (epochMs - EPOCH_MS) / DAY_MS;
    if (days.size >= DAYS_KEPT) days.clear();
    days.set(date, day);
  }
  return day;
}

/** The driver copies what it sends, one piece after another. */
const PIECE_BYTES = 1024 * 1024;

/**
 * Sends `rows`, which a CopyWriter made, by a statement `COPY … FROM STDIN (FORMAT binary)`. Nothing else may be sent on the
 * connection until it settles: between statement and end of data the server takes nothing but data.
 *
 * postgres.js resolves the statement with a stream once the server is ready for data, and what the server says of the data
 * then reaches neither statement nor stream when the stream was ended before: `reject` is called all the same, and that is
 * what is listened to. Data is written in the moment in which the stream is there: an `error` of it would otherwise come
 * before its listener where the connection dies at once.
 */
export function copyInto(tx: TransactionSql, statement: string, rows: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const query = tx.unsafe(statement) as unknown as CopyQuery;
    const { resolve: resolveQuery, reject: rejectQuery } = query;
    query.resolve = (stream) => {
      query.resolve = resolveQuery; // called again when the statement is over
      stream.once('error', (error) => query.reject(error)); // where `transaction` learns of a lost connection
      stream.once('finish', resolve);
      for (let at = 0; at < rows.length; at += PIECE_BYTES) stream.write(rows.subarray(at, at + PIECE_BYTES));
      stream.end();
      Reflect.apply(resolveQuery, query, [stream]);
    };
    query.reject = (error) => {
      query.resolve = resolveQuery; // the driver may resolve it yet, once it has connected again
      Reflect.apply(rejectQuery, query, [error]);
      reject(error);
    };
    query.writable().catch(reject);
  });
}

/** A query of postgres.js, with the two properties that its connection calls. */
interface CopyQuery {
  resolve: (stream: NodeJS.WritableStream) => void;
  reject: (error: unknown) => void;
  writable(): Promise<unknown>;
}
