import cluster, { type Worker } from 'node:cluster';
import { AggregatorRegistry } from 'prom-client';
import type { Clock } from '../std/clock.ts';
import type { Logger } from '../std/telemetry.ts';

/** A worker that lived this long has earned a quick restart. */
const HEALTHY_MS = 60_000;
const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 10_000;
const METRICS_PATIENCE_MS = 4_000;

/** Between the primary and its workers; `task` is what each worker is told to do. */
type Message =
  | { readonly kind: 'ask-task' }
  | { readonly kind: 'task'; readonly task: unknown }
  | { readonly kind: 'ready' }
  | { readonly kind: 'ask-metrics'; readonly id: number }
  | { readonly kind: 'metrics'; readonly id: number; readonly text: string }
  | { readonly kind: 'ask'; readonly id: number; readonly question: unknown }
  | { readonly kind: 'answer'; readonly id: number; readonly answer: unknown }
  | { readonly kind: 'news'; readonly news: unknown };

export function isWorker(): boolean {
  return cluster.isWorker;
}

/** In a worker: what the primary gave it, such as the address of the database. */
export async function workerTask<T>(): Promise<T> {
  // Answers the primary when it gathers metrics.
  new AggregatorRegistry();
  const task = new Promise<unknown>((resolve) => {
    const listen = (message: unknown): void => {
      if (!isMessage(message) || message.kind !== 'task') return;
      process.off('message', listen);
      resolve(message.task);
    };
    process.on('message', listen);
  });
  tellPrimary({ kind: 'ask-task' });
  return (await task) as T;
}

/** In a worker: it serves now. */
export function workerReady(): void {
  tellPrimary({ kind: 'ready' });
}

let lastId = 0;

/** In a worker: the metrics of all workers, added up. */
export async function clusterMetrics(): Promise<string> {
  const id = ++lastId;
  const message = await exchange({ kind: 'ask-metrics', id }, 'metrics', METRICS_PATIENCE_MS);
  return message.text;
}

/** In a worker: what `WorkersOptions.onAsk` of the primary answers. Question and answer survive JSON. */
export async function askPrimary<T>(question: unknown, patienceMs: number): Promise<T> {
  const id = ++lastId;
  const message = await exchange({ kind: 'ask', id, question }, 'answer', patienceMs);
  return message.answer as T;
}

/** In a worker: what the primary tells all workers, in the order in which it does. */
export function onNews(listener: (news: unknown) => void): void {
  process.on('message', (message: unknown) => {
    if (isMessage(message) && message.kind === 'news') listener(message.news);
  });
}

function exchange<K extends 'metrics' | 'answer'>(
  question: Message & { readonly id: number },
  kind: K,
  patienceMs: number,
): Promise<Message & { readonly kind: K }> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      clearTimeout(limit);
      process.off('message', listen);
    };
    const listen = (message: unknown): void => {
      if (!isMessage(message) || message.kind !== kind || message.id !== question.id) return;
      settle();
      resolve(message as Message & { readonly kind: K });
    };
    const limit = setTimeout(() => {
      settle();
      reject(new Error(`the primary process did not answer with ${kind}`));
    }, patienceMs);
    process.on('message', listen);
    tellPrimary(question);
  });
}

function tellPrimary(message: Message): void {
  process.send?.(message);
}

function isMessage(message: unknown): message is Message {
  return typeof message === 'object' && message !== null && 'kind' in message && typeof message.kind === 'string';
}

export interface WorkersOptions {
  readonly count: number;
  /** Given to each worker; must survive JSON. */
  readonly task: unknown;
  readonly log: Logger;
  readonly clock: Clock;
  /** Answers a worker; must not reject. */
  readonly onAsk?: (question: unknown) => Promise<unknown>;
}

/** The workers of a primary process. One that dies is replaced, later each time when it dies young. */
export class Workers {
  readonly #options: WorkersOptions;
  readonly #aggregator = new AggregatorRegistry();
  readonly #timers = new Set<NodeJS.Timeout>();
  #delayMs = FIRST_DELAY_MS;
  #stopping = false;

  constructor(options: WorkersOptions) {
    this.#options = options;
  }

  /** Resolves when every worker serves; rejects when one of them ends before that. */
  async start(): Promise<void> {
    await Promise.all(Array.from({ length: this.#options.count }, () => this.#fork()));
  }

  /** Reaches those that listen by {@link onNews}. Must survive JSON. */
  tell(news: unknown): void {
    for (const worker of Object.values(cluster.workers ?? {}))
      if (worker?.isConnected() === true) worker.send({ kind: 'news', news } satisfies Message);
  }

  /** SIGTERM to all; resolves when they are gone. */
  async stop(): Promise<void> {
    this.#stopping = true;
    for (const timer of this.#timers) clearTimeout(timer);
    const workers = Object.values(cluster.workers ?? {}).filter((worker) => worker !== undefined);
    await Promise.all(
      workers.map((worker) => {
        const gone = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
        worker.process.kill('SIGTERM');
        return gone;
      }),
    );
  }

  #fork(): Promise<void> {
    const { clock, log } = this.#options;
    const bornAt = clock.monotonic();
    const worker = cluster.fork();
    worker.on('message', (message: unknown) => this.#answer(worker, message));
    return new Promise((resolve, reject) => {
      let isReady = false;
      worker.on('message', (message: unknown) => {
        if (!isMessage(message) || message.kind !== 'ready') return;
        isReady = true;
        resolve();
      });
      worker.on('error', (error) => log.error({ error }, 'a worker cannot be reached'));
      worker.once('exit', (code, signal) => {
        if (this.#stopping) return resolve();
        log.error({ pid: worker.process.pid, code, signal }, 'a worker ended');
        if (!isReady) reject(new Error(`a worker ended before it served (${signal ?? code})`));
        this.#replace(clock.monotonic() - bornAt);
      });
    });
  }

  #replace(livedMs: number): void {
    this.#delayMs = livedMs > HEALTHY_MS ? FIRST_DELAY_MS : Math.min(this.#delayMs * 2, LONGEST_DELAY_MS);
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      // A failure before it serves has been logged, and the next attempt is on its way.
      this.#fork().catch(() => undefined);
    }, this.#delayMs);
    this.#timers.add(timer);
  }

  #answer(worker: Worker, message: unknown): void {
    if (!isMessage(message)) return;
    if (message.kind === 'ask-task') worker.send({ kind: 'task', task: this.#options.task } satisfies Message);
    if (message.kind === 'ask') {
      const { id, question } = message;
      void this.#options.onAsk?.(question).then((answer) => {
        if (worker.isConnected()) worker.send({ kind: 'answer', id, answer } satisfies Message);
      });
    }
    if (message.kind === 'ask-metrics') {
      const { id } = message;
      this.#aggregator.clusterMetrics().then(
        (text) => worker.send({ kind: 'metrics', id, text } satisfies Message),
        (error: unknown) => this.#options.log.warn({ error }, 'metrics of the workers could not be gathered'),
      );
    }
  }
}
