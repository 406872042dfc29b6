import type { Executor } from './identity.ts';

/** Marks an assertion as used. False: it was used before, by whichever process. */
export async function insertUsedAssertion(
  sql: Executor,
  client: string,
  jti: string,
  expiresAt: string,
): Promise<boolean> {
  const rows = await sql`
    INSERT INTO used_assertion (client, jti, expires_at) VALUES (${client}, ${jti}, ${expiresAt})
    ON CONFLICT DO NOTHING RETURNING 1`;
  return rows.length === 1;
}

export async function deleteUsedAssertions(sql: Executor, expiredBefore: string): Promise<void> {
  await sql`DELETE FROM used_assertion WHERE expires_at < ${expiredBefore}`;
}

export interface GatewayKeyRow {
  readonly kid: string;
  readonly jwk: unknown;
}

/** Newest first. */
export function selectGatewayKeys(sql: Executor): Promise<GatewayKeyRow[]> {
  return sql<GatewayKeyRow[]>`SELECT kid, jwk FROM gateway_key ORDER BY created_at DESC, kid`;
}

/** `jwk`: public members, as JSON text. */
export async function insertGatewayKey(sql: Executor, kid: string, jwk: string, at: string): Promise<void> {
  await sql`INSERT INTO gateway_key (kid, jwk, created_at) VALUES (${kid}, ${jwk}::text::jsonb, ${at}) ON CONFLICT DO NOTHING`;
}
