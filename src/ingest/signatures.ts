import { type MessagePort, parentPort, Worker, workerData } from 'node:worker_threads';
import { publicKeyOfText } from '../identity/jwk.ts';
import { verifySignature } from '../identity/jws.ts';
import { KeptKeys } from './kept-keys.ts';
import { type ReadTask, readBatch, SignatureBatch, type SignatureTask } from './signature-batch.ts';

/** Finds out whether signatures hold. */
export interface Signatures {
  hold(task: SignatureTask): Promise<boolean>;
}

interface Request {
  readonly buffer: ArrayBuffer;
  readonly count: number;
}

interface Answer {
  /** The same buffer again. */
  readonly buffer: ArrayBuffer;
  /** One byte for each task, in their order: 1 where the signature holds. */
  readonly verdicts: Uint8Array;
}

interface Waiter {
  readonly resolve: (holds: boolean) => void;
  readonly reject: (error: Error) => void;
}

interface Collecting {
  readonly batch: SignatureBatch;
  readonly waiters: Waiter[];
}

/** While one is being checked the next one may be there already, if it is worth a wake-up of its own. */
const BATCHES_UNDER_WAY = 2;
const WORTH_SENDING = 16;
/** Buffers that came back and wait for their next batch. */
const SPARE_BUFFERS = 2;

/**
 * Checks signatures in a thread of its own, in batches: the event loop goes on reading requests while the other core multiplies points,
 * and is woken once for many of them. One thread is enough, since the event loop spends more on a filing than its signature costs.
 */
export class SignatureThread implements Signatures {
  readonly #program: URL;
  #thread: Worker | undefined;
  #collecting: Collecting[] = [];
  #underWay: (readonly Waiter[])[] = [];
  #spare: ArrayBuffer[] = [];
  #scheduled = false;

  /** @param program this module as it runs in the thread: built, where the sources are run by something else than Node */
  constructor(program = new URL(import.meta.url)) {
    this.#program = program;
  }

  hold(task: SignatureTask): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.#collect(task, { resolve, reject });
      if (this.#scheduled) return;
      // When all requests of this turn of the event loop have been read.
      this.#scheduled = true;
      setImmediate(() => {
        this.#scheduled = false;
        this.#send();
      });
    });
  }

  async close(): Promise<void> {
    const thread = this.#thread;
    this.#thread = undefined;
    await thread?.terminate();
    this.#fail(new Error('the gateway is stopping'));
  }

  #collect(task: SignatureTask, waiter: Waiter): void {
    const last = this.#collecting[this.#collecting.length - 1];
    if (last?.batch.add(task)) last.waiters.push(waiter);
    else this.#collecting.push({ batch: new SignatureBatch(task, this.#spare.pop()), waiters: [waiter] });
  }

  #send(): void {
    while (this.#underWay.length < BATCHES_UNDER_WAY) {
      const next = this.#collecting[0];
      if (next === undefined || (this.#underWay.length > 0 && next.batch.count < WORTH_SENDING)) return;
      const { buffer, count } = next.batch;
      this.#collecting.shift();
      this.#underWay.push(next.waiters);
      this.#thread ??= this.#start();
      this.#thread.postMessage({ buffer, count } satisfies Request, [buffer]);
    }
  }

  #start(): Worker {
    const thread = new Worker(this.#program, { workerData: THREAD });
    thread.on('message', (answer: Answer) => this.#settle(answer));
    // It ends only by a fault, whose reason comes first. The next filing starts another one.
    let reason = new Error('the thread that checks signatures has ended');
    thread.on('error', (error) => {
      reason = new Error(reason.message, { cause: error });
    });
    thread.on('exit', () => {
      if (this.#thread !== thread) return;
      this.#thread = undefined;
      this.#fail(reason);
    });
    thread.unref();
    return thread;
  }

  #settle({ buffer, verdicts }: Answer): void {
    const waiters = this.#underWay.shift() ?? [];
    if (this.#spare.length < SPARE_BUFFERS) this.#spare.push(buffer);
    this.#send();
    for (const [i, waiter] of waiters.entries()) waiter.resolve(verdicts[i] === 1);
  }

  #fail(reason: Error): void {
    const failed = [...this.#underWay, ...this.#collecting.map(({ waiters }) => waiters)].flat();
    this.#underWay = [];
    this.#collecting = [];
    for (const waiter of failed) waiter.reject(reason);
  }
}

const THREAD = 'signatures';

/** About 80 MB. */
const KEYS_MAX = 16_000;
const keys = new KeptKeys(KEYS_MAX, publicKeyOfText);

export function holdsHere({ alg, jwk, signingInput, signature }: ReadTask): boolean {
  return verifySignature(alg, keys.get(jwk), signingInput, signature);
}

function serve(port: MessagePort): void {
  port.on('message', ({ buffer, count }: Request) => {
    const verdicts = new Uint8Array(count);
    let i = 0;
    for (const task of readBatch(buffer, count)) verdicts[i++] = holdsHere(task) ? 1 : 0;
    port.postMessage({ buffer, verdicts } satisfies Answer, [buffer]);
  });
}

if (parentPort !== null && workerData === THREAD) serve(parentPort);
