import { verify } from 'node:crypto';
import { sha256 } from '../std/bytes.ts';
import { assert, GatewayError } from '../std/errors.ts';
import type { Sql, TransactionSql } from '../storage/db.ts';
import {
  insertTree,
  type LogKey,
  lockTree,
  readCheckpoint,
  readNewestCheckpoint,
  readTiles,
  readTreeSize,
  type StoredCheckpoint,
  splitHashes,
  updateTree,
  upsertCheckpoint,
  upsertTile,
} from '../storage/log.ts';
import { readRecoveries } from '../storage/recovery.ts';
import { transaction } from '../storage/transaction.ts';
import { ed25519KeyId, formatRecovered, formatTreeHead, parseNote, parseTreeHead, signNote } from './checkpoint.ts';
import type { LogContext } from './context.ts';
import { edgeStart, edgeTiles, TreeEdge } from './edge.ts';
import { type Log, officeLog } from './logs.ts';
import { consistencyRanges, sameBytes, verifyConsistency } from './merkle.ts';
import { readNodes, readRoot } from './nodes.ts';

/** Leaves that one transaction adds at most, so that the lock is never held for long. */
const ROUND_LEAVES = 65_536;
/** Leaves that are hashed without a pause: about 10 ms. */
const CHUNK_LEAVES = 4_096;

/** See {@link freshHead}, for an office's log. */
export function freshCheckpoint(ctx: LogContext, office: string): Promise<StoredCheckpoint> {
  return freshHead(ctx, officeLog(ctx, office));
}

/** See {@link newestHead}, for an office's log. */
export function newestCheckpoint(ctx: LogContext, office: string): Promise<StoredCheckpoint | undefined> {
  return newestHead(ctx, officeLog(ctx, office));
}

/** See {@link headAt}, for an office's log. */
export function checkpointAt(ctx: LogContext, office: string, size: number): Promise<StoredCheckpoint> {
  return headAt(ctx, officeLog(ctx, office), size);
}

/**
 * A checkpoint over all that was committed before the call. Signs a new one only when the log grew. Any number of
 * processes may ask at once: the lock on the tree's row lets one at a time go on.
 */
export async function freshHead(ctx: LogContext, log: Log): Promise<StoredCheckpoint> {
  // Before the size is read: another process may sign a larger one meanwhile.
  const signed = await ctx.guard.newest(log.key.office);
  const target = await log.readSize(ctx.db.sql);
  if (target === undefined) throw new GatewayError('not-found');
  assertNotShrunk(log, target, signed);
  const newest = await newestHead(ctx, log);
  if (newest !== undefined && newest.size >= target) return newest;
  for (;;) {
    const made = await transaction(ctx.db.sql, (tx) => growAndSign(ctx, tx, log, target));
    if (made !== undefined) return guarded(ctx, log, made);
  }
}

/** The newest stored checkpoint; undefined when there is none that names the log as it is named today. */
export async function newestHead(ctx: LogContext, log: Log): Promise<StoredCheckpoint | undefined> {
  const newest = await readNewestCheckpoint(ctx.db.sql, log.key);
  return newest !== undefined && isOfOrigin(newest, log.origin(ctx.issuer.iss)) ? guarded(ctx, log, newest) : undefined;
}

/**
 * The checkpoint of exactly the first `size` entries, signed now if it never was. `size` must not be beyond the newest
 * checkpoint: a log may sign any size again, as long as the root is the one of the same log.
 */
export async function headAt(ctx: LogContext, log: Log, size: number): Promise<StoredCheckpoint> {
  const stored = await readCheckpoint(ctx.db.sql, log.key, size);
  if (stored !== undefined && isOfOrigin(stored, log.origin(ctx.issuer.iss))) return guarded(ctx, log, stored);
  const signed = await signTreeHead(ctx, ctx.db.sql, log, { size, root: await readRoot(ctx.db.sql, log, size) });
  const written = await upsertCheckpoint(ctx.db.sql, log.key, signed);
  assert(written, 'a size has one root');
  return guarded(ctx, log, signed);
}

/** Whoever signed a checkpoint, and wherever: it leaves this process when its head stands outside the database too. */
async function guarded(ctx: LogContext, log: Log, checkpoint: StoredCheckpoint): Promise<StoredCheckpoint> {
  await ctx.guard.record(log.key.office, checkpoint);
  return checkpoint;
}

/**
 * One round of growth. Undefined when there is more to do before a checkpoint may be signed. What it returns may leave
 * the process once the transaction is committed and the head recorded. `again` signs what was signed before, too.
 */
export async function growAndSign(
  ctx: LogContext,
  tx: TransactionSql,
  log: Log,
  target: number,
  { again = false }: { readonly again?: boolean } = {},
): Promise<StoredCheckpoint | undefined> {
  const { key } = log;
  const grown = await lockLog(tx, key);
  // Read under the lock: another process may have signed while this one waited for it.
  const newest = await readNewestCheckpoint(tx, key);
  const isSigned = newest !== undefined && newest.size >= target && isOfOrigin(newest, log.origin(ctx.issuer.iss));
  if (isSigned && !again) return newest;
  const head = await log.readSize(tx);
  assert(head !== undefined && head >= target && grown <= head, 'a log never shrinks');
  const known = await ctx.guard.newest(key.office);
  assertNotShrunk(log, head, known);
  const size = Math.min(head, grown + ROUND_LEAVES);
  const root = await grow(tx, log, grown, size);
  if (size < target || size < (known?.size ?? 0)) return undefined;
  if (known !== undefined) await assertHeld(tx, log, known);
  if (newest !== undefined) await assertConsistent(tx, log, newest, { size, root });
  const signed = await signTreeHead(ctx, tx, log, { size, root });
  const written = await upsertCheckpoint(tx, key, signed);
  assert(written, 'a size has one root');
  return signed;
}

type KnownHead = Pick<StoredCheckpoint, 'size' | 'root'>;

/** A database may be put back under a gateway that runs, for example when a standby that lags behind is promoted. */
function assertNotShrunk(log: Log, size: number, signed: KnownHead | undefined): void {
  const expected = signed?.size ?? 0;
  assert(size >= expected, `${log.name} still has the ${expected} entries that were signed`);
}

/** As long again is not enough: entries that came after the database was put back are others than those that were signed. */
async function assertHeld(tx: TransactionSql, log: Log, { size, root }: KnownHead): Promise<void> {
  const stored = await readCheckpoint(tx, log.key, size);
  const held = stored?.root ?? (await readRoot(tx, log, size));
  assert(sameBytes(held, root), `${log.name} still begins with the ${size} entries that were signed`);
}

/** How many leaves the tiles stand for. Nobody else can grow or sign the log until the transaction ends. */
export async function lockLog(tx: TransactionSql, key: LogKey): Promise<number> {
  const size = await lockTree(tx, key);
  if (size !== undefined) return size;
  await insertTree(tx, key);
  const made = await lockTree(tx, key);
  assert(made !== undefined, 'the tree has a row');
  return made;
}

/** Takes leaves [grown, size) into the tiles and returns the root of all leaves below `size`. */
async function grow(tx: TransactionSql, log: Log, grown: number, size: number): Promise<Uint8Array> {
  const edge = await readEdge(tx, log, grown, size);
  for (const { level, n, hashes } of edge.changedTiles()) {
    await upsertTile(tx, log.key, { level, n, hashes: Buffer.concat(hashes) });
  }
  if (size > grown) await updateTree(tx, log.key, size);
  return edge.root();
}

/** The right edge of the tree of `size` leaves, from tiles that stand for `grown` of them. */
async function readEdge(sql: Sql | TransactionSql, log: Log, grown: number, size: number): Promise<TreeEdge> {
  const tiles = await readTiles(sql, log.key, edgeTiles(grown));
  const edge = new TreeEdge(
    sha256,
    grown,
    tiles.map((tile) => ({ ...tile, hashes: splitHashes(tile.hashes) })),
  );
  for (let from = edgeStart(grown); from < size; from += CHUNK_LEAVES) {
    for (const leaf of await log.readLeaves(sql, from, Math.min(from + CHUNK_LEAVES, size))) edge.push(leaf);
  }
  return edge;
}

/** The root of the first `size` entries, whether or not the tiles stand for them yet. Writes nothing. */
export async function rootAt(sql: Sql, log: Log, size: number): Promise<Uint8Array> {
  const grown = (await readTreeSize(sql, log.key)) ?? 0;
  return grown < size ? (await readEdge(sql, log, grown, size)).root() : readRoot(sql, log, size);
}

/** A log that signs two trees of which one does not begin with the other has lied; this one stops instead. */
async function assertConsistent(
  tx: TransactionSql,
  log: Log,
  old: StoredCheckpoint,
  head: { readonly size: number; readonly root: Uint8Array },
): Promise<void> {
  const path = await readNodes(tx, log, consistencyRanges(old.size, head.size));
  const consistent = verifyConsistency(sha256, { oldSize: old.size, oldRoot: old.root, path, ...head });
  assert(consistent, `${log.name} still begins with its checkpoint of size ${old.size}`);
}

async function signTreeHead(
  ctx: LogContext,
  sql: Sql | TransactionSql,
  log: Log,
  head: { readonly size: number; readonly root: Uint8Array },
): Promise<StoredCheckpoint> {
  const origin = log.origin(ctx.issuer.iss);
  const extensions = (await readRecoveries(sql, log.key)).map(formatRecovered);
  const text = formatTreeHead({ origin, ...head, extensions });
  const keyId = ed25519KeyId(sha256, origin, rawPublicKey(ctx));
  const note = signNote(text, { name: origin, keyId, sign: (data) => ctx.signer.sign(data) });
  const signature = parseNote(note)?.signatures[0]?.signature;
  assert(
    signature !== undefined && verify(null, Buffer.from(text), ctx.signer.publicKey, signature),
    'a checkpoint verifies before it leaves',
  );
  return { size: head.size, root: Buffer.from(head.root), note, signedAt: ctx.clock.now() };
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
