import { chmod, mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { type DatabaseAddress, openDatabase } from '../../src/storage/db.ts';
import { startEmbedded } from '../../src/storage/embedded.ts';
import { migrateDatabase } from '../../src/storage/migrate.ts';

export interface PeerDatabase {
  readonly address: DatabaseAddress;
  stop(): Promise<void>;
}

const QUIET = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** The PostgreSQL that the gateway brings, with the same settings and fsync, in a folder of its own, with the gateway's tables. */
export async function startPeerDatabase(): Promise<PeerDatabase> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'shenbao-peer-'));
  await chmod(folder, 0o711);
  const server = await startEmbedded({ dataDir: path.join(folder, 'postgres'), log: QUIET });
  const address = { url: server.url, ...(server.socketDir === undefined ? {} : { socketDir: server.socketDir }) };
  await migrateDatabase(address, { env: 'production', lanes: 64 });
  return {
    address,
    stop: async () => {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Rows of `table`, for the check after a run. */
export async function countRows(address: DatabaseAddress, table: 'filing' | 'declaration'): Promise<number> {
  const db = openDatabase(address, { connections: 1 });
  try {
    const [row] = await db.sql<{ count: number }[]>`SELECT count(*)::int AS count FROM ${db.sql(table)}`;
    return row?.count ?? 0;
  } finally {
    await db.close();
  }
}
