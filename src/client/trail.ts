import { decodeBase64url, encodeBase64url } from '../std/base64.ts';
import { CHAIN_START, type TrailRow, trailHash } from '../trail/chain.ts';
import { ShenbaoError } from './errors.ts';
import { bodyChunks, parseNdjson } from './ndjson.ts';
import { queryText } from './requests.ts';
import { asJson, type Call } from './transport.ts';
import type { Page } from './types.ts';

/** A row of the audit trail: who did or read what, when, and how it ended. `docs/trail.md` says what its members mean. */
export interface TrailEntry extends TrailRow {
  /** SHA-256 over the row and the hash before it, base64url. */
  readonly hash: string;
}

export interface TrailFilter {
  readonly party?: string;
  readonly action?: string;
  readonly target?: string;
  readonly result?: 'begun' | 'done' | 'refused' | 'failed' | 'cut-short';
  /** RFC 3339: from this instant on. */
  readonly from?: string;
  /** RFC 3339: before this instant. */
  readonly to?: string;
}

/** How far a chain is known: the number and the hash of its last row. */
export interface ChainPosition {
  /** 0: no row yet. */
  readonly n: number;
  /** base64url. */
  readonly hash: string;
}

/** Before the first row. */
export const TRAIL_START: ChainPosition = { n: 0, hash: encodeBase64url(CHAIN_START) };

/** Recomputes the chain, row by row. */
export class TrailChain {
  readonly #hash: (data: Uint8Array) => Uint8Array;
  #last: ChainPosition;
  #lastHash: Uint8Array;

  /** `from`: the last row that is known already. */
  constructor(hash: (data: Uint8Array) => Uint8Array, from: ChainPosition = TRAIL_START) {
    this.#hash = hash;
    this.#last = from;
    this.#lastHash = bytesOf(from.hash);
  }

  get last(): ChainPosition {
    return this.#last;
  }

  /** Throws `verification-failed`, naming the row, when it does not follow the one before or was altered. */
  add(entry: TrailEntry): void {
    const { hash, ...row } = entry;
    const n = this.#last.n + 1;
    if (row.n !== n) throw broken(`row ${n} is missing`);
    const computed = trailHash(this.#hash, this.#lastHash, row);
    if (encodeBase64url(computed) !== hash) throw broken(`row ${n} does not follow from the rows before it`);
    this.#last = { n, hash };
    this.#lastHash = computed;
  }
}

export interface TrailContext {
  readonly authorized: <T>(path: string, call: Call, read: (response: Response) => Promise<T>) => Promise<T>;
  readonly hash: (data: Uint8Array) => Uint8Array;
}

/** The gateway's audit trail, as its operators see it. Reading it is recorded in it. */
export class TrailLog {
  readonly #context: TrailContext;

  constructor(context: TrailContext) {
    this.#context = context;
  }

  /** Rows that fit, newest first. */
  async *find(filter: TrailFilter = {}, signal?: AbortSignal): AsyncGenerator<TrailEntry> {
    for (let cursor: string | undefined; ; ) {
      const path = `/v1/trail${queryText({ ...filter, cursor })}`;
      const { items, next } = await this.#context.authorized(path, { signal }, asJson<Page<TrailEntry>>);
      yield* items;
      if (next === null) return;
      cursor = next;
    }
  }

  /**
   * All rows after `kept`, in their order, each checked to follow from the one before. Throws `verification-failed` at the
   * first that is missing or was altered: also when what you kept is not what the gateway has any more.
   */
  async *export(kept: ChainPosition = TRAIL_START, signal?: AbortSignal): AsyncGenerator<TrailEntry> {
    const chain = new TrailChain(this.#context.hash, kept);
    const call: Call = { headers: { accept: 'application/x-ndjson' }, signal };
    // The row that was kept is asked for once more: one that is gone, or another now, would not be missed otherwise.
    const path = `/v1/trail/export?after=${Math.max(0, kept.n - 1)}`;
    let isKeptSeen = kept.n === 0;
    const response = await this.#context.authorized(path, call, async (answer) => answer);
    try {
      for await (const value of parseNdjson(bodyChunks(response))) {
        const entry = value as TrailEntry;
        if (isKeptSeen) {
          chain.add(entry);
          yield entry;
        } else if (entry.n === kept.n && entry.hash === kept.hash) isKeptSeen = true;
        else throw broken(`row ${kept.n} is not the one that was kept`);
      }
    } catch (error) {
      // A body that breaks off: what was yielded holds, and the rest can be asked for.
      if (error instanceof ShenbaoError || signal?.aborted) throw error;
      throw new ShenbaoError('unreachable', 'the export broke off', { retryable: true, cause: error });
    }
    if (!isKeptSeen) throw broken(`row ${kept.n} is missing`);
  }
}

function bytesOf(hash: string): Uint8Array {
  const bytes = decodeBase64url(hash);
  if (bytes?.length !== CHAIN_START.length)
    throw new ShenbaoError('usage', 'a hash of the trail is 32 bytes in base64url');
  return bytes;
}

function broken(message: string): ShenbaoError {
  return new ShenbaoError('verification-failed', `the audit trail is broken: ${message}`);
}
