import type { Sql } from 'postgres';
import type { Agency } from '../domain/filing.ts';
import { parseInstant } from '../std/clock.ts';
import { assert } from '../std/errors.ts';
import { type LogKey, splitHashes } from './log.ts';

// What offices read. The log's own indexes and the heads' transaction ids are the cursors.

/** A filing as an entry of its office's log. */
export interface EntryRecord {
  readonly index: number;
  /** Milliseconds since the epoch. */
  readonly receivedAt: number;
  readonly salt: Buffer;
  readonly leaf: Buffer;
  /** The JWS as received, or for bulk form B the payload line. */
  readonly content: string;
  readonly manifest?: { readonly id: string; readonly line: number };
}

type EntryRow = {
  idx: number;
  received_at: string;
  salt: Buffer;
  leaf: Buffer;
  content: string;
  manifest: string | null;
  manifest_line: number | null;
};

/** Rows that are looked at for one part; the byte bound is what usually ends it. */
const PART_ROWS = 1_000;

/**
 * The entries from index `from` on, before `to`, in index order: the first, and further ones until their contents
 * exceed `maxBytes`. The length of a large content is known without reading it.
 */
export async function readEntries(
  sql: Sql,
  key: LogKey,
  from: number,
  to: number,
  maxBytes: number,
): Promise<EntryRecord[]> {
  const end = Math.min(to, from + PART_ROWS);
  const rows = await sql<EntryRow[]>`
    SELECT idx, received_at, salt, leaf, content, manifest, manifest_line
    FROM (
      SELECT *, sum(octet_length(content)) OVER (ORDER BY idx) AS bytes
      FROM filing WHERE lane = ${key.lane} AND office = ${key.office} AND idx >= ${from} AND idx < ${end}
    ) part
    WHERE bytes <= ${maxBytes} OR idx = ${from}
    ORDER BY idx`;
  return rows.map((row, i) => {
    assert(row.idx === from + i, 'the log has no gaps');
    const receivedAt = parseInstant(row.received_at);
    assert(receivedAt !== undefined, 'PostgreSQL writes instants with a zone');
    const { idx: index, salt, leaf, content, manifest: id, manifest_line: line } = row;
    return {
      index,
      receivedAt,
      salt,
      leaf,
      content,
      ...(id === null || line === null ? {} : { manifest: { id, line } }),
    };
  });
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
