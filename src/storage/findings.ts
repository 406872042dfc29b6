import type { PendingQuery, Row, Sql, TransactionSql } from 'postgres';
import type { Period } from '../domain/filing.ts';
import { formatInstant } from '../std/clock.ts';
import type { Violation } from '../std/errors.ts';
import type { LogKey } from './log.ts';
import type { FilingPosition } from './standing.ts';

// How far each office's filings have been compared with others, and what that found. Every statement names its lanes.

/** An office whose filings have not all been compared. */
export interface GrownOffice extends LogKey {
  readonly region: string;
  /** Entries in its log. */
  readonly head: number;
  /** Whether there is a row to lock. */
  readonly isKnown: boolean;
  /** Filings of all such offices that are waiting. */
  readonly lag: number;
}

/**
 * Offices of these agencies whose logs have grown beyond what was compared. They come in a circle that begins after
 * `after`, so that each has its turn however many there are.
 */
export async function findGrownOffices(
  sql: Sql,
  agencies: readonly string[],
  after: LogKey,
  limit: number,
): Promise<GrownOffice[]> {
  const rows = await sql<GrownOffice[]>`
    SELECT g.lane, g.office, g.region, g.head, g."isKnown", g.lag
    FROM (
      SELECT h.lane, h.office, o.region, h.size AS head, c.size IS NOT NULL AS "isKnown",
        (sum(h.size - coalesce(c.size, 0)) OVER ())::bigint AS lag
      FROM office_head h
      JOIN office o ON o.code = h.office
      LEFT JOIN office_comparison c ON c.lane = h.lane AND c.office = h.office
      WHERE h.size > coalesce(c.size, 0) AND o.agency = ANY(${[...agencies]}::text[])
    ) AS g
    ORDER BY (g.lane, g.office) <= (${after.lane}::smallint, ${after.office}::text), g.lane, g.office
    LIMIT ${limit}`;
  return [...rows];
}

/** Makes the row that `lockComparison` locks. */
export async function insertComparison(sql: Sql, key: LogKey): Promise<void> {
  await sql`
    INSERT INTO office_comparison (lane, office, size) VALUES (${key.lane}, ${key.office}, 0)
    ON CONFLICT (lane, office) DO NOTHING`;
}

/** How many filings have been compared; undefined while another process is at it. Nobody else goes on until the end. */
export async function lockComparison(tx: TransactionSql, key: LogKey): Promise<number | undefined> {
  const rows = await tx<{ size: number }[]>`
    SELECT size FROM office_comparison WHERE lane = ${key.lane} AND office = ${key.office} FOR UPDATE SKIP LOCKED`;
  return rows[0]?.size;
}

export async function advanceComparison(tx: TransactionSql, key: LogKey, size: number): Promise<void> {
  await tx`UPDATE office_comparison SET size = ${size} WHERE lane = ${key.lane} AND office = ${key.office}`;
}

/**
 * For the rest of the transaction COMMIT does not wait for the disk. What a crash takes back, progress and findings
 * together, is done once more; the filings' own commits keep the disk to themselves.
 */
export async function commitWithoutWaiting(tx: TransactionSql): Promise<void> {
  await tx`SET LOCAL synchronous_commit TO off`;
}

export interface ComparableFiling extends FilingPosition {
  readonly type: string;
  readonly version: string;
  readonly filer: string;
  readonly period: Period;
  /** Bytes of its content. */
  readonly bytes: number;
}

/** The filings of these types among entries [from, to), in their order. */
export async function readComparable(
  tx: TransactionSql,
  key: LogKey,
  range: { readonly from: number; readonly to: number; readonly types: readonly string[]; readonly limit: number },
): Promise<ComparableFiling[]> {
  const rows = await tx<(Omit<ComparableFiling, 'period'> & { period_from: string; period_to: string })[]>`
    SELECT lane, office, idx AS index, type, version, filer, period_from, period_to, octet_length(content) AS bytes
    FROM filing
    WHERE lane = ${key.lane} AND office = ${key.office} AND idx >= ${range.from} AND idx < ${range.to}
      AND type = ANY(${[...range.types]}::text[])
    ORDER BY idx
    LIMIT ${range.limit}`;
  return rows.map(({ period_from: from, period_to: to, ...row }) => ({ ...row, period: { from, to } }));
}

/** What comparing a filing found. */
export interface Found extends FilingPosition {
  readonly findings: readonly Violation[];
}

/** Stores what was found; what was found anew in the meantime, because another was filed, is newer and stays. */
export async function insertFindings(tx: TransactionSql, found: readonly Found[], atEpochMs: number): Promise<void> {
  await tx`
    INSERT INTO filing_finding (lane, office, idx, findings, found_at)
    ${foundRows(tx, found, atEpochMs)}
    ON CONFLICT (lane, office, idx) DO NOTHING`;
}

/** Stores what comparing them again found, be it nothing. */
export async function replaceFindings(tx: TransactionSql, found: readonly Found[], atEpochMs: number): Promise<void> {
  await tx`
    INSERT INTO filing_finding (lane, office, idx, findings, found_at)
    ${foundRows(tx, found, atEpochMs)}
    ON CONFLICT (lane, office, idx) DO UPDATE SET findings = excluded.findings, found_at = excluded.found_at`;
}

/**
 * Whoever else stores findings of these filings, or locks them, waits until the end of the transaction. Those without
 * findings get empty ones: of these, {@link unlockFindings} takes away what is not stored after all.
 */
export async function lockFindings(
  tx: TransactionSql,
  filings: readonly FilingPosition[],
  atEpochMs: number,
): Promise<void> {
  const empty = filings.map(({ lane, office, index }) => ({ lane, office, index, findings: [] }));
  await tx`
    INSERT INTO filing_finding (lane, office, idx, findings, found_at)
    ${foundRows(tx, empty, atEpochMs)}
    ON CONFLICT (lane, office, idx) DO UPDATE SET found_at = filing_finding.found_at`;
}

/** Takes empty findings away: whoever finds some later may store them. */
export async function unlockFindings(tx: TransactionSql, filings: readonly FilingPosition[]): Promise<void> {
  await tx`
    DELETE FROM filing_finding AS f
    USING unnest(${filings.map(({ lane }) => lane)}::smallint[], ${filings.map(({ office }) => office)}::text[],
      ${filings.map(({ index }) => index)}::bigint[]) AS want (lane, office, idx)
    WHERE f.lane = want.lane AND f.office = want.office AND f.idx = want.idx AND f.findings = '[]'`;
}

/**
 * In one order: two statements that store the same rows wait for each other, and not each for the other. Two transactions of several
 * statements may still; PostgreSQL then ends one of them, and its part is done again.
 */
function foundRows(tx: TransactionSql, found: readonly Found[], atEpochMs: number): PendingQuery<Row[]> {
  return tx`
    SELECT lane, office, idx, findings::jsonb, ${formatInstant(atEpochMs)}::timestamptz
    FROM unnest(${found.map((f) => f.lane)}::smallint[], ${found.map((f) => f.office)}::text[],
      ${found.map((f) => f.index)}::bigint[], ${found.map((f) => JSON.stringify(f.findings))}::text[])
      AS f (lane, office, idx, findings)
    ORDER BY lane, office, idx`;
}

/** Only those with a row, in no order. */
export async function readFindings(
  sql: Sql,
  filings: readonly FilingPosition[],
): Promise<(FilingPosition & { readonly findings: readonly Violation[] })[]> {
  const rows = await sql<(FilingPosition & { findings: Violation[] })[]>`
    SELECT f.lane, f.office, f.idx AS index, f.findings
    FROM unnest(${filings.map((f) => f.lane)}::smallint[], ${filings.map((f) => f.office)}::text[],
      ${filings.map((f) => f.index)}::bigint[]) AS want (lane, office, idx)
    JOIN filing_finding f ON f.lane = want.lane AND f.office = want.office AND f.idx = want.idx`;
  return [...rows];
}

/** How many filings of these offices have been compared; an office without a row has none. */
export async function readCompared(
  sql: Sql,
  offices: readonly LogKey[],
): Promise<(LogKey & { readonly size: number })[]> {
  const rows = await sql<(LogKey & { size: number })[]>`
    SELECT c.lane, c.office, c.size
    FROM unnest(${offices.map((o) => o.lane)}::smallint[], ${offices.map((o) => o.office)}::text[]) AS want (lane, office)
    JOIN office_comparison c ON c.lane = want.lane AND c.office = want.office`;
  return [...rows];
}
