import { readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import { fileURLToPath } from 'node:url';
import { type Jwk, ShenbaoClient } from '../src/client/client.ts';
import { verifyCost } from './calibrate.ts';
import { type CheckResult, checkRun } from './check.ts';
import type { OnProgress } from './command.ts';
import { commitName } from './commit-name.ts';
import { type CorpusOptions, MONTHS_MAX } from './corpus.ts';
import { type CpuTimes, peakMemory, readCpu } from './cpu.ts';
import { BENCH_ISSUER, type BenchGateway, startGateway } from './gateway.ts';
import { importParties } from './import-parties.ts';
import type { LoadOutcome, LoadSetup } from './load.ts';
import { LoadProcess } from './load-process.ts';
import { type HotFunction, hottest, monotonicUs, type TimeWindow } from './profile.ts';
import { signedCorpus } from './signed.ts';

export interface SingleOptions {
  readonly seconds: number;
  readonly connections: number;
  readonly filers: number;
  readonly offices: number;
  readonly rate?: number | undefined;
  readonly workers: number;
  readonly full: boolean;
  readonly seed: string;
  readonly profile: boolean;
  readonly target?: { readonly url: string; readonly operatorKey: string } | undefined;
}

export interface SingleResult {
  readonly bench: 'single';
  readonly commit: string;
  readonly at: string;
  readonly machine: {
    readonly cores: number;
    readonly cpu: string;
    readonly node: string;
    /** Load average, and CPU microseconds of one ES256 verification. */
    readonly loadBefore: number;
    readonly verifyUs: number;
  };
  readonly options: SingleOptions;
  /** Mean size of a signed filing. */
  readonly filingBytes: number;
  readonly filingsPerSecond: number;
  /** CPU microseconds a filing; absent for a gateway that was running before. */
  readonly cpuUs?: { readonly gateway: number; readonly postgres: number; readonly load: number };
  readonly peakMemoryBytes?: number | undefined;
  readonly outcome: Omit<LoadOutcome, 'samples'>;
  /** When the measured run was, on the clock of profiles. */
  readonly window: TimeWindow;
  readonly check: CheckResult;
  readonly hot?: readonly HotFunction[];
}

/** Where the last profile stays, to be looked at with Chrome's DevTools. */
export const PROFILES = fileURLToPath(new URL('../.cache/bench/profile/', import.meta.url));

/** More than any gateway on this size of machine has done: filings must not run out. */
const FILINGS_A_SECOND = 10_000;

/**
 * Distinct signed VAT returns, one a request, over many connections: starts a gateway, imports the filers, files one return
 * for each of them to warm keys and code up, then measures, then checks what is stored.
 */
export async function benchSingle(options: SingleOptions, onProgress: OnProgress): Promise<SingleResult> {
  const loadBefore = os.loadavg()[0] ?? 0;
  onProgress('weighing the machine');
  const verifyUs = verifyCost();
  const profileDir = options.profile ? PROFILES : undefined;
  if (profileDir !== undefined) await rm(profileDir, { recursive: true, force: true });
  onProgress('starting the gateway');
  const gateway = await openGateway(options, profileDir);
  let result: SingleResult;
  try {
    result = await measure(options, gateway, { loadBefore, verifyUs }, onProgress);
  } finally {
    await gateway.stop();
  }
  if (profileDir === undefined) return result;
  return { ...result, hot: hottest(profileDir, result.window, 10) };
}

async function openGateway(options: SingleOptions, profileDir: string | undefined): Promise<BenchGateway> {
  if (options.target === undefined) return startGateway({ workers: options.workers, profileDir });
  const operatorKey = JSON.parse(await readFile(options.target.operatorKey, 'utf8')) as Jwk;
  return { url: options.target.url, operatorKey, stop: async () => {} };
}

async function measure(
  options: SingleOptions,
  gateway: BenchGateway,
  before: Pick<SingleResult['machine'], 'loadBefore' | 'verifyUs'>,
  onProgress: OnProgress,
): Promise<SingleResult> {
  const issuer = gateway.pid === undefined ? await new ShenbaoClient({ gateway: gateway.url }).issuer() : BENCH_ISSUER;
  const corpus: CorpusOptions = {
    seed: options.seed,
    filers: options.filers,
    offices: options.offices,
    shape: options.full ? 'full' : 'usual',
  };
  const months = monthsNeeded(options);
  const files = await signedCorpus({ ...corpus, issuer, months }, (share) => onProgress('signing filings', share));
  const sizes = await importParties(gateway, corpus, onProgress);
  const setup: LoadSetup = { url: gateway.url, connections: connectionsOf(options), files };
  const load = await LoadProcess.start(setup);
  try {
    const warm = await load.run({ from: 0, to: options.filers }, (answered) =>
      onProgress('warming up', answered / options.filers),
    );
    const cpuBefore = gateway.pid === undefined ? undefined : readCpu(gateway.pid);
    const fromUs = monotonicUs();
    const { rate, seconds } = options;
    const outcome = await load.run({ from: options.filers, to: load.filings, seconds, rate }, (answered, elapsed) =>
      onProgress(`${(answered / elapsed).toFixed(0)} filings/s`, Math.min(1, elapsed / seconds)),
    );
    const cpuAfter = gateway.pid === undefined ? undefined : readCpu(gateway.pid);
    const window = { fromUs, toUs: monotonicUs() };
    const peakMemoryBytes = gateway.pid === undefined ? undefined : peakMemory(gateway.pid);
    const checking = { gateway: gateway.url, issuer, corpus, files, outcomes: [warm, outcome], before: sizes };
    const check = await checkRun(checking, (read) => onProgress(`checking: ${read} entries pulled and verified`));
    const accepted = outcome.statuses[201] ?? 0;
    const { samples: _, ...figures } = outcome;
    return {
      bench: 'single',
      commit: commitName(),
      at: new Date().toISOString(),
      machine: { cores: os.availableParallelism(), cpu: os.cpus()[0]?.model ?? '', node: process.version, ...before },
      options,
      filingBytes: load.meanBytes,
      filingsPerSecond: accepted / outcome.seconds,
      ...cpuFigures(cpuBefore, cpuAfter, outcome, accepted),
      peakMemoryBytes,
      outcome: figures,
      window,
      check: outcome.exhausted ? exhausted(check) : check,
    };
  } finally {
    load.end();
  }
}

function monthsNeeded({ seconds, filers, rate }: SingleOptions): number {
  const months = 1 + Math.ceil((seconds * (rate ?? FILINGS_A_SECOND)) / filers);
  if (months <= MONTHS_MAX) return months;
  const needed = Math.ceil((seconds * (rate ?? FILINGS_A_SECOND)) / (MONTHS_MAX - 1));
  throw new RangeError(`${filers} filers have at most ${MONTHS_MAX} returns each: use --filers ${needed} or more`);
}

/** At a low rate fewer connections, or one would be idle for so long that it counts as silent. */
function connectionsOf({ connections, rate }: SingleOptions): number {
  return rate === undefined ? connections : Math.max(1, Math.min(connections, Math.floor(rate)));
}

function cpuFigures(
  before: CpuTimes | undefined,
  after: CpuTimes | undefined,
  outcome: LoadOutcome,
  accepted: number,
): Pick<SingleResult, 'cpuUs'> {
  if (before === undefined || after === undefined || accepted === 0) return {};
  const each = (seconds: number): number => (seconds * 1e6) / accepted;
  return {
    cpuUs: {
      gateway: each(after.gateway - before.gateway),
      postgres: each(after.postgres - before.postgres),
      load: each(outcome.cpuSeconds),
    },
  };
}

function exhausted(check: CheckResult): CheckResult {
  return { ...check, ok: false, faults: [...check.faults, 'filings ran out before the time was over'] };
}
