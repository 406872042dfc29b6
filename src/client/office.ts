import { type Coverage, coverCheckpoint } from './coverage.ts';
import { ShenbaoError } from './errors.ts';
import { type ConsistencyAnswer, type Extension, extendCheckpoint } from './extension.ts';
import { bodyChunks, splitTexts } from './ndjson.ts';
import type { HeadContext } from './note.ts';
import {
  type Acknowledgement,
  type EntryLine,
  type PulledBatch,
  type PullOptions,
  pullBatch,
  type ReadOptions,
} from './pull.ts';
import { asJson, asText, type Call, type Transport } from './transport.ts';
import type { Batch, ConsumerState, Entry } from './types.ts';

/** What an {@link OfficeLog} needs of the client that it belongs to. */
export interface OfficeContext extends HeadContext {
  readonly transport: Transport;
  /** Repeats a call with a new token when the old one is refused. */
  readonly authorized: <T>(path: string, call: Call, read: (response: Response) => Promise<T>) => Promise<T>;
}

/** One office's log, as its agency sees it. */
export class OfficeLog {
  readonly office: string;
  readonly #context: OfficeContext;
  readonly #path: string;

  constructor(context: OfficeContext, office: string) {
    this.office = office;
    this.#context = context;
    this.#path = `/v1/offices/${encodeURIComponent(office)}`;
  }

  /** The newest checkpoint: a C2SP signed note. */
  checkpoint(signal?: AbortSignal): Promise<string> {
    return this.#context.authorized(`${this.#path}/checkpoint`, { signal }, asText);
  }

  /**
   * Proves that the log still begins with all that `kept` covers, a checkpoint (signed note) that you stored earlier, and
   * returns the newest one to keep instead. Reads no filings. Throws `verification-failed` when history was rewritten or
   * cut short: then keep both notes, the newer one is in the message.
   */
  extend(kept: string, signal?: AbortSignal): Promise<Extension> {
    return extendCheckpoint(this.#context, this.office, kept, {
      newest: () => this.checkpoint(signal),
      consistency: (from) =>
        this.#context.authorized(`${this.#path}/consistency?from=${from}`, { signal }, asJson<ConsistencyAnswer>),
    });
  }

  /**
   * Proves that the national log covers `kept`, a checkpoint of this log: its own head stands there, or a later one that goes
   * on from it. Throws `not-found` until the next round, a minute later at most, and `verification-failed`.
   */
  covered(kept: string, signal?: AbortSignal): Promise<Coverage> {
    return coverCheckpoint(this.#context, this.office, kept, {
      proof: (size) => {
        const path = `/v1/national/proofs/${encodeURIComponent(this.office)}?size=${size}`;
        return this.#context.transport.request(path, { signal }, asText);
      },
      consistency: (from, to) => {
        const path = `${this.#path}/consistency?from=${from}&to=${to}`;
        return this.#context.authorized(path, { signal }, asJson<ConsistencyAnswer>);
      },
    });
  }

  /** Each consumer's cursor, lag and open leases. */
  async consumers(signal?: AbortSignal): Promise<readonly ConsumerState[]> {
    const answer = await this.#context.authorized<{ readonly items: readonly ConsumerState[] }>(
      `${this.#path}/consumers`,
      { signal },
      asJson,
    );
    return answer.items;
  }

  /**
   * Entries from index `from` on, in index order without gaps, up to `to` (not included) or the newest checkpoint. A
   * broken connection is taken up again where it broke. The entries are as served: {@link pull} also verifies them.
   */
  async *entries(from: number, to = Number.POSITIVE_INFINITY, signal?: AbortSignal): AsyncGenerator<Entry> {
    for await (const lines of this.entryLines(from, to, { signal })) for (const { entry } of lines) yield entry;
  }

  /** The same, with their texts, as many at a time as arrive together. */
  async *entryLines(from: number, to: number, options: ReadOptions = {}): AsyncGenerator<readonly EntryLine[]> {
    const { signal } = options;
    const { clock, policy, sleep } = this.#context.transport.retry;
    let next = from;
    let giveUpAt = clock.monotonic() + policy.deadlineMs;
    while (next < to) {
      const start = next;
      try {
        for await (const lines of this.#read(next, to, options)) {
          yield lines;
          next += lines.length;
          giveUpAt = clock.monotonic() + policy.deadlineMs;
        }
        if (next === start) return;
      } catch (error) {
        const broken = error instanceof TypeError || error instanceof SyntaxError || isAbort(error);
        if (!broken || signal?.aborted || clock.monotonic() > giveUpAt) throw error;
        await sleep(policy.firstMs, signal);
      }
    }
  }

  async *#read(from: number, to: number, { signal, compressed }: ReadOptions): AsyncGenerator<EntryLine[]> {
    const limit = Number.isFinite(to) ? `&limit=${Math.min(to - from, ENTRIES_A_REQUEST)}` : '';
    const coding = compressed === false ? { 'accept-encoding': 'identity' } : {};
    const call: Call = { headers: { accept: 'application/x-ndjson', ...coding }, signal };
    const path = `${this.#path}/entries?from=${from}${limit}`;
    const response = await this.#context.authorized(path, call, async (answer) => answer);
    for await (const texts of splitTexts(bodyChunks(response))) {
      const lines: EntryLine[] = [];
      try {
        for (const text of texts) lines.push({ entry: JSON.parse(text) as Entry, text });
      } finally {
        // What came before a line that broke off is as good as ever.
        if (lines.length > 0) yield lines;
      }
    }
  }

  /** Leases the next range of the log to a consumer; undefined when there is nothing new. */
  openBatch(consumer: string, options: BatchOptions = {}): Promise<Batch | undefined> {
    const { max = 10_000, leaseSeconds = 60, signal } = options;
    const call: Call = {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ max, lease: leaseSeconds }),
      signal,
    };
    return this.#context.authorized(`${this.#consumer(consumer)}/batches`, call, async (response) =>
      response.status === 204 ? undefined : asJson<Batch>(response),
    );
  }

  /**
   * Says that everything below `size` has arrived, with the root computed over it. A cosignature may come with it, or with
   * a later repetition.
   */
  acknowledge(consumer: string, batchId: string, ack: Acknowledgement, signal?: AbortSignal): Promise<void> {
    const call: Call = {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(ack),
      signal,
    };
    const path = `${this.#consumer(consumer)}/batches/${encodeURIComponent(batchId)}/ack`;
    return this.#context.authorized(path, call, async () => undefined);
  }

  /** Gives a lease back, so that another process of the consumer can have the range at once. */
  release(consumer: string, batchId: string): Promise<void> {
    const path = `${this.#consumer(consumer)}/batches/${encodeURIComponent(batchId)}`;
    return this.#context.authorized(path, { method: 'DELETE' }, async () => undefined);
  }

  /**
   * Pulls one batch: leases it, reads it, verifies every leaf, the checkpoint's signature and the root over everything
   * from index 0 on, has it saved, and only then acknowledges it. Undefined when there is nothing new. Throws
   * `verification-failed` at the first entry that was dropped, altered or moved.
   */
  pull(consumer: string, options: PullOptions): Promise<PulledBatch | undefined> {
    return pullBatch(
      { log: this, hash: this.#context.hash, issuer: this.#context.issuer, jwks: this.#context.jwks },
      consumer,
      options,
    );
  }

  #consumer(name: string): string {
    if (name === '') throw new ShenbaoError('usage', 'a consumer needs a name');
    return `${this.#path}/consumers/${encodeURIComponent(name)}`;
  }
}

const ENTRIES_A_REQUEST = 10_000;

export interface BatchOptions {
  /** Entries at most. */
  readonly max?: number;
  readonly leaseSeconds?: number;
  readonly signal?: AbortSignal | undefined;
}

/** What fetch throws when a body breaks differs between runtimes: TypeError, AbortError, or an Error with a code. */
function isAbort(error: unknown): boolean {
  return error instanceof Error && !(error instanceof ShenbaoError) && !(error instanceof RangeError);
}
