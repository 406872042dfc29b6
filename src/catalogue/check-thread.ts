import { constants, platform, setPriority } from 'node:os';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { readHolidayFiles } from '../calendar/holiday-files.ts';
import { buildCatalogue, type Problem } from '../domain/catalogue.ts';

/** Beyond this a check is stuck: it takes about five seconds of CPU. */
const LIMIT_MS = 100_000;
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
  if (platform() === 'linux') setPriority(constants.priority.PRIORITY_LOW);
  parentPort?.postMessage([...(buildCatalogue(files).problems ?? []), ...readHolidayFiles(files).problems]);
}

if (!isMainThread && workerData?.kind === 'check-schemas') runTask(workerData as Task);
