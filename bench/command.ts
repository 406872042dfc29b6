import type { ParseArgsConfig } from 'node:util';
import type { BenchResult } from './figure.ts';

/** One bench: its options beside those that all have, and how to run it. */
export interface BenchCommand {
  readonly usage: string;
  readonly options: NonNullable<ParseArgsConfig['options']>;
  run(values: Readonly<Record<string, unknown>>, onProgress: OnProgress): Promise<BenchReport>;
}

/** Told what is being done; `share` of the whole, 0 to 1, when that is known. */
export type OnProgress = (text: string, share?: number) => void;

export interface BenchReport {
  /** What `--json` and `--save` keep. */
  readonly result: BenchResult;
  readonly lines: readonly string[];
  /** With any of them there is no figure. */
  readonly faults: readonly string[];
}

export class UsageError extends Error {}

export function wholeNumber(values: Readonly<Record<string, unknown>>, name: string): number {
  const number = Number(values[name]);
  if (!Number.isInteger(number) || number < 1) throw new UsageError(`--${name} takes a whole number above 0`);
  return number;
}
