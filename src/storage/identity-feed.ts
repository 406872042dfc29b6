import type { Executor } from './identity.ts';

export interface IdentityChangeRow {
  readonly n: number;
  readonly subjects: readonly string[];
}

/** The newest change that can be seen. */
export async function selectIdentityHead(sql: Executor): Promise<number> {
  const rows = await sql<{ n: number }[]>`SELECT n FROM identity_head WHERE one = 1`;
  return rows[0]?.n ?? 0;
}

/** Changes after `n`, oldest first. None ever appears behind one that was returned: see nextIdentityChange. */
export function selectIdentityChanges(sql: Executor, n: number, limit: number): Promise<IdentityChangeRow[]> {
  return sql<IdentityChangeRow[]>`SELECT n, subjects FROM identity_change WHERE n > ${n} ORDER BY n LIMIT ${limit}`;
}

export async function deleteIdentityChanges(sql: Executor, before: string): Promise<void> {
  await sql`DELETE FROM identity_change WHERE at < ${before}`;
}
