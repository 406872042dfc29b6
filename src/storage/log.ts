import type { PendingQuery, Row, Sql, TransactionSql } from 'postgres';
import { formatInstant, parseInstant } from '../std/clock.ts';
import { assert } from '../std/errors.ts';

// The statements of the offices' trees. Each names one lane.

/** Which office's log. */
export interface LogKey {
  readonly lane: number;
  readonly office: string;
}

/** A signed tree head as it is stored. */
export interface StoredCheckpoint {
  readonly size: number;
  /** 32 bytes. */
  readonly root: Buffer;
  /** The C2SP signed note. */
  readonly note: string;
  /** Milliseconds since the epoch. */
  readonly signedAt: number;
}

export interface StoredTile {
  readonly level: number;
  readonly n: number;
  /** 32 bytes each, one after another. */
  readonly hashes: Buffer;
}

type Queryable = Sql | TransactionSql;
type CheckpointRow = { size: number; root: Buffer; note: string; signed_at: string };
type Nullable<T> = { readonly [K in keyof T]: T[K] | null };

/** What is known of a log before it is grown: how far it goes, and what was signed of it. */
export interface LogState {
  /** Entries that are committed. */
  readonly size: number;
  /** The newest checkpoint; undefined when there is none yet. */
  readonly newest: StoredCheckpoint | undefined;
  /** Whether the log ever went on although more had been signed. */
  readonly isRecovered: boolean;
}

/** Of an office's log; undefined when there is no such office. */
export function readLogState(sql: Queryable, key: LogKey): Promise<LogState | undefined> {
  return readState(sql, key, sql`SELECT size FROM office_head WHERE lane = ${key.lane} AND office = ${key.office}`);
}

/** In one statement, because it is asked for with every batch. `size`: the statement that tells how far the log goes. */
export async function readState(sql: Queryable, key: LogKey, size: PendingQuery<Row[]>): Promise<LogState | undefined> {
  const rows = await sql<(Nullable<CheckpointRow> & { log_size: number; is_recovered: boolean })[]>`
    SELECT head.size AS log_size, newest.size, newest.root, newest.note, newest.signed_at,
      EXISTS (SELECT 1 FROM recovery WHERE lane = ${key.lane} AND office = ${key.office}) AS is_recovered
    FROM (${size}) AS head LEFT JOIN (
      SELECT size, root, note, signed_at FROM checkpoint
      WHERE lane = ${key.lane} AND office = ${key.office} ORDER BY size DESC LIMIT 1
    ) AS newest ON true`;
  const [row] = rows;
  if (row === undefined) return undefined;
  const newest = isStored(row) ? checkpointOf(row) : undefined;
  return { size: row.log_size, newest, isRecovered: row.is_recovered };
}

/** Makes the row that `lockTree` locks. */
export async function insertTree(tx: TransactionSql, key: LogKey): Promise<void> {
  await tx`
    INSERT INTO office_tree (lane, office, size) VALUES (${key.lane}, ${key.office}, 0)
    ON CONFLICT (lane, office) DO NOTHING`;
}

/** How many leaves the tiles stand for. Nobody else can grow them until the transaction ends. */
export async function lockTree(tx: TransactionSql, key: LogKey): Promise<number | undefined> {
  const rows = await tx<{ size: number }[]>`
    SELECT size FROM office_tree WHERE lane = ${key.lane} AND office = ${key.office} FOR UPDATE`;
  return rows[0]?.size;
}

/** How many leaves the tiles stand for, at least; undefined while there are none. */
export async function readTreeSize(sql: Queryable, key: LogKey): Promise<number | undefined> {
  const rows = await sql<{ size: number }[]>`
    SELECT size FROM office_tree WHERE lane = ${key.lane} AND office = ${key.office}`;
  return rows[0]?.size;
}

export async function updateTree(tx: TransactionSql, key: LogKey, size: number): Promise<void> {
  await tx`UPDATE office_tree SET size = ${size} WHERE lane = ${key.lane} AND office = ${key.office}`;
}

/** The leaf hashes of entries [from, to), which must all exist. One aggregate is far cheaper to read than its rows. */
export async function readLeaves(sql: Queryable, key: LogKey, from: number, to: number): Promise<Buffer[]> {
  const rows = await sql<{ count: number; leaves: Buffer | null }[]>`
    SELECT count(*) AS count, string_agg(leaf, ''::bytea ORDER BY idx) AS leaves
    FROM filing WHERE lane = ${key.lane} AND office = ${key.office} AND idx >= ${from} AND idx < ${to}`;
  assert(rows[0]?.count === to - from, 'the log has no gaps');
  return splitHashes(rows[0].leaves ?? Buffer.alloc(0));
}

export async function readTiles(
  sql: Queryable,
  key: LogKey,
  tiles: readonly { readonly level: number; readonly n: number }[],
): Promise<StoredTile[]> {
  if (tiles.length === 0) return [];
  return await sql<StoredTile[]>`
    SELECT t.level, t.n, t.hashes
    FROM unnest(${tiles.map((t) => t.level)}::smallint[], ${tiles.map((t) => t.n)}::bigint[]) AS want (level, n)
    JOIN tile t ON t.level = want.level AND t.n = want.n
    WHERE t.lane = ${key.lane} AND t.office = ${key.office}`;
}

/** Tiles only ever grow at their end, so writing one again is harmless. */
export async function upsertTile(tx: TransactionSql, key: LogKey, tile: StoredTile): Promise<void> {
  await tx`
    INSERT INTO tile (lane, office, level, n, hashes)
    VALUES (${key.lane}, ${key.office}, ${tile.level}, ${tile.n}, ${tile.hashes})
    ON CONFLICT (lane, office, level, n) DO UPDATE SET hashes = excluded.hashes`;
}

export async function readNewestCheckpoint(sql: Queryable, key: LogKey): Promise<StoredCheckpoint | undefined> {
  const rows = await sql<CheckpointRow[]>`
    SELECT size, root, note, signed_at FROM checkpoint
    WHERE lane = ${key.lane} AND office = ${key.office} ORDER BY size DESC LIMIT 1`;
  return rows.map(checkpointOf)[0];
}

export async function readCheckpoint(sql: Queryable, key: LogKey, size: number): Promise<StoredCheckpoint | undefined> {
  const rows = await sql<CheckpointRow[]>`
    SELECT size, root, note, signed_at FROM checkpoint
    WHERE lane = ${key.lane} AND office = ${key.office} AND size = ${size}`;
  return rows.map(checkpointOf)[0];
}

/**
 * A size has one root for ever; only the note over it may be made again, after the gateway's public URL changed.
 * False when another root is stored.
 */
export async function upsertCheckpoint(sql: Queryable, key: LogKey, checkpoint: StoredCheckpoint): Promise<boolean> {
  const { size, root, note, signedAt } = checkpoint;
  const written = await sql`
    INSERT INTO checkpoint (lane, office, size, root, note, signed_at)
    VALUES (${key.lane}, ${key.office}, ${size}, ${root}, ${note}, ${formatInstant(signedAt)})
    ON CONFLICT (lane, office, size) DO UPDATE SET note = excluded.note, signed_at = excluded.signed_at
    WHERE checkpoint.root = excluded.root`;
  return written.count === 1;
}

/**
 * Offices whose log has grown beyond their newest checkpoint, unless that was signed after `signedBefore` (and not ahead of
 * the database's clock, by one that was wrong); those that have waited longest first.
 */
export async function findOverdueLogs(sql: Sql, signedBefore: number, limit: number): Promise<LogKey[]> {
  const rows = await sql<LogKey[]>`
    SELECT h.lane, h.office
    FROM office_head h
    LEFT JOIN LATERAL (
      SELECT size, signed_at FROM checkpoint c
      WHERE c.lane = h.lane AND c.office = h.office ORDER BY c.size DESC LIMIT 1
    ) newest ON true
    WHERE h.size > coalesce(newest.size, 0)
      AND coalesce(newest.signed_at <= ${formatInstant(signedBefore)}::timestamptz OR newest.signed_at > now(), true)
    ORDER BY newest.signed_at NULLS FIRST
    LIMIT ${limit}`;
  return [...rows];
}

const HASH_BYTES = 32;

/** Hashes that are stored one after another. */
export function splitHashes(joined: Buffer): Buffer[] {
  assert(joined.length % HASH_BYTES === 0, 'hashes are 32 bytes each');
  const hashes: Buffer[] = [];
  for (let at = 0; at < joined.length; at += HASH_BYTES) hashes.push(joined.subarray(at, at + HASH_BYTES));
  return hashes;
}

/** All of its columns are null where there is none. */
function isStored<T extends Nullable<CheckpointRow>>(row: T): row is T & CheckpointRow {
  return row.size !== null;
}

function checkpointOf(row: CheckpointRow): StoredCheckpoint {
  const signedAt = parseInstant(row.signed_at);
  assert(signedAt !== undefined, 'PostgreSQL writes instants with a zone');
  return { size: row.size, root: row.root, note: row.note, signedAt };
}
