import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Jwk, ShenbaoClient } from '../src/client/client.ts';
import type { CheckResult } from './check.ts';
import type { OnProgress } from './command.ts';
import { commitName } from './commit-name.ts';
import type { CorpusOptions } from './corpus.ts';
import { type BenchResult, type Machine, machineNow } from './figure.ts';
import { BENCH_ISSUER, type BenchGateway, startGateway } from './gateway.ts';
import { type CrowdFigures, gather } from './overload/crowd.ts';
import type { LoadQuestion } from './overload/load-program.ts';
import { type LoadRun, type Sender, Stage } from './overload/stage.ts';

export interface OverloadOptions {
  /** Of each load. */
  readonly seconds: number;
  readonly rounds: number;
  /** What the load is, in multiples of the capacity that was measured before. */
  readonly loads: readonly number[];
  readonly connections: number;
  readonly connectionsMax: number;
  readonly filers: number;
  readonly offices: number;
  readonly workers: number;
  readonly seed: string;
  /** Of the flood by one party, in multiples of the capacity, and of those who file beside it and beside the crowd. */
  readonly flood: number;
  readonly others: number;
  readonly idleSockets: number;
  readonly slowSenders: number;
  readonly target?: { readonly url: string; readonly operatorKey: string } | undefined;
}

export interface OverloadResult extends Omit<BenchResult, 'figures'> {
  readonly bench: 'overload';
  readonly options: OverloadOptions;
  readonly machine: Machine;
  /** The capacity, and then each load of each round: those who keep to Retry-After beside those who do not. */
  readonly runs: readonly LoadRun[];
  readonly flood: { readonly others: LoadRun; readonly party: LoadRun };
  readonly crowd: CrowdFigures & { readonly others: LoadRun };
  /** The highest that the gateway's processes have had, bytes. */
  readonly peakMemoryBytes?: number | undefined;
  readonly check: CheckResult;
}

/** More than any gateway on this size of machine has done: filings must not run out while the capacity is measured. */
const CAPACITY_MAX = 10_000;
/** Between loads on a gateway that was running before: it compares what was filed once it has time. */
const PAUSE_MS = 1_500;
const CROWD_PATIENCE_SECONDS = 30;
/** Of the requests of a load; each connection that was told to come later is used by nobody until then. */
const HONOURING_SHARE = 0.2;

/** Limits of parties as they are when nobody sets them: the flood has to meet one. And as many connections as all loads may open. */
const ENVIRONMENT = { RATE_FILER: '1000', RATE_AGENT: '5000', RATE_OFFICE: '1000', MAX_CONNECTIONS: '16000' };

/**
 * Measures the capacity in a closed loop, then offers multiples of it in an open one; then lets one party flood, and then a
 * crowd of idle and slow connections come, while others file at their pace. Each on a gateway of its own, so that none pays for
 * what the one before has left to do, and whose logs are then checked.
 */
export async function benchOverload(options: OverloadOptions, onProgress: OnProgress): Promise<OverloadResult> {
  onProgress('weighing the machine');
  const machine = machineNow(options.target === undefined);
  const measured = await new OverloadBench(options, onProgress).perform();
  return { bench: 'overload', commit: commitName(), at: new Date().toISOString(), machine, options, ...measured };
}

type Measured = Pick<OverloadResult, 'runs' | 'flood' | 'crowd' | 'peakMemoryBytes' | 'check'>;

class OverloadBench {
  readonly #options: OverloadOptions;
  readonly #onProgress: OnProgress;
  readonly #checks: CheckResult[] = [];
  readonly #memory: number[] = [];
  readonly #faults: string[] = [];
  /** The gateway that was running before, which takes all loads. */
  #shared: Stage | undefined;

  constructor(options: OverloadOptions, onProgress: OnProgress) {
    this.#options = options;
    this.#onProgress = onProgress;
  }

  async perform(): Promise<Measured> {
    const { loads, rounds, target } = this.#options;
    if (target !== undefined) this.#shared = await this.#openTarget(target);
    const capacity = await this.#capacity();
    const runs = [capacity];
    for (let round = 0; round < rounds; round++) {
      for (const multiple of loads) runs.push(...(await this.#load(multiple, capacity.goodput, round)));
    }
    const flood = await this.#flood(capacity.goodput);
    const crowd = await this.#crowd(capacity.goodput);
    if (this.#shared !== undefined) await this.#close(this.#shared);
    const peakMemoryBytes = this.#memory.length === 0 ? undefined : Math.max(...this.#memory);
    return { runs, flood, crowd, peakMemoryBytes, check: this.#checked() };
  }

  #checked(): CheckResult {
    const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
    const faults = [...this.#checks.flatMap((check) => check.faults), ...this.#faults];
    return {
      ok: faults.length === 0,
      stored: sum(this.#checks.map(({ stored }) => stored)),
      offices: this.#options.offices,
      receipts: sum(this.#checks.map(({ receipts }) => receipts)),
      faults,
    };
  }

  /** The same load as `bench -- single`: connections that each wait for their answer. */
  async #capacity(): Promise<LoadRun> {
    const { seconds, connections } = this.#options;
    return await this.#on(async (stage) => {
      const child = await stage.sender(CAPACITY_MAX * seconds);
      const question: LoadQuestion = { loop: 'closed', connections, seconds };
      const [run] = await this.#run(stage, [{ child, name: 'capacity', question, isOfCorpus: true }]);
      return run as LoadRun;
    });
  }

  async #load(multiple: number, capacity: number, round: number): Promise<LoadRun[]> {
    const { seconds, connectionsMax } = this.#options;
    const name = `${multiple}x`;
    return await this.#on(async (stage) => {
      const senders: Sender[] = [];
      for (const clients of ['ignoring', 'honouring'] as const) {
        const share = clients === 'honouring' ? HONOURING_SHARE : 1 - HONOURING_SHARE;
        const rate = Math.max(1, Math.round(multiple * capacity * share));
        // A limit for each, and a higher one for those who keep connections that nobody uses until Retry-After is over.
        const limit = Math.ceil(connectionsMax * (clients === 'honouring' ? 1 : 0.5));
        const loop = { loop: 'open', rate, seconds, connectionsMax: limit } as const;
        const child = await stage.sender(rate * seconds);
        const question = { ...loop, honoursRetryAfter: clients === 'honouring' };
        senders.push({ child, name, clients, question, isOfCorpus: true });
      }
      return await this.#run(stage, senders, round);
    });
  }

  /** One enterprise sends its returns again and again, as software does that has lost its mind. */
  async #flood(capacity: number): Promise<OverloadResult['flood']> {
    const { flood, others, seconds, connectionsMax } = this.#options;
    const rateOf = (multiple: number): number => Math.max(1, Math.round(multiple * capacity));
    const at = (multiple: number): LoadQuestion => {
      // A limit for each: together they would be more than the gateway takes, which is not what is asked here.
      const connections = Math.ceil(connectionsMax / 2);
      return { loop: 'open', rate: rateOf(multiple), seconds, connectionsMax: connections, honoursRetryAfter: false };
    };
    return await this.#on(async (stage) => {
      const child = await stage.sender(rateOf(others) * seconds);
      const flooder = await stage.flooder();
      const [beside, party] = await this.#run(stage, [
        { child, name: 'others beside the flood', question: at(others), isOfCorpus: true },
        { child: flooder, name: 'flood by one party', question: at(flood), isOfCorpus: false },
      ]);
      return { others: beside as LoadRun, party: party as LoadRun };
    });
  }

  async #crowd(capacity: number): Promise<OverloadResult['crowd']> {
    const { others, idleSockets: idle, slowSenders: slow, connectionsMax } = this.#options;
    const rate = Math.max(1, Math.round(others * capacity));
    const seconds = CROWD_PATIENCE_SECONDS / 2;
    const question: LoadQuestion = { loop: 'open', rate, seconds, connectionsMax, honoursRetryAfter: false };
    return await this.#on(async (stage) => {
      const child = await stage.sender(rate * seconds);
      const [[beside], figures] = await Promise.all([
        this.#run(stage, [{ child, name: 'others beside the crowd', question, isOfCorpus: true }]),
        gather({ url: stage.gateway.url, idle, slow, patienceSeconds: CROWD_PATIENCE_SECONDS }),
      ]);
      return { ...figures, others: beside as LoadRun };
    });
  }

  async #run(stage: Stage, senders: readonly Sender[], round = 0): Promise<LoadRun[]> {
    const runs = await stage.run(senders, round);
    for (const run of runs) {
      const name = `${[run.name, run.clients].filter((word) => word !== undefined).join(', ')}, round ${round + 1}`;
      if (run.unanswered > 0) this.#faults.push(`${name}: ${run.unanswered} of ${run.sent} requests were not answered`);
      if (run.exhausted) this.#faults.push(`${name}: filings ran out before its end`);
    }
    return runs;
  }

  /** On a gateway of its own, or on the one that was running before once it has had time to breathe. */
  async #on<T>(work: (stage: Stage) => Promise<T>): Promise<T> {
    if (this.#shared !== undefined) {
      await sleep(PAUSE_MS);
      return await work(this.#shared);
    }
    this.#onProgress('starting a gateway');
    const gateway = await startGateway({ workers: this.#options.workers, env: ENVIRONMENT });
    try {
      const stage = await this.#open(gateway, BENCH_ISSUER);
      try {
        const done = await work(stage);
        await this.#close(stage);
        return done;
      } finally {
        await stage.end();
      }
    } finally {
      await gateway.stop();
    }
  }

  async #openTarget({ url, operatorKey }: NonNullable<OverloadOptions['target']>): Promise<Stage> {
    const key = JSON.parse(await readFile(operatorKey, 'utf8')) as Jwk;
    const issuer = await new ShenbaoClient({ gateway: url }).issuer();
    return await this.#open({ url, operatorKey: key, stop: async () => {} }, issuer);
  }

  async #open(gateway: BenchGateway, issuer: string): Promise<Stage> {
    const { seed, filers, offices } = this.#options;
    const corpus: CorpusOptions = { seed, filers, offices, shape: 'usual' };
    return await Stage.open(gateway, { corpus, issuer, onProgress: this.#onProgress });
  }

  async #close(stage: Stage): Promise<void> {
    const { peakMemory } = stage;
    if (peakMemory !== undefined) this.#memory.push(peakMemory);
    this.#checks.push(await stage.check());
    await stage.end();
  }
}
