import { formatInstant } from '../std/clock.ts';
import type { TransactionSql } from '../storage/db.ts';
import { insertIdentityChange, nextIdentityChange } from '../storage/identity-writes.ts';
import { transaction } from '../storage/transaction.ts';
import type { IdentityContext } from './change.ts';

export type AnnounceContext = Pick<IdentityContext, 'db' | 'clock' | 'changed'>;

/** What came of a change, and what of it other processes are to hear. */
export interface Announced<T> {
  readonly result: T;
  /** See {@link subjectOf}; none: nothing has changed, and nobody is told. */
  readonly subjects: readonly string[];
}

/**
 * A change outside identity that every process is to hear of: done in one transaction with its place in the change feed, so
 * that whoever hears of it can read it. `at` is the time of the change. Throws as `transaction` does.
 */
export async function announced<T>(
  ctx: AnnounceContext,
  change: (tx: TransactionSql, at: string) => Promise<Announced<T>>,
): Promise<T> {
  const { result, subjects } = await transaction(ctx.db.sql, async (tx) => {
    const n = await nextIdentityChange(tx);
    const at = formatInstant(ctx.clock.now());
    const done = await change(tx, at);
    if (done.subjects.length > 0) await insertIdentityChange(tx, n, at, done.subjects);
    return done;
  });
  if (subjects.length > 0) ctx.changed?.(subjects);
  return result;
}

/** Tells every process, this one at once and the others within 5 s, something that needs no rows of its own. */
export function announce(ctx: AnnounceContext, subjects: readonly string[]): Promise<void> {
  return announced(ctx, async () => ({ result: undefined, subjects }));
}
