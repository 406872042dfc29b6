import { randomBytes } from 'node:crypto';
import { inject } from 'vitest';
import {
  connect,
  type Database,
  type DatabaseAddress,
  type DatabaseOptions,
  openDatabase,
} from '../../src/storage/db.ts';
import { TEMPLATE, TEST_LANES } from './global-setup.ts';

export interface TestDatabase {
  readonly address: DatabaseAddress;
  readonly db: Database;
  readonly lanes: number;
  /** Closes `db` and removes the database with whatever is still connected to it. */
  drop(): Promise<void>;
}

/** A fresh database with all tables and nothing in them, of the environment `sandbox`. */
export async function createTestDatabase(options: DatabaseOptions = {}): Promise<TestDatabase> {
  const address = await createDatabase(TEMPLATE);
  const db = openDatabase(address, options);
  return {
    address,
    db,
    lanes: TEST_LANES,
    drop: async () => {
      await db.close();
      await dropDatabase(address);
    },
  };
}

/** A database with nothing in it at all. */
export function createEmptyDatabase(): Promise<DatabaseAddress> {
  return createDatabase('template0');
}

async function createDatabase(template: string): Promise<DatabaseAddress> {
  const name = `test_${randomBytes(8).toString('hex')}`;
  await administer(`CREATE DATABASE ${name} TEMPLATE ${template}`);
  return addressOf(name);
}

export async function dropDatabase(address: DatabaseAddress): Promise<void> {
  await administer(`DROP DATABASE IF EXISTS ${new URL(address.url).pathname.slice(1)} WITH (FORCE)`);
}

function addressOf(name: string): DatabaseAddress {
  const url = new URL(inject('postgresUrl'));
  url.pathname = `/${name}`;
  const socketDir = inject('postgresSocketDir');
  return { url: url.href, ...(socketDir === undefined ? {} : { socketDir }) };
}

/** One statement on the server's own database. */
async function administer(statement: string): Promise<void> {
  const sql = connect(addressOf('postgres'), { max: 1, statementTimeoutMs: 0 });
  try {
    await sql.unsafe(statement);
  } finally {
    await sql.end({ timeout: 5 });
  }
}
