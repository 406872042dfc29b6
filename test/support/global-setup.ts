import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { TestProject } from 'vitest/node';
import { connect } from '../../src/storage/db.ts';
import { startEmbedded } from '../../src/storage/embedded.ts';
import { migrateDatabase } from '../../src/storage/migrate.ts';
import { silentLogger } from './logger.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** The server that all test files share. */
    postgresUrl: string;
    postgresSocketDir: string | undefined;
  }
}

/** Migrated, with its facts, never connected to again: `CREATE DATABASE ... TEMPLATE` takes 30 ms. */
export const TEMPLATE = 'shenbao_template';
export const TEST_LANES = 64;

/** One PostgreSQL for the whole run. Without fsync: nothing is kept, and the tests of durability start their own. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'shenbao-test-'));
  // Run by root, the server has another account, which must be able to enter.
  chmodSync(folder, 0o711);
  const settings = {
    fsync: 'off',
    synchronous_commit: 'off',
    full_page_writes: 'off',
    max_connections: '300',
    autovacuum: 'off',
  };
  const server = await startEmbedded({ dataDir: path.join(folder, 'postgres'), settings, log: silentLogger });
  const address = { url: server.url, ...(server.socketDir === undefined ? {} : { socketDir: server.socketDir }) };
  const admin = connect(address, { max: 1, statementTimeoutMs: 0 });
  await admin.unsafe(`CREATE DATABASE ${TEMPLATE}`);
  await admin.end();
  const url = new URL(server.url);
  url.pathname = `/${TEMPLATE}`;
  await migrateDatabase({ ...address, url: url.href }, { env: 'sandbox', lanes: TEST_LANES });
  project.provide('postgresUrl', server.url);
  project.provide('postgresSocketDir', server.socketDir);
  return async () => {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  };
}
