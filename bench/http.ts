import { fileURLToPath } from 'node:url';
import type { OnProgress } from './command.ts';
import { commitName } from './commit-name.ts';
import { type BenchResult, type Figure, type Machine, machineNow, overRounds, scaledCpu } from './figure.ts';
import { BENCH_ISSUER } from './gateway.ts';
import type { HttpSetup, HttpUsage } from './http-program.ts';
import { LoadProcess } from './load-process.ts';
import { Child } from './peers/child.ts';
import { signedCorpus } from './signed.ts';

export interface HttpOptions {
  readonly seconds: number;
  readonly rounds: number;
  readonly connections: number;
  /** Folders with other builds of the gateway, beside this one. */
  readonly builds: readonly string[];
}

/** CPU microseconds a request in each round, by what served it. */
export interface HttpResult extends BenchResult {
  readonly bench: 'http';
  readonly options: HttpOptions;
  readonly cpuUs: Readonly<Record<string, readonly number[]>>;
}

export const OURS = 'the gateway’s HTTP';
export const BARE = 'bare node:http';
export const FLOOR = 'Hono, answering a constant';

const BUILD = fileURLToPath(new URL('../dist', import.meta.url));

const FILERS = 1_000;
/** Enough for every function to be compiled. */
const WARM_UP = 20_000;

interface Served {
  readonly name: string;
  readonly child: Child;
  readonly load: LoadProcess;
}

/** What HTTP costs: the gateway's own server with nothing behind it, beside less of one, in turn. */
export async function benchHttp(options: HttpOptions, onProgress: OnProgress): Promise<HttpResult> {
  const machine = machineNow(false);
  const files = await signedCorpus(
    { seed: 'shenbao', filers: FILERS, offices: 10, shape: 'usual', issuer: BENCH_ISSUER, months: 1 },
    (share) => onProgress('signing filings', share),
  );
  const subjects: Served[] = [];
  try {
    for (const { name, kind } of kinds(options.builds)) {
      onProgress(`starting ${name}`);
      subjects.push(await start(name, { kind }, files, options.connections));
    }
    const cpuUs: Record<string, number[]> = Object.fromEntries(subjects.map(({ name }) => [name, []]));
    for (let round = 0; round < options.rounds; round++) {
      for (const subject of subjects) {
        onProgress(`round ${round + 1} of ${options.rounds}: ${subject.name}`, round / options.rounds);
        cpuUs[subject.name]?.push(await slice(subject, options.seconds));
      }
    }
    return {
      bench: 'http',
      commit: commitName(),
      at: new Date().toISOString(),
      machine,
      options,
      cpuUs,
      figures: figuresOf(cpuUs, machine),
    };
  } finally {
    for (const { child, load } of subjects) {
      load.end();
      await child.end();
    }
  }
}

function kinds(builds: readonly string[]): { readonly name: string; readonly kind: HttpSetup['kind'] }[] {
  return [
    { name: BARE, kind: 'node' },
    { name: FLOOR, kind: 'hono' },
    { name: OURS, kind: { build: BUILD } },
    ...builds.map((build) => ({ name: build, kind: { build } })),
  ];
}

/** `values` of one round beside another's of the same round. */
export function ratios(values: readonly number[], others: readonly number[] = []): number[] {
  return values.map((value, round) => value / (others[round] ?? Number.NaN));
}

function figuresOf(cpuUs: HttpResult['cpuUs'], machine: Machine): Figure[] {
  const ours = cpuUs[OURS] ?? [];
  const each = overRounds(ours);
  const [toBare, toFloor] = [BARE, FLOOR].map((name) => overRounds(ratios(ours, cpuUs[name])));
  return [
    { name: 'HTTP: CPU a request', unit: 'µs', better: 'less', ...each, scaled: scaledCpu(each.value, machine) },
    ...(toBare === undefined ? [] : [{ name: `HTTP / ${BARE}`, unit: '×', better: 'less' as const, ...toBare }]),
    ...(toFloor === undefined ? [] : [{ name: `HTTP / ${FLOOR}`, unit: '×', better: 'less' as const, ...toFloor }]),
  ];
}

async function start(name: string, setup: HttpSetup, files: readonly string[], connections: number): Promise<Served> {
  const { child, first } = await Child.start<{ port: number }>('../http-program.ts', setup);
  const load = await LoadProcess.start({ url: `http://127.0.0.1:${first.port}`, connections, files });
  // A run of the load ends at a filing or at a time: as many rounds through the files as it takes.
  for (let sent = 0; sent < WARM_UP; sent += load.filings) await load.run({ from: 0, to: load.filings }, () => {});
  return { name, child, load };
}

/** CPU microseconds a request over so many seconds. */
async function slice({ name, child, load }: Served, seconds: number): Promise<number> {
  const before = await child.ask<HttpUsage>({});
  const outcome = await load.run({ from: 0, to: load.filings, seconds, again: true }, () => {});
  const after = await child.ask<HttpUsage>({});
  const accepted = outcome.statuses[201] ?? 0;
  if (accepted === 0 || accepted !== outcome.sent) {
    throw new Error(`${name}: ${outcome.sent} sent, ${accepted} answered 201`);
  }
  return (after.cpuUs - before.cpuUs) / accepted;
}
