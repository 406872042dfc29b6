import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Jwk, ShenbaoClient } from '../src/client/client.ts';
import { type BulkForm, bulkImportLines, bulkPayload, filingsOf } from './bulk-corpus.ts';
import type { BulkInsertOutcome, BulkInsertRun } from './bulk-insert.ts';
import type { BulkOutcome, BulkRun } from './bulk-load.ts';
import { verifyCost } from './calibrate.ts';
import { type CheckResult, checkStored } from './check.ts';
import type { OnProgress } from './command.ts';
import { commitName } from './commit-name.ts';
import { type CorpusOptions, officeOf } from './corpus.ts';
import { type CpuTimes, memoryNow, peakMemory, readCpu, resetPeakMemory } from './cpu.ts';
import { type BenchResult, machineNow } from './figure.ts';
import { BENCH_ISSUER, type BenchGateway, startGateway } from './gateway.ts';
import { Child } from './peers/child.ts';
import { type HotFunction, hottest, monotonicUs, type TimeWindow } from './profile.ts';
import { PROFILES } from './single.ts';

export interface BulkOptions {
  /** Filings of the main slice of a round; the others have fewer. */
  readonly filings: number;
  readonly rounds: number;
  /** Filings in one upload. */
  readonly lines: number;
  readonly connections: number;
  readonly filers: number;
  readonly offices: number;
  readonly workers: number;
  readonly seed: string;
  /** Form B alone, beside the bare insert. */
  readonly brief: boolean;
  readonly profile: boolean;
  readonly target?: { readonly url: string; readonly operatorKey: string } | undefined;
}

/** What one way of storing took in one round. */
export interface BulkSlice {
  readonly filings: number;
  readonly perSecond: number;
  /** CPU microseconds a filing; absent for a gateway that was running before. */
  readonly cpuUs?: { readonly program: number; readonly postgres: number; readonly load: number } | undefined;
  /** Bytes a filing on the wire, there and back. */
  readonly bytes?: { readonly upload: number; readonly answer: number } | undefined;
  /** What compressing the answers would add, in CPU microseconds and in bytes that are left. */
  readonly gzip?: { readonly cpuUs: number; readonly bytes: number } | undefined;
  /** Lines that were refused and may be sent again. */
  readonly refused?: number;
  /** Of an upload: median until the answer begins, until it ends, and the longest. */
  readonly uploadMs?: { readonly first: number; readonly whole: number; readonly longest: number } | undefined;
}

export interface BulkRound {
  readonly verifyUs: number;
  /** By the names of {@link SLICES}; `insert` is the bare one. */
  readonly slices: Readonly<Record<string, BulkSlice>>;
}

/** One upload as large as is allowed, on a gateway that has warmed up. Bytes. */
export interface BulkMemory {
  readonly uploadBytes: number;
  readonly before: number;
  readonly peak: number;
}

export interface BulkMeasured extends Omit<BenchResult, 'figures'> {
  readonly bench: 'bulk';
  readonly options: BulkOptions;
  readonly rounds: readonly BulkRound[];
  readonly memory?: BulkMemory | undefined;
  readonly check: CheckResult;
  readonly hot?: readonly HotFunction[];
}

interface SliceKind {
  readonly name: string;
  readonly form: BulkForm;
  /** Of the filings of the main slice. */
  readonly share: number;
}

/** What is sent in each round, in this order. */
export const SLICES: readonly SliceKind[] = [
  { name: 'manifest', form: 'manifest', share: 1 },
  { name: 'jws', form: 'jws', share: 1 / 5 },
];

const WARM_SHARE = 1 / 3;
/** The largest upload: as many filings as it may have, in as many bytes. */
const LARGEST = { lines: 9_999, bytes: 64 * 1024 * 1024 };
const PAUSE_MS = 500;
/** A gateway on a machine with other work may refuse a tick; more than that is no measurement. */
const REFUSED_SHARE_MAX = 0.02;

/** Bulk uploads beside bare inserts of the same rows, in turn, several rounds; then one upload of the largest size; then the check. */
export async function benchBulk(options: BulkOptions, onProgress: OnProgress): Promise<BulkMeasured> {
  onProgress('weighing the machine');
  const machine = machineNow();
  const profileDir = options.profile ? PROFILES : undefined;
  onProgress('starting the gateway');
  const gateway = await openGateway(options, profileDir);
  let measured: Omit<BulkMeasured, 'bench' | 'commit' | 'at' | 'machine' | 'options'> & { readonly window: TimeWindow };
  try {
    measured = await measure(options, gateway, onProgress);
  } finally {
    await gateway.stop();
  }
  const { window, ...result } = measured;
  return {
    bench: 'bulk',
    commit: commitName(),
    at: new Date().toISOString(),
    machine,
    options,
    ...result,
    ...(profileDir === undefined ? {} : { hot: hottest(profileDir, window, 40) }),
  };
}

async function openGateway(options: BulkOptions, profileDir: string | undefined): Promise<BenchGateway> {
  if (options.target === undefined) return startGateway({ workers: options.workers, profileDir });
  const operatorKey = JSON.parse(await readFile(options.target.operatorKey, 'utf8')) as Jwk;
  return { url: options.target.url, operatorKey, stop: async () => {} };
}

/** Everything that a run has open. */
interface Bench {
  readonly options: BulkOptions;
  readonly corpus: CorpusOptions;
  readonly gateway: BenchGateway;
  readonly load: Child;
  readonly insert: Child;
  readonly outcomes: BulkOutcome[];
  /** The next filing of the corpus that has not been sent. */
  next: number;
  /** From this filing on, lines were filled up. */
  filled?: { readonly from: number; readonly lineBytes: number };
}

async function measure(options: BulkOptions, gateway: BenchGateway, onProgress: OnProgress) {
  const { seed, filers, offices } = options;
  const corpus: CorpusOptions = { seed, filers, offices, shape: 'usual' };
  const needed = filingsNeeded(options);
  if (needed > filingsOf(corpus))
    throw new RangeError(`${filers} filers have ${filingsOf(corpus)} returns, ${needed} are needed: take more filers`);
  const issuer = gateway.pid === undefined ? await new ShenbaoClient({ gateway: gateway.url }).issuer() : BENCH_ISSUER;
  const before = await importAll(gateway, corpus, onProgress);
  const { child: load } = await Child.start('../bulk-load.ts', { url: gateway.url, issuer, corpus });
  try {
    onProgress('starting a database for bare inserts');
    const { child: insert } = await Child.start('../bulk-insert.ts', { corpus });
    try {
      const bench: Bench = { options, corpus, gateway, load, insert, outcomes: [], next: 0 };
      const { rounds, window } = await allRounds(bench, onProgress);
      const memory = await measureMemory(bench, onProgress);
      const check = await checkAll(bench, issuer, before, onProgress);
      return { rounds, memory, check, window };
    } finally {
      await insert.end();
    }
  } finally {
    await load.end();
  }
}

function slicesOf({ brief }: BulkOptions): readonly SliceKind[] {
  return brief ? SLICES.slice(0, 1) : SLICES;
}

function shareOf({ filings }: BulkOptions, share: number): number {
  return Math.max(1, Math.round(filings * share));
}

function filingsNeeded(options: BulkOptions): number {
  const round = slicesOf(options).reduce((sum, { share }) => sum + shareOf(options, share), 0);
  return slicesOf(options).length * shareOf(options, WARM_SHARE) + options.rounds * round + LARGEST.lines;
}

async function importAll(
  gateway: BenchGateway,
  corpus: CorpusOptions,
  onProgress: OnProgress,
): Promise<ReadonlyMap<string, number>> {
  const operator = new ShenbaoClient({ gateway: gateway.url, key: gateway.operatorKey });
  const total = 4 * corpus.filers + 3 * corpus.offices + 2;
  let done = 0;
  for await (const { line, problem } of operator.importLines(bulkImportLines(corpus))) {
    if (problem !== undefined) throw new Error(`import, line ${line}: ${problem.code} ${problem.detail ?? ''}`);
    if (++done % 500 === 0) onProgress('importing parties and mandates', done / total);
  }
  const heads = await operator.heads('tax');
  const ours = new Set(Array.from({ length: corpus.offices }, (_, i) => officeOf(i)));
  return new Map(heads.items.filter(({ office }) => ours.has(office)).map(({ office, size }) => [office, size]));
}

async function allRounds(bench: Bench, onProgress: OnProgress) {
  const { options, insert } = bench;
  for (const kind of slicesOf(options)) {
    onProgress(`warming up: ${kind.name}`);
    await send(bench, { filings: shareOf(options, WARM_SHARE), form: kind.form });
  }
  await insert.ask({ from: 0, rows: shareOf(options, WARM_SHARE), lines: options.lines } satisfies BulkInsertRun);
  const rounds: BulkRound[] = [];
  const fromUs = monotonicUs();
  for (let round = 0; round < options.rounds; round++) {
    const verifyUs = verifyCost();
    const slices: Record<string, BulkSlice> = {};
    for (const { name, form, share } of slicesOf(options)) {
      onProgress(`round ${round + 1} of ${options.rounds}: ${name}`, round / options.rounds);
      slices[name] = await gatewaySlice(bench, { filings: shareOf(options, share), form });
      // What the one before has left to do in the background is its own.
      await sleep(PAUSE_MS);
    }
    onProgress(`round ${round + 1} of ${options.rounds}: bare insert`, (round + 0.7) / options.rounds);
    slices.insert = await insertSlice(bench, round);
    await sleep(PAUSE_MS);
    rounds.push({ verifyUs, slices });
  }
  return { rounds, window: { fromUs, toUs: monotonicUs() } };
}

type Sending = Pick<BulkRun, 'filings' | 'form'> & Partial<Pick<BulkRun, 'lines' | 'lineBytes'>>;

async function send(bench: Bench, sending: Sending): Promise<BulkOutcome> {
  const { lines, connections } = bench.options;
  const run: BulkRun = { lines, connections, ...sending, from: bench.next };
  bench.next += sending.filings;
  const outcome = await bench.load.ask<BulkOutcome>(run);
  bench.outcomes.push(outcome);
  return outcome;
}

async function gatewaySlice(bench: Bench, sending: Sending): Promise<BulkSlice> {
  const { pid } = bench.gateway;
  const before = pid === undefined ? undefined : readCpu(pid);
  const outcome = await send(bench, sending);
  const after = pid === undefined ? undefined : readCpu(pid);
  const accepted = outcome.statuses[201] ?? 0;
  const middle = (sorted: readonly number[]): number => sorted[sorted.length >> 1] ?? 0;
  const cpu = cpuOf(before, after, accepted);
  return {
    filings: accepted,
    perSecond: accepted / outcome.seconds,
    cpuUs: cpu && { ...cpu, load: (outcome.cpuSeconds * 1e6) / accepted },
    bytes: { upload: outcome.sentBytes / outcome.sent, answer: outcome.answerBytes / outcome.sent },
    gzip: outcome.gzip,
    refused: outcome.sent - accepted,
    uploadMs: {
      first: middle(outcome.firstMs),
      whole: middle(outcome.wholeMs),
      longest: outcome.wholeMs.at(-1) ?? 0,
    },
  };
}

async function insertSlice({ options, insert }: Bench, round: number): Promise<BulkSlice> {
  const rows = options.filings;
  const from = shareOf(options, WARM_SHARE) + round * rows;
  const { seconds, cpuUs } = await insert.ask<BulkInsertOutcome>({ from, rows, lines: options.lines });
  return { filings: rows, perSecond: rows / seconds, cpuUs: { ...cpuUs, load: 0 } };
}

function cpuOf(before: CpuTimes | undefined, after: CpuTimes | undefined, count: number) {
  if (before === undefined || after === undefined || count === 0) return undefined;
  const each = (seconds: number): number => (seconds * 1e6) / count;
  return { program: each(after.gateway - before.gateway), postgres: each(after.postgres - before.postgres) };
}

/** By how much one upload of the largest size raises the gateway's resident memory. */
async function measureMemory(bench: Bench, onProgress: OnProgress): Promise<BulkMemory | undefined> {
  const { pid } = bench.gateway;
  if (pid === undefined || bench.options.brief) return undefined;
  onProgress('one upload of the largest size');
  const lineBytes = Math.floor((LARGEST.bytes - 4_096) / LARGEST.lines);
  bench.filled = { from: bench.next, lineBytes };
  await sleep(2 * PAUSE_MS);
  resetPeakMemory(pid);
  const before = memoryNow(pid);
  const outcome = await send(bench, {
    filings: LARGEST.lines,
    lines: LARGEST.lines,
    lineBytes,
    form: 'manifest',
  });
  const peak = peakMemory(pid);
  return before === undefined || peak === undefined ? undefined : { uploadBytes: outcome.sentBytes, before, peak };
}

async function checkAll(
  { gateway, corpus, outcomes, filled }: Bench,
  issuer: string,
  before: ReadonlyMap<string, number>,
  onProgress: OnProgress,
): Promise<CheckResult> {
  const created = outcomes.reduce((sum, { statuses }) => sum + (statuses[201] ?? 0), 0);
  const sent = outcomes.reduce((sum, outcome) => sum + outcome.sent, 0);
  const samples = outcomes.flatMap((outcome) => outcome.samples);
  const payload = (number: number): Uint8Array =>
    Buffer.from(bulkPayload(corpus, number, filled !== undefined && number >= filled.from ? filled.lineBytes : 0));
  const input = { gateway: gateway.url, issuer, corpus, before, created, samples, payload };
  const checked = await checkStored(input, (read) => onProgress(`checking: ${read} entries pulled and verified`));
  const faults = [...outcomes.flatMap(({ broken }) => broken), ...checked.faults];
  if (sent - created > sent * REFUSED_SHARE_MAX) {
    const problems = outcomes.map((outcome) => JSON.stringify(outcome.problems)).join(' ');
    faults.push(`${sent} filings sent, ${created} accepted: ${problems}`);
  }
  return { ...checked, ok: faults.length === 0, offices: corpus.offices, faults };
}
