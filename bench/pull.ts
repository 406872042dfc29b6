import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Jwk, ShenbaoClient } from '../src/client/client.ts';
import { laneOf } from '../src/domain/filing.ts';
import { openDatabase } from '../src/storage/db.ts';
import { reachGatewayDatabase } from '../src/storage/open.ts';
import type { OnProgress } from './command.ts';
import { commitName } from './commit-name.ts';
import { officeKey, officeOf } from './corpus.ts';
import { peakMemory } from './cpu.ts';
import { type BenchResult, machineNow } from './figure.ts';
import { fillFolder } from './fill.ts';
import type { FillPlan } from './fill-share.ts';
import { BENCH_ISSUER, type BenchGateway, startGateway } from './gateway.ts';
import { publicHalf } from './keys.ts';
import { type HotFunction, hottest, monotonicUs } from './profile.ts';
import { Backlog, type BacklogPlace, type PullRound } from './pull-round.ts';

export interface PullBenchOptions {
  readonly entries: number;
  readonly rounds: number;
  readonly profile: boolean;
  /** Where the filled data folder stays. */
  readonly keep: string | undefined;
  /** A gateway that runs already, an office of it, and that office's private key. */
  readonly target: { readonly url: string; readonly office: string; readonly keyFile: string } | undefined;
}

export interface PullMeasured extends Omit<BenchResult, 'figures'> {
  readonly bench: 'pull';
  readonly options: PullBenchOptions;
  /** Absent where the folder was filled before. */
  readonly fillSeconds: number | undefined;
  readonly entries: number;
  readonly rounds: readonly PullRound[];
  /** Most that the gateway's processes had, bytes. */
  readonly peakBytes: number | undefined;
  readonly faults: readonly string[];
  readonly hot: readonly HotFunction[] | undefined;
}

const OFFICE = officeOf(0);
const MONTHS_A_FILER = 40;
const FILL_TICK = 200;
const LANES = 64;
const PROFILES = fileURLToPath(new URL('../.cache/bench/profile', import.meta.url));
const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

type Run = Pick<PullMeasured, 'rounds' | 'entries' | 'faults' | 'peakBytes' | 'hot'>;

/** One office's backlog, read in every way that there is. */
export async function benchPull(options: PullBenchOptions, onProgress: OnProgress): Promise<PullMeasured> {
  const machine = machineNow(options.target === undefined);
  const head = { bench: 'pull', commit: commitName(), at: new Date().toISOString(), machine, options } as const;
  if (options.target !== undefined) {
    const place = await targetPlace(options.target);
    return { ...head, fillSeconds: undefined, ...(await readAll(options, place, onProgress)), hot: undefined };
  }
  const root = options.keep ?? (await mkdtemp(path.join(os.tmpdir(), 'shenbao-pull-')));
  try {
    if (!existsSync(root)) await mkdir(root, { recursive: true });
    // Run by root, PostgreSQL runs as another account, which has to get there.
    await chmod(root, 0o711);
    const filled = await fillFolder(planOf(options.entries), { dataDir: root }, onProgress);
    return { ...head, fillSeconds: filled.seconds, ...(await readOwn(options, root, onProgress)) };
  } finally {
    if (options.keep === undefined) await rm(root, { recursive: true, force: true });
  }
}

function planOf(entries: number): FillPlan {
  const filers = Math.ceil(entries / MONTHS_A_FILER);
  const corpus = { seed: 'shenbao pull', filers, offices: 1, shape: 'usual' } as const;
  return { corpus, issuer: BENCH_ISSUER, filings: entries, tick: FILL_TICK };
}

async function targetPlace({ url, office, keyFile }: NonNullable<PullBenchOptions['target']>): Promise<BacklogPlace> {
  const key = JSON.parse(await readFile(keyFile, 'utf8')) as Jwk;
  const client = new ShenbaoClient({ gateway: url, key });
  const checkpoint = await client.office(office).checkpoint();
  const entries = Number(checkpoint.split('\n')[1]);
  return { url, issuer: await client.issuer(), office, key, entries };
}

async function readOwn(options: PullBenchOptions, dataDir: string, onProgress: OnProgress): Promise<Run> {
  const profileDir = options.profile ? PROFILES : undefined;
  if (profileDir !== undefined) await rm(profileDir, { recursive: true, force: true });
  const gateway = await startGateway({ workers: 1, dataDir, profileDir });
  let run: Run;
  const fromUs = monotonicUs();
  try {
    const key = await giveKey(gateway);
    const { address } = await reachGatewayDatabase({ dataDir, workers: 1, databaseUrl: undefined }, silent);
    const db = openDatabase(address, { connections: 1, statementTimeoutMs: 0 });
    const { url, pid } = gateway;
    const database = { sql: db.sql, lane: laneOf(OFFICE, LANES) };
    const place = { url, issuer: BENCH_ISSUER, office: OFFICE, key, entries: options.entries, pid, database };
    run = await readAll(options, place, onProgress).finally(() => db.close());
  } finally {
    await gateway.stop();
  }
  if (profileDir === undefined) return run;
  return { ...run, hot: hottest(profileDir, { fromUs, toUs: monotonicUs() }, 12) };
}

async function giveKey({ url, operatorKey }: BenchGateway): Promise<Jwk> {
  const key = officeKey('shenbao pull', OFFICE);
  const operator = new ShenbaoClient({ gateway: url, key: operatorKey });
  const lines = [JSON.stringify({ op: 'key', party: OFFICE, jwk: publicHalf(key) })];
  for await (const { problem } of operator.importLines(lines))
    if (problem !== undefined) throw new Error(`the office's key: ${problem.code}`);
  return { ...key, sub: OFFICE };
}

async function readAll(options: PullBenchOptions, place: BacklogPlace, onProgress: OnProgress): Promise<Run> {
  const backlog = await Backlog.open(place);
  try {
    await backlog.warmUp(onProgress);
    const rounds: PullRound[] = [];
    for (let i = 1; i <= options.rounds; i++) rounds.push(await backlog.round(`round ${i}`, onProgress));
    const peakBytes = place.pid === undefined ? undefined : peakMemory(place.pid);
    return { rounds, entries: place.entries, faults: backlog.faults, peakBytes, hot: undefined };
  } finally {
    backlog.close();
  }
}
