import type { Sql, TransactionSql } from 'postgres';
import type { FilingKind, Period } from '../domain/filing.ts';
import { type PlainDate, parseInstant } from '../std/clock.ts';
import { assert } from '../std/errors.ts';

// What stands of a filer: the heads of its chains that are no voidings. Every statement names its lanes.

/** A filing that stands, without its content. */
export interface StandingRow {
  readonly lane: number;
  readonly office: string;
  readonly index: number;
  readonly version: string;
  readonly period: Period;
  readonly reference: string | undefined;
  readonly kind: FilingKind;
  /** Milliseconds since the epoch. */
  readonly receivedAt: number;
  readonly late: boolean;
  /** Bytes of its content. */
  readonly bytes: number;
}

/** Which periods: those inside two days, those that share a day with what is between them, or the one from one to the other. */
export type Reach = 'inside' | 'overlapping' | 'exactly';

export interface StandingFilter {
  /** Lanes of every office of the type's agency that the filer was ever registered in. */
  readonly lanes: readonly number[];
  /** Six bytes that tag the filer in every key; the name is compared as well. */
  readonly tag: Buffer;
  readonly filer: string;
  readonly type: string;
  /** Months of the periods' last days, as in `monthNumber`; both included. */
  readonly fromMonth: number;
  readonly toMonth: number;
  readonly from: PlainDate;
  readonly to: PlainDate;
  readonly reach: Reach;
  readonly reference: string | undefined;
  readonly limit: number;
}

/** Of one filer, type and month in one lane; far more than any period has. */
const MAX_ROWS = 100_000;

/**
 * What stands, newest period first. Walks the unique index on (lane, key) month by month, as `listFilings` does, and then
 * leaves out what a later filing of the same months supersedes: that one has the same period, so it is among them.
 */
export async function listStanding(sql: Sql | TransactionSql, filter: StandingFilter): Promise<StandingRow[]> {
  const { from, to } = filter;
  const reached = {
    inside: sql`AND filing.period_from >= ${from}::date AND filing.period_to <= ${to}::date`,
    overlapping: sql`AND filing.period_from <= ${to}::date AND filing.period_to >= ${from}::date`,
    exactly: sql`AND filing.period_from = ${from}::date AND filing.period_to = ${to}::date`,
  }[filter.reach];
  const rows = await sql<
    {
      lane: number;
      office: string;
      idx: number;
      version: string;
      period_from: string;
      period_to: string;
      reference: string | null;
      kind: FilingKind;
      received_at: string;
      late: boolean;
      bytes: number;
    }[]
  >`
    WITH filed AS MATERIALIZED (
      SELECT f.*
      FROM generate_series(${filter.toMonth}::int, ${filter.fromMonth}::int, -1) AS m (month),
      unnest(${[...filter.lanes]}::smallint[]) AS l (lane),
      LATERAL (
        SELECT filing.lane, filing.office, filing.idx, filing.version, filing.period_from, filing.period_to, filing.reference,
          filing.kind, filing.supersedes, filing.received_at, filing.late, octet_length(filing.content) AS bytes
        FROM filing
        WHERE filing.lane = l.lane
        AND filing.key >= substring(int4send(m.month) FROM 3) || ${filter.tag}::bytea
        AND filing.key <= substring(int4send(m.month) FROM 3) || ${Buffer.concat([filter.tag, LAST_KEY])}::bytea
        AND filing.filer = ${filter.filer} AND filing.type = ${filter.type}
        ${reached}
        ${filter.reference === undefined ? sql`` : sql`AND filing.reference = ${filter.reference}`}
        ORDER BY filing.key
        LIMIT ${MAX_ROWS}
      ) AS f
    )
    SELECT lane, office, idx, version, period_from, period_to, reference, kind, received_at, late, bytes
    FROM filed AS f
    WHERE kind <> 'void'
    AND NOT EXISTS (SELECT FROM filed AS s WHERE s.supersedes = f.office || '.' || f.idx)
    ORDER BY period_to DESC, period_from DESC, received_at DESC, office, idx DESC
    LIMIT ${filter.limit}`;
  return rows.map((row) => ({
    lane: row.lane,
    office: row.office,
    index: row.idx,
    version: row.version,
    period: { from: row.period_from, to: row.period_to },
    reference: row.reference ?? undefined,
    kind: row.kind,
    receivedAt: instant(row.received_at),
    late: row.late,
    bytes: row.bytes,
  }));
}

const LAST_KEY = Buffer.alloc(32, 0xff);

export interface FilingPosition {
  readonly lane: number;
  readonly office: string;
  readonly index: number;
}

/** A content as received; for lines of bulk form B a payload and no JWS. */
export interface StoredContent extends FilingPosition {
  readonly content: string;
  readonly isPayload: boolean;
}

export async function readContents(
  sql: Sql | TransactionSql,
  positions: readonly FilingPosition[],
): Promise<StoredContent[]> {
  if (positions.length === 0) return [];
  const rows = await sql<StoredContent[]>`
    SELECT f.lane, f.office, f.idx AS index, f.content, f.manifest IS NOT NULL AS "isPayload"
    FROM unnest(${positions.map((p) => p.lane)}::smallint[], ${positions.map((p) => p.office)}::text[],
      ${positions.map((p) => p.index)}::bigint[]) AS want (lane, office, idx),
    LATERAL (
      SELECT * FROM filing
      WHERE filing.lane = want.lane AND filing.office = want.office AND filing.idx BETWEEN want.idx AND want.idx
      ORDER BY filing.idx LIMIT 1
    ) AS f`;
  return [...rows];
}

function instant(text: string): number {
  const epochMs = parseInstant(text);
  assert(epochMs !== undefined, 'PostgreSQL writes instants with a zone');
  return epochMs;
}
