import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Sql } from 'postgres';
import { connect } from '../../src/storage/db.ts';
import { startEmbedded } from '../../src/storage/embedded.ts';
import { readParty, type SigningParty } from './filer.ts';
import { silentLogger } from './logger.ts';
import { keepOutput, keepText } from './output.ts';
import { type Answer, type AskOptions, ask, Connections } from './wire.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const START_PATIENCE_MS = 60_000;

export interface GatewayOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Absent: the gateway's own embedded PostgreSQL, in its data folder. It must be durable, or the gateway refuses it. */
  readonly databaseUrl?: string;
  /** The package whose program runs; by default this one. */
  readonly root?: string;
}

const PARTY_FILES = {
  operator: 'operator.jwk',
  filer: 'demo/filer.jwk',
  agent: 'demo/agent.jwk',
  tax: 'demo/office-tax.jwk',
  si: 'demo/office-si.jwk',
  amr: 'demo/office-amr.jwk',
  psb: 'demo/office-psb.jwk',
} as const;
export type PartyName = keyof typeof PARTY_FILES;

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A gateway as its users run it: `node dist/main.js` in a process of its own, with a data folder of its own. */
export class Gateway {
  readonly url: string;
  readonly port: number;
  readonly dataDir: string;
  readonly connections = new Connections();
  readonly #options: GatewayOptions;
  readonly #root: string;
  readonly #tokens = new Map<string, string>();
  #process: ChildProcess | undefined;
  #sql: Promise<Sql> | undefined;
  /** All that every run of it has written. */
  output = '';

  constructor(options: GatewayOptions, port: number) {
    this.#root = options.root ?? root;
    if (!existsSync(this.#program)) throw new Error('dist/main.js is not there: npm run build');
    this.#options = options;
    this.port = port;
    this.url = `http://127.0.0.1:${port}`;
    this.dataDir = mkdtempSync(path.join(os.tmpdir(), 'shenbao-e2e-'));
    // The account that PostgreSQL runs as must be able to go through it.
    chmodSync(this.dataDir, 0o755);
  }

  get #program(): string {
    return path.join(this.#root, 'dist', 'main.js');
  }

  /** Also `aud` of filings. */
  get issuer(): string {
    return this.url;
  }

  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  /** Starts the process and waits until it can commit. */
  async start(): Promise<this> {
    const { env = {}, databaseUrl } = this.#options;
    const child = spawn(process.execPath, [this.#program], {
      cwd: this.#root,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env.PATH,
        HOME: process.env.HOME,
        PORT: String(this.port),
        DATA_DIR: this.dataDir,
        LOG_LEVEL: 'info',
        ...(databaseUrl === undefined ? {} : { DATABASE_URL: databaseUrl }),
        ...env,
      },
    });
    this.#process = child;
    keepOutput('gateway', child.stdout, child.stderr);
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
      });
    await this.ready();
    return this;
  }

  async ready(): Promise<void> {
    const deadline = performance.now() + START_PATIENCE_MS;
    while (performance.now() < deadline) {
      if (this.hasEnded()) throw new Error(`the gateway ended: ${this.output.slice(-4_000)}`);
      const answer = await fetch(`${this.url}/readyz`).catch(() => undefined);
      await answer?.body?.cancel();
      if (answer?.status === 200) return;
      await sleep(20);
    }
    throw new Error(`the gateway is not ready: ${this.output.slice(-4_000)}`);
  }

  hasEnded(): boolean {
    const child = this.#process;
    return child === undefined || child.exitCode !== null || child.signalCode !== null;
  }

  /** Sends a signal and waits for the end; the exit code, null when the signal ended it. */
  async end(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#process;
    if (child === undefined) return null;
    // The embedded database may come back on another port.
    const sql = this.#sql;
    this.#sql = undefined;
    await (await sql?.catch(() => undefined))?.end({ timeout: 1 });
    if (!this.hasEnded()) {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill(signal);
      await ended;
    }
    this.connections.close();
    return child.exitCode;
  }

  /** SIGTERM; the exit code. */
  stop(): Promise<number | null> {
    return this.end('SIGTERM');
  }

  /** SIGKILL. */
  async kill(): Promise<void> {
    await this.end('SIGKILL');
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  party(name: PartyName): SigningParty {
    return readParty(path.join(this.dataDir, PARTY_FILES[name]));
  }

  /** One request; `as` adds an access token of that party. */
  async ask(
    method: string,
    target: string,
    options: AskOptions & { as?: PartyName | SigningParty } = {},
  ): Promise<Answer> {
    const { as, ...rest } = options;
    if (as === undefined) return ask(this.connections, method, this.url + target, rest);
    const token = await this.token(typeof as === 'string' ? this.party(as) : as);
    const headers = { Authorization: `Bearer ${token}`, ...rest.headers };
    return ask(this.connections, method, this.url + target, { ...rest, headers });
  }

  /** An access token, as OAuth client credentials with private_key_jwt give it; kept for the life of this object. */
  async token(party: SigningParty): Promise<string> {
    const known = this.#tokens.get(party.kid);
    if (known !== undefined) return known;
    const answer = await ask(this.connections, 'POST', `${this.url}/oauth2/token`, {
      headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({
        grant_type: 'client_credentials',
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: party.assertion(this.issuer),
      }).toString(),
    });
    if (answer.status !== 200) throw new Error(`no token: ${answer.text}`);
    const { access_token: token } = answer.json() as { access_token: string };
    this.#tokens.set(party.kid, token);
    return token;
  }

  /** A connection to its database, past the gateway. */
  async sql(): Promise<Sql> {
    this.#sql ??= (async () => {
      const { databaseUrl } = this.#options;
      if (databaseUrl !== undefined) return connect({ url: databaseUrl }, { max: 1, statementTimeoutMs: 30_000 });
      // Attaches to the server that the gateway owns.
      const server = await startEmbedded({ dataDir: path.join(this.dataDir, 'postgres'), log: silentLogger });
      if (!server.attached) throw new Error('the gateway owns no database');
      return connect({ url: server.url }, { max: 1, statementTimeoutMs: 30_000 });
    })();
    return this.#sql;
  }

  /** The process that the embedded database runs as. */
  postmasterPid(): number {
    const file = path.join(this.dataDir, 'postgres', 'postmaster.pid');
    return existsSync(file) ? Number(readFileSync(file, 'utf8').split('\n')[0]) : 0;
  }

  /** What it has counted, for the search of all output; one that does not answer has been asked by its own test. */
  async #keepMetrics(): Promise<void> {
    if (this.hasEnded()) return;
    const answer = await fetch(`${this.url}/metrics`, { signal: AbortSignal.timeout(2_000) }).catch(() => undefined);
    keepText('metrics', (await answer?.text().catch(() => '')) ?? '');
  }

  /** Ends it and removes all that it kept. */
  async remove(): Promise<void> {
    await this.#keepMetrics();
    await this.stop();
    rmSync(this.dataDir, { recursive: true, force: true });
  }
}

/** A gateway that is ready; `remove` it when done. */
export async function startGateway(options: GatewayOptions = {}): Promise<Gateway> {
  const gateway = new Gateway(options, await freePort());
  try {
    return await gateway.start();
  } catch (error) {
    await gateway.remove();
    throw error;
  }
}
