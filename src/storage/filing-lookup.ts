import type { Sql } from 'postgres';
import type { FilingKind } from '../domain/filing.ts';
import type { FilingRecord, ManifestRecord, TickRecord } from '../domain/filing-record.ts';
import { parseInstant } from '../std/clock.ts';
import { assert, type Violation } from '../std/errors.ts';

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
  content: string;
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
    SELECT f.*, t.at AS tick_at, t.leaves AS tick_leaves, t.signature AS tick_signature
    FROM (
      SELECT * FROM filing
      WHERE lane = ${lane} AND office = ${office} AND idx BETWEEN ${index} AND ${index}
      ORDER BY idx LIMIT 1
    ) AS f JOIN tick t ON t.lane = f.tick_lane AND t.id = f.tick`;
  return rows[0] === undefined ? undefined : withTick(rows[0]);
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
  /** The last key of the page before. */
  readonly after?: { readonly month: number; readonly key: Buffer } | undefined;
  readonly limit: number;
}

/** A filer's filings, newest month first. Walks the unique index on (lane, key), whose keys begin with month and tag. */
export async function listFilings(sql: Sql, filter: FilerFilter): Promise<FilingWithTick[]> {
  const newest = filter.after === undefined ? filter.toMonth : Math.min(filter.toMonth, filter.after.month);
  const after = filter.after;
  const rows = await sql<(FilingRow & TickRow)[]>`
    SELECT f.*, t.at AS tick_at, t.leaves AS tick_leaves, t.signature AS tick_signature
    FROM generate_series(${newest}::int, ${filter.fromMonth}::int, -1) AS m (month),
    LATERAL (
      SELECT filing.* FROM unnest(${[...filter.lanes]}::smallint[]) AS l (lane),
      LATERAL (
        SELECT * FROM filing
        WHERE filing.lane = l.lane
        AND filing.key >= int2send(m.month::smallint) || ${filter.tag}::bytea
        AND filing.key <= int2send(m.month::smallint) || ${Buffer.concat([filter.tag, LAST_KEY])}::bytea
        AND filing.filer = ${filter.filer}
        ${after === undefined ? sql`` : sql`AND (m.month < ${after.month} OR filing.key > ${after.key})`}
        ${filter.type === undefined ? sql`` : sql`AND filing.type = ${filter.type}`}
        ${filter.reference === undefined ? sql`` : sql`AND filing.reference = ${filter.reference}`}
        ${filter.digest === undefined ? sql`` : sql`AND filing.digest = ${filter.digest}`}
        ${filter.office === undefined ? sql`` : sql`AND filing.office = ${filter.office}`}
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
    content: row.content,
    manifest: row.manifest === null ? undefined : { id: row.manifest, line: row.manifest_line ?? 0 },
  };
}

function instant(text: string): number {
  const epochMs = parseInstant(text);
  assert(epochMs !== undefined, 'PostgreSQL writes instants with a zone');
  return epochMs;
}
