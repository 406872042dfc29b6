import { laneOf } from '../domain/filing.ts';
import { readConsumers, readLiveBatches } from '../storage/batches.ts';
import type { BatchContext } from './context.ts';

/** How far a consumer is. */
export interface ConsumerStatus {
  readonly name: string;
  /** Every entry below it is acknowledged. */
  readonly cursor: number;
  /** Entries of the log that are not acknowledged. */
  readonly lag: number;
  /** Milliseconds since the epoch; absent before the first acknowledgement. */
  readonly ackedAt?: number;
  readonly leases: readonly { id: string; from: number; to: number; attempts: number; expiresAt: number }[];
}

/** Consumers of an office by name, at most `limit` from after the name `after`. Expired leases are not listed. */
export async function listConsumers(
  ctx: Pick<BatchContext, 'db' | 'lanes' | 'clock'>,
  input: { readonly office: string; readonly after: string; readonly limit: number },
): Promise<{ readonly items: readonly ConsumerStatus[]; readonly next: string | null }> {
  const key = { lane: laneOf(input.office, ctx.lanes), office: input.office };
  const found = await readConsumers(ctx.db.sql, key, input.after, input.limit + 1);
  const consumers = found.slice(0, input.limit);
  const names = consumers.map((consumer) => consumer.name);
  const live = await readLiveBatches(ctx.db.sql, key, names, ctx.clock.now());
  const items = consumers.map(({ name, cursor, size, ackedAt }) => ({
    name,
    cursor,
    lag: size - cursor,
    ...(ackedAt === undefined ? {} : { ackedAt }),
    leases: live
      .filter((lease) => lease.consumer === name)
      .map(({ id, from, to, attempts, expiresAt }) => ({ id, from, to, attempts, expiresAt })),
  }));
  return { items, next: found.length > input.limit ? (names[names.length - 1] ?? null) : null };
}
