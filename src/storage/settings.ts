import type { TransactionSql } from 'postgres';
import type { Executor } from './identity.ts';

export interface SettingName {
  readonly kind: string;
  readonly id: string;
}

export interface SettingRow extends SettingName {
  readonly value: unknown;
  /** ISO time in UTC, milliseconds. */
  readonly setAt: string;
}

const COLUMNS = (sql: Executor) =>
  sql`kind, id, value, to_char(set_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS "setAt"`;

export function selectSettings(sql: Executor): Promise<SettingRow[]> {
  return sql<SettingRow[]>`SELECT ${COLUMNS(sql)} FROM setting`;
}

/** Those of these that are there. */
export function selectSettingsNamed(sql: Executor, names: readonly SettingName[]): Promise<SettingRow[]> {
  return sql<SettingRow[]>`
    SELECT ${COLUMNS(sql)} FROM setting
    JOIN json_to_recordset(${JSON.stringify(names)}::text::json) AS wanted(kind text, id text) USING (kind, id)`;
}

export async function selectSetting(sql: Executor, { kind, id }: SettingName): Promise<SettingRow | undefined> {
  const rows = await sql<SettingRow[]>`SELECT ${COLUMNS(sql)} FROM setting WHERE kind = ${kind} AND id = ${id}`;
  return rows[0];
}

export async function countSettings(sql: Executor, kind: string): Promise<number> {
  const rows = await sql<{ count: number }[]>`SELECT count(*)::int AS count FROM setting WHERE kind = ${kind}`;
  return rows[0]?.count ?? 0;
}

export async function upsertSetting(tx: TransactionSql, { kind, id, value, setAt }: SettingRow): Promise<void> {
  await tx`
    INSERT INTO setting (kind, id, value, set_at) VALUES (${kind}, ${id}, ${JSON.stringify(value)}::text::jsonb, ${setAt})
    ON CONFLICT (kind, id) DO UPDATE SET value = excluded.value, set_at = excluded.set_at`;
}

/** Whether it was there. */
export async function deleteSetting(tx: TransactionSql, { kind, id }: SettingName): Promise<boolean> {
  const rows = await tx`DELETE FROM setting WHERE kind = ${kind} AND id = ${id} RETURNING 1`;
  return rows.length > 0;
}
