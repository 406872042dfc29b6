// What storing alone costs: the rows of bulk uploads into the gateway's table, many in a statement, and nothing checked. A process
// of its own with a PostgreSQL of its own. Its parent gets an outcome for each run that it asks for.
import { randomBytes } from 'node:crypto';
import postgres from 'postgres';
import { laneOf } from '../src/domain/filing.ts';
import { filingKey } from '../src/domain/filing-key.ts';
import { sha256 } from '../src/std/bytes.ts';
import { bulkAgent, bulkPayload, officeOfFiling } from './bulk-corpus.ts';
import type { CorpusOptions } from './corpus.ts';
import { readCpu } from './cpu.ts';
import { startPeerDatabase } from './peers/database.ts';
import type { FilingRow } from './peers/rows.ts';
import { serveRuns } from './peers/serve-runs.ts';

export interface BulkInsertSetup {
  readonly corpus: CorpusOptions;
}

export interface BulkInsertRun {
  readonly from: number;
  readonly rows: number;
  /** Rows of one upload, which share a manifest. */
  readonly lines: number;
}

export interface BulkInsertOutcome {
  readonly seconds: number;
  /** CPU microseconds a row, without the making of the rows. */
  readonly cpuUs: { readonly program: number; readonly postgres: number };
}

const LANES = 64;
/** As many rows as the gateway puts into one statement. */
const ROWS_A_STATEMENT = 256;
/** Both cores are busy with two. */
const CONNECTIONS = 2;

const { corpus } = JSON.parse(process.argv[2] ?? '') as BulkInsertSetup;
const database = await startPeerDatabase();
const { address } = database;
const socket = address.socketDir && `${address.socketDir}/.s.PGSQL.${new URL(address.url).port}`;
const sql = postgres(address.url, {
  max: CONNECTIONS,
  ...(socket === undefined ? {} : { path: socket }),
  onnotice: () => {},
});
const { kid } = bulkAgent(corpus).key;
/** The next index of each office: other runs went before. */
const sizes = new Map<string, number>();

serveRuns(sql, database, perform);

async function perform({ from, rows, lines }: BulkInsertRun): Promise<BulkInsertOutcome> {
  const all = Array.from({ length: rows }, (_, i) => rowOf(from + i, Math.floor(i / lines), i % lines));
  const before = await count();
  let next = 0;
  const postgresBefore = readCpu(process.pid)?.postgres ?? 0;
  const cpuBefore = process.cpuUsage();
  const startMs = performance.now();
  const work = async (): Promise<void> => {
    while (next < rows) {
      const batch = all.slice(next, next + ROWS_A_STATEMENT);
      next += batch.length;
      await sql`INSERT INTO filing ${sql(batch)}`;
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, work));
  const seconds = (performance.now() - startMs) / 1_000;
  const { user, system } = process.cpuUsage(cpuBefore);
  const postgresSeconds = (readCpu(process.pid)?.postgres ?? 0) - postgresBefore;
  const stored = (await count()) - before;
  if (stored !== rows) throw new Error(`${stored} of ${rows} rows are there`);
  return { seconds, cpuUs: { program: (user + system) / rows, postgres: (postgresSeconds * 1e6) / rows } };
}

async function count(): Promise<number> {
  const [row] = await sql<{ count: number }[]>`SELECT count(*)::int AS count FROM filing`;
  return row?.count ?? 0;
}

function rowOf(number: number, upload: number, line: number): FilingRow {
  const content = bulkPayload(corpus, number);
  const { type, filer, period, kind } = JSON.parse(content) as {
    readonly type: string;
    readonly filer: string;
    readonly period: { readonly from: string; readonly to: string };
    readonly kind: string;
  };
  const office = officeOfFiling(corpus, number);
  const lane = laneOf(office, LANES);
  const idx = sizes.get(office) ?? 0;
  sizes.set(office, idx + 1);
  return {
    lane,
    office,
    idx,
    key: filingKey({ filer, type, period }),
    type,
    version: '2026-02',
    filer,
    period_from: period.from,
    period_to: period.to,
    reference: null,
    kind,
    supersedes: null,
    received_at: new Date().toISOString(),
    late: true,
    warnings: null,
    digest: sha256(content),
    salt: randomBytes(16),
    leaf: randomBytes(32),
    tick_lane: lane,
    tick: `00000000-0000-4000-8000-${String(upload).padStart(12, '0')}`,
    tick_leaf: line,
    kid,
    content,
    manifest: `00000000-0000-8000-8000-${String(upload).padStart(12, '0')}`,
    manifest_line: line,
    urgent: false,
  };
}
