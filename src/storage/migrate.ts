import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { drizzle } from 'drizzle-orm/postgres-js';
import { migrate } from 'drizzle-orm/postgres-js/migrator';
import type { Sql } from 'postgres';
import { StartError } from '../std/start-error.ts';
import { connect, type DatabaseAddress } from './db.ts';

/** Any number that nobody else uses: two gateways that start at once migrate one after the other. */
const MIGRATION_LOCK = 1_402_673_311;

/** Facts of a database, fixed when it was made. */
export interface DatabaseFacts {
  readonly id: string;
  readonly env: string;
  /** How many slices the growing tables are cut into; see `laneOf`. */
  readonly lanes: number;
}

/**
 * Brings the database to this version's tables, and reads its facts; a new database is given those of `wanted`. Throws a
 * StartError for a database of another environment. A database keeps its number of lanes whatever `wanted` says.
 */
export async function migrateDatabase(
  address: DatabaseAddress,
  wanted: { env: string; lanes: number },
): Promise<DatabaseFacts> {
  // Two connections: the lock is held by a session, and drizzle wants a client of its own. Neither has a time limit.
  const guard = connect(address, { max: 1, statementTimeoutMs: 0 });
  const client = connect(address, { max: 1, statementTimeoutMs: 0 });
  try {
    await guard`SELECT pg_advisory_lock(${MIGRATION_LOCK})`;
    await migrate(drizzle(client), { migrationsFolder: migrationsFolder() });
    const facts = await ensureFacts(guard, wanted);
    refuseOtherEnvironment(facts, wanted.env);
    return facts;
  } finally {
    await Promise.all([guard.end({ timeout: 5 }), client.end({ timeout: 5 })]);
  }
}

/** `drizzle/` beside package.json, from `src/storage` and from `dist/storage` alike. */
function migrationsFolder(): string {
  const start = path.dirname(fileURLToPath(import.meta.url));
  for (let folder = start; folder !== path.dirname(folder); folder = path.dirname(folder)) {
    const candidate = path.join(folder, 'drizzle');
    if (existsSync(path.join(candidate, 'meta', '_journal.json'))) return candidate;
  }
  throw new Error(`no migrations above ${start}`);
}

async function ensureFacts(sql: Sql, wanted: { env: string; lanes: number }): Promise<DatabaseFacts> {
  await insertFacts(sql, wanted);
  const rows = await sql<{ name: string; value: string }[]>`SELECT name, value FROM meta`;
  const values = new Map(rows.map(({ name, value }) => [name, value]));
  const id = values.get('database-id');
  const env = values.get('env');
  const lanes = Number(values.get('lanes'));
  if (id === undefined || env === undefined || !Number.isInteger(lanes) || lanes < 1) {
    throw new StartError({
      zh: '数据库的 meta 表不完整，不能确定这是哪个数据库。请从备份中恢复。',
      en: 'The meta table of the database is incomplete, so that it cannot be told apart from others. Restore it from a backup.',
    });
  }
  return { id, env, lanes };
}

/** All three or, when the database has any, none: a fact that went missing must not be made up again. */
async function insertFacts(sql: Sql, wanted: { env: string; lanes: number }): Promise<void> {
  await sql`
    INSERT INTO meta (name, value)
    SELECT name, value
      FROM (VALUES ('database-id', ${randomUUID()}::text), ('env', ${wanted.env}::text), ('lanes', ${String(wanted.lanes)}::text)) AS fact (name, value)
     WHERE NOT EXISTS (SELECT FROM meta WHERE name IN ('database-id', 'env', 'lanes'))`;
}

function refuseOtherEnvironment(facts: DatabaseFacts, env: string): void {
  if (facts.env === env) return;
  throw new StartError(
    {
      zh: `该数据库属于 ${facts.env} 环境，而 SHENBAO_ENV 是 ${env}。请改用另一个数据库（DATABASE_URL 或 DATA_DIR），或改正 SHENBAO_ENV。`,
      en: `This database belongs to the environment ${facts.env}, and SHENBAO_ENV is ${env}. Use another database (DATABASE_URL or DATA_DIR), or correct SHENBAO_ENV.`,
    },
    { exitCode: 2 },
  );
}
