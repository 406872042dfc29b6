import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, openSync, readFileSync } from 'node:fs';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Jwk } from '../src/client/keys.ts';

const PROGRAM = fileURLToPath(new URL('../dist/main.js', import.meta.url));
const SIGNALS = ['SIGINT', 'SIGTERM'] as const;
const START_PATIENCE_MS = 60_000;
const READY_EVERY_MS = 20;

/** The issuer of every gateway that a bench starts, so that signed filings can be kept from run to run whatever the port. */
export const BENCH_ISSUER = 'http://bench.shenbao.test';

export interface BenchGateway {
  readonly url: string;
  readonly operatorKey: Jwk;
  /** Undefined for a gateway that was running before. */
  readonly pid?: number;
  /** From the start of the process until it was ready. */
  readonly startSeconds?: number;
  stop(): Promise<void>;
}

export interface OwnGatewayOptions {
  readonly workers: number;
  /** Folder for a V8 CPU profile of the gateway; none when absent. */
  readonly profileDir?: string | undefined;
  /** Environment variables beside the bench's own, such as rate limits that do limit. */
  readonly env?: Readonly<Record<string, string>>;
  /** Data folder to use and to leave there; a new one that is removed when absent. */
  readonly dataDir?: string;
}

/**
 * A gateway of the bench's own: the built program in production mode, an embedded PostgreSQL with fsync in a new folder, and
 * rate limits that do not limit. Everything is gone after `stop`.
 */
export async function startGateway({ workers, profileDir, env, dataDir }: OwnGatewayOptions): Promise<BenchGateway> {
  if (!existsSync(PROGRAM)) throw new Error('the gateway is not built: npm run build');
  const folder = dataDir ?? (await mkdtemp(path.join(os.tmpdir(), 'shenbao-bench-')));
  // Run by root, PostgreSQL runs as another account: where that cannot go, the database would be kept elsewhere, and stay.
  await chmod(folder, 0o711);
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const profile = profileDir === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileDir}`];
  const logFile = path.join(folder, 'gateway.log');
  const log = openSync(logFile, 'a');
  const started = performance.now();
  const child = spawn(process.execPath, [...flagsOfStart(), ...profile, PROGRAM], {
    env: { ...environment({ port, folder, workers }), ...env },
    stdio: ['ignore', log, log],
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const stop = async (): Promise<void> => {
    for (const signal of SIGNALS) process.off(signal, interrupted);
    child.kill('SIGTERM');
    await ended;
    if (dataDir === undefined) await rm(folder, { recursive: true, force: true });
  };
  // A run that is broken off leaves nothing behind either.
  const interrupted = (): void => void stop().finally(() => process.exit(130));
  for (const signal of SIGNALS) process.on(signal, interrupted);
  try {
    await untilReady(url, child);
    const startSeconds = (performance.now() - started) / 1000;
    const operatorKey = JSON.parse(await readFile(path.join(folder, 'operator.jwk'), 'utf8')) as Jwk;
    return { url, operatorKey, pid: child.pid as number, startSeconds, stop };
  } catch (error) {
    const text = await readFile(logFile, 'utf8');
    await stop();
    throw new Error(`the gateway did not start: ${text.trim().split('\n').slice(-8).join('\n')}`, { cause: error });
  }
}

interface Place {
  readonly port: number;
  readonly folder: string;
  readonly workers: number;
}

function environment({ port, folder, workers }: Place): NodeJS.ProcessEnv {
  const unlimited = ['RATE_FILER', 'RATE_AGENT', 'RATE_OFFICE', 'RATE_OPERATOR'].map((name) => [name, '1000000']);
  const { DATABASE_URL: _, ...inherited } = process.env;
  return {
    ...inherited,
    ...Object.fromEntries(unlimited),
    PORT: String(port),
    HOST: '127.0.0.1',
    DATA_DIR: folder,
    ISSUER: BENCH_ISSUER,
    WORKERS: String(workers),
    SHENBAO_ENV: 'production',
    LOG_LEVEL: 'warn',
  };
}

/** What `npm start` gives to Node: what is measured is what runs. */
function flagsOfStart(): readonly string[] {
  const { scripts } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    scripts: { start: string };
  };
  return scripts.start.split(' ').filter((word) => word.startsWith('--'));
}

async function untilReady(url: string, child: ChildProcess): Promise<void> {
  for (let waited = 0; waited < START_PATIENCE_MS; waited += READY_EVERY_MS) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error('it ended');
    const ready = await fetch(`${url}/readyz`).catch(() => undefined);
    if (ready?.ok === true) return;
    await sleep(READY_EVERY_MS);
  }
  throw new Error(`not ready after ${START_PATIENCE_MS / 1000} s`);
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
