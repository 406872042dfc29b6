import { assert, GatewayError } from '../std/errors.ts';
import { lockConsumer, readBatch, updateBatchStates } from '../storage/batches.ts';
import { transaction } from '../storage/transaction.ts';
import { type BatchContext, type ConsumerName, consumerKey, leaseOf } from './context.ts';
import { phaseOf, TRANSITIONS } from './state.ts';

/**
 * Gives a lease back, so that its range is handed out again at once. Idempotent. Throws `not-found`, or `stale` with
 * the acknowledged size when the batch was acknowledged: that cannot be taken back.
 */
export async function releaseBatch(ctx: BatchContext, input: ConsumerName & { readonly id: string }): Promise<void> {
  const key = consumerKey(ctx, input);
  await transaction(ctx.db.sql, async (tx) => {
    const consumer = await lockConsumer(tx, key);
    const row = consumer?.open.find(({ id }) => id === input.id) ?? (await readBatch(tx, key, input.id));
    if (consumer === undefined || row === undefined) throw new GatewayError('not-found');
    const lease = leaseOf(row);
    const next = TRANSITIONS[phaseOf(lease, ctx.clock.now())].release;
    assert(next !== 'never', 'every lease can be asked to be released');
    if (next === 'stale') throw new GatewayError('stale', { members: { size: consumer.cursor } });
    if (next !== lease.state) await updateBatchStates(tx, key, [lease.id], next);
  });
}
