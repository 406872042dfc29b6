import type { TransactionSql } from 'postgres';
import { connect, type DatabaseAddress } from './db.ts';
import type { LogKey } from './log.ts';
import { transaction } from './transaction.ts';

// Small statements of an audit. They look at every lane: an audit asks what stands in places where nothing should.

/** What an audit needs of the facts of a database. */
export interface AuditedDatabase {
  readonly id: string;
  readonly env: string;
  readonly lanes: number;
}

/**
 * Runs `body` in a read-only transaction that sees the database as it is now, or as `snapshot` saw it, however long it takes.
 * Nothing waits for it and it waits for nothing; rows that are deleted meanwhile are kept for it.
 */
export async function readSnapshot<T>(
  address: DatabaseAddress,
  snapshot: string | undefined,
  body: (tx: TransactionSql) => Promise<T>,
): Promise<T> {
  const sql = connect(address, { max: 1, statementTimeoutMs: 0 });
  try {
    return await transaction(
      sql,
      async (tx) => {
        if (snapshot !== undefined) await tx.unsafe(`SET TRANSACTION SNAPSHOT '${snapshot.replaceAll("'", '')}'`);
        // Sorting and counting spills to disk beyond this.
        await tx.unsafe("SET LOCAL work_mem = '64MB'");
        return await body(tx);
      },
      'ISOLATION LEVEL REPEATABLE READ READ ONLY',
    );
  } finally {
    await sql.end({ timeout: 5 });
  }
}

export async function exportSnapshot(tx: TransactionSql): Promise<string> {
  const rows = await tx<{ name: string }[]>`SELECT pg_export_snapshot() AS name`;
  return rows[0]?.name ?? '';
}

/**
 * How the planner is to read. `ranges`: along the primary key, with each row's tick looked up, so that nothing has to be
 * sorted and the first row comes at once; `scans`: as it likes.
 */
export async function planFor(tx: TransactionSql, what: 'ranges' | 'scans'): Promise<void> {
  const value = what === 'ranges' ? 'off' : 'on';
  const names = ['enable_hashjoin', 'enable_mergejoin', 'enable_seqscan', 'enable_bitmapscan', 'enable_sort'];
  await tx.unsafe(names.map((name) => `SET LOCAL ${name} = ${value}`).join('; '));
}

/** The leaf that stands at an index; undefined when there is no filing. */
export async function readLeafAt(tx: TransactionSql, key: LogKey, index: number): Promise<Buffer | undefined> {
  const rows = await tx<{ leaf: Buffer }[]>`
    SELECT leaf FROM filing WHERE lane = ${key.lane} AND office = ${key.office} AND idx = ${index}`;
  return rows[0]?.leaf;
}

/** Tables that an audit reads; all are there once a gateway of this version has started on the database. */
const TABLES = ['meta', 'filing', 'trail', 'national_entry', 'recovery', 'cosignature'];

/** Undefined when this is not the database of a gateway of this version. */
export async function readAudited(tx: TransactionSql): Promise<AuditedDatabase | undefined> {
  const found = await tx<{ count: number }[]>`
    SELECT count(*) AS count FROM unnest(${TABLES}::text[]) AS name WHERE to_regclass(name) IS NOT NULL`;
  if (found[0]?.count !== TABLES.length) return undefined;
  const rows = await tx<{ name: string; value: string }[]>`SELECT name, value FROM meta`;
  const values = new Map(rows.map(({ name, value }) => [name, value]));
  const [id, env, lanes] = [values.get('database-id'), values.get('env'), Number(values.get('lanes'))];
  return id === undefined || env === undefined || !(lanes >= 1) ? undefined : { id, env, lanes };
}

/** What the rows of `filing` come to in one log, and what the head and the office say of it. */
export interface LogFacts extends LogKey {
  /** Undefined: no head. */
  readonly size: number | undefined;
  /** Of the head; text as PostgreSQL writes it. */
  readonly receivedAt: string | undefined;
  readonly rows: number;
  readonly first: number;
  readonly last: number;
  readonly isOffice: boolean;
  /** Size of the newest checkpoint; 0: there is none. */
  readonly newest: number;
}

/** Every place that has a head or a filing, in the order of the offices' codes. */
export async function readLogFacts(tx: TransactionSql): Promise<LogFacts[]> {
  const rows = await tx<
    {
      lane: number;
      office: string;
      size: number | null;
      received_at: string | null;
      count: number | null;
      first: number | null;
      last: number | null;
      is_office: boolean;
      newest: number | null;
    }[]
  >`
    SELECT l.*,
      EXISTS (SELECT 1 FROM office o WHERE o.code = l.office AND o.lane = l.lane) AS is_office,
      (SELECT max(c.size) FROM checkpoint c WHERE c.lane = l.lane AND c.office = l.office) AS newest
    FROM (
      SELECT lane, office, h.size, h.received_at, f.count, f.first, f.last
      FROM office_head h
      FULL JOIN (
        SELECT lane, office, count(*) AS count, min(idx) AS first, max(idx) AS last FROM filing GROUP BY lane, office
      ) f USING (lane, office)
    ) l
    ORDER BY l.office COLLATE "C", l.lane`;
  return rows.map((row) => ({
    lane: row.lane,
    office: row.office,
    size: row.size ?? undefined,
    receivedAt: row.received_at ?? undefined,
    rows: row.count ?? 0,
    first: row.first ?? 0,
    last: row.last ?? -1,
    isOffice: row.is_office,
    newest: row.newest ?? 0,
  }));
}

/** Offices that have no head. */
export async function readHeadless(tx: TransactionSql): Promise<LogKey[]> {
  return await tx<LogKey[]>`
    SELECT o.lane, o.code AS office FROM office o
    WHERE NOT EXISTS (SELECT 1 FROM office_head h WHERE h.lane = o.lane AND h.office = o.code)`;
}

/** Indexes of filings of a log that lie outside [0, end). */
export async function readOutside(tx: TransactionSql, key: LogKey, end: number, limit: number): Promise<number[]> {
  const rows = await tx<{ idx: number }[]>`
    SELECT idx FROM filing
    WHERE lane = ${key.lane} AND office = ${key.office} AND (idx < 0 OR idx >= ${end}) ORDER BY idx LIMIT ${limit}`;
  return rows.map(({ idx }) => idx);
}

/** Keys that stand more than once, each with its filings. The database keeps them apart within a lane only. */
export async function readDuplicates(tx: TransactionSql, limit: number): Promise<string[][]> {
  const rows = await tx<{ ids: string[] }[]>`
    SELECT array_agg(office || '.' || idx ORDER BY office, idx) AS ids FROM filing
    GROUP BY key HAVING count(*) > 1 LIMIT ${limit}`;
  return rows.map(({ ids }) => ids);
}

/** Filings that are superseded more than once, each with those that do. */
export async function readForks(tx: TransactionSql, limit: number): Promise<{ id: string; by: string[] }[]> {
  return await tx<{ id: string; by: string[] }[]>`
    SELECT supersedes AS id, array_agg(office || '.' || idx ORDER BY office, idx) AS by FROM filing
    WHERE supersedes IS NOT NULL GROUP BY supersedes HAVING count(*) > 1 LIMIT ${limit}`;
}

/** What a chain asks of the filing that is replaced. */
export interface Superseded extends LogKey {
  readonly idx: number;
  readonly type: string;
  readonly filer: string;
  readonly period_from: string;
  readonly period_to: string;
  readonly reference: string | null;
  readonly kind: string;
}

export async function readSuperseded(
  tx: TransactionSql,
  wanted: readonly (LogKey & { readonly index: number })[],
): Promise<Superseded[]> {
  return await tx<Superseded[]>`
    SELECT f.lane, f.office, f.idx, f.type, f.filer, f.period_from, f.period_to, f.reference, f.kind
    FROM unnest(${wanted.map(({ lane }) => lane)}::smallint[], ${wanted.map(({ office }) => office)}::text[],
      ${wanted.map(({ index }) => index)}::bigint[]) AS want (lane, office, idx)
    JOIN filing f ON f.lane = want.lane AND f.office = want.office AND f.idx = want.idx`;
}

/** Ticks and manifests in each lane. */
export async function countTicks(
  tx: TransactionSql,
): Promise<{ lane: number; ticks: number; leaves: number; manifests: number }[]> {
  return await tx<{ lane: number; ticks: number; leaves: number; manifests: number }[]>`
    SELECT lane, coalesce(ticks, 0) AS ticks, coalesce(leaves, 0)::bigint AS leaves, coalesce(manifests, 0) AS manifests
    FROM (SELECT lane, count(*) AS ticks, sum(octet_length(leaves) / 32) AS leaves FROM tick GROUP BY lane) t
    FULL JOIN (SELECT lane, count(*) AS manifests FROM manifest GROUP BY lane) m USING (lane)
    ORDER BY lane`;
}

/** Ticks that have more leaves than filings, or fewer. */
export async function readUnevenTicks(
  tx: TransactionSql,
  limit: number,
): Promise<{ lane: number; id: string; leaves: number; filings: number }[]> {
  return await tx<{ lane: number; id: string; leaves: number; filings: number }[]>`
    SELECT t.lane, t.id, octet_length(t.leaves) / 32 AS leaves, coalesce(f.filings, 0) AS filings
    FROM tick t
    LEFT JOIN (SELECT tick_lane, tick, count(*) AS filings FROM filing GROUP BY tick_lane, tick) f
      ON f.tick_lane = t.lane AND f.tick = t.id
    WHERE octet_length(t.leaves) / 32 IS DISTINCT FROM coalesce(f.filings, 0)
    LIMIT ${limit}`;
}
