import type { Sql, TransactionSql } from 'postgres';
import type { Agency } from '../domain/filing.ts';
import { assert } from '../std/errors.ts';
import { type CopyRow, copyRows, literal } from './copy-binary.ts';
import { type LogKey, splitHashes } from './log.ts';

// What offices read. The log's own indexes and the heads' transaction ids are the cursors.

type Queryable = Sql | TransactionSql;

/** Columns of an entry as {@link copyEntries} hands it out. */
export const ENTRY = { index: 0, receivedAt: 1, salt: 2, leaf: 3, content: 4, manifest: 5, manifestLine: 6 } as const;

/** Entries [from, to) of a log. */
export interface EntryReach {
  readonly from: number;
  readonly to: number;
  /** A content of more bytes is not read: it is null then. The length of a large one is known without reading it. */
  readonly contentBytes?: number;
}

/** Hands over entries in index order, each in place: valid until the next one. All of them must exist. */
export async function copyEntries(
  sql: Queryable,
  { lane, office }: LogKey,
  { from, to, contentBytes }: EntryReach,
  onEntry: (row: CopyRow) => void,
): Promise<void> {
  assert([lane, from, to, contentBytes ?? 0].every(Number.isSafeInteger), 'numbers of a statement are whole');
  const content =
    contentBytes === undefined ? 'content' : `CASE WHEN octet_length(content) <= ${contentBytes} THEN content END`;
  let next = from;
  // COPY takes no parameters.
  await copyRows(
    sql,
    `SELECT idx, received_at, salt, leaf, ${content}, manifest, manifest_line
    FROM filing WHERE lane = ${lane} AND office = ${literal(office)} AND idx >= ${from} AND idx < ${to}
    ORDER BY idx`,
    Object.keys(ENTRY).length,
    (row) => {
      assert(row.int64(ENTRY.index) === next++, 'the log has no gaps');
      onEntry(row);
    },
  );
  assert(next === to, 'the log has no gaps');
}

export interface StoredManifest {
  readonly jws: string;
  readonly leaves: readonly Buffer[];
}

export async function readManifest(sql: Sql, lane: number, id: string): Promise<StoredManifest | undefined> {
  const rows = await sql<{ jws: string; leaves: Buffer }[]>`
    SELECT jws, leaves FROM manifest WHERE lane = ${lane} AND id = ${id}`;
  return rows.map(({ jws, leaves }) => ({ jws, leaves: splitHashes(leaves) }))[0];
}

export interface HeadRecord extends LogKey {
  readonly size: number;
}

/**
 * Offices of an agency whose log grew in a transaction that is not surely older than `since`, and the cursor to ask
 * with next: the oldest transaction that was still running. What commits later carries a newer id than the cursor, so
 * nothing is missed; what grew while others ran may be told twice.
 *
 * A cursor from the future is of another database (a restored copy counts anew) and asks for everything.
 */
export async function readHeads(
  sql: Sql,
  agency: Agency,
  since: string,
): Promise<{ heads: HeadRecord[]; next: string }> {
  const rows = await sql<{ next: string; lane: number; office: string | null; size: number }[]>`
    SELECT pg_snapshot_xmin(now.snapshot)::text AS next, h.lane, h.office, h.size
    FROM (SELECT pg_current_snapshot() AS snapshot) now
    LEFT JOIN LATERAL (
      SELECT head.lane, head.office, head.size
      FROM office o JOIN office_head head ON head.lane = o.lane AND head.office = o.code
      WHERE o.agency = ${agency} AND head.size > 0
        AND (head.txid >= ${since}::xid8 OR ${since}::xid8 > pg_snapshot_xmax(now.snapshot))
      ORDER BY o.code
    ) h ON true`;
  const next = rows[0]?.next;
  assert(next !== undefined, 'a snapshot always has a cursor');
  return {
    heads: rows.flatMap(({ lane, office, size }) => (office === null ? [] : [{ lane, office, size }])),
    next,
  };
}

export interface LogPosition {
  readonly office: string;
  readonly index: number;
}

/**
 * The oldest urgent filings below each head that no consumer of the office has acknowledged, at most `limit` an office:
 * by office and index. An office without consumers has acknowledged nothing.
 *
 * Its own statement, asked only for heads that are told: who waits for news asks often, and mostly in vain.
 */
export async function readUrgent(sql: Sql, heads: readonly HeadRecord[], limit: number): Promise<LogPosition[]> {
  return await sql<LogPosition[]>`
    SELECT head.office, u.idx AS index
    FROM unnest(${heads.map((h) => h.lane)}::smallint[], ${heads.map((h) => h.office)}::text[],
      ${heads.map((h) => h.size)}::bigint[]) AS head (lane, office, size),
    LATERAL (
      SELECT f.idx FROM filing f
      WHERE f.lane = head.lane AND f.office = head.office AND f.urgent AND f.idx < head.size AND f.idx >= (
        SELECT coalesce(max(c.cursor), 0) FROM consumer c WHERE c.lane = head.lane AND c.office = head.office
      )
      ORDER BY f.idx LIMIT ${limit}
    ) AS u
    ORDER BY head.office, u.idx`;
}
