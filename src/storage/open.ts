import path from 'node:path';
import type { Logger } from '../std/telemetry.ts';
import type { DatabaseAddress } from './db.ts';
import { startEmbedded } from './embedded.ts';
import { type DatabaseFacts, migrateDatabase } from './migrate.ts';
import { reachDatabase } from './reach.ts';
import { checkDatabase, type Undurable } from './self-check.ts';

/** Connections of one gateway process, and what is left for everything else on the embedded server. */
const CONNECTIONS_A_PROCESS = 16;
const OTHER_CONNECTIONS = 40;

export interface GatewayDatabaseOptions {
  /** A PostgreSQL of the operator's own; absent: the embedded one. */
  readonly databaseUrl?: string | undefined;
  readonly dataDir: string;
  readonly env: string;
  readonly lanes: number;
  readonly workers: number;
  /** `accepted` in tests only. */
  readonly undurable?: Undurable;
}

/** A database that is reachable, durable and of this version. */
export interface GatewayDatabase {
  readonly address: DatabaseAddress;
  readonly meta: DatabaseFacts;
  /** Stops the embedded server if this process owns it; after everything that uses it. */
  stop(): Promise<void>;
}

/**
 * The one way from configuration to a usable database: start or reach it, check that it keeps what it is given, bring
 * its tables up to date. Throws a StartError that says what the operator can do.
 */
export async function openGatewayDatabase(options: GatewayDatabaseOptions, log: Logger): Promise<GatewayDatabase> {
  const { address, stop } = await reachGatewayDatabase(options, log);
  try {
    await checkDatabase(address, options.undurable);
    const meta = await migrateDatabase(address, options);
    if (meta.lanes !== options.lanes)
      log.warn({ lanes: meta.lanes }, 'the database keeps the number of lanes that it was made with');
    return { address, meta, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** A database as it is: nothing in it is brought up to date, and nothing of it is asked for. */
export interface ReachedDatabase {
  readonly address: DatabaseAddress;
  /** This process has started the server: it ends with it, whoever else has come to use it. */
  readonly isOwned: boolean;
  /** Stops the embedded server if this process owns it. */
  stop(): Promise<void>;
}

/** The database that the gateway works on, for commands beside it. A running gateway's embedded server is shared. */
export async function reachGatewayDatabase(
  options: Pick<GatewayDatabaseOptions, 'databaseUrl' | 'dataDir' | 'workers'>,
  log: Logger,
): Promise<ReachedDatabase> {
  return options.databaseUrl === undefined ? await startOwn(options, log) : await reachOther(options.databaseUrl);
}

async function startOwn(
  options: Pick<GatewayDatabaseOptions, 'dataDir' | 'workers'>,
  log: Logger,
): Promise<ReachedDatabase> {
  const settings = { max_connections: String(OTHER_CONNECTIONS + CONNECTIONS_A_PROCESS * options.workers) };
  const server = await startEmbedded({ dataDir: path.join(options.dataDir, 'postgres'), settings, log });
  log.info({ port: server.port, dataDir: server.dataDir, attached: server.attached }, 'embedded PostgreSQL is ready');
  const address = { url: server.url, ...(server.socketDir === undefined ? {} : { socketDir: server.socketDir }) };
  return { address, isOwned: !server.attached, stop: () => server.stop() };
}

async function reachOther(url: string): Promise<ReachedDatabase> {
  const address = { url };
  await reachDatabase(address);
  return { address, isOwned: false, stop: async () => {} };
}
