import { randomInt } from 'node:crypto';
import { filerPrefix, monthNumber } from '../src/domain/filing-key.ts';
import { TILE_WIDTH } from '../src/log/edge.ts';
import { readDeliveries } from '../src/storage/cosignatures.ts';
import type { Sql } from '../src/storage/db.ts';
import { copyEntries, readHeads, readUrgent } from '../src/storage/feed.ts';
import { listFilings, loadContent, loadFiling, loadFilings, loadTicks } from '../src/storage/filing-lookup.ts';
import { findByKeys } from '../src/storage/filings.ts';
import { findGrownOffices, readComparable, readFindings } from '../src/storage/findings.ts';
import { selectKeyring } from '../src/storage/identity.ts';
import { selectIdentityChanges, selectIdentityHead } from '../src/storage/identity-feed.ts';
import {
  findOverdueLogs,
  readCheckpoint,
  readLeaves,
  readLogState,
  readNewestCheckpoint,
  readTiles,
} from '../src/storage/log.ts';
import { readLastTexts, readNationalSize, readNewestNotes } from '../src/storage/national.ts';
import { findKeyed } from '../src/storage/obligations.ts';
import { listStanding, readContents } from '../src/storage/standing.ts';
import { readTrailHead, readTrailRows } from '../src/storage/trail.ts';

/** A filing that is stored, with everything that it can be looked up by. */
export interface Sample {
  readonly lane: number;
  readonly office: string;
  readonly index: number;
  readonly key: Buffer;
  readonly filer: string;
  readonly kid: string;
  readonly type: string;
  /** Of its period. */
  readonly from: string;
  readonly to: string;
  /** Of its office's log. */
  readonly size: number;
}

/** A statement that a gateway sends while it serves, with the values of a sample. */
export interface Probe {
  readonly name: string;
  /** Looks something up by one of its keys: its time is told. */
  readonly isLookup?: true;
  run(sql: Sql, sample: Sample): Promise<unknown>;
}

const ENTRIES = 100;

/** All statements that read a table that grows, as the gateway's parts send them. */
export const PROBES: readonly Probe[] = [
  { name: 'filing by id', isLookup: true, run: (sql, s) => loadFiling(sql, s.lane, s.office, s.index) },
  { name: 'filing by its key', isLookup: true, run: (sql, s) => findByKeys(sql, [s]) },
  { name: 'content by id', isLookup: true, run: (sql, s) => loadContent(sql, s.lane, s.office, s.index) },
  { name: 'filings of a filer, one month', isLookup: true, run: (sql, s) => listFilings(sql, listed(s, 0)) },
  { name: 'filings of a filer, one year', isLookup: true, run: (sql, s) => listFilings(sql, listed(s, 11)) },
  { name: 'key of a filer by kid', isLookup: true, run: (sql, s) => selectKeyring(sql, [s.kid]) },
  { name: 'what is delivered of a filing', isLookup: true, run: (sql, s) => readDeliveries(sql, [s]) },
  { name: 'findings of a filing', isLookup: true, run: (sql, s) => readFindings(sql, [s]) },
  { name: 'checkpoint, newest', isLookup: true, run: (sql, s) => readNewestCheckpoint(sql, s) },
  { name: 'checkpoint by size', isLookup: true, run: (sql, s) => readCheckpoint(sql, s, s.size) },
  { name: 'tiles of a proof', isLookup: true, run: (sql, s) => readTiles(sql, s, tilesOver(s)) },
  { name: 'a tile’s leaves', isLookup: true, run: (sql, s) => readLeaves(sql, s, ...tileOf(s)) },
  { name: `${ENTRIES} entries of a log`, isLookup: true, run: (sql, s) => copyEntries(sql, s, reachOf(s), () => {}) },
  { name: 'filings that are sent again', run: (sql, s) => loadAgain(sql, [s]) },
  { name: 'filings by keys, of obligations', run: (sql, s) => findKeyed(sql, [s]) },
  { name: 'what stands of a filer', run: (sql, s) => listStanding(sql, [standing(s)]) },
  { name: 'contents to compare', run: (sql, s) => readContents(sql, [s]) },
  { name: 'filings to compare', run: (sql, s) => readComparable(sql as never, s, comparable(s)) },
  { name: 'logs to compare', run: (sql) => findGrownOffices(sql, ['tax'], { lane: 0, office: '' }, 10) },
  { name: 'heads that grew', run: (sql) => readHeads(sql, 'tax', '0') },
  { name: 'urgent filings', run: (sql, s) => readUrgent(sql, [s], 100) },
  { name: 'size of a log and what is signed of it', run: (sql, s) => readLogState(sql, s) },
  { name: 'logs without a fresh checkpoint', run: (sql) => findOverdueLogs(sql, Date.now(), 100) },
  { name: 'size of the national log', run: (sql) => readNationalSize(sql) },
  { name: 'newest texts of the national log', run: (sql, s) => readLastTexts(sql, [s.office]) },
  { name: 'newest notes of the logs', run: (sql) => readNewestNotes(sql) },
  { name: 'newest change of identity', run: (sql) => selectIdentityHead(sql) },
  { name: 'changes of identity', run: (sql) => selectIdentityChanges(sql, 0, 100) },
  { name: 'end of the trail', run: (sql) => readTrailHead(sql) },
  { name: 'rows of the trail', run: (sql) => readTrailRows(sql, 0, 100, 100) },
];

/** Those that a sequential scan of would take longer with every filing, filer or act. */
export const GROWING = [
  'filing', 'tick', 'manifest', 'checkpoint', 'tile', 'cosignature', 'batch', 'filing_finding', 'national_entry', 'trail',
  'party', 'party_key', 'registration', 'mandate', 'identity_change',
] as const; // biome-ignore format: one list

async function loadAgain(sql: Sql, positions: readonly Sample[]) {
  const records = await loadFilings(sql, positions);
  return await loadTicks(
    sql,
    records.map(({ tick }) => tick),
  );
}

function listed(s: Sample, monthsBack: number) {
  const toMonth = monthNumber(s.to);
  const tag = filerPrefix(s.filer, 0).subarray(2);
  return { lanes: [s.lane], tag, filer: s.filer, fromMonth: toMonth - monthsBack, toMonth, limit: 20 };
}

function standing(s: Sample) {
  const span = { from: s.from, to: s.to, reach: 'overlapping', reference: undefined } as const;
  return { ...listed(s, 1), ...span, type: s.type, limit: 64 };
}

function comparable({ index, type }: Sample) {
  return { from: index, to: index + 4_096, types: [type], limit: 32 };
}

function tileOf({ index, size }: Sample): [number, number] {
  const from = Math.floor(index / TILE_WIDTH) * TILE_WIDTH;
  return [from, Math.min(from + TILE_WIDTH, size)];
}

/** Those above its leaves, as a proof of inclusion reads them. */
function tilesOver({ index }: Sample): { level: number; n: number }[] {
  return [1, 2, 3].map((level) => ({ level, n: Math.floor(index / TILE_WIDTH ** (level + 1)) }));
}

function reachOf({ index, size }: Sample) {
  return { from: Math.max(0, Math.min(index, size - ENTRIES)), to: Math.min(index + ENTRIES, size) };
}

/** Filings from anywhere in the logs. */
export async function sampleFilings(sql: Sql, count: number): Promise<Sample[]> {
  const heads = await sql<{ lane: number; office: string; size: number }[]>`
    SELECT lane, office, size FROM office_head WHERE size > 0 ORDER BY office`;
  if (heads.length === 0) throw new Error('nothing is stored');
  const samples: Sample[] = [];
  for (let i = 0; i < count; i++) {
    const { lane, office, size } = heads[i % heads.length] as (typeof heads)[number];
    const rows = await sql<Omit<Sample, 'size'>[]>`
      SELECT lane, office, idx AS index, key, filer, kid, type, period_from AS from, period_to AS to FROM filing
      WHERE lane = ${lane} AND office = ${office} AND idx = ${randomInt(size)}`;
    for (const row of rows) samples.push({ ...row, size });
  }
  if (samples.length !== count) throw new Error('a log has a gap');
  return samples;
}
