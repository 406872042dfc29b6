import { readFile } from 'node:fs/promises';
import { UsageError } from '../command.ts';
import { type Bar, type Bars, type BenchResult, type Figure, type Machine, overRounds } from '../figure.ts';

/** What a set of runs leaves behind: results as each bench wrote them, and what went wrong. */
export interface SetResult {
  readonly bench: 'standard' | 'short';
  readonly commit: string;
  /** RFC 3339. */
  readonly at: string;
  readonly machine: Machine;
  readonly results: readonly BenchResult[];
  readonly failures: readonly Failure[];
}

/** A run that gave no figure. */
export interface Failure {
  readonly command: string;
  readonly text: string;
}

/** Runs of one bench with the same options, one after the other: rounds of one measurement. */
export interface Section {
  readonly bench: string;
  readonly command: string;
  readonly results: readonly BenchResult[];
  readonly figures: readonly Figure[];
  readonly bars: readonly Bars[];
}

export interface Reading {
  readonly results: readonly BenchResult[];
  readonly failures: readonly Failure[];
}

/** Files of single benches and of sets alike. */
export async function readResults(files: readonly string[]): Promise<Reading> {
  const read = await Promise.all(files.map(async (file) => JSON.parse(await readFile(file, 'utf8')) as unknown));
  return {
    results: read.flatMap((value, i) => {
      if (isSet(value)) return value.results;
      if (isResult(value)) return [value];
      throw new UsageError(`${files[i]} is not the result of a bench`);
    }),
    failures: read.flatMap((value) => (isSet(value) ? value.failures : [])),
  };
}

function isSet(value: unknown): value is SetResult {
  const set = value as Partial<SetResult> | null;
  return Array.isArray(set?.results) && set.results.every(isResult) && Array.isArray(set.failures);
}

function isResult(value: unknown): value is BenchResult {
  const result = value as Partial<BenchResult> | null;
  return typeof result?.bench === 'string' && Array.isArray(result.figures) && typeof result.machine === 'object';
}

export function sectionsOf(results: readonly BenchResult[]): Section[] {
  const groups = new Map<string, BenchResult[]>();
  for (const result of results) {
    const command = result.command ?? `npm run bench -- ${result.bench}`;
    groups.set(command, [...(groups.get(command) ?? []), result]);
  }
  return [...groups].map(([command, runs]) => ({
    bench: runs[0]?.bench ?? '',
    command,
    results: runs,
    figures: combineFigures(runs.map(({ figures }) => figures)),
    bars: combineBars(runs.map(({ bars }) => bars ?? [])),
  }));
}

/** The median over the runs; a run's own spread counts as the run's. */
function combineFigures(runs: readonly (readonly Figure[])[]): Figure[] {
  const [first, ...others] = runs;
  if (first === undefined || others.length === 0) return [...(first ?? [])];
  return names(runs.flat()).map((name) => {
    const all = runs.flat().filter((figure) => figure.name === name);
    const { value } = overRounds(all.map((figure) => figure.value));
    const scaled = all.map((figure) => figure.scaled).filter((each) => each !== undefined);
    const ends = all.flatMap((figure) => figure.spread ?? [figure.value]);
    return {
      ...(all[0] as Figure),
      value,
      ...(scaled.length === all.length ? { scaled: overRounds(scaled).value } : {}),
      spread: [Math.min(...ends), Math.max(...ends)],
    };
  });
}

function combineBars(runs: readonly (readonly Bars[])[]): Bars[] {
  const [first, ...others] = runs;
  if (first === undefined || others.length === 0) return [...(first ?? [])];
  return first.map(({ title, unit, bars }) => {
    const same = runs.flatMap((all) => all.filter((one) => one.title === title));
    return { title, unit, bars: bars.map((bar) => combineBar(same, bar)) };
  });
}

function combineBar(charts: readonly Bars[], { name, parts }: Bar): Bar {
  const same = charts.flatMap(({ bars }) => bars.filter((bar) => bar.name === name));
  const totals = same.flatMap((bar) => bar.spread ?? [totalOf(bar)]);
  return {
    name,
    parts: parts.map((part) => {
      const values = same.flatMap((bar) => bar.parts.filter((one) => one.name === part.name).map(({ value }) => value));
      return { name: part.name, value: overRounds(values).value };
    }),
    spread: [Math.min(...totals), Math.max(...totals)],
  };
}

export function totalOf({ parts }: Bar): number {
  return parts.reduce((sum, { value }) => sum + value, 0);
}

function names(figures: readonly Figure[]): string[] {
  return [...new Set(figures.map(({ name }) => name))];
}
