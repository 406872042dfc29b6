import { platform, setPriority } from 'node:os';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { readHolidayFiles } from '../calendar/holiday-files.ts';
import { buildCatalogue, type Problem } from '../domain/catalogue.ts';

/** Beyond this a check is stuck: one of all shipped types takes some seconds of CPU. */
const LIMIT_MS = 140_000;
/** Below what serves, and not so far below that a busy machine never comes to it. */
const NICENESS = 5;
const LIMIT_MEGABYTES = 768;

interface Task {
  readonly kind: 'check-schemas';
  readonly files: ReadonlyMap<string, string>;
}

/**
 * The check that the build and the start make, in a thread of its own, so that filings go on meanwhile. Resolves with what
 * is wrong; rejects when the thread has not come to an end, whatever the reason.
 */
export function checkInThread(
  files: ReadonlyMap<string, string>,
  { limitMs = LIMIT_MS, megabytes = LIMIT_MEGABYTES, program = new URL(import.meta.url) } = {},
): Promise<readonly Problem[]> {
  const task: Task = { kind: 'check-schemas', files };
  const thread = new Worker(program, {
    workerData: task,
    resourceLimits: { maxOldGenerationSizeMb: megabytes },
  });
  return new Promise<readonly Problem[]>((resolve, reject) => {
    const limit = setTimeout(() => reject(new Error('the check of the filing types took too long')), limitMs);
    thread.once('message', resolve);
    thread.once('error', reject);
    thread.once('exit', (code) => reject(new Error(`the check of the filing types ended with ${code}`)));
    thread.once('exit', () => clearTimeout(limit));
  }).finally(() => thread.terminate());
}

function runTask({ files }: Task): void {
  // On Linux this counts for the calling thread alone: filings come first.
  if (platform() === 'linux') setPriority(NICENESS);
  parentPort?.postMessage([...(buildCatalogue(files).problems ?? []), ...readHolidayFiles(files).problems]);
}

if (!isMainThread && workerData?.kind === 'check-schemas') runTask(workerData as Task);
