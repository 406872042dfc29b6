import { parseNote, parseTreeHead } from '../log/checkpoint.ts';
import { type Hash, RunningRoot, type RunningRootState, sameBytes } from '../log/merkle.ts';
import { decodeBase64url, encodeBase64url } from '../std/base64.ts';
import type { Cosigner } from './cosign.ts';
import { ShenbaoError } from './errors.ts';
import { entryPayload, officeLeaf } from './leaf.ts';
import { type HeadContext, type SignedHead, signedHead } from './note.ts';
import type { Batch, Entry } from './types.ts';

/** What a puller keeps between batches, as JSON. It is what makes "nothing is missing" provable: keep it safe. */
export interface PullState extends RunningRootState {
  /** A signed root that lies ahead: it must come out when the log has been read that far. */
  readonly expected?: { readonly size: number; readonly root: string };
}

/** An entry that hashes to its leaf. */
export interface VerifiedEntry {
  readonly entry: Entry;
  /** What the filer signed. */
  readonly payload: Uint8Array;
  /** The line that it came in, without its newline. */
  readonly text: string;
}

/** An entry as it came. */
export interface EntryLine {
  readonly entry: Entry;
  readonly text: string;
}

export interface ReadOptions {
  readonly signal?: AbortSignal | undefined;
  /**
   * False: entries come as they are, which costs the gateway least and is fastest where the line is fast. By default what `fetch`
   * negotiates, gzip in Node and in browsers; a pull of a few entries takes them as they are.
   */
  readonly compressed?: boolean | undefined;
}

export interface PullOptions extends ReadOptions {
  /** From the last {@link PulledBatch}; without it the log is read from index 0 to compute the root. */
  readonly state?: PullState;
  readonly max?: number;
  readonly leaseSeconds?: number;
  /** Called for each new entry in order. Whatever it does must be undone when `pull` throws. */
  readonly onEntry?: (entry: VerifiedEntry) => void | Promise<void>;
  /** Called when everything held, before the acknowledgement: make the entries and `batch.state` durable here. */
  readonly save: (batch: PulledBatch) => void | Promise<void>;
  /** Cosigns the checkpoint of what was saved, so that its filers can see that it arrived. */
  readonly cosigner?: Cosigner | undefined;
}

export interface PulledBatch {
  readonly id: string;
  /** First index in this batch that was new to the given state. */
  readonly from: number;
  readonly to: number;
  /** base64url, over entries 0 to `to` - 1. */
  readonly root: string;
  readonly checkpoint: string;
  readonly state: PullState;
}

/** The part of an office's log that pulling needs. */
export interface PullableLog {
  readonly office: string;
  openBatch(
    consumer: string,
    options: { max?: number; leaseSeconds?: number; signal?: AbortSignal | undefined },
  ): Promise<Batch | undefined>;
  entryLines(from: number, to: number, options: ReadOptions): AsyncIterable<readonly EntryLine[]>;
  acknowledge(consumer: string, batchId: string, ack: Acknowledgement, signal?: AbortSignal): Promise<void>;
}

/** That everything below `size` has arrived. */
export interface Acknowledgement {
  readonly size: number;
  /** Computed over it, base64url. */
  readonly root: string;
  /** The office's signature line over the checkpoint of that size. */
  readonly cosignature?: string;
}

export interface PullContext extends HeadContext {
  readonly log: PullableLog;
}

/** See {@link OfficeLog.pull}. */
export async function pullBatch(
  context: PullContext,
  consumer: string,
  options: PullOptions,
): Promise<PulledBatch | undefined> {
  const { max, leaseSeconds, signal } = options;
  const batch = await context.log.openBatch(consumer, {
    ...(max === undefined ? {} : { max }),
    ...(leaseSeconds === undefined ? {} : { leaseSeconds }),
    signal,
  });
  if (batch === undefined) return undefined;
  const pulled = await readBatch(context, batch, options);
  await options.save(pulled);
  const cosignature = await cosign(pulled, options);
  const ack = { size: batch.to, root: pulled.root, ...(cosignature === undefined ? {} : { cosignature }) };
  await context.log.acknowledge(consumer, batch.id, ack, signal);
  return pulled;
}

/**
 * Only what was verified is cosigned: the root of just these entries came out, and was computed on from all that was
 * cosigned before. What was read once more from the start, to repeat an older acknowledgement, stays without.
 */
async function cosign({ to, checkpoint, state }: PulledBatch, { cosigner }: PullOptions): Promise<string | undefined> {
  if (cosigner === undefined || state.size !== to) return undefined;
  const head = parseTreeHead(parseNote(checkpoint)?.text ?? '');
  return head?.size === to ? await cosigner(checkpoint) : undefined;
}

/** So few are less work to send than a compressor and a decompressor are to set up. */
const FEW_ENTRIES = 100;

async function readBatch(context: PullContext, batch: Batch, options: PullOptions): Promise<PulledBatch> {
  const promise = await signedRoot(context, batch);
  // A state beyond this batch means that its acknowledgement, or another's, was lost: start over to get this root.
  const held = options.state !== undefined && options.state.size <= batch.to ? options.state : undefined;
  const saved = options.state?.size ?? 0;
  const reader = new LogReader(context.hash, context.log.office, held, promise);
  const { signal, onEntry } = options;
  const compressed = options.compressed ?? (batch.to - reader.size > FEW_ENTRIES ? undefined : false);
  const firstNew = Math.max(batch.from, saved);
  for await (const lines of context.log.entryLines(reader.size, batch.to, { signal, compressed })) {
    for (const { entry, text } of lines) {
      const payload = reader.take(entry);
      const handled = entry.index >= firstNew ? onEntry?.({ entry, payload, text }) : undefined;
      // Most of them have nothing to wait for.
      if (handled !== undefined) await handled;
    }
  }
  if (reader.size !== batch.to) throw failed(`entries ${reader.size} to ${batch.to - 1} are missing`);
  const beyond = options.state !== undefined && held === undefined;
  const state = beyond ? options.state : reader.state();
  return {
    id: batch.id,
    from: Math.min(batch.to, firstNew),
    to: batch.to,
    root: encodeBase64url(reader.root()),
    checkpoint: batch.checkpoint,
    state,
  };
}

async function signedRoot(context: PullContext, batch: Batch): Promise<SignedHead> {
  const head = await signedHead(context, context.log.office, batch.checkpoint);
  if (head.size < batch.to) throw failed(`the checkpoint covers ${head.size} entries, the batch ${batch.to}`);
  return head;
}

/** Takes the entries of one log in order and refuses the first that cannot be the next. */
export class LogReader {
  readonly #hash: Hash;
  readonly #office: string;
  readonly #running: RunningRoot;
  #expected: readonly SignedHead[];

  /** Signed roots that lie ahead must come out; one that was passed already is of no more use. */
  constructor(hash: Hash, office: string, state: PullState | undefined, ...signed: readonly SignedHead[]) {
    this.#hash = hash;
    this.#office = office;
    this.#running = new RunningRoot(hash, state);
    const ahead = state?.expected === undefined ? signed : [state.expected, ...signed];
    this.#expected = ahead.filter(({ size }) => size >= this.#running.size);
    this.#compare();
  }

  get size(): number {
    return this.#running.size;
  }

  root(): Uint8Array {
    return this.#running.root();
  }

  state(): PullState {
    const next = this.#expected.toSorted((a, b) => a.size - b.size)[0];
    return { ...this.#running.state(), ...(next === undefined ? {} : { expected: next }) };
  }

  /** Verifies one entry against its leaf and its place, and returns its payload bytes. */
  take(entry: Entry): Uint8Array {
    const index = this.#running.size;
    if (entry.index !== index) throw failed(`entry ${index} should come next, not ${entry.index}`);
    const id = `${this.#office}.${index}`;
    if (entry.id !== id) throw failed(`entry ${index} bears another id`);
    const salt = decodeBase64url(entry.salt);
    const leaf = decodeBase64url(entry.leaf);
    const payload = entryPayload(this.#hash, entry);
    if (salt?.length !== 16 || leaf === undefined || payload === undefined) throw failed(`entry ${index} is malformed`);
    const facts = { id, office: this.#office, index, receivedAt: entry.receivedAt, salt, payload };
    if (!sameBytes(officeLeaf(this.#hash, facts), leaf)) throw failed(`entry ${index} does not hash to its leaf`);
    this.#running.push(leaf);
    this.#compare();
    return payload;
  }

  #compare(): void {
    if (!this.#expected.some(({ size }) => size === this.#running.size)) return;
    const due = this.#expected.filter(({ size }) => size === this.#running.size);
    const root = encodeBase64url(this.#running.root());
    if (due.some((signed) => signed.root !== root)) {
      throw failed(`the root over ${this.#running.size} entries is not the one that the gateway signed`);
    }
    this.#expected = this.#expected.filter(({ size }) => size > this.#running.size);
  }
}

function failed(what: string): ShenbaoError {
  return new ShenbaoError('verification-failed', what);
}
