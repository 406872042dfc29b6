import { sha256 } from '../std/bytes.ts';
import { assert } from '../std/errors.ts';
import type { Sql } from '../storage/db.ts';
import { copyEntries, ENTRY, readManifest } from '../storage/feed.ts';
import type { LogKey } from '../storage/log.ts';
import { type LogContext, logKey } from './context.ts';
import { EntryLines, type OpenManifest } from './entry-lines.ts';
import { merkleTree } from './merkle.ts';
import { freshCheckpoint, newestCheckpoint } from './tree.ts';

/** Contents of one part; one filing may be larger. At most two parts of an answer are held at a time. */
const PART_BYTES = 2 * 1024 * 1024;
/** A content that is larger is read on its own. */
const LARGE_BYTES = 64 * 1024;
/** Entries of one statement: of the first, at most, and after a large one. More than a part holds is read in vain. */
const FIRST_ROWS = 250;
const MAX_ROWS = 4_000;
const ROWS_BESIDE_LARGE = 16;
/** Room that is made for the lines of a part, and for an entry of a part that is small. */
const LINES_BYTES = PART_BYTES + PART_BYTES / 4;
const ENTRY_BYTES = 2_048;
/** Manifests kept while a range is read: lines of one upload stand close to each other. */
const MANIFESTS_KEPT = 4;

/** A range [from, to) of an office's log, as it is sent. */
export interface EntryRange {
  readonly from: number;
  readonly to: number;
  /** Entries under the newest checkpoint: `to` is never beyond it. */
  readonly checkpointSize: number;
  /** The entries as NDJSON, some lines a part; read from the database as they are asked for. */
  readonly parts: AsyncIterable<Buffer>;
}

/**
 * Entries from index `from` on, at most `limit`, ending at the newest checkpoint; a newer one is signed when that
 * ends before `limit` and the log has grown, so that who asks after a filing was answered gets it. Entries are never altered, so any range can be read again.
 */
export async function openEntries(
  ctx: LogContext,
  input: { readonly office: string; readonly from: number; readonly limit: number },
): Promise<EntryRange> {
  const { office, from, limit } = input;
  const newest = await newestCheckpoint(ctx, office);
  const checkpoint = newest !== undefined && newest.size >= from + limit ? newest : await freshCheckpoint(ctx, office);
  const to = Math.max(from, Math.min(from + limit, checkpoint.size));
  return { from, to, checkpointSize: checkpoint.size, parts: streamEntries(ctx.db.sql, logKey(ctx, office), from, to) };
}

async function* streamEntries(sql: Sql, key: LogKey, from: number, to: number): AsyncGenerator<Buffer> {
  const reader = new PartReader(sql, key);
  let reading = from < to ? reader.read(from, to) : undefined;
  while (reading !== undefined) {
    const part: EntryPart = await reading;
    // The database works on the next part while this one is sent.
    reading = part.next < to ? reader.read(part.next, to) : undefined;
    // Who no longer wants the next part does not ask what became of it.
    reading?.catch(() => undefined);
    yield part.bytes;
  }
}

interface EntryPart {
  readonly bytes: Buffer;
  /** Index after the last entry. */
  readonly next: number;
}

class PartReader {
  readonly #sql: Sql;
  readonly #key: LogKey;
  readonly #manifests: Manifests;
  /** Entries to ask for: about as many as fill a part, as far as the last one tells. */
  #rows = FIRST_ROWS;

  constructor(sql: Sql, key: LogKey) {
    this.#sql = sql;
    this.#key = key;
    this.#manifests = new Manifests(sql, key.lane);
  }

  /** Entries from index `from` on, at least one, until they fill a part or the next one is large. */
  async read(from: number, to: number): Promise<EntryPart> {
    const rows = Math.min(this.#rows, to - from);
    const lines = new EntryLines(this.#key.office, Math.min(LINES_BYTES, rows * ENTRY_BYTES));
    let isFull = false;
    const reach = { from, to: from + rows, contentBytes: LARGE_BYTES };
    await copyEntries(this.#sql, this.#key, reach, (row) => {
      isFull ||= row.isNull(ENTRY.content) || lines.contentBytes + row.size(ENTRY.content) > PART_BYTES;
      if (!isFull) lines.add(row);
    });
    this.#rows = nextRows(lines);
    if (lines.count === 0) {
      const alone = { from, to: from + 1 };
      await copyEntries(this.#sql, this.#key, alone, (row) => lines.add(row));
    }
    return { bytes: await lines.finish((id) => this.#manifests.get(id)), next: from + lines.count };
  }
}

function nextRows({ count, contentBytes }: EntryLines): number {
  return count === 0 ? ROWS_BESIDE_LARGE : Math.min(MAX_ROWS, Math.ceil((PART_BYTES * count) / (contentBytes || 1)));
}

class Manifests {
  readonly #sql: Sql;
  readonly #lane: number;
  readonly #open = new Map<string, OpenManifest>();

  constructor(sql: Sql, lane: number) {
    this.#sql = sql;
    this.#lane = lane;
  }

  async get(id: string): Promise<OpenManifest> {
    const known = this.#open.get(id);
    if (known !== undefined) return known;
    const stored = await readManifest(this.#sql, this.#lane, id);
    assert(stored !== undefined, 'a line has its manifest in the same lane');
    const opened = { jws: stored.jws, tree: merkleTree(sha256, stored.leaves) };
    const oldest = this.#open.keys().next();
    if (this.#open.size >= MANIFESTS_KEPT && !oldest.done) this.#open.delete(oldest.value);
    this.#open.set(id, opened);
    return opened;
  }
}
