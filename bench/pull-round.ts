import { type ChildProcess, fork, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { importSigningKey, type Jwk } from '../src/client/client.ts';
import { DEFAULT_RETRY } from '../src/client/retry.ts';
import { tokenSource } from '../src/client/token.ts';
import { createTransport } from '../src/client/transport.ts';
import { systemClock } from '../src/std/clock.ts';
import type { Sql } from '../src/storage/db.ts';
import { verifyCost } from './calibrate.ts';
import type { OnProgress } from './command.ts';
import { readCpu } from './cpu.ts';
import type { ReadOutcome, ReadRun } from './pull-reader.ts';

const COMMAND = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const READER = fileURLToPath(new URL('./pull-reader.ts', import.meta.url));

/** One way of reading the backlog, once. */
export interface PullSlice {
  readonly seconds: number;
  readonly entriesPerSecond: number;
  /** CPU microseconds an entry; undefined where it cannot be told. */
  readonly cpuUs: { readonly gateway: number; readonly postgres: number; readonly client: number } | undefined;
  /** On the wire, an entry. */
  readonly bytes?: number;
  readonly perSecond?: readonly number[];
}

export interface PullRound {
  readonly verifyUs: number;
  readonly served: PullSlice;
  readonly compressed: PullSlice;
  readonly pulled: PullSlice;
  /** `COPY` of the contents alone, in the same order; absent for a gateway that was running before. */
  readonly copied?: PullSlice;
}

/** An office's log at a gateway, and who reads it. */
export interface BacklogPlace {
  readonly url: string;
  readonly issuer: string;
  readonly office: string;
  readonly key: Jwk;
  readonly entries: number;
  /** Of the gateway, when it is the bench's own. */
  readonly pid?: number | undefined;
  readonly database?: { readonly sql: Sql; readonly lane: number } | undefined;
}

export class Backlog {
  readonly #place: BacklogPlace;
  readonly #reader: ChildProcess;
  readonly #token: () => Promise<string>;
  readonly faults: string[] = [];

  private constructor(place: BacklogPlace, reader: ChildProcess, token: () => Promise<string>) {
    this.#place = place;
    this.#reader = reader;
    this.#token = token;
  }

  static async open(place: BacklogPlace): Promise<Backlog> {
    const reader = fork(READER, { execArgv: ['--import', 'tsx'] });
    await heard(reader);
    const retry = { policy: DEFAULT_RETRY, clock: systemClock, random: Math.random, sleep: async () => {} };
    const transport = createTransport({ base: place.url, fetch, retry, language: 'en' });
    const tokens = tokenSource(transport, await importSigningKey(place.key), async () => place.issuer, systemClock);
    return new Backlog(place, reader, () => tokens.get());
  }

  close(): void {
    this.#reader.disconnect();
  }

  /** Code is compiled and the database's pages are in memory when the first round begins. */
  async warmUp(onProgress: OnProgress): Promise<void> {
    onProgress('warming up');
    await this.#read(false);
    await this.#read(true);
  }

  /** All ways in turn: what else the machine does falls on all of them. */
  async round(name: string, onProgress: OnProgress): Promise<PullRound> {
    const verifyUs = verifyCost();
    onProgress(`${name}: entries served`);
    const served = await this.#serve(false);
    onProgress(`${name}: entries served compressed`);
    const compressed = await this.#serve(true);
    onProgress(`${name}: pulled and verified`);
    const pulled = await this.#pull(name.replaceAll(' ', '-'));
    if (this.#place.database === undefined) return { verifyUs, served, compressed, pulled };
    onProgress(`${name}: COPY of the contents`);
    return { verifyUs, served, compressed, pulled, copied: await this.#copy() };
  }

  async #serve(gzip: boolean): Promise<PullSlice> {
    const { entries, pid } = this.#place;
    const before = pid === undefined ? undefined : readCpu(pid);
    const outcome = await this.#read(gzip);
    const after = pid === undefined ? undefined : readCpu(pid);
    if (outcome.entries !== entries || (!gzip && outcome.lines !== entries))
      this.faults.push(`${outcome.entries} entries and ${outcome.lines} lines were read, not ${entries}`);
    const us = (seconds: number): number => (seconds * 1e6) / entries;
    const cpuUs =
      before && after
        ? {
            gateway: us(after.gateway - before.gateway),
            postgres: us(after.postgres - before.postgres),
            client: us(outcome.cpuSeconds),
          }
        : undefined;
    const { seconds, bytes, perSecond } = outcome;
    return { ...this.#slice(seconds, cpuUs), bytes: bytes / entries, ...(gzip ? {} : { perSecond }) };
  }

  async #read(gzip: boolean): Promise<ReadOutcome> {
    const { url, office, entries } = this.#place;
    const run: ReadRun = { url, office, token: await this.#token(), to: entries, gzip };
    const outcome = heard<ReadOutcome>(this.#reader);
    this.#reader.send(run);
    return await outcome;
  }

  /** From the start of the process to its end, every leaf and root checked and everything on the disk. */
  async #pull(consumer: string): Promise<PullSlice> {
    const { url, office, key, entries, pid } = this.#place;
    const folder = await mkdtemp(path.join(os.tmpdir(), 'shenbao-bench-pull-'));
    try {
      const keyFile = path.join(folder, 'office.jwk');
      await writeFile(keyFile, JSON.stringify(key), { mode: 0o600 });
      const names = ['--consumer', `bench-${Date.now().toString(36)}-${consumer}`, '--out', path.join(folder, 'out')];
      const args = [COMMAND, 'pull', office, '--json', '--gateway', url, '--key', keyFile, ...names];
      const [gatewayBefore, allBefore] = [pid === undefined ? undefined : readCpu(pid), readCpu(process.pid)];
      const ownBefore = process.cpuUsage();
      const started = performance.now();
      const { code, told } = await output(spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] }));
      const seconds = (performance.now() - started) / 1000;
      const [gateway, all] = [pid === undefined ? undefined : readCpu(pid), readCpu(process.pid)];
      const { user, system } = process.cpuUsage(ownBefore);
      const last = JSON.parse(told.trim().split('\n').at(-1) || '{}') as { pulled?: number; size?: number };
      if (code !== 0 || last.pulled !== entries || last.size !== entries)
        this.faults.push(
          `the command ended with ${code}; ${last.pulled} entries pulled and ${last.size} verified, not ${entries}`,
        );
      const us = (cpu: number): number => (cpu * 1e6) / entries;
      if (gatewayBefore === undefined || gateway === undefined || allBefore === undefined || all === undefined)
        return this.#slice(seconds, undefined);
      const served = gateway.gateway - gatewayBefore.gateway;
      const client = all.gateway - allBefore.gateway - served - (user + system) / 1e6;
      const postgres = gateway.postgres - gatewayBefore.postgres;
      return this.#slice(seconds, { gateway: us(served), postgres: us(postgres), client: us(client) });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  /** The same column in the same order, to a program that takes it all and does nothing. */
  async #copy(): Promise<PullSlice> {
    const { office, entries, pid, database } = this.#place;
    if (database === undefined || pid === undefined) throw new Error('a copy needs the database');
    const before = readCpu(pid);
    const started = performance.now();
    const { count } = await database.sql.unsafe(
      `COPY (SELECT content FROM filing WHERE lane = ${database.lane} AND office = '${office}' AND idx < ${entries} ORDER BY idx)
      TO PROGRAM 'cat > /dev/null'`,
    );
    const seconds = (performance.now() - started) / 1000;
    const after = readCpu(pid);
    if (count !== entries) this.faults.push(`${count} contents were copied, not ${entries}`);
    const postgres = (((after?.postgres ?? Number.NaN) - (before?.postgres ?? Number.NaN)) * 1e6) / entries;
    return this.#slice(seconds, { gateway: 0, postgres, client: 0 });
  }

  #slice(seconds: number, cpuUs: PullSlice['cpuUs']): PullSlice {
    return { seconds, entriesPerSecond: this.#place.entries / seconds, cpuUs };
  }
}

/** The next message of a child process. */
function heard<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null): void => reject(new Error(`the reader ended with ${code}`));
    child.once('exit', ended);
    child.once('message', (message) => {
      child.off('exit', ended);
      resolve(message as T);
    });
  });
}

async function output(child: ChildProcess): Promise<{ readonly code: number | null; readonly told: string }> {
  let told = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    told += text;
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  return { code, told };
}
