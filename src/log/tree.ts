import { verify } from 'node:crypto';
import { sha256 } from '../std/bytes.ts';
import { assert, GatewayError } from '../std/errors.ts';
import type { Sql, TransactionSql } from '../storage/db.ts';
import {
  insertTree,
  type LogKey,
  type LogState,
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
import { type RecoveryRecord, readRecoveries } from '../storage/recovery.ts';
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
  const state = await log.readState(ctx.db.sql);
  if (state === undefined) throw new GatewayError('not-found');
  const { size: target, newest } = state;
  assertNotShrunk(log, target, signed);
  if (isSignedTo(ctx, log, newest, target)) return guarded(ctx, log, newest);
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
  const { sql } = ctx.db;
  const [root, recoveries] = await Promise.all([readRoot(sql, log, size), readRecoveries(sql, log.key)]);
  const signed = signTreeHead(ctx, log, { size, root }, recoveries);
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
  const { grown, state } = await lockAndRead(tx, log);
  const newest = state?.newest;
  if (!again && isSignedTo(ctx, log, newest, target)) return newest;
  assert(state !== undefined && state.size >= target && grown <= state.size, 'a log never shrinks');
  const known = await ctx.guard.newest(log.key.office);
  assertNotShrunk(log, state.size, known);
  const size = Math.min(state.size, grown + ROUND_LEAVES);
  const held = [known, newest].filter((head) => head !== undefined);
  const { edge, roots } = await readEdge(tx, log, grown, size, held);
  // As long again is not enough: what came after a database was put back is not what was signed.
  for (const old of held) assert(sameBytes(roots.get(old.size) ?? old.root, old.root), beginsWords(log, old));
  if (size < target || size < (known?.size ?? 0)) {
    await storeGrowth(tx, log, grown, edge);
    return undefined;
  }
  const head = { size, root: edge.root() };
  const recoveries = state.isRecovered ? await readRecoveries(tx, log.key) : [];
  const signed = signTreeHead(ctx, log, head, recoveries);
  const [written] = await Promise.all([upsertCheckpoint(tx, log.key, signed), storeGrowth(tx, log, grown, edge)]);
  assert(written, 'a size has one root');
  // From tiles, which stand for all leaves only now. The transaction is given up with what it signed when this fails.
  for (const old of held) if (!roots.has(old.size)) await assertConsistent(tx, log, old, head);
  return signed;
}

type KnownHead = Pick<StoredCheckpoint, 'size' | 'root'>;
type KnownRoot = { readonly size: number; readonly root: Uint8Array };

/** A database may be put back under a gateway that runs, for example when a standby that lags behind is promoted. */
function assertNotShrunk(log: Log, size: number, signed: KnownHead | undefined): void {
  const expected = signed?.size ?? 0;
  assert(size >= expected, `${log.name} still has the ${expected} entries that were signed`);
}

function beginsWords(log: Log, { size }: KnownHead): string {
  return `${log.name} still begins with the ${size} entries that were signed`;
}

/** What {@link lockLog} tells, and what the log is once it is locked. */
async function lockAndRead(
  tx: TransactionSql,
  log: Log,
): Promise<{ readonly grown: number; readonly state: LogState | undefined }> {
  for (;;) {
    // Sent together: the server reads when it has the lock. Another process may have signed while this one waited for it.
    const [grown, state] = await Promise.all([lockTree(tx, log.key), log.readState(tx)]);
    if (grown !== undefined) return { grown, state };
    await insertTree(tx, log.key);
  }
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

/** Takes the leaves beyond `grown` into the tiles. */
async function storeGrowth(tx: TransactionSql, log: Log, grown: number, edge: TreeEdge): Promise<void> {
  if (edge.size === grown) return;
  const tiles = edge.changedTiles().map(({ hashes, ...tile }) => ({ ...tile, hashes: Buffer.concat(hashes) }));
  await Promise.all([updateTree(tx, log.key, edge.size), ...tiles.map((tile) => upsertTile(tx, log.key, tile))]);
}

interface GrownEdge {
  readonly edge: TreeEdge;
  /** By size, of those heads that were passed on the way. */
  readonly roots: ReadonlyMap<number, Uint8Array>;
}

/** The right edge of the tree of `size` leaves, from tiles that stand for `grown` of them. */
async function readEdge(
  sql: Sql | TransactionSql,
  log: Log,
  grown: number,
  size: number,
  heads: readonly KnownHead[] = [],
): Promise<GrownEdge> {
  const readFrom = (from: number) => log.readLeaves(sql, from, Math.min(from + CHUNK_LEAVES, size));
  const start = edgeStart(grown);
  const [tiles, first] = await Promise.all([
    readTiles(sql, log.key, edgeTiles(grown)),
    start < size ? readFrom(start) : [],
  ]);
  const edge = new TreeEdge(
    sha256,
    grown,
    tiles.map((tile) => ({ ...tile, hashes: splitHashes(tile.hashes) })),
  );
  const sizes = new Set(heads.map((head) => head.size));
  const roots = new Map<number, Uint8Array>();
  const passed = (): void => {
    if (sizes.has(edge.size)) roots.set(edge.size, edge.root());
  };
  passed();
  for (let leaves = first; leaves.length > 0; leaves = edge.size < size ? await readFrom(edge.size) : []) {
    for (const leaf of leaves) {
      edge.push(leaf);
      passed();
    }
  }
  return { edge, roots };
}

/** The root of the first `size` entries, whether or not the tiles stand for them yet. Writes nothing. */
export async function rootAt(sql: Sql, log: Log, size: number): Promise<Uint8Array> {
  const grown = (await readTreeSize(sql, log.key)) ?? 0;
  return grown < size ? (await readEdge(sql, log, grown, size)).edge.root() : readRoot(sql, log, size);
}

/** A log that signs two trees of which one does not begin with the other has lied; this one stops instead. */
async function assertConsistent(tx: TransactionSql, log: Log, old: KnownHead, head: KnownRoot): Promise<void> {
  const path = await readNodes(tx, log, consistencyRanges(old.size, head.size));
  const consistent = verifyConsistency(sha256, { oldSize: old.size, oldRoot: old.root, path, ...head });
  assert(consistent, beginsWords(log, old));
}

function signTreeHead(
  ctx: LogContext,
  log: Log,
  head: KnownRoot,
  recoveries: readonly RecoveryRecord[],
): StoredCheckpoint {
  const origin = log.origin(ctx.issuer.iss);
  const text = formatTreeHead({ origin, ...head, extensions: recoveries.map(formatRecovered) });
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

function isSignedTo(
  ctx: LogContext,
  log: Log,
  newest: StoredCheckpoint | undefined,
  target: number,
): newest is StoredCheckpoint {
  return newest !== undefined && newest.size >= target && isOfOrigin(newest, log.origin(ctx.issuer.iss));
}

function isOfOrigin(checkpoint: StoredCheckpoint, origin: string): boolean {
  const head = parseTreeHead(parseNote(checkpoint.note)?.text ?? '');
  return head?.origin === origin && head.size === checkpoint.size && sameBytes(head.root, checkpoint.root);
}
