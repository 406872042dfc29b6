import { finished } from 'node:stream/promises';
import type { TickRecord, WholeFiling } from '../src/domain/filing-record.ts';
import type { TransactionSql } from '../src/storage/db.ts';

// Rows in PostgreSQL's binary COPY format, for tables that are filled by the million.

const HEADER = Buffer.concat([Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'), Buffer.alloc(8)]);
/** 2000-01-01T00:00:00Z, from which PostgreSQL counts. */
const EPOCH_MS = 946_684_800_000;
const DAY_MS = 86_400_000;
const NULL_LENGTH = -1;
/** Bytes of one message to the server. */
const PIECE_BYTES = 256 * 1024;

/** Takes rows as they come; its buffer grows to the largest lot that it was given and is used again. */
export class CopyRows {
  #buffer: Buffer = Buffer.allocUnsafe(1024 * 1024);
  #at = HEADER.copy(this.#buffer);

  /** Begins a row. `bytes`: more than it can take. */
  row(columns: number, bytes: number): this {
    if (this.#at + bytes + 16 > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(2 * (this.#at + bytes));
      this.#buffer.copy(larger, 0, 0, this.#at);
      this.#buffer = larger;
    }
    this.#at = this.#buffer.writeInt16BE(columns, this.#at);
    return this;
  }

  null(): this {
    return this.#length(NULL_LENGTH);
  }

  int16(value: number): this {
    this.#length(2).#at = this.#buffer.writeInt16BE(value, this.#at);
    return this;
  }

  int32(value: number): this {
    this.#length(4).#at = this.#buffer.writeInt32BE(value, this.#at);
    return this;
  }

  int64(value: number): this {
    this.#length(8);
    const high = Math.floor(value / 2 ** 32);
    this.#at = this.#buffer.writeInt32BE(high, this.#at);
    this.#at = this.#buffer.writeUInt32BE(value - high * 2 ** 32, this.#at);
    return this;
  }

  bool(value: boolean): this {
    this.#length(1).#at = this.#buffer.writeUInt8(value ? 1 : 0, this.#at);
    return this;
  }

  ascii(value: string): this {
    this.#length(value.length).#at += this.#buffer.write(value, this.#at, 'latin1');
    return this;
  }

  bytes(value: Uint8Array): this {
    this.#length(value.length);
    this.#buffer.set(value, this.#at);
    this.#at += value.length;
    return this;
  }

  uuid(value: string): this {
    this.#length(16).#at += this.#buffer.write(value.replaceAll('-', ''), this.#at, 'hex');
    return this;
  }

  instant(epochMs: number): this {
    return this.int64((epochMs - EPOCH_MS) * 1000);
  }

  date(day: string): this {
    return this.int32((Date.parse(day) - EPOCH_MS) / DAY_MS);
  }

  #length(bytes: number): this {
    this.#at = this.#buffer.writeInt32BE(bytes, this.#at);
    return this;
  }

  /** Sends what has been taken, and begins anew. */
  async sendTo(tx: TransactionSql, table: string, columns: readonly string[]): Promise<void> {
    this.#at = this.#buffer.writeInt16BE(-1, this.#at);
    const stream = await tx.unsafe(`COPY ${table} (${columns.join(',')}) FROM STDIN (FORMAT binary)`).writable();
    const done = finished(stream);
    for (let from = 0; from < this.#at; from += PIECE_BYTES)
      stream.write(Buffer.from(this.#buffer.subarray(from, Math.min(from + PIECE_BYTES, this.#at))));
    stream.end();
    await done;
    this.#at = HEADER.length;
  }
}

export const FILING_COLUMNS = [
  'lane', 'office', 'idx', 'key', 'type', 'version', 'filer', 'period_from', 'period_to', 'kind', 'received_at', 'late',
  'digest', 'salt', 'leaf', 'tick_lane', 'tick', 'tick_leaf', 'kid', 'content', 'urgent',
] as const; // biome-ignore format: one list, read as a table

/** What the other columns take, and the lengths of all. */
const FILING_BYTES = 1_000;

/** An original without a reference, warnings or a manifest: those columns stay null. */
export function addFiling(rows: CopyRows, f: WholeFiling): void {
  rows.row(FILING_COLUMNS.length, f.content.length + FILING_BYTES);
  rows.int16(f.lane).ascii(f.office).int64(f.index).bytes(f.key).ascii(f.type).ascii(f.version).ascii(f.filer);
  rows.date(f.period.from).date(f.period.to).ascii(f.kind).instant(f.receivedAt).bool(f.late);
  rows.bytes(f.digest).bytes(f.salt).bytes(f.leaf).int16(f.tick.lane).uuid(f.tick.id).int32(f.tick.leafIndex);
  rows.ascii(f.kid).ascii(f.content).bool(f.urgent);
}

export const TICK_COLUMNS = ['lane', 'id', 'at', 'leaves', 'signature'] as const;

export function addTick(rows: CopyRows, t: TickRecord): void {
  rows.row(TICK_COLUMNS.length, t.leaves.length + t.signature.length + 100);
  rows.int16(t.lane).uuid(t.id).instant(t.at).bytes(t.leaves).ascii(t.signature);
}
