import { existsSync } from 'node:fs';
import { type Config, readConfig } from './ops/config.ts';
import { StartError } from './std/start-error.ts';
import type { Logger } from './std/telemetry.ts';
import { type ReachedDatabase, reachGatewayDatabase } from './storage/open.ts';

/** The database of a gateway, for a command that works on it beside or without the gateway. */
export interface MaintainedDatabase extends ReachedDatabase {
  readonly config: Config;
}

/**
 * Reaches the database that the gateway of the same environment variables works on: DATABASE_URL's, or the embedded one
 * of DATA_DIR, which is started unless it runs. A folder that holds no gateway's data is not made into one.
 */
export async function openMaintained(log: Logger): Promise<MaintainedDatabase> {
  const config = readConfig();
  if (config.databaseUrl === undefined && !existsSync(config.dataDir)) throw noData(config.dataDir);
  const { address, stop } = await reachGatewayDatabase({ ...config, databaseUrl: config.databaseUrl }, log);
  return { config, address, stop };
}

function noData(dataDir: string): StartError {
  return new StartError(
    {
      zh: `没有文件夹 ${dataDir}。请把 DATA_DIR 设为网关的数据文件夹，或设置 DATABASE_URL。`,
      en: `There is no folder ${dataDir}. Set DATA_DIR to the gateway’s data folder, or set DATABASE_URL.`,
    },
    { exitCode: 2 },
  );
}
