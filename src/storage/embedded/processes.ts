import { readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import path from 'node:path';

/** What PostgreSQL writes into `postmaster.pid`. */
export interface Postmaster {
  readonly pid: number;
  readonly port: number;
  readonly socketDir: string | undefined;
  readonly ready: boolean;
}

export function readPostmaster(dataDir: string): Postmaster | undefined {
  const text = readText(path.join(dataDir, 'postmaster.pid'));
  if (text === undefined) return undefined;
  const lines = text.split('\n').map((line) => line.trim());
  return {
    pid: Number(lines[0]),
    port: Number(lines[3]),
    socketDir: lines[4] || undefined,
    ready: lines[7] === 'ready',
  };
}

/** True when `pid` is a live process whose command line names `dataDir`: pids are used again, in containers at once. */
export function isPostmaster(pid: number, dataDir: string): boolean {
  if (!isRunning(pid)) return false;
  const commandLine = readText(`/proc/${pid}/cmdline`);
  return commandLine === undefined ? process.platform !== 'linux' : commandLine.split('\0').includes(dataDir);
}

/**
 * A process and not only its number: `<pid>:<start time>` where /proc tells the start time, so that a later process
 * with the same number is not taken for it.
 */
export function processIdentity(pid: number): string {
  const started = startTime(pid);
  return started === undefined ? String(pid) : `${pid}:${started}`;
}

export function isAlive(identity: string): boolean {
  const pid = Number(identity.split(':')[0]);
  return isRunning(pid) && processIdentity(pid) === identity;
}

/** Running, and not a zombie that nobody has collected (PID 1 of a container may never do so). */
function isRunning(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  const state = statFields(pid)?.[0];
  return state === undefined ? process.platform !== 'linux' : state !== 'Z' && state !== 'X';
}

/** Fields of /proc/PID/stat from the third on: the second is a name in brackets that may hold anything. */
function statFields(pid: number): string[] | undefined {
  const text = readText(`/proc/${pid}/stat`);
  return text?.slice(text.lastIndexOf(')') + 2).split(' ');
}

function startTime(pid: number): string | undefined {
  return statFields(pid)?.[19];
}

/**
 * Server processes whose working folder is the cluster: what a killed postmaster leaves for a moment. They hold shared
 * memory, so no other server may touch the cluster before they are gone. Empty where there is no /proc.
 */
export function backendsIn(dataDir: string): number[] {
  if (process.platform !== 'linux') return [];
  const folder = realpathSync(dataDir);
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0 && workingFolder(pid) === folder && isRunning(pid));
}

function workingFolder(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return undefined;
  }
}

/** `preferred` when nothing listens there, any free port otherwise. */
export async function freePort(preferred: number | undefined): Promise<number> {
  if (preferred !== undefined && preferred > 0 && (await probe(preferred)) !== undefined) return preferred;
  const port = await probe(0);
  if (port === undefined) throw new Error('no free port on 127.0.0.1');
  return port;
}

function probe(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server: Server = createServer();
    server.on('error', () => resolve(undefined));
    server.listen(port, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : undefined));
    });
  });
}

export function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
