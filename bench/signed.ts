import { fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { CORPUS_FORMAT, type CorpusOptions } from './corpus.ts';
import type { SignSetup, SignTask } from './sign-worker.ts';

const CACHE = fileURLToPath(new URL('../.cache/bench/', import.meta.url));

/** Filers in one file. */
const SLICE = 2_500;

/** The version of the form that most of the returns fall under; part of the cache's key. */
const TYPE_VERSION = 'tax.vat.general 2026-02';

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
  await signAll(tasks, { options: corpus, issuer }, onProgress);
  return range(months).flatMap((back) => range(slices).map((slice) => fileOf(back, slice)));
}

async function signAll(
  tasks: readonly SignTask[],
  setup: SignSetup,
  onProgress: (share: number) => void,
): Promise<void> {
  const total = tasks.reduce((sum, { files, fromFiler, toFiler }) => sum + files.length * (toFiler - fromFiler), 0);
  const queue = [...tasks];
  let signed = 0;
  const work = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const program = fileURLToPath(new URL('./sign-worker.ts', import.meta.url));
      const worker = fork(program, [JSON.stringify(setup)], { execArgv: ['--import', 'tsx'] });
      const next = (): void => {
        const task = queue.shift();
        if (task === undefined) worker.disconnect();
        else worker.send(task);
      };
      worker.on('error', reject);
      worker.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`signing ended with ${code}`))));
      worker.on('message', (message: number | 'idle') => {
        if (message === 'idle') return next();
        signed += message;
        onProgress(signed / total);
      });
      next();
    });
  await Promise.all(range(Math.min(tasks.length, os.availableParallelism())).map(work));
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}
