import { verify } from 'node:crypto';
import { sha256 } from '../std/bytes.ts';
import { assert, GatewayError } from '../std/errors.ts';
import type { TransactionSql } from '../storage/db.ts';
import {
  insertTree,
  type LogKey,
  lockTree,
  readCheckpoint,
  readHeadSize,
  readLeaves,
  readNewestCheckpoint,
  readTiles,
  type StoredCheckpoint,
  splitHashes,
  updateTree,
  upsertCheckpoint,
  upsertTile,
} from '../storage/log.ts';
import { transaction } from '../storage/transaction.ts';
import { ed25519KeyId, formatTreeHead, logOrigin, parseNote, parseTreeHead, signNote } from './checkpoint.ts';
import { type LogContext, logKey } from './context.ts';
import { edgeStart, edgeTiles, TreeEdge } from './edge.ts';
import { consistencyRanges, sameBytes, verifyConsistency } from './merkle.ts';
import { readNodes, readRoot } from './nodes.ts';

/** Leaves that one transaction adds at most, so that the lock is never held for long. */
const ROUND_LEAVES = 65_536;
/** Leaves that are hashed without a pause: about 10 ms. */
const CHUNK_LEAVES = 4_096;

/**
 * A checkpoint over all that was committed before the call. Signs a new one only when the log grew. Any number of
 * processes may ask at once: the lock on the tree's row lets one at a time go on.
 */
export async function freshCheckpoint(ctx: LogContext, office: string): Promise<StoredCheckpoint> {
  const key = logKey(ctx, office);
  const target = await readHeadSize(ctx.db.sql, key);
  if (target === undefined) throw new GatewayError('not-found');
  const newest = await newestCheckpoint(ctx, office);
  if (newest !== undefined && newest.size >= target) return newest;
  for (;;) {
    const made = await transaction(ctx.db.sql, (tx) => growAndSign(ctx, tx, key, target));
    if (made !== undefined) return made;
  }
}

/** The newest stored checkpoint; undefined when there is none that names the log as it is named today. */
export async function newestCheckpoint(ctx: LogContext, office: string): Promise<StoredCheckpoint | undefined> {
  const newest = await readNewestCheckpoint(ctx.db.sql, logKey(ctx, office));
  return newest !== undefined && isOfOrigin(newest, logOrigin(ctx.issuer.iss, office)) ? newest : undefined;
}

/**
 * The checkpoint of exactly the first `size` entries, signed now if it never was. `size` must not be beyond the newest
 * checkpoint: a log may sign any size again, as long as the root is the one of the same log.
 */
export async function checkpointAt(ctx: LogContext, office: string, size: number): Promise<StoredCheckpoint> {
  const key = logKey(ctx, office);
  const stored = await readCheckpoint(ctx.db.sql, key, size);
  if (stored !== undefined && isOfOrigin(stored, logOrigin(ctx.issuer.iss, office))) return stored;
  const signed = signTreeHead(ctx, key, size, await readRoot(ctx.db.sql, key, size));
  const written = await upsertCheckpoint(ctx.db.sql, key, signed);
  assert(written, 'a size has one root');
  return signed;
}

/** One round of growth. Undefined when there is more to do before a checkpoint may be signed. */
async function growAndSign(
  ctx: LogContext,
  tx: TransactionSql,
  key: LogKey,
  target: number,
): Promise<StoredCheckpoint | undefined> {
  const grown = await lock(tx, key);
  // Read under the lock: another process may have signed while this one waited for it.
  const newest = await readNewestCheckpoint(tx, key);
  const origin = logOrigin(ctx.issuer.iss, key.office);
  if (newest !== undefined && newest.size >= target && isOfOrigin(newest, origin)) return newest;
  const head = await readHeadSize(tx, key);
  assert(head !== undefined && head >= target && grown <= head, 'a log never shrinks');
  const size = Math.min(head, grown + ROUND_LEAVES);
  const root = await grow(tx, key, grown, size);
  if (size < target) return undefined;
  if (newest !== undefined) await assertConsistent(tx, key, newest, { size, root });
  const signed = signTreeHead(ctx, key, size, root);
  const written = await upsertCheckpoint(tx, key, signed);
  assert(written, 'a size has one root');
  return signed;
}

async function lock(tx: TransactionSql, key: LogKey): Promise<number> {
  const size = await lockTree(tx, key);
  if (size !== undefined) return size;
  await insertTree(tx, key);
  const made = await lockTree(tx, key);
  assert(made !== undefined, 'the tree has a row');
  return made;
}

/** Takes leaves [grown, size) into the tiles and returns the root of all leaves below `size`. */
async function grow(tx: TransactionSql, key: LogKey, grown: number, size: number): Promise<Uint8Array> {
  const tiles = await readTiles(tx, key, edgeTiles(grown));
  const edge = new TreeEdge(
    sha256,
    grown,
    tiles.map((tile) => ({ ...tile, hashes: splitHashes(tile.hashes) })),
  );
  for (let from = edgeStart(grown); from < size; from += CHUNK_LEAVES) {
    for (const leaf of await readLeaves(tx, key, from, Math.min(from + CHUNK_LEAVES, size))) edge.push(leaf);
  }
  for (const { level, n, hashes } of edge.changedTiles()) {
    await upsertTile(tx, key, { level, n, hashes: Buffer.concat(hashes) });
  }
  if (size > grown) await updateTree(tx, key, size);
  return edge.root();
}

/** A log that signs two trees of which one does not begin with the other has lied; this one stops instead. */
async function assertConsistent(
  tx: TransactionSql,
  key: LogKey,
  old: StoredCheckpoint,
  head: { readonly size: number; readonly root: Uint8Array },
): Promise<void> {
  const path = await readNodes(tx, key, consistencyRanges(old.size, head.size));
  const consistent = verifyConsistency(sha256, { oldSize: old.size, oldRoot: old.root, path, ...head });
  assert(consistent, `the log of office ${key.office} still begins with its checkpoint of size ${old.size}`);
}

function signTreeHead(ctx: LogContext, key: LogKey, size: number, root: Uint8Array): StoredCheckpoint {
  const origin = logOrigin(ctx.issuer.iss, key.office);
  const text = formatTreeHead({ origin, size, root });
  const keyId = ed25519KeyId(sha256, origin, rawPublicKey(ctx));
  const note = signNote(text, { name: origin, keyId, sign: (data) => ctx.signer.sign(data) });
  const signature = parseNote(note)?.signatures[0]?.signature;
  assert(
    signature !== undefined && verify(null, Buffer.from(text), ctx.signer.publicKey, signature),
    'a checkpoint verifies before it leaves',
  );
  return { size, root: Buffer.from(root), note, signedAt: ctx.clock.now() };
}

function rawPublicKey(ctx: LogContext): Buffer {
  const { x } = ctx.signer.publicKey.export({ format: 'jwk' });
  assert(x !== undefined, 'the signing key is Ed25519');
  return Buffer.from(x, 'base64url');
}

function isOfOrigin(checkpoint: StoredCheckpoint, origin: string): boolean {
  const head = parseTreeHead(parseNote(checkpoint.note)?.text ?? '');
  return head?.origin === origin && head.size === checkpoint.size && sameBytes(head.root, checkpoint.root);
}
