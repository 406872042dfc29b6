import { filingId } from '../domain/filing.ts';
import { sha256, toBase64url } from '../std/bytes.ts';
import { formatInstant } from '../std/clock.ts';
import { assert } from '../std/errors.ts';
import type { Sql } from '../storage/db.ts';
import { type EntryRecord, readEntries, readManifest } from '../storage/feed.ts';
import type { LogKey } from '../storage/log.ts';
import { type LogContext, logKey } from './context.ts';
import { leafHash, type MerkleTree, merkleTree, verifyInclusion } from './merkle.ts';
import { freshCheckpoint, newestCheckpoint } from './tree.ts';

/** Contents read and held at a time; one filing may be larger. */
const PART_BYTES = 2 * 1024 * 1024;
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
  const manifests = new Manifests(sql, key.lane);
  for (let next = from; next < to; ) {
    const entries = await readEntries(sql, key, next, to, PART_BYTES);
    assert(entries.length > 0, 'the log reaches as far as its checkpoint');
    let text = '';
    for (const entry of entries) text += `${await entryLine(key.office, entry, manifests)}\n`;
    next += entries.length;
    yield Buffer.from(text);
  }
}

async function entryLine(office: string, entry: EntryRecord, manifests: Manifests): Promise<string> {
  const { index, content, manifest: position } = entry;
  const head = JSON.stringify({
    index,
    id: filingId(office, index),
    receivedAt: formatInstant(entry.receivedAt),
    salt: toBase64url(entry.salt),
    leaf: toBase64url(entry.leaf),
  });
  if (position === undefined) return `${head.slice(0, -1)},"jws":${jwsValue(content)}}`;
  const { jws, tree } = await manifests.get(position.id);
  const { line } = position;
  const payload = Buffer.from(content);
  const path = tree.path(line);
  const proof = { leaf: leafHash(sha256, payload), index: line, size: tree.size, path, root: tree.root };
  assert(verifyInclusion(sha256, proof), 'the path of a line verifies before it leaves');
  const rest = { payload: toBase64url(payload), manifest: jws, line, path: path.map(toBase64url) };
  return `${head.slice(0, -1)},${JSON.stringify(rest).slice(1)}`;
}

/** A flattened JWS as the object it is, on one line: outside its strings a line break is just space. */
function jwsValue(content: string): string {
  return content.trimStart().startsWith('{') ? content.replace(/[\r\n]+/g, ' ') : JSON.stringify(content);
}

interface OpenManifest {
  readonly jws: string;
  /** Over the lines of the upload. */
  readonly tree: MerkleTree;
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
