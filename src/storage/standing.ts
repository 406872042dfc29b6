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

/** One question; as many as wanted are asked at once. */
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

/** What a period's first and last day must lie between, each reach the same four days: one statement serves them all. */
const BOUNDS: Readonly<Record<Reach, (from: PlainDate, to: PlainDate) => readonly [Days, Days]>> = {
  inside: (from, to) => [
    { least: from, most: 'infinity' },
    { least: '-infinity', most: to },
  ],
  overlapping: (from, to) => [
    { least: '-infinity', most: to },
    { least: from, most: 'infinity' },
  ],
  exactly: (from, to) => [
    { least: from, most: from },
    { least: to, most: to },
  ],
};

interface Days {
  readonly least: string;
  readonly most: string;
}

interface FoundRow {
  n: number;
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
}

/**
 * What stands, for each filter the newest period first. Walks the unique index on (lane, key) for each filter, lane and
 * month, as `listFilings` does, and then leaves out what a later filing that the same filter finds supersedes: that one has
 * the same period and reference, so it is among them.
 */
export async function listStanding(
  sql: Sql | TransactionSql,
  filters: readonly StandingFilter[],
): Promise<StandingRow[][]> {
  const wanted = filters.flatMap((filter, n) => {
    const [first, last] = BOUNDS[filter.reach](filter.from, filter.to);
    return filter.lanes.map((lane) => ({ ...filter, n, lane, first, last, tag: filter.tag.toString('hex') }));
  });
  if (wanted.length === 0) return filters.map(() => []);
  const each = <T>(column: (want: (typeof wanted)[number]) => T): T[] => wanted.map(column);
  const rows = await sql<FoundRow[]>`
    WITH filed AS MATERIALIZED (
      SELECT w.n, w.most, f.*
      FROM unnest(
        ${each((w) => w.n)}::int[], ${each((w) => w.lane)}::smallint[], ${each((w) => w.tag)}::text[],
        ${each((w) => w.filer)}::text[], ${each((w) => w.type)}::text[], ${each((w) => w.reference ?? null)}::text[],
        ${each((w) => w.fromMonth)}::int[], ${each((w) => w.toMonth)}::int[],
        ${each((w) => w.first.least)}::date[], ${each((w) => w.first.most)}::date[],
        ${each((w) => w.last.least)}::date[], ${each((w) => w.last.most)}::date[], ${each((w) => w.limit)}::int[]
      ) AS w (n, lane, tag, filer, type, reference, from_month, to_month, first_least, first_most, last_least, last_most, most),
      LATERAL generate_series(w.to_month, w.from_month, -1) AS m (month),
      LATERAL (
        SELECT filing.lane, filing.office, filing.idx, filing.version, filing.period_from, filing.period_to, filing.reference,
          filing.kind, filing.supersedes, filing.received_at, filing.late, octet_length(filing.content) AS bytes
        FROM filing
        WHERE filing.lane = w.lane
        AND filing.key >= substring(int4send(m.month) FROM 3) || decode(w.tag, 'hex')
        AND filing.key <= substring(int4send(m.month) FROM 3) || decode(w.tag, 'hex') || ${LAST_KEY}::bytea
        AND filing.filer = w.filer AND filing.type = w.type
        AND filing.period_from >= w.first_least AND filing.period_from <= w.first_most
        AND filing.period_to >= w.last_least AND filing.period_to <= w.last_most
        AND (w.reference IS NULL OR filing.reference = w.reference)
        ORDER BY filing.key
        LIMIT ${MAX_ROWS}
      ) AS f
    )
    SELECT n, lane, office, idx, version, period_from, period_to, reference, kind, received_at, late, bytes
    FROM (
      SELECT *, row_number() OVER (
        PARTITION BY n ORDER BY period_to DESC, period_from DESC, received_at DESC, office, idx DESC
      ) AS nth
      FROM filed AS f
      WHERE kind <> 'void'
      AND NOT EXISTS (SELECT FROM filed AS s WHERE s.n = f.n AND s.supersedes = f.office || '.' || f.idx)
    ) AS standing
    WHERE nth <= most
    ORDER BY n, nth`;
  const found: StandingRow[][] = filters.map(() => []);
  for (const row of rows) found[row.n]?.push(standingRow(row));
  return found;
}

function standingRow(row: FoundRow): StandingRow {
  return {
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
  };
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
