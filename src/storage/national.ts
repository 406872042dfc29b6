import type { Sql, TransactionSql } from 'postgres';
import { formatInstant, parseInstant } from '../std/clock.ts';
import { assert } from '../std/errors.ts';
import { type LogKey, type LogState, readState, splitHashes } from './log.ts';

// The statements of the national log: one for the whole gateway, so all of it is in lane 0.

const NATIONAL_LANE = 0;

/** Where the tree, the tiles and the checkpoints of the national log stand among those of the offices. */
export const NATIONAL_KEY: LogKey = { lane: NATIONAL_LANE, office: '' };

export type NationalKind = 'office' | 'recovery' | 'trail';

export interface NationalRecord {
  readonly index: number;
  readonly kind: NationalKind;
  /** The office's code; empty for what is of no office. */
  readonly office: string;
  readonly text: string;
  /** 32 bytes. */
  readonly leaf: Buffer;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

type Queryable = Sql | TransactionSql;
type EntryRow = { idx: number; kind: NationalKind; office: string; text: string; leaf: Buffer; at: string };

export async function readNationalSize(sql: Queryable): Promise<number> {
  const rows = await sql<{ idx: number }[]>`
    SELECT idx FROM national_entry WHERE lane = ${NATIONAL_LANE} ORDER BY idx DESC LIMIT 1`;
  return rows[0] === undefined ? 0 : rows[0].idx + 1;
}

export function readNationalState(sql: Queryable): Promise<LogState | undefined> {
  const size = sql`SELECT coalesce(max(idx) + 1, 0) AS size FROM national_entry WHERE lane = ${NATIONAL_LANE}`;
  return readState(sql, NATIONAL_KEY, size);
}

/** The leaf hashes of entries [from, to), which must all exist. */
export async function readNationalLeaves(sql: Queryable, from: number, to: number): Promise<Buffer[]> {
  const rows = await sql<{ count: number; leaves: Buffer | null }[]>`
    SELECT count(*) AS count, string_agg(leaf, ''::bytea ORDER BY idx) AS leaves
    FROM national_entry WHERE lane = ${NATIONAL_LANE} AND idx >= ${from} AND idx < ${to}`;
  assert(rows[0]?.count === to - from, 'the national log has no gaps');
  return splitHashes(rows[0].leaves ?? Buffer.alloc(0));
}

/** Only by who holds the lock of the tree's row: otherwise two would take the same indexes. */
export async function insertNationalEntries(tx: TransactionSql, entries: readonly NationalRecord[]): Promise<void> {
  if (entries.length === 0) return;
  await tx`
    INSERT INTO national_entry (lane, idx, kind, office, text, leaf, at)
    SELECT ${NATIONAL_LANE}, e.idx, e.kind, e.office, e.text, decode(e.leaf, 'base64'), e.at
    FROM unnest(
      ${entries.map(({ index }) => index)}::bigint[], ${entries.map(({ kind }) => kind)}::text[],
      ${entries.map(({ office }) => office)}::text[], ${entries.map(({ text }) => text)}::text[],
      ${entries.map(({ leaf }) => leaf.toString('base64'))}::text[],
      ${entries.map(({ at }) => formatInstant(at))}::timestamptz[]
    ) AS e (idx, kind, office, text, leaf, at)`;
}

/** Entries [from, to) in index order. */
export async function readNationalEntries(sql: Queryable, from: number, to: number): Promise<NationalRecord[]> {
  const rows = await sql<EntryRow[]>`
    SELECT idx, kind, office, text, leaf, at FROM national_entry
    WHERE lane = ${NATIONAL_LANE} AND idx >= ${from} AND idx < ${to} ORDER BY idx`;
  return rows.map(recordOf);
}

/** The newest entry of a kind about an office. */
export async function readNewestNational(
  sql: Queryable,
  kind: NationalKind,
  office: string,
): Promise<NationalRecord | undefined> {
  const rows = await sql<EntryRow[]>`
    SELECT idx, kind, office, text, leaf, at FROM national_entry
    WHERE lane = ${NATIONAL_LANE} AND office = ${office} AND kind = ${kind} ORDER BY idx DESC LIMIT 1`;
  return rows.map(recordOf)[0];
}

/** The first entry about an office's head at index `from` or behind it. */
export async function readNextNational(
  sql: Queryable,
  office: string,
  from: number,
): Promise<NationalRecord | undefined> {
  const rows = await sql<EntryRow[]>`
    SELECT idx, kind, office, text, leaf, at FROM national_entry
    WHERE lane = ${NATIONAL_LANE} AND office = ${office} AND kind = 'office' AND idx >= ${from} ORDER BY idx LIMIT 1`;
  return rows.map(recordOf)[0];
}

/** What the newest entry about each of the offices says; offices without one are left out. */
export async function readLastTexts(sql: Queryable, offices: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const rows = await sql<{ office: string; text: string }[]>`
    SELECT wanted.office, last.text
    FROM unnest(${offices}::text[]) AS wanted (office)
    CROSS JOIN LATERAL (
      SELECT text FROM national_entry e
      WHERE e.lane = ${NATIONAL_LANE} AND e.office = wanted.office AND e.kind = 'office' ORDER BY e.idx DESC LIMIT 1
    ) last`;
  return new Map(rows.map(({ office, text }) => [office, text]));
}

/** The note of every office's newest checkpoint, in the order of their codes. All lanes, each row within its own. */
export async function readNewestNotes(sql: Queryable): Promise<{ office: string; note: string }[]> {
  const rows = await sql<{ office: string; note: string }[]>`
    SELECT h.office, newest.note
    FROM office_head h
    CROSS JOIN LATERAL (
      SELECT note FROM checkpoint c
      WHERE c.lane = h.lane AND c.office = h.office ORDER BY c.size DESC LIMIT 1
    ) newest
    ORDER BY h.office COLLATE "C"`;
  return [...rows];
}

/** Number and hash of the newest row of the audit trail, which is in lane 0 too; undefined while there is none. */
export async function readTrailEnd(sql: Queryable): Promise<{ n: number; hash: Buffer } | undefined> {
  const rows = await sql<{ n: number; hash: Buffer }[]>`
    SELECT n, hash FROM trail_head WHERE lane = ${NATIONAL_LANE} AND n > 0`;
  return rows[0];
}

function recordOf({ idx, at, ...row }: EntryRow): NationalRecord {
  const millis = parseInstant(at);
  assert(millis !== undefined, 'PostgreSQL writes instants with a zone');
  return { index: idx, ...row, at: millis };
}
