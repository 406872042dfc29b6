import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { assert } from '../std/errors.ts';
import { readSnapshot } from '../storage/audit.ts';
import type { DatabaseAddress } from '../storage/db.ts';
import type { Finding } from './findings.ts';
import type { RangeResult } from './range.ts';
import { type Task, type TaskListener, TaskRunner, type TaskSettings } from './tasks.ts';

/** Does tasks one after another. */
export interface Auditor {
  run(task: Task, listener: TaskListener): Promise<RangeResult | undefined>;
  close(): Promise<void>;
}

export interface AuditorSettings extends TaskSettings {
  readonly address: DatabaseAddress;
  /** Of the transaction that stays open as long as the auditors. */
  readonly snapshot: string;
}

interface ThreadData {
  readonly kind: 'audit';
  readonly settings: AuditorSettings;
}

type Answer =
  | { readonly kind: 'finding'; readonly finding: Finding }
  | { readonly kind: 'rows'; readonly rows: number }
  | { readonly kind: 'done'; readonly result: RangeResult | undefined };

/** In this thread: for tests, and where one thread is asked for. */
export function startHere({ address, snapshot, ...settings }: AuditorSettings): Auditor {
  let end = (): void => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  let give: (runner: TaskRunner) => void = () => {};
  const runner = new Promise<TaskRunner>((resolve) => {
    give = resolve;
  });
  const open = readSnapshot(address, snapshot, async (tx) => {
    give(new TaskRunner(tx, settings));
    await ended;
  });
  open.catch(() => undefined); // told by whatever waits for it
  const failed = open.then(() => Promise.reject(new Error('the connection of the audit ended')));
  failed.catch(() => undefined);
  return {
    run: async (task, listener) => {
      const ready = await Promise.race([runner, failed]);
      return await Promise.race([ready.run(task, listener), failed]);
    },
    close: async () => {
      end();
      await open.catch(() => undefined);
    },
  };
}

/** In a thread of its own. A thread that ends before its task fails it. */
export function startThread(settings: AuditorSettings): Auditor {
  const data: ThreadData = { kind: 'audit', settings };
  const thread = new Worker(new URL(import.meta.url), { workerData: data });
  let failure: Error | undefined;
  const exited = new Promise<void>((resolve) => {
    thread.once('exit', () => resolve());
  });
  thread.on('error', (error) => {
    failure = error instanceof Error ? error : new Error(String(error));
  });
  return {
    run: (task, { report, onRows }) =>
      new Promise((resolve, reject) => {
        const onMessage = (answer: Answer): void => {
          if (answer.kind === 'finding') report(answer.finding);
          else if (answer.kind === 'rows') onRows(answer.rows);
          else {
            thread.off('message', onMessage);
            resolve(answer.result);
          }
        };
        thread.on('message', onMessage);
        void exited.then(() => reject(failure ?? new Error('a thread of the audit ended')));
        thread.postMessage(task);
      }),
    close: async () => {
      thread.postMessage('close');
      const slow = setTimeout(() => void thread.terminate(), CLOSE_MS);
      await exited;
      clearTimeout(slow);
    },
  };
}

const CLOSE_MS = 5_000;

async function serve({ settings }: ThreadData): Promise<void> {
  const port = parentPort;
  assert(port !== null, 'a thread has a port');
  const auditor = startHere(settings);
  const say = (answer: Answer): void => port.postMessage(answer);
  const listener: TaskListener = {
    report: (found) => say({ kind: 'finding', finding: found }),
    onRows: (rows) => say({ kind: 'rows', rows }),
  };
  port.on('message', (message: Task | 'close') => {
    if (message === 'close') void auditor.close().then(() => port.close());
    else void auditor.run(message, listener).then((result) => say({ kind: 'done', result }));
  });
}

if (!isMainThread && workerData?.kind === 'audit') void serve(workerData as ThreadData);
