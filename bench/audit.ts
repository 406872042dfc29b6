import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { openSigner } from '../src/identity/signer.ts';
import { systemClock } from '../src/std/clock.ts';
import { openDatabase } from '../src/storage/db.ts';
import { openGatewayDatabase } from '../src/storage/open.ts';
import { fillDatabase } from './audit-fill.ts';
import { verifyCost } from './calibrate.ts';
import type { OnProgress } from './command.ts';
import { commitName } from './commit-name.ts';
import { readCpu } from './cpu.ts';
import { type Bars, type BenchResult, type Figure, machineNow, overRounds, scaledCpu, scaledRate } from './figure.ts';
import { BENCH_ISSUER } from './gateway.ts';
import { signedCorpus } from './signed.ts';

const PROGRAM = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));

export interface AuditBenchOptions {
  readonly filings: number;
  readonly filers: number;
  readonly offices: number;
  readonly tick: number;
  readonly signatures: boolean;
  readonly rounds: number;
  readonly threads: number | undefined;
  /** Left there, with its database, to be looked at. */
  readonly keep: string | undefined;
  readonly profile: boolean;
}

export interface AuditRound {
  readonly filings: number;
  readonly seconds: number;
  readonly filingsPerSecond: number;
  /** CPU microseconds a filing. */
  readonly auditUs: number;
  readonly postgresUs: number;
  readonly verifyUs: number;
  readonly peakBytes: number;
}

export interface AuditBenchResult extends BenchResult {
  readonly bench: 'audit';
  readonly options: AuditBenchOptions;
  readonly rounds: readonly AuditRound[];
  readonly faults: readonly string[];
}

/** Fills a database through ticks, then lets the built command audit it, a few times. */
export async function benchAudit(options: AuditBenchOptions, onProgress: OnProgress): Promise<AuditBenchResult> {
  if (!existsSync(PROGRAM)) throw new Error('the command is not built: npm run build');
  const machine = machineNow();
  const folder = options.keep ?? (await mkdtemp(path.join(os.tmpdir(), 'shenbao-bench-')));
  await chmod(folder, 0o711);
  const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
  const settings = { dataDir: folder, env: 'production', lanes: 64, workers: 1 };
  const database = await openGatewayDatabase({ ...settings, databaseUrl: undefined }, log);
  try {
    await fill(options, folder, database, onProgress);
    const rounds: AuditRound[] = [];
    const faults: string[] = [];
    for (let round = 1; round <= options.rounds; round++) {
      onProgress(`auditing, round ${round}`);
      const { round: measured, fault } = await runAudit(options, folder);
      if (fault !== undefined) faults.push(fault);
      rounds.push(measured);
    }
    return {
      bench: 'audit',
      commit: commitName(),
      at: new Date().toISOString(),
      machine,
      options,
      figures: figuresOf(rounds),
      bars: [barsOf(rounds)],
      rounds,
      faults,
    };
  } finally {
    await database.stop();
    if (options.keep === undefined) await rm(folder, { recursive: true, force: true });
  }
}

function figuresOf(rounds: readonly AuditRound[]): Figure[] {
  const rate = overRounds(rounds.map(({ filingsPerSecond }) => filingsPerSecond));
  const cpu = overRounds(rounds.map(({ auditUs, postgresUs }) => auditUs + postgresUs));
  const then = (scale: typeof scaledCpu, of: (round: AuditRound) => number): number =>
    overRounds(rounds.map((round) => scale(of(round), round))).value;
  return [
    {
      name: 'filings audited/s',
      unit: '/s',
      better: 'more',
      goal: 50_000,
      scaled: then(scaledRate, ({ filingsPerSecond }) => filingsPerSecond),
      ...rate,
    },
    {
      name: 'CPU a filing',
      unit: 'µs',
      better: 'less',
      scaled: then(scaledCpu, ({ auditUs, postgresUs }) => auditUs + postgresUs),
      ...cpu,
    },
    {
      name: 'memory of the audit, peak',
      unit: 'MiB',
      better: 'less',
      ...overRounds(rounds.map(({ peakBytes }) => peakBytes / 1024 / 1024)),
    },
  ];
}

function barsOf(rounds: readonly AuditRound[]): Bars {
  const part = (name: string, of: (round: AuditRound) => number) => ({ name, value: overRounds(rounds.map(of)).value });
  const parts = [part('audit', ({ auditUs }) => auditUs), part('PostgreSQL', ({ postgresUs }) => postgresUs)];
  return { title: 'CPU a filing audited, by process', unit: 'µs', bars: [{ name: 'shenbao audit', parts }] };
}

async function fill(
  { filings, filers, offices, tick }: AuditBenchOptions,
  dataDir: string,
  database: Awaited<ReturnType<typeof openGatewayDatabase>>,
  onProgress: OnProgress,
): Promise<void> {
  const db = openDatabase(database.address, { connections: 4, statementTimeoutMs: 0 });
  try {
    const [stored] = await db.sql<{ count: number }[]>`SELECT coalesce(sum(size), 0)::bigint AS count FROM office_head`;
    if (stored?.count === filings) return;
    if (stored?.count !== 0) throw new Error('the folder holds the database of another bench');
    const corpus = { seed: 'shenbao', filers, offices, shape: 'usual' as const };
    const months = Math.ceil(filings / filers);
    const files = await signedCorpus({ ...corpus, issuer: BENCH_ISSUER, months }, (share) =>
      onProgress('signing filings', share),
    );
    const signer = await openSigner({ db, clock: systemClock, random: randomBytes, dataDir });
    const given = {
      db,
      lanes: database.meta.lanes,
      signer,
      dataDir,
      issuer: BENCH_ISSUER,
      corpus,
      files,
      filings,
      tick,
    };
    await fillDatabase(given, (share) => onProgress('filling the database', share));
  } finally {
    await db.close();
  }
}

interface Told {
  readonly summary?: { readonly filings: number; readonly seconds: number };
  readonly kind?: string;
}

/** One audit by the built command, and what is wrong with it: it has to look at all filings and to find nothing. */
export async function runAudit(
  options: Pick<AuditBenchOptions, 'filings' | 'signatures' | 'threads' | 'profile'>,
  dataDir: string,
): Promise<{ round: AuditRound; fault?: string }> {
  const verifyUs = verifyCost();
  const { DATABASE_URL: _, ...inherited } = process.env;
  const profile = options.profile ? ['--cpu-prof', `--cpu-prof-dir=${path.join(dataDir, 'profile')}`] : [];
  const args = [...profile, PROGRAM, 'audit', '--json'];
  if (options.signatures) args.push('--signatures');
  if (options.threads !== undefined) args.push('--threads', String(options.threads));
  const before = readCpu(process.pid);
  const started = performance.now();
  const child = spawn(process.execPath, args, {
    env: { ...inherited, DATA_DIR: dataDir, SHENBAO_ENV: 'production', ISSUER: BENCH_ISSUER },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  let peakBytes = 0;
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const watch = setInterval(() => {
    peakBytes = Math.max(peakBytes, residentBytes(child.pid));
  }, 200);
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  clearInterval(watch);
  const seconds = (performance.now() - started) / 1000;
  const after = readCpu(process.pid);
  const lines = output
    .trim()
    .split('\n')
    .filter((line) => line !== '');
  const told = lines.map((line) => JSON.parse(line) as Told);
  const filings = told.at(-1)?.summary?.filings ?? 0;
  const us = (part: 'gateway' | 'postgres'): number =>
    (((after?.[part] ?? Number.NaN) - (before?.[part] ?? Number.NaN)) * 1e6) / options.filings;
  const round = {
    filings,
    seconds,
    filingsPerSecond: filings / seconds,
    auditUs: us('gateway'),
    postgresUs: us('postgres'),
    verifyUs,
    peakBytes,
  };
  if (code === 0 && filings === options.filings) return { round };
  return { round, fault: `exit code ${code}, ${filings} of ${options.filings} filings, ${told.length - 1} findings` };
}

function residentBytes(pid: number | undefined): number {
  if (process.platform !== 'linux' || pid === undefined) return 0;
  try {
    const pages = Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]);
    return pages * 4_096;
  } catch {
    return 0; // it has ended
  }
}
