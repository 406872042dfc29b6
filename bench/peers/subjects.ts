import { type CheckResult, checkRun } from '../check.ts';
import type { OnProgress } from '../command.ts';
import type { CorpusOptions } from '../corpus.ts';
import { readCpu } from '../cpu.ts';
import { BENCH_ISSUER, type BenchGateway, startGateway } from '../gateway.ts';
import { importParties } from '../import-parties.ts';
import type { LoadOutcome } from '../load.ts';
import { LoadProcess } from '../load-process.ts';
import { Child } from './child.ts';
import type { InsertMode, InsertOutcome, InsertRun, InsertSetup } from './insert-program.ts';
import type { PeerKind, PeerReport, PeerSetup } from './server-program.ts';

/** What one subject did in one round. */
export interface Slice {
  readonly perSecond: number;
  /** CPU microseconds for each accepted filing or row; undefined where the operating system does not tell. */
  readonly cpuUs?: { readonly program: number; readonly postgres: number };
}

/** Something that is measured in turn with the others. */
export interface Subject {
  readonly name: string;
  /** Works for so long; throws when what it answers is not what it should be. */
  slice(seconds: number, onProgress: OnProgress): Promise<Slice>;
  /** What it has left behind: faults, each of which makes every figure worthless. */
  check(onProgress: OnProgress): Promise<readonly string[]>;
  end(): Promise<void>;
}

export interface SubjectSetup {
  readonly corpus: CorpusOptions;
  readonly files: readonly string[];
  readonly connections: number;
}

/** Drives one server over HTTP, going on in the corpus from slice to slice. */
class Driven {
  readonly outcomes: LoadOutcome[] = [];
  readonly #load: LoadProcess;
  readonly #pid: number;
  readonly #keepsNothing: boolean;
  #next = 0;

  constructor(load: LoadProcess, pid: number, keepsNothing: boolean) {
    this.#load = load;
    this.#pid = pid;
    this.#keepsNothing = keepsNothing;
  }

  /** Once each of the first filings: keys are read and code is compiled. */
  async warmUp(filings: number): Promise<void> {
    this.outcomes.push(await this.#load.run({ from: 0, to: filings }, () => {}));
    this.#next = this.#keepsNothing ? 0 : filings;
  }

  async slice(seconds: number, onProgress: OnProgress): Promise<Slice> {
    const before = readCpu(this.#pid);
    const run = { from: this.#next, to: this.#load.filings, seconds, again: this.#keepsNothing };
    const outcome = await this.#load.run(run, (answered, elapsed) =>
      onProgress(`${(answered / elapsed).toFixed(0)}/s`, Math.min(1, elapsed / seconds)),
    );
    const after = readCpu(this.#pid);
    if (outcome.exhausted) throw new Error('filings ran out before the time was over');
    if (!this.#keepsNothing) this.#next += outcome.sent;
    this.outcomes.push(outcome);
    return sliceOf(outcome.statuses[201] ?? 0, outcome.seconds, before, after);
  }

  /** 201s counted so far. */
  get accepted(): number {
    return this.outcomes.reduce((sum, { statuses }) => sum + (statuses[201] ?? 0), 0);
  }

  /** Whatever was answered otherwise, or not at all. */
  faults(): string[] {
    const sent = this.outcomes.reduce((sum, outcome) => sum + outcome.sent, 0);
    // A 503 is settled by the gateway's check, and missing from the others' rows.
    const doubtful = this.outcomes.reduce((sum, outcome) => sum + outcome.doubtful.length, 0);
    return sent === this.accepted + doubtful ? [] : [`${sent} sent, ${this.accepted} answered 201`];
  }

  end(): void {
    this.#load.end();
  }
}

function sliceOf(
  count: number,
  seconds: number,
  before: ReturnType<typeof readCpu>,
  after: ReturnType<typeof readCpu>,
): Slice {
  const perSecond = count / seconds;
  if (before === undefined || after === undefined || count === 0) return { perSecond };
  const each = (spent: number): number => (spent * 1e6) / count;
  return {
    perSecond,
    cpuUs: { program: each(after.gateway - before.gateway), postgres: each(after.postgres - before.postgres) },
  };
}

export const OUR_NAME = 'Shenbao';

export async function gatewaySubject(setup: SubjectSetup, workers: number, onProgress: OnProgress): Promise<Subject> {
  const gateway: BenchGateway = await startGateway({ workers });
  try {
    const before = await importParties(gateway, setup.corpus, onProgress);
    const { connections, files, corpus } = setup;
    const driven = new Driven(
      await LoadProcess.start({ url: gateway.url, connections, files }),
      gateway.pid as number,
      false,
    );
    await driven.warmUp(corpus.filers);
    return {
      name: OUR_NAME,
      slice: (seconds, tell) => driven.slice(seconds, tell),
      check: async (tell) => {
        const input = { gateway: gateway.url, issuer: BENCH_ISSUER, corpus, files, outcomes: driven.outcomes, before };
        const result: CheckResult = await checkRun(input, (read) => tell(`${read} entries pulled and verified`));
        return [...driven.faults(), ...result.faults];
      },
      end: async () => {
        driven.end();
        await gateway.stop();
      },
    };
  } catch (error) {
    await gateway.stop();
    throw error;
  }
}

export const SERVER_NAMES: Readonly<Record<PeerKind, string>> = {
  constant: 'Hono, answering a constant',
  hono: 'textbook: Hono, jose, Ajv, Drizzle',
  fastify: 'textbook: Fastify, jose, Ajv, Drizzle',
};

export async function serverSubject(setup: SubjectSetup, kind: PeerKind): Promise<Subject> {
  const { corpus, connections, files } = setup;
  const start: PeerSetup = { kind, corpus };
  const { child, first } = await Child.start<{ port: number }>('./server-program.ts', start);
  const url = `http://127.0.0.1:${first.port}`;
  const load = await LoadProcess.start({ url, connections, files: kind === 'constant' ? files.slice(0, 4) : files });
  const driven = new Driven(load, child.pid, kind === 'constant');
  await driven.warmUp(corpus.filers);
  return {
    name: SERVER_NAMES[kind],
    slice: (seconds, tell) => driven.slice(seconds, tell),
    check: async () => {
      if (kind === 'constant') return driven.faults();
      const report = await child.ask<PeerReport>({ count: true });
      const rows = 'rows' in report ? report.rows : 0;
      const lost = rows === driven.accepted ? [] : [`${driven.accepted} times 201, but ${rows} rows stored`];
      return [...driven.faults(), ...lost];
    },
    end: async () => {
      driven.end();
      await child.end();
    },
  };
}

export const INSERT_NAMES: Readonly<Record<InsertMode, string>> = {
  'one-row': 'one-row inserts, postgres.js, 16 connections',
  'multi-row': 'bare multi-row insert, postgres.js, 128 rows',
  pgbench: 'one-row inserts, pgbench, 16 clients',
};

export async function insertSubject(setup: SubjectSetup, mode: InsertMode): Promise<Subject> {
  const start: InsertSetup = { files: setup.files };
  const { child } = await Child.start('./insert-program.ts', start);
  return {
    name: INSERT_NAMES[mode],
    slice: async (seconds) => {
      const before = readCpu(child.pid);
      const run: InsertRun = { mode, seconds };
      const outcome = await child.ask<InsertOutcome>(run);
      if (outcome.exhausted) throw new Error('rows ran out before the time was over');
      return sliceOf(outcome.rows, outcome.seconds, before, readCpu(child.pid));
    },
    check: async () => [],
    end: () => child.end(),
  };
}
