import { readFile, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { type Jwk, ShenbaoClient, verifyReceipt } from '../../src/client/client.ts';
import { nodeHash } from '../check.ts';
import type { OnProgress } from '../command.ts';
import { commitName } from '../commit-name.ts';
import { type CpuTimes, peakMemory, readCpu } from '../cpu.ts';
import { type BenchResult, machineNow } from '../figure.ts';
import { BENCH_ISSUER, type BenchGateway, startGateway } from '../gateway.ts';
import type { NightPlan } from './arrivals.ts';
import { type NightCorpus, nightCorpus } from './corpus.ts';
import { nightFigures } from './figures.ts';
import { Helper } from './helper.ts';
import { type ImportOutcome, importNight } from './import.ts';
import type { LoadOutcome, LoadReport, LoadSetup, NightRun } from './load-program.ts';
import type { OfficeEnd, OfficeOutcome, OfficeReport, OfficeSetup } from './office-program.ts';

export interface NightOptions extends NightPlan {
  readonly offices: number;
  readonly connections: number;
  readonly workers: number;
  /** Between an office's questions. */
  readonly pauseMs: number;
  /** After the deadline, until everything must have been accepted. */
  readonly patienceSeconds: number;
  readonly seed: string;
  readonly profileDir?: string | undefined;
  readonly target?: { readonly url: string; readonly operatorKey: string } | undefined;
}

export interface NightMeasured {
  readonly imported: ImportOutcome;
  readonly filingBytes: number;
  readonly load: Omit<LoadOutcome, 'samples'>;
  readonly offices: OfficeOutcome;
  /** Milliseconds since the epoch. */
  readonly startAt: number;
  /** CPU seconds during the night. */
  readonly cpu?: CpuTimes | undefined;
  readonly peakMemoryBytes?: number | undefined;
  readonly receipts: number;
  readonly faults: readonly string[];
}

export interface NightResult extends BenchResult, NightMeasured {
  readonly bench: 'deadline';
  readonly options: NightOptions;
}

const LOAD = fileURLToPath(new URL('./load-program.ts', import.meta.url));
const OFFICES = fileURLToPath(new URL('./office-program.ts', import.meta.url));
/** For both helpers to be told. */
const LEAD_MS = 500;

/**
 * The last hours before a deadline: everybody is imported, then files once, with a key that the gateway has not seen since, along
 * a rising curve; agents file for all their clients at once; the offices pull all the while.
 */
export async function benchNight(options: NightOptions, onProgress: OnProgress): Promise<NightResult> {
  onProgress('weighing the machine');
  const machine = machineNow();
  if (options.profileDir !== undefined) await rm(options.profileDir, { recursive: true, force: true });
  onProgress('starting the gateway');
  const gateway = await openGateway(options);
  try {
    const measured = await measure(options, gateway, onProgress);
    const { figures, series, distributions } = nightFigures(options, measured, machine);
    return {
      bench: 'deadline',
      commit: commitName(),
      at: new Date().toISOString(),
      machine,
      options,
      ...measured,
      figures,
      series,
      distributions,
    };
  } finally {
    await gateway.stop();
  }
}

async function openGateway({ target, workers, profileDir }: NightOptions): Promise<BenchGateway> {
  if (target === undefined) return startGateway({ workers, profileDir });
  const operatorKey = JSON.parse(await readFile(target.operatorKey, 'utf8')) as Jwk;
  return { url: target.url, operatorKey, stop: async () => {} };
}

async function measure(options: NightOptions, gateway: BenchGateway, onProgress: OnProgress): Promise<NightMeasured> {
  const issuer = gateway.pid === undefined ? await new ShenbaoClient({ gateway: gateway.url }).issuer() : BENCH_ISSUER;
  const { seed, filers, offices, agents, clients } = options;
  const corpus: NightCorpus = { issuer, seed, filers, offices, agents, clients };
  const parts = await nightCorpus(corpus, (share) => onProgress('making parties and signing filings', share));
  const imported = await importNight(gateway, corpus, parts, onProgress);
  onProgress('loading filings');
  const files = parts.map((part) => part.filings);
  const plan = { filers, agents, clients, seconds: options.seconds };
  const loadSetup: LoadSetup = { url: gateway.url, plan, files, connections: options.connections };
  const officeSetup: OfficeSetup = { url: gateway.url, issuer, seed, offices, pauseMs: options.pauseMs };
  const load = await Helper.start<LoadReport>(LOAD, loadSetup);
  const pullers = await Helper.start<OfficeReport>(OFFICES, officeSetup);
  try {
    const { meanBytes } = await load.report('loaded');
    await pullers.report('ready');
    const night = await liveThrough(options, { gateway, load, pullers }, onProgress);
    onProgress('checking receipts');
    const { samples, ...counted } = night.load;
    const faults: string[] = [];
    const receipts = await checkReceipts(gateway.url, issuer, samples, faults);
    return {
      ...night,
      imported,
      filingBytes: meanBytes,
      load: counted,
      receipts,
      faults: [...faultsOf(night), ...faults],
    };
  } finally {
    load.end();
    pullers.end();
  }
}

interface Players {
  readonly gateway: BenchGateway;
  readonly load: Helper<LoadReport>;
  readonly pullers: Helper<OfficeReport>;
}

type Night = Pick<NightMeasured, 'offices' | 'startAt' | 'cpu' | 'peakMemoryBytes'> & { readonly load: LoadOutcome };

async function liveThrough(
  { seconds, patienceSeconds }: NightOptions,
  { gateway, load, pullers }: Players,
  onProgress: OnProgress,
): Promise<Night> {
  const cpuNow = (): CpuTimes | undefined => (gateway.pid === undefined ? undefined : readCpu(gateway.pid));
  const startAt = Date.now() + LEAD_MS;
  const before = cpuNow();
  load.onReport('tick', ({ accepted, due }) => {
    const share = Math.min(1, (Date.now() - startAt) / 1_000 / seconds);
    onProgress(`${accepted} filings accepted of ${due} that came`, share);
  });
  const run: NightRun = { startAt, patienceSeconds };
  load.send(run);
  const { outcome } = await load.report('done');
  pullers.onReport('tick', ({ pulled }) => onProgress(`${pulled} filings pulled`, pulled / outcome.accepted));
  const end: OfficeEnd = { expected: outcome.accepted, patienceSeconds };
  pullers.send(end);
  const { outcome: offices } = await pullers.report('done');
  pullers.end();
  const after = cpuNow();
  const cpu = before &&
    after && { gateway: after.gateway - before.gateway, postgres: after.postgres - before.postgres };
  const peakMemoryBytes = gateway.pid === undefined ? undefined : peakMemory(gateway.pid);
  return { load: outcome, offices, startAt, cpu, peakMemoryBytes };
}

function faultsOf({ load, offices }: Night): string[] {
  const faults: string[] = [];
  const refusals = JSON.stringify(load.problems);
  if (load.open > 0) faults.push(`${load.open} filings were not accepted in the end (refusals: ${refusals})`);
  if (offices.pulled !== load.accepted)
    faults.push(`${load.accepted} filings were accepted, and the offices pulled and verified ${offices.pulled}`);
  const replayed = load.statuses[200] ?? 0;
  // A tick whose outcome was not known in time is answered 503, and may stand: then its filings come back as replays.
  if (replayed > load.sentAgain)
    faults.push(`${replayed} filings were answered as replays, and ${load.sentAgain} had been sent again`);
  return faults;
}

async function checkReceipts(
  url: string,
  issuer: string,
  samples: LoadOutcome['samples'],
  faults: string[],
): Promise<number> {
  const jwks = await new ShenbaoClient({ gateway: url, issuer }).jwks();
  let verified = 0;
  for (const { jws, body } of samples) {
    const { id, receipt } = JSON.parse(body) as { readonly id: string; readonly receipt: unknown };
    const payloadBytes = Buffer.from(jws.split('.')[1] ?? '', 'base64url');
    const report = await verifyReceipt(receipt, jwks, { payloadBytes, issuer, hash: nodeHash });
    if (report.ok) verified++;
    else faults.push(`receipt of ${id}: ${report.steps.at(-1)?.text.en ?? 'malformed'} does not hold`);
  }
  if (verified === 0) faults.push('no receipt was sampled');
  return verified;
}
