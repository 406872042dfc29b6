import { timingSafeEqual } from 'node:crypto';
import { assert, GatewayError } from '../std/errors.ts';
import { acknowledgeBatches, type ConsumerKey, lockConsumer, readBatch, updateCursor } from '../storage/batches.ts';
import { type CosignatureRow, hasCosignature, insertCosignature } from '../storage/cosignatures.ts';
import type { TransactionSql } from '../storage/db.ts';
import { transaction } from '../storage/transaction.ts';
import { type BatchContext, type ConsumerName, consumerKey, leaseOf } from './context.ts';
import { checkCosignature } from './cosign.ts';
import { phaseOf, TRANSITIONS } from './state.ts';

export interface AcknowledgeInput extends ConsumerName {
  readonly id: string;
  /** Entries that the consumer has: every index below it. */
  readonly size: number;
  /** The RFC 6962 root that the consumer computed over them. */
  readonly root: Buffer;
  /** The office's own signature over the checkpoint of `size`: a note's signature line, without its newline. */
  readonly cosignature?: string | undefined;
}

export interface Acknowledged {
  /** Every entry below it is acknowledged now. May be beyond this batch, never goes back. */
  readonly cursor: number;
}

/**
 * Takes a consumer's word, proved by a root over the whole log up to the batch's end, that it has everything below
 * `size`. Leases that end at or below it are therefore closed with it, whoever holds them. Idempotent; a cosignature
 * may come with it or with a later repetition.
 *
 * Throws `not-found`; `stale` with the right `size` when the size is not the batch's end, or with the size to go on
 * from when the lease was handed on or given back; `root-mismatch` when the consumer's log is not ours;
 * `invalid-resource` when the cosignature does not hold. Nothing is changed then.
 */
export async function acknowledgeBatch(ctx: BatchContext, input: AcknowledgeInput): Promise<Acknowledged> {
  const key = consumerKey(ctx, input);
  const batch = await readBatch(ctx.db.sql, key, input.id);
  if (batch === undefined) throw new GatewayError('not-found');
  // A range and the root at its end never change: both are looked at before the lock.
  if (input.size !== batch.to) throw stale(batch.to);
  const root = batch.root ?? (await ctx.checkpoints.at(input.office, batch.to)).root;
  const rootsEqual = input.root.length === root.length && timingSafeEqual(input.root, root);
  const cosignature = rootsEqual ? await newCosignature(ctx, key, input) : undefined;
  const { id, size } = input;
  return await transaction(ctx.db.sql, (tx) => acknowledgeLocked(ctx, tx, key, { id, size, rootsEqual, cosignature }));
}

/** One that is to be stored. What is stored already needs no key that is in force any more. */
async function newCosignature(
  ctx: BatchContext,
  key: ConsumerKey,
  { size, cosignature: line }: AcknowledgeInput,
): Promise<CosignatureRow | undefined> {
  if (line === undefined || (await hasCosignature(ctx.db.sql, key, size, line))) return undefined;
  const checkpoint = await ctx.checkpoints.at(key.office, size);
  const keys = await ctx.cosigners(key.office);
  return await checkCosignature({ line, checkpoint, keys, now: ctx.clock.now() });
}

interface CheckedInput {
  readonly id: string;
  readonly size: number;
  readonly rootsEqual: boolean;
  readonly cosignature: CosignatureRow | undefined;
}

async function acknowledgeLocked(
  ctx: BatchContext,
  tx: TransactionSql,
  key: ConsumerKey,
  input: CheckedInput,
): Promise<Acknowledged> {
  const consumer = await lockConsumer(tx, key);
  // One that is not open any more is read for what became of it.
  const row = consumer?.open.find(({ id }) => id === input.id) ?? (await readBatch(tx, key, input.id));
  assert(consumer !== undefined && row !== undefined, 'a batch and its consumer are never removed');
  const now = ctx.clock.now();
  const lease = leaseOf(row);
  const next = TRANSITIONS[phaseOf(lease, now)].acknowledge;
  if (next === 'stale') throw stale(consumer.cursor);
  if (!input.rootsEqual) throw new GatewayError('root-mismatch', { members: { size: input.size } });
  if (input.cosignature !== undefined) await insertCosignature(tx, key, input.cosignature);
  if (lease.state === next) return { cursor: consumer.cursor };
  // This batch is among them. An open lease that reaches beyond would overlap it, which is ruled out when batches are opened.
  const covered = consumer.open.filter((open) => open.to <= input.size);
  const ids = covered.map((open) => open.id);
  const cursor = Math.max(consumer.cursor, input.size);
  await Promise.all([acknowledgeBatches(tx, key, ids, now), updateCursor(tx, key, cursor, now)]);
  return { cursor };
}

function stale(size: number): GatewayError {
  return new GatewayError('stale', { members: { size } });
}
