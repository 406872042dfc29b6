import { availableParallelism, cpus, loadavg } from 'node:os';
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

export interface Machine {
  readonly cores: number;
  readonly cpu: string;
  readonly node: string;
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
}

/** Weighs the machine: takes about a second. */
export function machineNow(): Machine {
  return {
    cores: availableParallelism(),
    cpu: cpus()[0]?.model ?? '',
    node: process.version,
    loadBefore: loadavg()[0] ?? 0,
    verifyUs: verifyCost(),
  };
}

/** `value` CPU microseconds, or a rate, as they would be on the machine that the goals are written for. */
export function scaledCpu(value: number, { verifyUs }: Machine): number {
  return (value * REFERENCE_VERIFY_US) / verifyUs;
}

export function scaledRate(value: number, { verifyUs }: Machine): number {
  return (value * verifyUs) / REFERENCE_VERIFY_US;
}
