import { fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { CORPUS_FORMAT, type CorpusOptions } from './corpus.ts';
import type { SignSetup, SignTask } from './sign-worker.ts';

export const CACHE = fileURLToPath(new URL('../.cache/bench/', import.meta.url));

const SIGNER = fileURLToPath(new URL('./sign-worker.ts', import.meta.url));

/** Filers in one file. */
const SLICE = 2_500;

/** The version of the form that most of the returns fall under; part of the cache's key. */
export const TYPE_VERSION = 'tax.vat.general 2026-02';

/**
 * The files that hold the first `months` months of a corpus, each month's slices in order, one compact JWS a line. What is
 * not in the cache is signed now, on all cores: ES256 signatures are random, so a signed corpus is kept and not made again.
 */
export async function signedCorpus(
  options: CorpusOptions & { readonly issuer: string; readonly months: number },
  onProgress: (share: number) => void,
): Promise<readonly string[]> {
  const { issuer, months, ...corpus } = options;
  const identity = JSON.stringify([CORPUS_FORMAT, TYPE_VERSION, issuer, corpus]);
  const folder = path.join(CACHE, createHash('sha256').update(identity).digest('hex').slice(0, 16));
  const slices = Math.ceil(corpus.filers / SLICE);
  const fileOf = (back: number, slice: number): string => path.join(folder, `month-${back}-slice-${slice}.jws`);
  const tasks: SignTask[] = [];
  for (let slice = 0; slice < slices; slice++) {
    const files = range(months)
      .map((back) => ({ back, file: fileOf(back, slice) }))
      .filter(({ file }) => !existsSync(file));
    const fromFiler = slice * SLICE;
    if (files.length > 0) tasks.push({ files, fromFiler, toFiler: Math.min(fromFiler + SLICE, corpus.filers) });
  }
  const setup: SignSetup = { options: corpus, issuer };
  const sizeOf = (task: SignTask): number => task.files.length * (task.toFiler - task.fromFiler);
  await onAllCores({ program: SIGNER, setup, tasks, sizeOf }, onProgress);
  return range(months).flatMap((back) => range(slices).map((slice) => fileOf(back, slice)));
}

export interface Work<Task> {
  /** A program that takes its setup as its argument and one task after the other as messages; it sends counts of what it has made, and `idle`. */
  readonly program: string;
  readonly setup: object;
  readonly tasks: readonly Task[];
  readonly sizeOf: (task: Task) => number;
}

/** Hands tasks out to as many processes as there are cores. */
export async function onAllCores<Task extends object>(
  { program, setup, tasks, sizeOf }: Work<Task>,
  onProgress: (share: number) => void,
): Promise<void> {
  const total = tasks.reduce((sum, task) => sum + sizeOf(task), 0);
  const queue = [...tasks];
  let made = 0;
  const work = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const worker = fork(program, [JSON.stringify(setup)], { execArgv: ['--import', 'tsx'] });
      const next = (): void => {
        const task = queue.shift();
        if (task === undefined) worker.disconnect();
        else worker.send(task);
      };
      worker.on('error', reject);
      worker.on('exit', (code) =>
        code === 0 ? resolve() : reject(new Error(`${path.basename(program)} ended with ${code}`)),
      );
      worker.on('message', (message: number | 'idle') => {
        if (message === 'idle') return next();
        made += message;
        onProgress(made / total);
      });
      next();
    });
  await Promise.all(range(Math.min(tasks.length, os.availableParallelism())).map(work));
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}
