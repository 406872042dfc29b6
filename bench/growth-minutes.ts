import type { Sql } from '../src/storage/db.ts';
import type { OnProgress } from './command.ts';
import type { Series } from './figure.ts';
import type { Side } from './growth-side.ts';

const SLICE_SECONDS = 10;

/** Counters of the server, each since it was started or made. */
interface Counters {
  readonly checkpointsTimed: number;
  readonly checkpointsRequested: number;
  readonly checkpointWriteMs: number;
  readonly checkpointSyncMs: number;
  readonly walBytes: number;
  /** Whole pages: each page's first change after a checkpoint. */
  readonly walImages: number;
  readonly databaseBytes: number;
}

export interface TableUpkeep {
  readonly table: string;
  /** Within the run. */
  readonly autovacuums: number;
  readonly autoanalyzes: number;
  readonly deadMost: number;
  readonly deadLast: number;
  /** Pages of the table, and those whose rows need no freezing any more. */
  readonly pages: number;
  readonly frozenPages: number;
}

export interface Slice {
  readonly atSecond: number;
  readonly filingsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly cpuUs: number;
  readonly walBytesPerSecond: number;
  readonly checkpoints: number;
  readonly deadRows: number;
}

export interface LongRun {
  readonly minutes: number;
  readonly rate: number;
  readonly accepted: number;
  readonly slices: readonly Slice[];
  readonly checkpointsTimed: number;
  readonly checkpointsRequested: number;
  readonly checkpointWriteSeconds: number;
  readonly checkpointSyncSeconds: number;
  readonly walBytesAFiling: number;
  /** Whole pages in the WAL, for a thousand filings. */
  readonly walImagesAThousand: number;
  readonly diskBytesAFiling: number;
  readonly tables: readonly TableUpkeep[];
  readonly memoryBytes: number | undefined;
}

/** Files at a steady rate for so many minutes and watches what the server does beside: checkpoints, vacuum, WAL. */
export async function runMinutes(
  side: Side,
  { minutes, rate }: { readonly minutes: number; readonly rate: number },
  onProgress: OnProgress,
): Promise<LongRun> {
  const watch = new UpkeepWatch();
  const first = await readCounters(side.sql);
  await watch.look(side.sql);
  const slices: Slice[] = [];
  let before = first;
  let accepted = 0;
  const started = performance.now();
  for (let at = 0; at < minutes * 60; at += SLICE_SECONDS) {
    const measured = await side.measure(SLICE_SECONDS, rate, (text) => onProgress(text, at / (minutes * 60)));
    const after = await readCounters(side.sql);
    accepted += measured.accepted;
    slices.push({
      atSecond: Math.round((performance.now() - started) / 1000),
      filingsPerSecond: measured.filingsPerSecond,
      p50Ms: measured.latencyMs.p50,
      p99Ms: measured.latencyMs.p99,
      maxMs: measured.latencyMs.max,
      cpuUs: measured.gatewayUs + measured.postgresUs,
      walBytesPerSecond: (after.walBytes - before.walBytes) / SLICE_SECONDS,
      checkpoints: checkpointsOf(after) - checkpointsOf(before),
      deadRows: await watch.look(side.sql),
    });
    before = after;
  }
  const since = (name: keyof Counters): number => before[name] - first[name];
  return {
    minutes,
    rate,
    accepted,
    slices,
    checkpointsTimed: since('checkpointsTimed'),
    checkpointsRequested: since('checkpointsRequested'),
    checkpointWriteSeconds: since('checkpointWriteMs') / 1000,
    checkpointSyncSeconds: since('checkpointSyncMs') / 1000,
    walBytesAFiling: since('walBytes') / accepted,
    walImagesAThousand: (since('walImages') * 1_000) / accepted,
    diskBytesAFiling: since('databaseBytes') / accepted,
    tables: watch.tables(),
    memoryBytes: side.memory(),
  };
}

function checkpointsOf({ checkpointsTimed, checkpointsRequested }: Counters): number {
  return checkpointsTimed + checkpointsRequested;
}

async function readCounters(sql: Sql): Promise<Counters> {
  const rows = await sql<Counters[]>`
    SELECT c.num_timed::float8 AS "checkpointsTimed", c.num_requested::float8 AS "checkpointsRequested",
      c.write_time AS "checkpointWriteMs", c.sync_time AS "checkpointSyncMs", w.wal_bytes::float8 AS "walBytes", w.wal_fpi::float8 AS "walImages",
      pg_database_size(current_database())::float8 AS "databaseBytes"
    FROM pg_stat_checkpointer c, pg_stat_wal w`;
  return rows[0] as Counters;
}

interface UpkeepRow {
  readonly table: string;
  readonly vacuums: number;
  readonly analyzes: number;
  readonly dead: number;
  readonly pages: number;
  readonly frozen: number;
}

/** What autovacuum does with each table, and how many dead rows there are. */
class UpkeepWatch {
  readonly #first = new Map<string, UpkeepRow>();
  readonly #last = new Map<string, UpkeepRow>();
  readonly #deadMost = new Map<string, number>();

  /** Dead rows of all tables. */
  async look(sql: Sql): Promise<number> {
    const rows = await sql<UpkeepRow[]>`
      SELECT s.relname AS table, s.autovacuum_count::int AS vacuums, s.autoanalyze_count::int AS analyzes,
        s.n_dead_tup::int AS dead, c.relpages AS pages, c.relallfrozen AS frozen
      FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid WHERE s.schemaname = 'public'`;
    let dead = 0;
    for (const row of rows) {
      if (!this.#first.has(row.table)) this.#first.set(row.table, row);
      this.#last.set(row.table, row);
      this.#deadMost.set(row.table, Math.max(this.#deadMost.get(row.table) ?? 0, row.dead));
      dead += row.dead;
    }
    return dead;
  }

  /** Those where anything happened. */
  tables(): TableUpkeep[] {
    return [...this.#last.values()]
      .map((row) => {
        const first = this.#first.get(row.table) as UpkeepRow;
        return {
          table: row.table,
          autovacuums: row.vacuums - first.vacuums,
          autoanalyzes: row.analyzes - first.analyzes,
          deadMost: this.#deadMost.get(row.table) ?? 0,
          deadLast: row.dead,
          pages: row.pages,
          frozenPages: row.frozen,
        };
      })
      .filter(
        ({ table, autovacuums, autoanalyzes, deadMost }) =>
          table === 'filing' || autovacuums + autoanalyzes + deadMost > 0,
      )
      .sort((a, b) => b.deadMost - a.deadMost || b.pages - a.pages);
  }
}

/** For plots. */
export function seriesOf({ slices }: LongRun): Series[] {
  const series = (name: string, unit: string, value: (slice: Slice) => number): Series => ({
    name,
    unit,
    points: slices.map((slice) => [slice.atSecond, value(slice)] as const),
  });
  return [
    series('filings/s at 10 million', '/s', ({ filingsPerSecond }) => filingsPerSecond),
    series('latency p99 in ten seconds', 'ms', ({ p99Ms }) => p99Ms),
    series('CPU a filing, gateway and PostgreSQL', 'µs', ({ cpuUs }) => cpuUs),
    series('WAL', 'MB/s', ({ walBytesPerSecond }) => walBytesPerSecond / 1e6),
    series('checkpoints begun', '', ({ checkpoints }) => checkpoints),
    series('dead rows', '', ({ deadRows }) => deadRows),
  ];
}
