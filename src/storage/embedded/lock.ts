import { rmSync, statSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { StartError } from '../../std/start-error.ts';
import { isAlive, processIdentity, readText } from './processes.ts';

const POLL_MS = 50;
/** Longer than initdb on a slow disk; recovery after a crash happens under the lock too. */
const PATIENCE_MS = 600_000;
/** A file is made and filled in two steps: one that is still empty after this belongs to a process that died between. */
const EMPTY_POLLS = 100;

/**
 * Runs `work` while this process holds `file`: one starter at a time, among any number of processes. A lock whose
 * holder is dead is taken over.
 */
export async function withLock<T>(file: string, work: () => Promise<T>): Promise<T> {
  await take(file);
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
}

async function take(file: string): Promise<void> {
  let empty = 0;
  for (let polls = 0; polls * POLL_MS < PATIENCE_MS; polls++) {
    if (create(file)) return;
    const holder = readText(file);
    empty = holder === '' ? empty + 1 : 0;
    if (isStale(holder, empty)) removeStale(file, holder);
    else await sleep(POLL_MS);
  }
  throw new StartError({
    zh: `${file} 一直被另一个正在启动的进程占用。请先结束那个进程。`,
    en: `${file} is still held by another process that is starting. End that process first.`,
  });
}

function create(file: string): boolean {
  try {
    writeFileSync(file, processIdentity(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function isStale(holder: string | undefined, emptyPolls: number): holder is string {
  if (holder === undefined) return false;
  return holder === '' ? emptyPolls > EMPTY_POLLS : !isAlive(holder);
}

/**
 * Of several that see the same dead holder only the one that makes the second file may remove the lock, and only while
 * it still names that holder: otherwise a slow one would remove the lock that a quick one has just taken.
 */
function removeStale(file: string, holder: string): void {
  const guard = `${file}.takeover`;
  if (!create(guard)) {
    const guardian = readText(guard);
    if (guardian !== undefined && guardian !== '' && !isAlive(guardian)) rmSync(guard, { force: true });
    return;
  }
  try {
    if (readText(file) === holder && statSync(file).isFile()) rmSync(file, { force: true });
  } finally {
    rmSync(guard, { force: true });
  }
}
