import { timingSafeEqual } from 'node:crypto';
import { assert, GatewayError } from '../std/errors.ts';
import {
  type ConsumerKey,
  lockConsumer,
  readBatch,
  readOpenBatches,
  updateBatchStates,
  updateCursor,
} from '../storage/batches.ts';
import type { TransactionSql } from '../storage/db.ts';
import { transaction } from '../storage/transaction.ts';
import { type BatchContext, type ConsumerName, consumerKey, leaseOf } from './context.ts';
import { phaseOf, TRANSITIONS } from './state.ts';

export interface AcknowledgeInput extends ConsumerName {
  readonly id: string;
  /** Entries that the consumer has: every index below it. */
  readonly size: number;
  /** The RFC 6962 root that the consumer computed over them. */
  readonly root: Buffer;
}

export interface Acknowledged {
  /** Every entry below it is acknowledged now. May be beyond this batch, never goes back. */
  readonly cursor: number;
}

/**
 * Takes a consumer's word, proved by a root over the whole log up to the batch's end, that it has everything below
 * `size`. Leases that end at or below it are therefore closed with it, whoever holds them. Idempotent.
 *
 * Throws `not-found`; `stale` with the right `size` when the size is not the batch's end, or with the size to go on
 * from when the lease was handed on or given back; `root-mismatch` when the consumer's log is not ours.
 */
export async function acknowledgeBatch(ctx: BatchContext, input: AcknowledgeInput): Promise<Acknowledged> {
  const key = consumerKey(ctx, input);
  const batch = await readBatch(ctx.db.sql, key, input.id);
  if (batch === undefined) throw new GatewayError('not-found');
  // A range and the root at its end never change: both are looked at before the lock.
  if (input.size !== batch.to) throw stale(batch.to);
  const { root } = await ctx.checkpoints.at(input.office, batch.to);
  const rootsEqual = input.root.length === root.length && timingSafeEqual(input.root, root);
  return await transaction(ctx.db.sql, (tx) => acknowledgeLocked(ctx, tx, key, { ...input, rootsEqual }));
}

async function acknowledgeLocked(
  ctx: BatchContext,
  tx: TransactionSql,
  key: ConsumerKey,
  input: { readonly id: string; readonly size: number; readonly rootsEqual: boolean },
): Promise<Acknowledged> {
  const consumer = await lockConsumer(tx, key);
  const row = await readBatch(tx, key, input.id);
  assert(consumer !== undefined && row !== undefined, 'a batch and its consumer are never removed');
  const now = ctx.clock.now();
  const lease = leaseOf(row);
  const next = TRANSITIONS[phaseOf(lease, now)].acknowledge;
  if (next === 'stale') throw stale(consumer.cursor);
  if (!input.rootsEqual) throw new GatewayError('root-mismatch', { members: { size: input.size } });
  if (lease.state === next) return { cursor: consumer.cursor };
  await updateBatchStates(tx, key, [lease.id], next);
  // An open lease that reaches beyond would overlap this batch, which is ruled out when batches are opened.
  const below = (await readOpenBatches(tx, key)).filter((open) => open.to <= input.size);
  const ids = below.map((open) => open.id);
  await updateBatchStates(tx, key, ids, TRANSITIONS.leased.cover);
  const cursor = Math.max(consumer.cursor, input.size);
  await updateCursor(tx, key, cursor, now);
  return { cursor };
}

function stale(size: number): GatewayError {
  return new GatewayError('stale', { members: { size } });
}
