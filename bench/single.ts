import { readFile, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { type Jwk, ShenbaoClient } from '../src/client/client.ts';
import { type CheckResult, checkRun } from './check.ts';
import type { OnProgress } from './command.ts';
import { commitName } from './commit-name.ts';
import { type CorpusOptions, MONTHS_MAX } from './corpus.ts';
import { peakMemory, readCpu } from './cpu.ts';
import { type BenchResult, type Machine, machineNow, REFERENCE_VERIFY_US } from './figure.ts';
import { BENCH_ISSUER, type BenchGateway, startGateway } from './gateway.ts';
import { importParties } from './import-parties.ts';
import type { LoadOutcome, LoadRun, LoadSetup } from './load.ts';
import { LoadProcess } from './load-process.ts';
import { type HotFunction, hottest, monotonicUs, type TimeWindow } from './profile.ts';
import { signedCorpus } from './signed.ts';
import {
  type CpuParts,
  cpuOf,
  perSecond,
  type SingleMeasured,
  type Stretch,
  singleBars,
  singleDistributions,
  singleFigures,
  singleSeries,
} from './single-figures.ts';

export interface SingleOptions {
  readonly seconds: number;
  /** At half of what came out, afterwards; 0: not at all. */
  readonly halfSeconds: number;
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

export interface SingleResult extends BenchResult {
  readonly bench: 'single';
  readonly options: SingleOptions;
  /** Mean size of a signed filing. */
  readonly filingBytes: number;
  readonly filingsPerSecond: number;
  readonly cpuUs?: CpuParts;
  readonly peakMemoryBytes?: number | undefined;
  readonly outcome: Told;
  readonly half?: Told & { readonly rate: number };
  /** When the measured run was, on the clock of profiles. */
  readonly window: TimeWindow;
  readonly check: CheckResult;
  readonly hot?: readonly HotFunction[];
}

/** What is not in series and distributions already. */
type Told = Omit<LoadOutcome, 'samples' | 'doubtful' | 'series' | 'latencySeries' | 'distribution'>;

/** Where the last profile stays, to be looked at with Chrome's DevTools. */
export const PROFILES = fileURLToPath(new URL('../.cache/bench/profile/', import.meta.url));

/** More than any gateway does on the machine that the goals are written for: filings must not run out. */
const FILINGS_A_SECOND = 18_000;

/**
 * Distinct signed VAT returns, one a request, over many connections: starts a gateway, imports the filers, files one return
 * for each of them to warm keys and code up, then measures, then checks what is stored.
 */
export async function benchSingle(options: SingleOptions, onProgress: OnProgress): Promise<SingleResult> {
  onProgress('weighing the machine');
  const machine = machineNow(options.target === undefined);
  const profileDir = options.profile ? PROFILES : undefined;
  if (profileDir !== undefined) await rm(profileDir, { recursive: true, force: true });
  onProgress('starting the gateway');
  const gateway = await openGateway(options, profileDir);
  let result: SingleResult;
  try {
    result = await fileAndCheck(options, gateway, machine, onProgress);
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

async function fileAndCheck(
  options: SingleOptions,
  gateway: BenchGateway,
  machine: Machine,
  onProgress: OnProgress,
): Promise<SingleResult> {
  const issuer = gateway.pid === undefined ? await new ShenbaoClient({ gateway: gateway.url }).issuer() : BENCH_ISSUER;
  const corpus: CorpusOptions = {
    seed: options.seed,
    filers: options.filers,
    offices: options.offices,
    shape: options.full ? 'full' : 'usual',
  };
  const months = monthsNeeded(options, machine);
  const files = await signedCorpus({ ...corpus, issuer, months }, (share) => onProgress('signing filings', share));
  const sizes = await importParties(gateway, corpus, onProgress);
  const setup: LoadSetup = { url: gateway.url, connections: connectionsOf(options), files };
  const load = await LoadProcess.start(setup);
  try {
    const warm = await load.run({ from: 0, to: options.filers }, (answered) =>
      onProgress('warming up', answered / options.filers),
    );
    const fromUs = monotonicUs();
    const measured = await measure(options, { gateway, load }, onProgress);
    const window = { fromUs, toUs: monotonicUs() };
    const { main, half, peakMemoryBytes } = measured;
    const outcomes = [warm, main.outcome, ...(half === undefined ? [] : [half.outcome])];
    const checking = { gateway: gateway.url, issuer, corpus, files, outcomes, before: sizes };
    const check = await checkRun(checking, (read) => onProgress(`checking: ${read} entries pulled and verified`));
    return {
      bench: 'single',
      commit: commitName(),
      at: new Date().toISOString(),
      machine,
      options,
      figures: singleFigures(measured, machine),
      series: singleSeries(measured),
      distributions: singleDistributions(measured),
      bars: singleBars(measured, machine),
      filingBytes: load.meanBytes,
      filingsPerSecond: perSecond(main.outcome),
      ...(main.cpuUs === undefined ? {} : { cpuUs: main.cpuUs }),
      peakMemoryBytes,
      outcome: told(main.outcome),
      ...(half === undefined ? {} : { half: { ...told(half.outcome), rate: half.rate } }),
      window,
      check: outcomes.some(({ exhausted }) => exhausted) ? exhausted(check) : check,
    };
  } finally {
    load.end();
  }
}

/** As fast as answered, or at the given rate; then, where asked for, at half of what that came to. */
async function measure(
  { filers, rate, seconds, halfSeconds }: SingleOptions,
  { gateway, load }: { readonly gateway: BenchGateway; readonly load: LoadProcess },
  onProgress: OnProgress,
): Promise<SingleMeasured> {
  const stretch = async (run: LoadRun & { readonly seconds: number }, name: string): Promise<Stretch> => {
    const before = gateway.pid === undefined ? undefined : readCpu(gateway.pid);
    const outcome = await load.run(run, (answered, elapsed) =>
      onProgress(`${(answered / elapsed).toFixed(0)} filings/s${name}`, Math.min(1, elapsed / run.seconds)),
    );
    return { outcome, ...cpuOf(before, gateway.pid === undefined ? undefined : readCpu(gateway.pid), outcome) };
  };
  const main = await stretch({ from: filers, to: load.filings, seconds, rate }, '');
  const peakMemoryBytes = gateway.pid === undefined ? undefined : peakMemory(gateway.pid);
  if (halfSeconds === 0) return { rate, main, peakMemoryBytes };
  const halfRate = Math.max(1, Math.round(perSecond(main.outcome) / 2));
  const from = filers + main.outcome.sent;
  const half = await stretch({ from, to: load.filings, seconds: halfSeconds, rate: halfRate }, ' at half the rate');
  return { rate, main, half: { ...half, rate: halfRate }, peakMemoryBytes };
}

function told(outcome: LoadOutcome): Told {
  const { samples: _, doubtful: __, series: ___, latencySeries: ____, distribution: _____, ...rest } = outcome;
  return rest;
}

/** What a slower machine cannot use is not signed. */
function monthsNeeded({ seconds, halfSeconds, filers, rate }: SingleOptions, { verifyUs }: Machine): number {
  const most = rate ?? (FILINGS_A_SECOND * REFERENCE_VERIFY_US) / verifyUs;
  const filings = (seconds + halfSeconds / 2) * most;
  const months = 1 + Math.ceil(filings / filers);
  if (months <= MONTHS_MAX) return months;
  const needed = Math.ceil(filings / (MONTHS_MAX - 1));
  throw new RangeError(`${filers} filers have at most ${MONTHS_MAX} returns each: use --filers ${needed} or more`);
}

/** At a low rate fewer connections, or one would be idle for so long that it counts as silent. */
function connectionsOf({ connections, rate }: SingleOptions): number {
  return rate === undefined ? connections : Math.max(1, Math.min(connections, Math.floor(rate)));
}

function exhausted(check: CheckResult): CheckResult {
  return { ...check, ok: false, faults: [...check.faults, 'filings ran out before the time was over'] };
}
