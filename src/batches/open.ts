import { randomBytes } from 'node:crypto';
import { assert, GatewayError } from '../std/errors.ts';
import {
  type ConsumerKey,
  endingAt,
  insertBatch,
  insertConsumer,
  type LockedConsumer,
  lockConsumer,
  updateBatchStates,
  updateLeased,
} from '../storage/batches.ts';
import type { TransactionSql } from '../storage/db.ts';
import { transaction } from '../storage/transaction.ts';
import { type BatchContext, type ConsumerName, consumerKey, type Lease, leaseOf } from './context.ts';
import { nextRange, overlaps, phaseOf, TRANSITIONS } from './state.ts';

/** Live leases that one consumer may hold at a time. */
export const MAX_OPEN_LEASES = 256;

export interface OpenBatch {
  readonly id: string;
  readonly from: number;
  readonly to: number;
  /** Signed note of exactly the first `to` entries: what the consumer's own root must equal. */
  readonly checkpoint: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

export interface OpenBatchInput extends ConsumerName {
  /** Entries at most. */
  readonly max: number;
  readonly leaseSeconds: number;
}

/**
 * Leases the next range of the log to a consumer, which its first batch makes. Undefined when there is nothing that is
 * neither acknowledged nor leased. The lease is committed before its checkpoint is looked up: should that fail, the
 * range is handed out again when the lease has run out.
 */
export async function openBatch(ctx: BatchContext, input: OpenBatchInput): Promise<OpenBatch | undefined> {
  const newest = await ctx.checkpoints.fresh(input.office);
  const lease = await transaction(ctx.db.sql, (tx) => leaseNext(ctx, tx, input, newest.size));
  if (lease === undefined) return undefined;
  const { note } = lease.to === newest.size ? newest : await ctx.checkpoints.at(input.office, lease.to);
  return { id: lease.id, from: lease.from, to: lease.to, checkpoint: note, expiresAt: lease.expiresAt };
}

async function leaseNext(
  ctx: BatchContext,
  tx: TransactionSql,
  input: OpenBatchInput,
  size: number,
): Promise<Lease | undefined> {
  const key = consumerKey(ctx, input);
  const consumer = await lockOrMake(tx, key);
  const now = ctx.clock.now();
  const open = consumer.open.map(leaseOf);
  const live = open.filter((lease) => phaseOf(lease, now) === 'leased');
  if (live.length >= MAX_OPEN_LEASES) throw tooManyLeases();
  const range = nextRange(live, consumer.cursor, size, input.max);
  if (range === undefined) return undefined;
  const replaced = open.filter((lease) => phaseOf(lease, now) === 'expired' && overlaps(lease, range));
  const ids = replaced.map((lease) => lease.id);
  const attempts = 1 + Math.max(0, ...replaced.map((lease) => lease.attempts));
  const expiresAt = now + input.leaseSeconds * 1000;
  const lease: Lease = { id: endingAt(range.to, randomBytes(10)), ...range, state: 'leased', attempts, expiresAt };
  await Promise.all([
    updateBatchStates(tx, key, ids, TRANSITIONS.expired['hand-on']),
    insertBatch(tx, key, lease),
    range.to > consumer.leased ? updateLeased(tx, key, range.to) : undefined,
  ]);
  return lease;
}

async function lockOrMake(tx: TransactionSql, key: ConsumerKey): Promise<LockedConsumer> {
  const found = await lockConsumer(tx, key);
  if (found !== undefined) return found;
  await insertConsumer(tx, key);
  const made = await lockConsumer(tx, key);
  assert(made !== undefined, 'the consumer has a row');
  return made;
}

function tooManyLeases(): GatewayError {
  return new GatewayError('conflict', {
    detail: {
      zh: `同一消费者同时持有的批次不得超过 ${MAX_OPEN_LEASES} 个。请先确认或归还已有批次。`,
      en: `A consumer may hold at most ${MAX_OPEN_LEASES} open batches. Acknowledge or give back some first.`,
    },
  });
}
