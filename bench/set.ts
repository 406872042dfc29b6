import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { OnProgress } from './command.ts';
import { commitName } from './commit-name.ts';
import { type BenchResult, machineNow } from './figure.ts';
import type { Failure, SetResult } from './report/results.ts';

const PROGRAM = fileURLToPath(new URL('./main.ts', import.meta.url));

/** Far more than the slowest of them takes on a slow machine: what has not ended then never will. */
const PATIENCE_MS = 20 * 60_000;
const STOP_PATIENCE_MS = 20_000;
/** Lines of a failed run that are told: the first and the last ones say why. */
const LINES_KEPT = 6;

/** A bench and its options, as often as it is to be run. */
export interface SetRun {
  readonly bench: string;
  /** As on a command line, with a blank between words. */
  readonly options: string;
  readonly times?: number;
}

/** What `npm run bench` runs: every goal that can be shown within minutes. */
export const STANDARD: readonly SetRun[] = [
  { bench: 'single', options: '--seconds 15 --half 10', times: 3 },
  { bench: 'peers', options: '--seconds 4' },
  { bench: 'bulk', options: '' },
  { bench: 'pull', options: '--entries 200000' },
  { bench: 'deadline', options: '' },
  { bench: 'overload', options: '' },
  { bench: 'http', options: '--rounds 5' },
  { bench: 'validate', options: '--rounds 5 --seconds 20' },
  { bench: 'audit', options: '--filings 100000 --rounds 3' },
];

/** The same ways with little to do: shows within two minutes that results are right, not how fast they come. */
export const SHORT: readonly SetRun[] = [
  { bench: 'single', options: '--seconds 3 --half 2 --filers 2000 --connections 64' },
  { bench: 'peers', options: '--seconds 1 --rounds 1 --filers 500 --connections 64' },
  { bench: 'bulk', options: '--filings 2000 --rounds 1 --filers 500 --brief' },
  { bench: 'pull', options: '--entries 3000 --rounds 1' },
  { bench: 'deadline', options: '--filers 1000 --seconds 3 --agents 3 --offices 4' },
  { bench: 'overload', options: '--seconds 2 --loads 1,3 --idle 200 --slow 50 --filers 1000 --connections-max 2000' },
  { bench: 'validate', options: '--rounds 1 --seconds 2 --lines 200' },
  { bench: 'audit', options: '--filings 2000 --filers 500 --rounds 1' },
];

/** Runs all of them in turn, each in a process of its own: one that fails says why, and hides no other. */
export async function runSet(
  bench: SetResult['bench'],
  runs: readonly SetRun[],
  onProgress: OnProgress,
): Promise<SetResult> {
  onProgress('weighing the machine', 0);
  const machine = machineNow();
  const folder = await mkdtemp(path.join(os.tmpdir(), 'shenbao-bench-set-'));
  const all = runs.flatMap((run) => Array.from({ length: run.times ?? 1 }, (_, i) => ({ ...run, round: i + 1 })));
  const results: BenchResult[] = [];
  const failures: Failure[] = [];
  try {
    for (const [i, run] of all.entries()) {
      const name = `${i + 1} of ${all.length}, ${run.bench}${run.times === undefined ? '' : ` (${run.round} of ${run.times})`}`;
      onProgress(name, i / all.length);
      const file = path.join(folder, `${i}.json`);
      const args = [run.bench, ...run.options.split(' ').filter((word) => word !== '')];
      const failure = await runOne([...args, '--json', file], (step) => onProgress(`${name}: ${step}`, i / all.length));
      if (failure === undefined) results.push(await readResult(file, bench));
      else failures.push({ command: `npm run bench -- ${args.join(' ')}`, text: failure });
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return { bench, commit: commitName(), at: new Date().toISOString(), machine, results, failures };
}

/** Goals are for runs of full length: a short one neither meets nor misses them. */
async function readResult(file: string, bench: SetResult['bench']): Promise<BenchResult> {
  const result = JSON.parse(await readFile(file, 'utf8')) as BenchResult;
  if (bench !== 'short') return result;
  return { ...result, figures: result.figures.map(({ goal: _, atLeast: __, ...figure }) => figure) };
}

/** Undefined when it ended well; otherwise its last words. */
async function runOne(args: readonly string[], onStep: (step: string) => void): Promise<string | undefined> {
  const child = spawn(process.execPath, ['--import', 'tsx', PROGRAM, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  const words: string[] = [];
  createInterface({ input: child.stderr }).on('line', (line) => {
    if (line.endsWith(' ...')) onStep(line.slice(0, -4));
    else words.push(line);
  });
  // A set that is broken off takes the run with it, which puts away what it has started.
  const interrupted = (): void => void child.kill('SIGTERM');
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, interrupted);
  const late = setTimeout(() => {
    words.push(`not done after ${PATIENCE_MS / 60_000} minutes`);
    child.kill('SIGTERM');
    setTimeout(() => child.kill('SIGKILL'), STOP_PATIENCE_MS).unref();
  }, PATIENCE_MS);
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve) =>
    child.once('close', (...ended) => resolve(ended)),
  );
  clearTimeout(late);
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.off(name, interrupted);
  if (code === 0) return undefined;
  const told =
    words.length > 2 * LINES_KEPT ? [...words.slice(0, LINES_KEPT), '…', ...words.slice(-LINES_KEPT)] : words;
  return [...told, `ended with ${signal ?? `exit code ${code}`}`].join('\n');
}
