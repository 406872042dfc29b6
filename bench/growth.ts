import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { type AuditRound, runAudit } from './audit.ts';
import type { OnProgress } from './command.ts';
import { commitName } from './commit-name.ts';
import {
  type BenchResult,
  type Figure,
  type Machine,
  machineNow,
  overRounds,
  scaledCpu,
  scaledRate,
} from './figure.ts';
import { fillFolder } from './fill.ts';
import type { FillPlan } from './fill-share.ts';
import { BENCH_ISSUER } from './gateway.ts';
import { bytesOf } from './growth-disk.ts';
import { type LongRun, runMinutes, seriesOf } from './growth-minutes.ts';
import { type LoadPlan, type MeasuredLoad, Side, type SideFacts, timeStarts } from './growth-side.ts';

export interface GrowthOptions {
  /** Filings stored on the two sides that are compared. */
  readonly small: number;
  readonly large: number;
  readonly filers: number;
  readonly offices: number;
  readonly loadFilers: number;
  readonly seconds: number;
  readonly rounds: number;
  readonly connections: number;
  readonly audit: boolean;
  /** Length of the steady run on the large side; 0: none. */
  readonly minutes: number;
  /** Filings a second of the steady run; absent: half of what the large side did. */
  readonly rate: number | undefined;
  /** Where both data folders stay. */
  readonly keep: string | undefined;
}

export interface GrowthRound {
  readonly small: MeasuredLoad;
  readonly large: MeasuredLoad;
}

export interface GrowthResult extends BenchResult {
  readonly bench: 'growth';
  readonly options: GrowthOptions;
  /** Absent where the folder was filled before. */
  readonly fillSeconds: number | undefined;
  readonly sides: { readonly small: SideFacts; readonly large: SideFacts };
  readonly rounds: readonly GrowthRound[];
  readonly steady: LongRun | undefined;
  readonly audits: { readonly small: AuditRound; readonly large: AuditRound } | undefined;
  readonly faults: readonly string[];
}

const STARTS = 3;
const LOOKUPS = 300;
/** Filings in one tick of what is filled in: about what a busy gateway puts into one. */
const FILL_TICK = 200;
/** As fast as it is answered, filings must not run out: more than any gateway on this size of machine has done. */
const FILINGS_A_SECOND = 10_000;
const MONTHS_A_FILER = 40;

/** A gateway with few filings beside one with many: what a filing, a start, a lookup and an audit cost at both. */
export async function benchGrowth(options: GrowthOptions, onProgress: OnProgress): Promise<GrowthResult> {
  const machine = machineNow();
  const root = options.keep ?? (await mkdtemp(path.join(os.tmpdir(), 'shenbao-growth-')));
  try {
    const plans = { small: planOf(options, options.small), large: planOf(options, options.large) };
    const folders = { small: path.join(root, `of-${options.small}`), large: path.join(root, `of-${options.large}`) };
    await makeFolders(root, Object.values(folders));
    await fillFolder(plans.small, { dataDir: folders.small }, onProgress);
    const filled = await fillFolder(plans.large, { dataDir: folders.large }, onProgress);
    onProgress('starting, three times each');
    const starts = {
      small: await timeStarts(folders.small, STARTS),
      large: await timeStarts(folders.large, STARTS),
    };
    const run = await runSides(options, plans, folders, onProgress);
    const audits = options.audit ? await auditSides(folders, run.stored, onProgress) : undefined;
    const sides = {
      small: { ...run.facts.small, startSeconds: starts.small },
      large: { ...run.facts.large, startSeconds: starts.large },
    };
    const measured = {
      fillSeconds: filled.seconds,
      sides,
      rounds: run.rounds,
      steady: run.steady,
      audits: audits?.times,
    };
    return {
      bench: 'growth',
      commit: commitName(),
      at: new Date().toISOString(),
      machine,
      options,
      figures: figuresOf(options, measured, machine),
      ...(run.steady === undefined ? {} : { series: seriesOf(run.steady) }),
      ...measured,
      faults: [...run.faults, ...(audits?.faults ?? [])],
    };
  } finally {
    if (options.keep === undefined) await rm(root, { recursive: true, force: true });
  }
}

function planOf({ filers, offices }: GrowthOptions, filings: number): FillPlan {
  const corpus = { seed: 'shenbao growth', filers, offices, shape: 'usual' } as const;
  return { corpus, issuer: BENCH_ISSUER, filings, tick: FILL_TICK };
}

async function makeFolders(root: string, folders: readonly string[]): Promise<void> {
  for (const folder of [root, ...folders]) {
    if (!existsSync(folder)) await mkdir(folder, { recursive: true });
    // Run by root, PostgreSQL runs as another account, which has to get there.
    await chmod(folder, 0o711);
  }
}

interface Sides {
  readonly facts: { readonly small: Omit<SideFacts, 'startSeconds'>; readonly large: Omit<SideFacts, 'startSeconds'> };
  readonly rounds: readonly GrowthRound[];
  readonly steady: LongRun | undefined;
  /** Filings that each side has in the end. */
  readonly stored: { readonly small: number; readonly large: number };
  readonly faults: readonly string[];
}

type Pair<T> = { readonly small: T; readonly large: T };

/** Both up, and only one works at a time, in turn: what else the machine does falls on both. */
async function runSides(
  options: GrowthOptions,
  plans: Pair<FillPlan>,
  folders: Pair<string>,
  onProgress: OnProgress,
): Promise<Sides> {
  const small = await Side.open(folders.small, plans.small, loadPlan(options, 0), onProgress);
  try {
    const large = await Side.open(folders.large, plans.large, loadPlan(options, options.minutes), onProgress);
    try {
      const facts = { small: await small.facts(LOOKUPS, onProgress), large: await large.facts(LOOKUPS, onProgress) };
      const rounds: GrowthRound[] = [];
      for (let i = 0; i < options.rounds; i++) rounds.push(await runRound(options, { small, large }, i, onProgress));
      const faults = [...scanFaults(facts.small), ...scanFaults(facts.large), ...(await small.check())];
      const smallStored = await small.stored();
      await small.stop();
      const steady = await runSteady(options, large, rounds, onProgress);
      faults.push(...(await large.check()));
      return { facts, rounds, steady, stored: { small: smallStored, large: await large.stored() }, faults };
    } finally {
      await large.stop();
    }
  } finally {
    await small.stop();
  }
}

function loadPlan(options: GrowthOptions, minutes: number): LoadPlan {
  const { connections, loadFilers, seconds, rounds, rate } = options;
  const steady = minutes * 60 * (rate ?? FILINGS_A_SECOND / 4);
  const filings = seconds * rounds * FILINGS_A_SECOND + steady;
  return { filers: Math.max(loadFilers, Math.ceil(filings / MONTHS_A_FILER)), connections, filings };
}

async function runRound(
  options: GrowthOptions,
  sides: Pair<Side>,
  number: number,
  onProgress: OnProgress,
): Promise<GrowthRound> {
  const measure = async (side: Side): Promise<MeasuredLoad> => {
    await side.clearBacklog();
    return await side.measure(options.seconds, undefined, onProgress);
  };
  if (number % 2 === 0) {
    const small = await measure(sides.small);
    return { small, large: await measure(sides.large) };
  }
  const large = await measure(sides.large);
  return { small: await measure(sides.small), large };
}

async function runSteady(
  { minutes, rate }: GrowthOptions,
  side: Side,
  rounds: readonly GrowthRound[],
  onProgress: OnProgress,
): Promise<LongRun | undefined> {
  if (minutes === 0) return undefined;
  const half = overRounds(rounds.map(({ large }) => large.filingsPerSecond)).value / 2;
  return await runMinutes(side, { minutes, rate: rate ?? Math.floor(half) }, onProgress);
}

function scanFaults({ filings, plans }: Pick<SideFacts, 'filings' | 'plans'>): string[] {
  return plans
    .filter(({ scanned }) => scanned.length > 0)
    .map(({ statement, scanned }) => `at ${filings} filings “${statement}” reads all of ${scanned.join(', ')}`);
}

async function auditSides(
  folders: Pair<string>,
  stored: Pair<number>,
  onProgress: OnProgress,
): Promise<{ times: Pair<AuditRound>; faults: readonly string[] }> {
  const faults: string[] = [];
  const one = async (side: keyof Pair<unknown>): Promise<AuditRound> => {
    onProgress(`auditing ${stored[side]} filings`);
    const options = { filings: stored[side], signatures: false, threads: undefined, profile: false };
    const { round, fault } = await runAudit(options, folders[side]);
    if (fault !== undefined) faults.push(`audit: ${fault}`);
    return round;
  };
  const small = await one('small');
  return { times: { small, large: await one('large') }, faults };
}

type Measured = Pick<GrowthResult, 'fillSeconds' | 'sides' | 'rounds' | 'steady' | 'audits'>;

function figuresOf(options: GrowthOptions, measured: Measured, machine: Machine): Figure[] {
  const { fillSeconds, sides, rounds, audits } = measured;
  const cpu = ({ gatewayUs, postgresUs }: MeasuredLoad): number => gatewayUs + postgresUs;
  const ratio = overRounds(rounds.map(({ small, large }) => cpu(large) / cpu(small)));
  const large = overRounds(rounds.map((round) => cpu(round.large)));
  const small = overRounds(rounds.map((round) => cpu(round.small)));
  const rate = overRounds(rounds.map((round) => round.large.filingsPerSecond));
  const disk = sides.large.tables.reduce((sum, table) => sum + bytesOf(table), 0) / sides.large.stored;
  const names = { small: options.small.toLocaleString('en'), large: options.large.toLocaleString('en') };
  const less = { better: 'less' } as const;
  return [
    {
      name: `CPU a filing at ${names.large} stored, beside that at ${names.small}`,
      unit: '×',
      goal: 1.15,
      atLeast: 1.25,
      ...less,
      ...ratio,
    },
    { name: `CPU a filing at ${names.small}`, unit: 'µs', ...less, ...small, scaled: scaledCpu(small.value, machine) },
    { name: `CPU a filing at ${names.large}`, unit: 'µs', ...less, ...large, scaled: scaledCpu(large.value, machine) },
    {
      name: `filings/s at ${names.large}`,
      unit: '/s',
      better: 'more',
      ...rate,
      scaled: scaledRate(rate.value, machine),
    },
    { name: `disk a filing at ${names.large}`, unit: 'B', ...less, value: disk },
    { name: `start at ${names.small}`, unit: 's', ...less, goal: 2, ...overRounds(sides.small.startSeconds) },
    { name: `start at ${names.large}`, unit: 's', ...less, goal: 2, ...overRounds(sides.large.startSeconds) },
    ...(fillSeconds === undefined
      ? []
      : [{ name: 'filled in', unit: '/s', better: 'more', value: options.large / fillSeconds } as const]),
    ...(audits === undefined
      ? []
      : [{ name: `audit of ${names.large}`, unit: 's', ...less, value: audits.large.seconds } as const]),
  ];
}
