// What storing alone costs: the gateway's rows into the gateway's table, and nothing checked. A process of its own with a
// PostgreSQL of its own. Its parent names files and mode, and gets an outcome for each run that it asks for.
import postgres from 'postgres';
import { startPeerDatabase } from './database.ts';
import { runPgbench } from './pgbench.ts';
import { type FilingRow, rowsOf } from './rows.ts';
import { serveRuns } from './serve-runs.ts';

/**
 * `one-row`: a statement and a transaction each, 16 at once. `multi-row`: 128 rows a statement. `pgbench`: one row at a time by
 * PostgreSQL's own load generator.
 */
export type InsertMode = 'one-row' | 'multi-row' | 'pgbench';

export interface InsertSetup {
  readonly files: readonly string[];
}

export interface InsertRun {
  readonly mode: InsertMode;
  readonly seconds: number;
}

export interface InsertOutcome {
  readonly rows: number;
  readonly seconds: number;
  /** Rows were used up before the time was over. */
  readonly exhausted: boolean;
}

const CONNECTIONS = 16;
/** As many filings as a tick of the gateway holds under 256 connections. */
const ROWS_A_STATEMENT = 128;
/** PostgreSQL's own connections do their work in parallel; two keep both cores busy. */
const BULK_CONNECTIONS = 2;

const setup = JSON.parse(process.argv[2] ?? '') as InsertSetup;
const database = await startPeerDatabase();
const { address } = database;
const socket = address.socketDir && `${address.socketDir}/.s.PGSQL.${new URL(address.url).port}`;
const sql = postgres(address.url, {
  max: CONNECTIONS,
  ...(socket === undefined ? {} : { path: socket }),
  onnotice: () => {},
});
const rows = source();

serveRuns(sql, database, perform);

/** Every row of every file once, with indexes that go on from file to file. */
function* source(): Generator<FilingRow> {
  let index = 0;
  for (const file of setup.files) for (const row of rowsOf(file)) yield { ...row, idx: index++ };
}

async function perform({ mode, seconds }: InsertRun): Promise<InsertOutcome> {
  if (mode === 'pgbench') return await runPgbench(address, take(1)[0] as FilingRow, seconds);
  const startMs = performance.now();
  const state = { inserted: 0, exhausted: false };
  const isOver = (): boolean => state.exhausted || performance.now() - startMs >= seconds * 1_000;
  const size = mode === 'one-row' ? 1 : ROWS_A_STATEMENT;
  const work = async (): Promise<void> => {
    while (!isOver()) {
      const batch = take(size);
      if (batch.length < size) state.exhausted = true;
      if (batch.length === 0) return;
      await sql`INSERT INTO filing ${sql(batch)}`;
      state.inserted += batch.length;
    }
  };
  await Promise.all(Array.from({ length: mode === 'one-row' ? CONNECTIONS : BULK_CONNECTIONS }, work));
  return { rows: state.inserted, seconds: (performance.now() - startMs) / 1_000, exhausted: state.exhausted };
}

function take(count: number): FilingRow[] {
  const batch: FilingRow[] = [];
  while (batch.length < count) {
    const { done, value } = rows.next();
    if (done === true) break;
    batch.push(value);
  }
  return batch;
}
