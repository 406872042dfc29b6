import type { Sql } from 'postgres';
import { StartError } from '../std/start-error.ts';
import { connect, type DatabaseAddress } from './db.ts';

const OLDEST_VERSION = 150_000;
/** Each must be on, or a receipt could be given for a filing that a power cut takes away. */
const DURABILITY_SETTINGS = ['fsync', 'full_page_writes', 'synchronous_commit'] as const;
/** Values of `synchronous_commit` that wait for the local disk. */
const DURABLE_VALUES = ['on', 'local', 'remote_write', 'remote_apply'];

/** `refused` is how the gateway runs; `accepted` is for tests, where speed counts and nothing is kept. */
export type Undurable = 'refused' | 'accepted';

/** Throws a StartError when the database is too old, or set so that a commit may be lost. */
export async function checkDatabase(address: DatabaseAddress, undurable: Undurable = 'refused'): Promise<void> {
  const sql = connect(address, { max: 1, statementTimeoutMs: 10_000 });
  try {
    await checkVersion(sql);
    if (undurable === 'refused') await checkDurability(sql);
  } finally {
    await sql.end({ timeout: 5 });
  }
}

async function checkVersion(sql: Sql): Promise<void> {
  const rows = await sql<{ number: number; version: string }[]>`
    SELECT current_setting('server_version_num')::int AS number, current_setting('server_version') AS version`;
  const found = rows[0];
  if (found !== undefined && found.number >= OLDEST_VERSION) return;
  throw new StartError({
    zh: `数据库是 PostgreSQL ${found?.version}，申报网关需要 15 或更高版本。请升级，或把 DATABASE_URL 指向新版本。`,
    en: `The database is PostgreSQL ${found?.version}; the gateway needs 15 or later. Upgrade it, or point DATABASE_URL to a newer one.`,
  });
}

async function checkDurability(sql: Sql): Promise<void> {
  const rows = await sql<{ name: string; setting: string; source: string }[]>`
    SELECT name, setting, source FROM pg_settings WHERE name IN ${sql([...DURABILITY_SETTINGS])}`;
  const wrong = rows.filter(({ setting }) => !DURABLE_VALUES.includes(setting));
  if (rows.length === DURABILITY_SETTINGS.length && wrong.length === 0) return;
  const names = wrong.map(({ name, setting }) => `${name} = ${setting}`).join(', ');
  const mend = wrong.map(({ name, source }) => remedy(name, source)).join('; ');
  throw new StartError({
    zh: `数据库的设置（${names}）会使已出具回执的申报在断电时丢失，网关拒绝启动。请改为 on：${mend}。`,
    en: `With ${names} the database may lose filings that already have a receipt, so the gateway does not start. Switch it on: ${mend}.`,
  });
}

function remedy(name: string, source: string): string {
  if (source === 'database') return `ALTER DATABASE <name> RESET ${name}`;
  if (source === 'user' || source === 'database user') return `ALTER ROLE <name> RESET ${name}`;
  if (source === 'command line') return `-c ${name}=on`;
  return `ALTER SYSTEM SET ${name} = on; SELECT pg_reload_conf()`;
}
