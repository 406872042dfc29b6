import type { PendingQuery, Row, Sql } from 'postgres';
import type { FilingKind } from '../domain/filing.ts';
import type { FilingRecord, ManifestRecord, TickRecord } from '../domain/filing-record.ts';
import { parseInstant } from '../std/clock.ts';
import { assert, type Violation } from '../std/errors.ts';
import type { FilingPosition } from './standing.ts';

// Reading what the commit wrote. Every statement names its lanes.

interface FilingRow {
  lane: number;
  office: string;
  idx: number;
  key: Buffer;
  type: string;
  version: string;
  filer: string;
  period_from: string;
  period_to: string;
  reference: string | null;
  kind: FilingKind;
  supersedes: string | null;
  received_at: string;
  late: boolean;
  warnings: Violation[] | null;
  digest: Buffer;
  salt: Buffer;
  leaf: Buffer;
  tick_lane: number;
  tick: string;
  tick_leaf: number;
  kid: string;
  manifest: string | null;
  manifest_line: number | null;
}

interface TickRow {
  tick_at: string;
  tick_leaves: Buffer;
  tick_signature: string;
}

/** A filing with the tick that its receipt is made from. */
export interface FilingWithTick {
  readonly record: FilingRecord;
  readonly tick: TickRecord;
}

/** All of a filing but its content. */
function filed(sql: Sql): PendingQuery<Row[]> {
  return sql`f.lane, f.office, f.idx, f.key, f.type, f.version, f.filer, f.period_from, f.period_to, f.reference, f.kind,
    f.supersedes, f.received_at, f.late, f.warnings, f.digest, f.salt, f.leaf, f.tick_lane, f.tick, f.tick_leaf, f.kid,
    f.manifest, f.manifest_line`;
}

/** The same, and its tick. */
function answered(sql: Sql): PendingQuery<Row[]> {
  return sql`${filed(sql)}, t.at AS tick_at, t.leaves AS tick_leaves, t.signature AS tick_signature`;
}

/**
 * Undefined when nothing stands at that index. The range with its order, which says the same as `=`, makes it the
 * primary key that is used, as in `findByKeys`.
 */
export async function loadFiling(
  sql: Sql,
  lane: number,
  office: string,
  index: number,
): Promise<FilingWithTick | undefined> {
  const rows = await sql<(FilingRow & TickRow)[]>`
    SELECT ${answered(sql)}
    FROM (
      SELECT * FROM filing
      WHERE lane = ${lane} AND office = ${office} AND idx BETWEEN ${index} AND ${index}
      ORDER BY idx LIMIT 1
    ) AS f JOIN tick t ON t.lane = f.tick_lane AND t.id = f.tick`;
  return rows[0] === undefined ? undefined : withTick(rows[0]);
}

/** {@link loadFiling} for many at once, without their ticks; what is not there is left out. */
export async function loadFilings(sql: Sql, positions: readonly FilingPosition[]): Promise<FilingRecord[]> {
  const rows = await sql<FilingRow[]>`
    SELECT ${filed(sql)}
    FROM unnest(${positions.map(({ lane }) => lane)}::smallint[], ${positions.map(({ office }) => office)}::text[],
      ${positions.map(({ index }) => index)}::bigint[]) AS want (lane, office, idx),
    LATERAL (
      SELECT * FROM filing
      WHERE filing.lane = want.lane AND filing.office = want.office AND filing.idx BETWEEN want.idx AND want.idx
      ORDER BY filing.idx LIMIT 1
    ) AS f`;
  return rows.map(filingRecord);
}

/** Ticks by their places. A leaf has 32 bytes: each is read once, however many of its filings are asked for. */
export async function loadTicks(
  sql: Sql,
  places: readonly { readonly lane: number; readonly id: string }[],
): Promise<TickRecord[]> {
  if (places.length === 0) return [];
  const rows = await sql<{ lane: number; id: string; at: string; leaves: Buffer; signature: string }[]>`
    SELECT t.lane, t.id, t.at, t.leaves, t.signature
    FROM unnest(${places.map(({ lane }) => lane)}::smallint[], ${places.map(({ id }) => id)}::uuid[]) AS want (lane, id),
    LATERAL (SELECT * FROM tick WHERE tick.lane = want.lane AND tick.id = want.id LIMIT 1) AS t`;
  return rows.map((row) => ({ ...row, at: instant(row.at) }));
}

/** The JWS as received, or for bulk form B the payload line. */
export async function loadContent(sql: Sql, lane: number, office: string, index: number): Promise<string | undefined> {
  const rows = await sql<{ content: string }[]>`
    SELECT content FROM filing WHERE lane = ${lane} AND office = ${office} AND idx = ${index}`;
  return rows[0]?.content;
}

export interface FilerFilter {
  /** Lanes of every office that the filer was ever registered in. */
  readonly lanes: readonly number[];
  /** Six bytes that tag the filer in every key; the name is compared as well. */
  readonly tag: Buffer;
  readonly filer: string;
  /** Months of the periods' last days, as in `monthNumber`; both included. */
  readonly fromMonth: number;
  readonly toMonth: number;
  readonly periodFrom?: string | undefined;
  readonly periodTo?: string | undefined;
  readonly type?: string | undefined;
  readonly reference?: string | undefined;
  readonly digest?: Buffer | undefined;
  readonly office?: string | undefined;
  /** Patterns of types as in mandates: `tax.vat.general`, `tax.*`, `*`. */
  readonly types?: readonly string[] | undefined;
  /** The last key of the page before. */
  readonly after?: { readonly month: number; readonly key: Buffer } | undefined;
  readonly limit: number;
}

/** A filer's filings, newest month first. Walks the unique index on (lane, key), whose keys begin with month and tag. */
export async function listFilings(sql: Sql, filter: FilerFilter): Promise<FilingWithTick[]> {
  const newest = filter.after === undefined ? filter.toMonth : Math.min(filter.toMonth, filter.after.month);
  const after = filter.after;
  const rows = await sql<(FilingRow & TickRow)[]>`
    SELECT ${answered(sql)}
    FROM generate_series(${newest}::int, ${filter.fromMonth}::int, -1) AS m (month),
    LATERAL (
      SELECT filing.* FROM unnest(${[...filter.lanes]}::smallint[]) AS l (lane),
      LATERAL (
        SELECT * FROM filing
        WHERE filing.lane = l.lane
        AND filing.key >= substring(int4send(m.month) FROM 3) || ${filter.tag}::bytea
        AND filing.key <= substring(int4send(m.month) FROM 3) || ${Buffer.concat([filter.tag, LAST_KEY])}::bytea
        AND filing.filer = ${filter.filer}
        ${after === undefined ? sql`` : sql`AND (m.month < ${after.month} OR filing.key > ${after.key})`}
        ${filter.type === undefined ? sql`` : sql`AND filing.type = ${filter.type}`}
        ${filter.reference === undefined ? sql`` : sql`AND filing.reference = ${filter.reference}`}
        ${filter.digest === undefined ? sql`` : sql`AND filing.digest = ${filter.digest}`}
        ${filter.office === undefined ? sql`` : sql`AND filing.office = ${filter.office}`}
        ${filter.types === undefined ? sql`` : sql`AND ${isOfTypes(sql, filter.types)}`}
        ${filter.periodFrom === undefined ? sql`` : sql`AND filing.period_from >= ${filter.periodFrom}::date`}
        ${filter.periodTo === undefined ? sql`` : sql`AND filing.period_to <= ${filter.periodTo}::date`}
        ORDER BY filing.key
        LIMIT ${filter.limit}
      ) AS filing
      ORDER BY filing.key
      LIMIT ${filter.limit}
    ) AS f
    JOIN tick t ON t.lane = f.tick_lane AND t.id = f.tick
    ORDER BY m.month DESC, f.key
    LIMIT ${filter.limit}`;
  return rows.map(withTick);
}

function isOfTypes(sql: Sql, patterns: readonly string[]): PendingQuery<Row[]> {
  return sql`EXISTS (
    SELECT FROM unnest(${[...patterns]}::text[]) AS p
    WHERE p IN ('*', filing.type) OR (right(p, 2) = '.*' AND starts_with(filing.type, left(p, -1))))`;
}

const LAST_KEY = Buffer.alloc(32, 0xff);

export async function loadManifest(sql: Sql, lane: number, id: string): Promise<ManifestRecord | undefined> {
  const rows = await sql<{ jws: string; leaves: Buffer }[]>`
    SELECT jws, leaves FROM manifest WHERE lane = ${lane} AND id = ${id}`;
  return rows[0] === undefined ? undefined : { id, ...rows[0] };
}

function withTick(row: FilingRow & TickRow): FilingWithTick {
  return {
    record: filingRecord(row),
    tick: {
      lane: row.tick_lane,
      id: row.tick,
      at: instant(row.tick_at),
      leaves: row.tick_leaves,
      signature: row.tick_signature,
    },
  };
}

function filingRecord(row: FilingRow): FilingRecord {
  return {
    lane: row.lane,
    office: row.office,
    index: row.idx,
    key: row.key,
    type: row.type,
    version: row.version,
    filer: row.filer,
    period: { from: row.period_from, to: row.period_to },
    reference: row.reference ?? undefined,
    kind: row.kind,
    supersedes: row.supersedes ?? undefined,
    receivedAt: instant(row.received_at),
    late: row.late,
    warnings: row.warnings ?? [],
    digest: row.digest,
    salt: row.salt,
    leaf: row.leaf,
    tick: { lane: row.tick_lane, id: row.tick, leafIndex: row.tick_leaf },
    kid: row.kid,
    manifest: row.manifest === null ? undefined : { id: row.manifest, line: row.manifest_line ?? 0 },
  };
}

function instant(text: string): number {
  const epochMs = parseInstant(text);
  assert(epochMs !== undefined, 'PostgreSQL writes instants with a zone');
  return epochMs;
}
