import type { Sql, TransactionSql } from 'postgres';
import { formatInstant, parseInstant } from '../std/clock.ts';
import { assert } from '../std/errors.ts';
import type { LogKey } from './log.ts';

// The statements of consumers and their leases. Each names one lane; writes happen under the consumer's row lock.

/** One cursor on an office's log. */
export interface ConsumerKey extends LogKey {
  readonly consumer: string;
}

export interface ConsumerRow {
  /** Every entry below it is acknowledged. */
  readonly cursor: number;
  /** Every entry below it was handed out at least once. */
  readonly leased: number;
}

export interface BatchRow {
  /** A UUID as {@link endingAt} makes it. */
  readonly id: string;
  readonly from: number;
  readonly to: number;
  readonly state: string;
  readonly attempts: number;
  /** When the lease ends, milliseconds since the epoch. Of an acknowledged one: when it was acknowledged. */
  readonly expiresAt: number;
}

const RANDOM_BYTES = 10;

/**
 * The id of a batch that ends at `to`: a UUID of version 8 (RFC 9562) that begins with `to` in 48 bits and is random
 * otherwise. The primary key so holds a consumer's batches in the order of the log, and the first that reaches beyond an
 * index is found in it. `random`: 10 bytes.
 */
export function endingAt(to: number, random: Uint8Array): string {
  assert(random.length === RANDOM_BYTES, 'a batch id has 10 random bytes');
  const bytes = Buffer.concat([Buffer.alloc(6), random]);
  bytes.writeUIntBE(to, 0, 6);
  bytes.writeUInt8(0x80 | (bytes.readUInt8(6) & 0x0f), 6);
  bytes.writeUInt8(0x80 | (bytes.readUInt8(8) & 0x3f), 8);
  return uuid(bytes);
}

/** The least id, in PostgreSQL's order, that a batch whose end is beyond `index` can have. */
export function endsBeyond(index: number): string {
  const bytes = Buffer.alloc(16);
  bytes.writeUIntBE(index + 1, 0, 6);
  return uuid(bytes);
}

function uuid(bytes: Buffer): string {
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

type StoredBatch = Omit<BatchRow, 'expiresAt'> & { readonly expires_at: string };

/** Makes the consumer on its first batch. */
export async function insertConsumer(tx: TransactionSql, key: ConsumerKey): Promise<void> {
  await tx`
    INSERT INTO consumer (lane, office, name, cursor, leased)
    VALUES (${key.lane}, ${key.office}, ${key.consumer}, 0, 0)
    ON CONFLICT (lane, office, name) DO NOTHING`;
}

export interface LockedConsumer extends ConsumerRow {
  /** Leases that are neither acknowledged nor given back nor handed on; expired ones are among them. */
  readonly open: readonly BatchRow[];
}

/** Nobody else can change a lease of the consumer until the transaction ends. Undefined when there is no such consumer. */
export async function lockConsumer(tx: TransactionSql, key: ConsumerKey): Promise<LockedConsumer | undefined> {
  // Sent together: the server reads the leases when it has the lock.
  const [rows, open] = await Promise.all([
    tx<ConsumerRow[]>`
      SELECT cursor, leased FROM consumer
      WHERE lane = ${key.lane} AND office = ${key.office} AND name = ${key.consumer} FOR UPDATE`,
    tx<StoredBatch[]>`
      SELECT id, from_index AS from, to_index AS to, state, attempts, expires_at FROM batch
      WHERE lane = ${key.lane} AND office = ${key.office} AND consumer = ${key.consumer} AND state = 'leased'
      ORDER BY from_index`,
  ]);
  return rows[0] && { ...rows[0], open: open.map(batchOf) };
}

export async function updateLeased(tx: TransactionSql, key: ConsumerKey, leased: number): Promise<void> {
  await tx`
    UPDATE consumer SET leased = ${leased}
    WHERE lane = ${key.lane} AND office = ${key.office} AND name = ${key.consumer}`;
}

export async function updateCursor(
  tx: TransactionSql,
  key: ConsumerKey,
  cursor: number,
  ackedAt: number,
): Promise<void> {
  await tx`
    UPDATE consumer SET cursor = ${cursor}, leased = greatest(leased, ${cursor}), acked_at = ${formatInstant(ackedAt)}
    WHERE lane = ${key.lane} AND office = ${key.office} AND name = ${key.consumer}`;
}

export interface FoundBatch extends BatchRow {
  /** Of the stored checkpoint at its end; undefined when none is stored. */
  readonly root: Buffer | undefined;
}

export async function readBatch(
  sql: Sql | TransactionSql,
  key: ConsumerKey,
  id: string,
): Promise<FoundBatch | undefined> {
  const rows = await sql<(StoredBatch & { root: Buffer | null })[]>`
    SELECT b.id, b.from_index AS from, b.to_index AS to, b.state, b.attempts, b.expires_at, c.root
    FROM batch b LEFT JOIN checkpoint c ON c.lane = b.lane AND c.office = b.office AND c.size = b.to_index
    WHERE b.lane = ${key.lane} AND b.office = ${key.office} AND b.consumer = ${key.consumer} AND b.id = ${id}`;
  return rows.map((row) => ({ ...batchOf(row), root: row.root ?? undefined }))[0];
}

export async function insertBatch(tx: TransactionSql, key: ConsumerKey, batch: BatchRow): Promise<void> {
  const { id, from, to, state, attempts, expiresAt } = batch;
  await tx`
    INSERT INTO batch (lane, office, consumer, id, from_index, to_index, state, attempts, expires_at)
    VALUES (${key.lane}, ${key.office}, ${key.consumer}, ${id}, ${from}, ${to}, ${state}, ${attempts}, ${formatInstant(expiresAt)})`;
}

export async function updateBatchStates(
  tx: TransactionSql,
  key: ConsumerKey,
  ids: readonly string[],
  state: string,
): Promise<void> {
  if (ids.length === 0) return;
  await tx`
    UPDATE batch SET state = ${state}
    WHERE lane = ${key.lane} AND office = ${key.office} AND consumer = ${key.consumer} AND id = ANY(${[...ids]}::uuid[])`;
}

/** Ends these leases with an acknowledgement at `ackedAt`, milliseconds since the epoch. */
export async function acknowledgeBatches(
  tx: TransactionSql,
  key: ConsumerKey,
  ids: readonly string[],
  ackedAt: number,
): Promise<void> {
  await tx`
    UPDATE batch SET state = 'acknowledged', expires_at = ${formatInstant(ackedAt)}
    WHERE lane = ${key.lane} AND office = ${key.office} AND consumer = ${key.consumer} AND id = ANY(${[...ids]}::uuid[])`;
}

export interface ConsumerRecord extends ConsumerRow {
  readonly name: string;
  /** Entries in the office's log. */
  readonly size: number;
  /** Milliseconds since the epoch. */
  readonly ackedAt?: number;
}

/** Consumers of an office in the order of their names, from after `after`. */
export async function readConsumers(sql: Sql, key: LogKey, after: string, limit: number): Promise<ConsumerRecord[]> {
  const rows = await sql<{ name: string; cursor: number; leased: number; acked_at: string | null; size: number }[]>`
    SELECT c.name, c.cursor, c.leased, c.acked_at, h.size
    FROM consumer c JOIN office_head h ON h.lane = c.lane AND h.office = c.office
    WHERE c.lane = ${key.lane} AND c.office = ${key.office} AND c.name > ${after}
    ORDER BY c.name LIMIT ${limit}`;
  return rows.map(({ acked_at: ackedAt, ...row }) => ({
    ...row,
    ...(ackedAt === null ? {} : { ackedAt: instant(ackedAt) }),
  }));
}

/** Live leases of these consumers of an office. */
export async function readLiveBatches(
  sql: Sql,
  key: LogKey,
  consumers: readonly string[],
  now: number,
): Promise<(BatchRow & { readonly consumer: string })[]> {
  const rows = await sql<(StoredBatch & { consumer: string })[]>`
    SELECT consumer, id, from_index AS from, to_index AS to, state, attempts, expires_at FROM batch
    WHERE lane = ${key.lane} AND office = ${key.office} AND consumer = ANY(${[...consumers]}::text[])
      AND state = 'leased' AND expires_at > ${formatInstant(now)}
    ORDER BY consumer, from_index`;
  return rows.map((row) => ({ ...batchOf(row), consumer: row.consumer }));
}

function batchOf(row: StoredBatch): BatchRow {
  const { id, from, to, state, attempts } = row;
  return { id, from, to, state, attempts, expiresAt: instant(row.expires_at) };
}

function instant(text: string): number {
  const epochMs = parseInstant(text);
  assert(epochMs !== undefined, 'PostgreSQL writes instants with a zone');
  return epochMs;
}
