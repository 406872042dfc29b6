import type { Sql, TransactionSql } from 'postgres';
import type { ManifestRecord, TickRecord, WholeFiling } from '../domain/filing-record.ts';
import { formatInstant, parseInstant } from '../std/clock.ts';
import { assert } from '../std/errors.ts';
import { CopyWriter, copyInto } from './copy-in.ts';

// The statements of the commit. Everything here runs inside one transaction that holds the heads' row locks.

export interface OfficePosition {
  readonly lane: number;
  readonly office: string;
}

export interface OfficeHead extends OfficePosition {
  readonly size: number;
  /** Milliseconds since the epoch. */
  readonly receivedAt: number;
}

/** Locks the heads in the order of their offices, so that no two ticks can wait for each other in a circle. */
export async function lockHeads(tx: TransactionSql, offices: readonly OfficePosition[]): Promise<OfficeHead[]> {
  const rows = await tx<{ lane: number; office: string; size: number; received_at: string }[]>`
    SELECT h.lane, h.office, h.size, h.received_at
    FROM office_head h
    JOIN unnest(${lanesOf(offices)}::smallint[], ${offices.map((o) => o.office)}::text[]) AS want (lane, office)
      ON h.lane = want.lane AND h.office = want.office
    ORDER BY h.office
    FOR UPDATE OF h`;
  return rows.map((row) => ({
    lane: row.lane,
    office: row.office,
    size: row.size,
    receivedAt: instant(row.received_at),
  }));
}

export interface KeyInLane {
  readonly lane: number;
  readonly key: Buffer;
}

/** What identifies a filing that stands under a key. */
export interface StandingFiling {
  readonly lane: number;
  readonly office: string;
  readonly index: number;
  readonly key: Buffer;
  readonly digest: Buffer;
  readonly receivedAt: number;
  readonly tick: string;
}

/**
 * The filings that stand under these keys. The lateral subquery makes the planner look each key up in an index; as a
 * plain join it may hash the whole table while statistics are young. The range with its order, which says the same as
 * `=`, makes it the index of the key: while the table is nearly empty the primary key's costs the same by its lane
 * alone, and a plan kept from then reads a whole lane for every key. Keys go as hex, because postgres.js takes an array
 * of Buffers for one bytea.
 */
export async function findByKeys(sql: Sql | TransactionSql, keys: readonly KeyInLane[]): Promise<StandingFiling[]> {
  const rows = await sql<
    { lane: number; office: string; idx: number; key: Buffer; digest: Buffer; received_at: string; tick: string }[]
  >`
    SELECT f.lane, f.office, f.idx, f.key, f.digest, f.received_at, f.tick
    FROM unnest(${lanesOf(keys)}::smallint[], ${keys.map((k) => k.key.toString('hex'))}::text[]) AS want (lane, hex),
    LATERAL (
      SELECT * FROM filing
      WHERE filing.lane = want.lane AND filing.key BETWEEN decode(want.hex, 'hex') AND decode(want.hex, 'hex')
      ORDER BY filing.key LIMIT 1
    ) AS f`;
  return rows.map((row) => ({
    lane: row.lane,
    office: row.office,
    index: row.idx,
    key: row.key,
    digest: row.digest,
    receivedAt: instant(row.received_at),
    tick: row.tick,
  }));
}

const FILING_COLUMNS = [
  'lane', 'office', 'idx', 'key', 'type', 'version', 'filer', 'period_from', 'period_to', 'reference', 'kind', 'supersedes',
  'received_at', 'late', 'warnings', 'digest', 'salt', 'leaf', 'tick_lane', 'tick', 'tick_leaf', 'kid', 'content',
  'manifest', 'manifest_line', 'urgent',
] as const; // biome-ignore format: one list, read as a table

const COPY_FILINGS = `COPY filing (${FILING_COLUMNS.join(',')}) FROM STDIN (FORMAT binary)`;

/** About what a row has beside its content. */
const ROW_BYTES = 640;

/** Stores the rows of a tick. Until it settles nothing else may be sent in the transaction: see copyInto. */
export function insertFilings(tx: TransactionSql, filings: readonly WholeFiling[]): Promise<void> {
  const rows = new CopyWriter(filings.reduce((sum, { content }) => sum + content.length + ROW_BYTES, 0));
  for (const filing of filings) writeFiling(rows, filing);
  return copyInto(tx, COPY_FILINGS, rows.end());
}

function writeFiling(rows: CopyWriter, f: WholeFiling): void {
  rows.row(FILING_COLUMNS.length);
  rows.int16(f.lane);
  rows.text(f.office);
  rows.int64(f.index);
  rows.bytes(f.key);
  rows.text(f.type);
  rows.text(f.version);
  rows.text(f.filer);
  rows.date(f.period.from);
  rows.date(f.period.to);
  rows.text(f.reference);
  rows.text(f.kind);
  rows.text(f.supersedes);
  rows.instant(f.receivedAt);
  rows.boolean(f.late);
  if (f.warnings.length === 0) rows.null();
  else rows.jsonb(f.warnings);
  rows.bytes(f.digest);
  rows.bytes(f.salt);
  rows.bytes(f.leaf);
  rows.int16(f.tick.lane);
  rows.uuid(f.tick.id);
  rows.int32(f.tick.leafIndex);
  rows.text(f.kid);
  rows.text(f.content);
  rows.uuid(f.manifest?.id);
  rows.int32(f.manifest?.line);
  rows.boolean(f.urgent);
}

export async function insertTick(tx: TransactionSql, tick: TickRecord): Promise<void> {
  await tx`
    INSERT INTO tick (lane, id, at, leaves, signature)
    VALUES (${tick.lane}, ${tick.id}, ${formatInstant(tick.at)}, ${tick.leaves}, ${tick.signature})`;
}

/** Which of these manifests have a row. Small against sending them, which may have 320 kB each. */
export async function findManifests(
  tx: TransactionSql,
  manifests: readonly { readonly lane: number; readonly id: string }[],
): Promise<{ lane: number; id: string }[]> {
  return await tx<{ lane: number; id: string }[]>`
    SELECT m.lane, m.id
    FROM unnest(${lanesOf(manifests)}::smallint[], ${manifests.map(({ id }) => id)}::uuid[]) AS want (lane, id),
    LATERAL (SELECT lane, id FROM manifest WHERE manifest.lane = want.lane AND manifest.id = want.id LIMIT 1) AS m`;
}

/** Idempotent: the id is derived from the manifest's bytes, and several ticks may carry lines of one upload. */
export async function insertManifest(tx: TransactionSql, lane: number, manifest: ManifestRecord): Promise<void> {
  await tx`
    INSERT INTO manifest (lane, id, jws, leaves)
    VALUES (${lane}, ${manifest.id}, ${manifest.jws}, ${manifest.leaves})
    ON CONFLICT (lane, id) DO NOTHING`;
}

export async function growHeads(tx: TransactionSql, heads: readonly OfficeHead[]): Promise<void> {
  const grown = await tx`
    UPDATE office_head h SET size = v.size, received_at = v.received_at, txid = pg_current_xact_id()
    FROM unnest(${lanesOf(heads)}::smallint[], ${heads.map((h) => h.office)}::text[],
      ${heads.map((h) => h.size)}::bigint[], ${heads.map((h) => formatInstant(h.receivedAt))}::timestamptz[])
      AS v (lane, office, size, received_at)
    WHERE h.lane = v.lane AND h.office = v.office`;
  assert(grown.count === heads.length, 'every locked head is advanced');
}

function lanesOf(rows: readonly { readonly lane: number }[]): number[] {
  return rows.map((row) => row.lane);
}

function instant(text: string): number {
  const epochMs = parseInstant(text);
  assert(epochMs !== undefined, 'PostgreSQL writes instants with a zone');
  return epochMs;
}
