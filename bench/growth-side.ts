import { ShenbaoClient } from '../src/client/client.ts';
import { type Database, openDatabase } from '../src/storage/db.ts';
import { reachGatewayDatabase } from '../src/storage/open.ts';
import { checkReceipts, FilingFiles } from './check.ts';
import type { OnProgress } from './command.ts';
import type { CorpusOptions } from './corpus.ts';
import { peakMemory, readCpu } from './cpu.ts';
import { markCompared } from './fill.ts';
import type { FillPlan } from './fill-share.ts';
import { BENCH_ISSUER, type BenchGateway, startGateway } from './gateway.ts';
import { type TableSize, tableSizes } from './growth-disk.ts';
import { explainProbes, type LookupTime, type StatementPlan, timeLookups } from './growth-plans.ts';
import { importParties } from './import-parties.ts';
import type { LoadOutcome } from './load.ts';
import { LoadProcess } from './load-process.ts';
import { signedCorpus } from './signed.ts';

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

export interface LoadPlan {
  /** Who files while it is measured: enterprises beside those that filled the database. */
  readonly filers: number;
  readonly connections: number;
  /** Returns at hand, at least. */
  readonly filings: number;
}

export interface MeasuredLoad {
  readonly filingsPerSecond: number;
  readonly accepted: number;
  /** CPU microseconds a filing. */
  readonly gatewayUs: number;
  readonly postgresUs: number;
  readonly latencyMs: LoadOutcome['latencyMs'];
}

export interface SideFacts {
  readonly filings: number;
  /** With those that were filed while it was measured before. */
  readonly stored: number;
  readonly startSeconds: readonly number[];
  readonly tables: readonly TableSize[];
  readonly plans: readonly StatementPlan[];
  readonly lookups: readonly LookupTime[];
}

/** One gateway on a filled data folder, with its load generator. */
export class Side {
  readonly filings: number;
  readonly #dataDir: string;
  readonly #gateway: BenchGateway;
  readonly #db: Database;
  readonly #load: LoadProcess;
  readonly #files: readonly string[];
  readonly #before: number;
  readonly #outcomes: LoadOutcome[] = [];
  #next = 0;
  #isEnded = false;

  private constructor(parts: {
    filings: number;
    dataDir: string;
    gateway: BenchGateway;
    db: Database;
    load: LoadProcess;
    files: readonly string[];
    before: number;
  }) {
    this.filings = parts.filings;
    this.#dataDir = parts.dataDir;
    this.#gateway = parts.gateway;
    this.#db = parts.db;
    this.#load = parts.load;
    this.#files = parts.files;
    this.#before = parts.before;
  }

  /** Starts the gateway, imports those who file, and lets each file once: keys are cached and code is compiled then. */
  static async open(dataDir: string, plan: FillPlan, load: LoadPlan, onProgress: OnProgress): Promise<Side> {
    const gateway = await startGateway({ workers: 1, dataDir });
    const reached = await reachGatewayDatabase({ dataDir, workers: 1, databaseUrl: undefined }, silent);
    const db = openDatabase(reached.address, { connections: 2, statementTimeoutMs: 0 });
    try {
      const before = await countFilings(db);
      // A folder that was measured before has the filings of that time: others come now.
      const seed = `growth ${before - plan.filings}`;
      const corpus: CorpusOptions = { ...plan.corpus, seed, filers: load.filers };
      const months = 1 + Math.ceil(load.filings / load.filers);
      const files = await signedCorpus({ ...corpus, issuer: BENCH_ISSUER, months }, (share) =>
        onProgress('signing filings', share),
      );
      await importParties(gateway, corpus, onProgress);
      const setup = { url: gateway.url, connections: load.connections, files };
      const generator = await LoadProcess.start(setup);
      const side = new Side({ filings: plan.filings, dataDir, gateway, db, load: generator, files, before });
      await side.#warmUp(load.filers, onProgress);
      return side;
    } catch (error) {
      await db.close();
      await gateway.stop();
      throw error;
    }
  }

  get sql(): Database['sql'] {
    return this.#db.sql;
  }

  async #warmUp(filers: number, onProgress: OnProgress): Promise<void> {
    const outcome = await this.#load.run({ from: 0, to: filers }, (answered) =>
      onProgress(`warming up at ${this.filings}`, answered / filers),
    );
    this.#outcomes.push(outcome);
    this.#next = filers;
  }

  /** Files for a while: as fast as it is answered, or at a rate. */
  async measure(seconds: number, rate: number | undefined, onProgress: OnProgress): Promise<MeasuredLoad> {
    const pid = this.#gateway.pid as number;
    const before = readCpu(pid);
    const run = { from: this.#next, to: this.#load.filings, seconds, rate };
    const outcome = await this.#load.run(run, (answered, elapsed) =>
      onProgress(
        `${(answered / elapsed).toFixed(0)} filings/s at ${this.filings} stored`,
        Math.min(1, elapsed / seconds),
      ),
    );
    const after = readCpu(pid);
    this.#outcomes.push(outcome);
    this.#next += outcome.sent;
    if (outcome.exhausted) throw new Error('filings ran out before the time was over');
    const accepted = outcome.statuses[201] ?? 0;
    const us = (part: 'gateway' | 'postgres'): number =>
      (((after?.[part] ?? Number.NaN) - (before?.[part] ?? Number.NaN)) * 1e6) / accepted;
    return {
      filingsPerSecond: accepted / outcome.seconds,
      accepted,
      gatewayUs: us('gateway'),
      postgresUs: us('postgres'),
      latencyMs: outcome.latencyMs,
    };
  }

  /** So that one side is not measured with more left to do beside than the other. */
  async clearBacklog(): Promise<void> {
    await markCompared(this.#db.sql);
  }

  memory(): number | undefined {
    return peakMemory(this.#gateway.pid as number);
  }

  /** Plans, lookups and sizes, as the database is now. */
  async facts(lookups: number, onProgress: OnProgress): Promise<Omit<SideFacts, 'startSeconds'>> {
    const { address } = await reachGatewayDatabase(
      { dataDir: this.#dataDir, workers: 1, databaseUrl: undefined },
      silent,
    );
    onProgress(`plans and lookups at ${this.filings}`);
    return {
      filings: this.filings,
      stored: await this.stored(),
      tables: await tableSizes(this.#db.sql, this.filings),
      plans: await explainProbes(address),
      lookups: await timeLookups(address, lookups),
    };
  }

  /** What was answered 201 is stored, and sampled receipts verify. That all of it is in order is for the audit to say. */
  async check(): Promise<string[]> {
    const faults: string[] = [];
    const created = this.#outcomes.reduce((sum, { statuses }) => sum + (statuses[201] ?? 0), 0);
    const sent = this.#outcomes.reduce((sum, outcome) => sum + outcome.sent, 0);
    if (created !== sent) faults.push(`${sent} filings were sent, and ${created} answered 201`);
    const stored = (await countFilings(this.#db)) - this.#before;
    if (stored !== created) faults.push(`${created} times 201, but ${stored} rows stored`);
    const files = new FilingFiles(this.#files);
    const samples = this.#outcomes.flatMap((outcome) => outcome.samples);
    const payload = (number: number): Uint8Array => files.payload(number);
    const receipts = await checkReceipts(
      { gateway: this.#gateway.url, issuer: BENCH_ISSUER, samples, payload },
      faults,
    );
    if (receipts === 0) faults.push('no receipt was sampled');
    const issuer = await new ShenbaoClient({ gateway: this.#gateway.url }).issuer();
    if (issuer !== BENCH_ISSUER) faults.push(`the gateway calls itself ${issuer}`);
    return faults;
  }

  /** Filings that the database has now. */
  async stored(): Promise<number> {
    return await countFilings(this.#db);
  }

  async stop(): Promise<void> {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#load.end();
    await this.#db.close();
    await this.#gateway.stop();
  }
}

/** From the start of the process to ready, so many times. */
export async function timeStarts(dataDir: string, times: number): Promise<number[]> {
  const seconds: number[] = [];
  for (let i = 0; i < times; i++) {
    const gateway = await startGateway({ workers: 1, dataDir });
    seconds.push(gateway.startSeconds as number);
    await gateway.stop();
  }
  return seconds;
}

async function countFilings({ sql }: Database): Promise<number> {
  const [head] = await sql<{ size: number }[]>`SELECT coalesce(sum(size), 0)::bigint AS size FROM office_head`;
  return head?.size ?? 0;
}
