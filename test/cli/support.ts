import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { keepOutput } from '../support/output.ts';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const MAIN = path.join(ROOT, 'dist', 'cli', 'main.js');

/** Only what the command line needs: nothing of the machine's may decide a test. */
const ENVIRONMENT = { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? os.tmpdir(), LANG: 'C' };

/** Commands that are there to show their user the user's own data, on the user's own screen: why each does. */
const SHOWS_ITS_USER: ReadonlyMap<string, string> = new Map([
  ['status', 'finds filings by their references, which tell them apart'],
  ['verify', 'shows the content that was verified'],
  ['prefill', 'prints the payload to be filled in'],
]);

export interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Started {
  readonly child: ChildProcess;
  readonly result: Promise<Run>;
}

/** Starts the built command line. */
export function start(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
  cwd = ROOT,
): Started {
  if (!existsSync(MAIN)) throw new Error('dist/cli/main.js is missing: npm run build');
  const child = spawn(process.execPath, [MAIN, ...args], { cwd, env: { ...ENVIRONMENT, ...environment } });
  if (!SHOWS_ITS_USER.has(args[0] ?? '')) keepOutput('cli', child.stdout, child.stderr);
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const result = new Promise<Run>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
  return { child, result };
}

export function run(...args: readonly string[]): Promise<Run> {
  return start(args).result;
}

/** Lines of JSON that a command printed with `--json`. */
export function jsonLines({ stdout }: Run): Record<string, unknown>[] {
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

export function temporaryFolder(): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'shenbao-cli-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A sandbox gateway as `shenbao serve` runs it, with an embedded PostgreSQL of its own. */
export class Gateway {
  readonly url: string;
  readonly dataDir: string;
  readonly #port: number;
  #started: Started | undefined;

  private constructor(port: number, dataDir: string) {
    this.#port = port;
    this.dataDir = dataDir;
    this.url = `http://127.0.0.1:${port}`;
  }

  static async start(): Promise<Gateway> {
    const gateway = new Gateway(await freePort(), mkdtempSync(path.join(os.tmpdir(), 'shenbao-gateway-')));
    await gateway.resume();
    return gateway;
  }

  /** Also after {@link kill}, on the same data. */
  async resume(): Promise<void> {
    const started = start(['serve'], { PORT: String(this.#port), DATA_DIR: this.dataDir, LOG_LEVEL: 'warn' });
    this.#started = started;
    let ended: Run | undefined;
    void started.result.then((run) => {
      ended = run;
    });
    for (let tries = 0; tries < 600; tries++) {
      if (ended !== undefined) throw new Error(`the gateway ended: ${ended.stdout}${ended.stderr}`);
      const answer = await fetch(`${this.url}/readyz`).catch(() => undefined);
      await answer?.body?.cancel();
      if (answer?.ok === true) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error('the gateway did not get ready within 60 s');
  }

  /** As a crash would end it. */
  async kill(): Promise<void> {
    this.#started?.child.kill('SIGKILL');
    await this.#started?.result;
  }

  async stop(): Promise<void> {
    this.#started?.child.kill('SIGTERM');
    await this.#started?.result;
    rmSync(this.dataDir, { recursive: true, force: true });
  }

  keyFile(name: string): string {
    return path.join(this.dataDir, name === 'operator' ? 'operator.jwk' : path.join('demo', `${name}.jwk`));
  }

  key(name: string): { readonly kty: string; readonly sub: string } {
    return JSON.parse(readFileSync(this.keyFile(name), 'utf8'));
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() =>
        address !== null && typeof address === 'object' ? resolve(address.port) : reject(new Error('no port')),
      );
    });
  });
}

/** The shipped example of a filing type, as an object. */
export function example(
  folder: string,
  name: string,
): Record<string, unknown> & { readonly data: Record<string, unknown> } {
  return JSON.parse(readFileSync(path.join(ROOT, 'schemas', folder, 'examples', name), 'utf8'));
}
