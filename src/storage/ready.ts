import type { Sql } from 'postgres';
import { transaction } from './transaction.ts';

/** Whether a filing could be committed now: takes a row lock in a transaction that may write, and lets it go. */
export async function canCommit(sql: Sql): Promise<boolean> {
  return await transaction(sql, async (tx) => {
    const rows =
      await tx`SELECT pg_current_xact_id() IS NOT NULL AS writable FROM meta WHERE name = 'database-id' FOR UPDATE`;
    return rows.length === 1;
  });
}
