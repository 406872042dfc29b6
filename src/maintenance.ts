import { randomBytes, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type AuditOptions, type AuditSummary, audit } from './audit/audit.ts';
import type { Finding } from './audit/findings.ts';
import { operatorIn } from './identity/own-parties.ts';
import { openSigner, type RecordAct } from './identity/signer.ts';
import { HeadsFile, headsFileIn } from './log/heads-file.ts';
import { findLosses, recoverLogs } from './log/recover.ts';
import { type Config, readConfig } from './ops/config.ts';
import { systemClock } from './std/clock.ts';
import { StartError } from './std/start-error.ts';
import type { Logger } from './std/telemetry.ts';
import { connect, type Database, type DatabaseAddress, openDatabase } from './storage/db.ts';
import { openGatewayDatabase, type ReachedDatabase, reachGatewayDatabase } from './storage/open.ts';
import { countOtherSessions } from './storage/recovery.ts';
import { recordAct } from './trail/record.ts';

/** The database of a gateway, for a command that works on it beside or without the gateway. */
interface MaintainedDatabase extends ReachedDatabase {
  readonly config: Config;
}

/**
 * Reaches the database that the gateway of the same environment variables works on: DATABASE_URL's, or the embedded one
 * of DATA_DIR, which is started unless it runs. A folder that holds no gateway's data is not made into one.
 */
async function openMaintained(log: Logger): Promise<MaintainedDatabase> {
  const config = readConfig();
  if (config.databaseUrl === undefined && !existsSync(config.dataDir)) throw noData(config.dataDir);
  return { config, ...(await reachGatewayDatabase({ ...config, databaseUrl: config.databaseUrl }, log)) };
}

export type DatabaseAuditOptions = Omit<AuditOptions, 'address' | 'clock'>;
export type DatabaseAuditSummary = AuditSummary;
export type DatabaseFinding = Finding;

/**
 * Audits the database of the gateway of the same environment variables. Reads only. When the embedded server had to be
 * started for it, it is stopped afterwards; one that a gateway has begun to use meanwhile stays until that has let go of it.
 */
export async function auditDatabase(log: Logger, options: DatabaseAuditOptions): Promise<AuditSummary> {
  const { address, isOwned, stop } = await openMaintained(log);
  try {
    return await audit({ ...options, address, clock: systemClock });
  } finally {
    if (isOwned) await untilUnused(address, log, options.signal);
    await stop();
  }
}

/** A gateway that was started meanwhile has attached itself to the server of this process. */
async function untilUnused(address: DatabaseAddress, log: Logger, signal: AbortSignal | undefined): Promise<void> {
  const sql = connect(address, { max: 1, statementTimeoutMs: 10_000 });
  try {
    let isTold = false;
    while (signal?.aborted !== true && (await countOtherSessions(sql)) > 0) {
      if (!isTold) log.warn({}, 'a gateway uses the database that this command has started: waiting for it to stop');
      isTold = true;
      await sleep(USED_MS);
    }
  } finally {
    await sql.end({ timeout: 5 });
  }
}

const USED_MS = 200;

/** A log of which the database lacks what was signed. */
export interface LostEntries {
  /** The office's code; empty for the national log. */
  readonly office: string;
  /** `other`: the database holds other entries in their place. */
  readonly kind: 'shorter' | 'other';
  /** Entries that were signed, and how many of those are certainly there. */
  readonly lost: number;
  readonly kept: number;
  /** When the newest of them was signed; milliseconds since the epoch. */
  readonly signedAt: number;
}

/** What `recover` shows, and how to go on in spite of it. */
export interface Recovering {
  /** Empty when nothing is missing. */
  readonly losses: readonly LostEntries[];
  /** Records the loss for everybody to see, and makes the gateway start again. `reason` is the operator's own words. */
  readonly accept: (reason: string) => Promise<void>;
}

/**
 * Compares what was signed with the database, which no gateway may be running on: it is brought up to date first, as the
 * start of a gateway does.
 */
export async function withRecovery<T>(log: Logger, work: (recovering: Recovering) => Promise<T>): Promise<T> {
  const config = readConfig();
  const file = headsFileIn(config.dataDir);
  if (!existsSync(file)) throw noHeads(file);
  const database = await openGatewayDatabase({ ...config, databaseUrl: config.databaseUrl }, log);
  const db = openDatabase(database.address, { connections: 1, statementTimeoutMs: 0 });
  try {
    await refuseOthers(db);
    const facts = { db, lanes: database.meta.lanes, clock: systemClock };
    const losses = await findLosses(facts, file);
    const accept = async (reason: string): Promise<void> => {
      const { dataDir } = config;
      const operator = { sql: db.sql, clock: systemClock, operator: operatorIn(dataDir), request: randomUUID() };
      const record: RecordAct = (act, recover) => recordAct(operator, act, recover);
      const signer = await openSigner({ ...facts, random: randomBytes, dataDir, record });
      const guard = new HeadsFile(file);
      const ctx = { ...facts, signer, guard, issuer: { iss: config.issuer } };
      const act = { action: 'recover', target: '-', details: { logs: losses.length } };
      await recordAct(operator, act, () => recoverLogs(ctx, file, losses, reason));
    };
    const told = losses.map(({ office, kind, lost, kept }) => {
      return { office, kind, lost: lost.size, kept: kept.size, signedAt: lost.signedAt };
    });
    return await work({ losses: told, accept });
  } finally {
    await db.close();
    await database.stop();
  }
}

/** Connections of the start that are about to close count too, so one look is not enough. */
async function refuseOthers(db: Database): Promise<void> {
  for (let look = 0; (await countOtherSessions(db.sql)) > 0; look++) {
    if (look === LOOKS) {
      throw new StartError({
        zh: '数据库正被网关或其他命令使用。请先停止所有使用它的网关，再运行 shenbao recover。',
        en: 'A gateway or another command is working on this database. Stop every gateway that uses it, then run shenbao recover.',
      });
    }
    await sleep(LOOK_MS);
  }
}

const LOOKS = 20;
const LOOK_MS = 100;

function noHeads(file: string): StartError {
  return new StartError(
    {
      zh: `没有 ${file}，无从比较。请把 DATA_DIR 设为网关的数据文件夹；若该文件已丢失，请从备份中取回。`,
      en: `There is no ${file}, so there is nothing to compare with. Set DATA_DIR to the gateway’s data folder; if the file was lost, take it from a backup.`,
    },
    { exitCode: 2 },
  );
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
