import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Jwk, ShenbaoClient } from '../src/client/client.ts';
import { type CheckResult, checkRun } from './check.ts';
import type { OnProgress } from './command.ts';
import { commitName } from './commit-name.ts';
import { type CorpusOptions, MONTHS_MAX } from './corpus.ts';
import { type CpuTimes, peakMemory, readCpu } from './cpu.ts';
import { type BenchResult, type Machine, machineNow } from './figure.ts';
import { BENCH_ISSUER, type BenchGateway, startGateway } from './gateway.ts';
import { importParties } from './import-parties.ts';
import { type CrowdFigures, gather } from './overload/crowd.ts';
import type { LoadAnswer, LoadQuestion, LoadSetup } from './overload/load-program.ts';
import { Child } from './peers/child.ts';
import { signedCorpus } from './signed.ts';

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

/** One load of one round. */
export interface LoadRun extends Omit<LoadAnswer, 'samples'> {
  readonly round: number;
  /** `capacity` or a multiple of it. */
  readonly name: string;
  /** Requests a second; as answered when absent. */
  readonly rate?: number;
  /** 201s and 200s a second, over the whole run. */
  readonly goodput: number;
  /** CPU seconds meanwhile; absent for a gateway that was running before. */
  readonly cpu?: CpuTimes | undefined;
}

export interface OverloadResult extends Omit<BenchResult, 'figures'> {
  readonly bench: 'overload';
  readonly options: OverloadOptions;
  readonly machine: Machine;
  readonly runs: readonly LoadRun[];
  readonly flood: { readonly others: LoadRun; readonly party: LoadRun };
  readonly crowd: CrowdFigures & { readonly others: LoadRun };
  /** The highest that the gateway's processes have had, bytes. */
  readonly peakMemoryBytes?: number | undefined;
  readonly check: CheckResult;
}

/** More than any gateway on this size of machine has done: filings must not run out while the capacity is measured. */
const CAPACITY_MAX = 10_000;
/** What is accepted above the capacity that was measured, in the runs after it. */
const MARGIN = 1.3;
/** Few while the code is cold: nobody should have to wait so long that his answer is unknown. */
const WARM_CONNECTIONS = 64;
/** Between runs: the gateway compares what was filed with the filers' other filings once it has time. */
const PAUSE_MS = 1_500;
const CROWD_PATIENCE_SECONDS = 30;

/** Limits of parties as they are when nobody sets them: the flood has to meet one. */
const USUAL_RATES = { RATE_FILER: '1000', RATE_AGENT: '5000', RATE_OFFICE: '1000' };

/**
 * Measures the capacity in a closed loop, then offers multiples of it in an open one; then lets one party flood, and then a
 * crowd of idle and slow connections come, while others file at their pace. All on one gateway, whose logs are then checked.
 */
export async function benchOverload(options: OverloadOptions, onProgress: OnProgress): Promise<OverloadResult> {
  onProgress('weighing the machine');
  const machine = machineNow(options.target === undefined);
  onProgress('starting the gateway');
  const gateway = await openGateway(options);
  const bench = new OverloadBench(options, gateway, onProgress);
  try {
    const measured = await bench.perform();
    return { bench: 'overload', commit: commitName(), at: new Date().toISOString(), machine, options, ...measured };
  } finally {
    await bench.end();
    await gateway.stop();
  }
}

async function openGateway({ workers, target }: OverloadOptions): Promise<BenchGateway> {
  if (target === undefined) return startGateway({ workers, env: USUAL_RATES });
  const operatorKey = JSON.parse(await readFile(target.operatorKey, 'utf8')) as Jwk;
  return { url: target.url, operatorKey, stop: async () => {} };
}

class OverloadBench {
  readonly #options: OverloadOptions;
  readonly #gateway: BenchGateway;
  readonly #onProgress: OnProgress;
  readonly #corpus: CorpusOptions;
  readonly #answers: LoadAnswer[] = [];
  readonly #children: Child[] = [];
  #issuer = BENCH_ISSUER;
  #files: readonly string[] = [];

  constructor(options: OverloadOptions, gateway: BenchGateway, onProgress: OnProgress) {
    const { seed, filers, offices } = options;
    this.#options = options;
    this.#gateway = gateway;
    this.#onProgress = onProgress;
    this.#corpus = { seed, filers, offices, shape: 'usual' };
  }

  async perform(): Promise<Pick<OverloadResult, 'runs' | 'flood' | 'crowd' | 'peakMemoryBytes' | 'check'>> {
    const { filers, loads, rounds } = this.#options;
    const gateway = this.#gateway;
    if (gateway.pid === undefined) this.#issuer = await new ShenbaoClient({ gateway: gateway.url }).issuer();
    const before = await importParties(gateway, this.#corpus, this.#onProgress);
    const capacity = await this.#capacity();
    // All that can be accepted from here on; what is refused is sent again.
    const { seconds, others } = this.#options;
    const share = rounds * loads.length * seconds + others * (seconds + CROWD_PATIENCE_SECONDS);
    const used = filers + Math.ceil(CAPACITY_MAX * seconds);
    const load = await this.#start(used + Math.ceil(share * capacity.goodput * MARGIN), used);
    const runs = [capacity];
    for (let round = 0; round < rounds; round++) {
      for (const multiple of loads) {
        await sleep(PAUSE_MS);
        const rate = Math.max(1, Math.round(multiple * capacity.goodput));
        runs.push(await this.#run(load, { loop: 'open', rate, ...this.#openLoop() }, `${multiple}x`, round));
      }
    }
    const flood = await this.#flood(load, capacity.goodput);
    const crowd = await this.#crowd(load, capacity.goodput);
    const peakMemoryBytes = gateway.pid === undefined ? undefined : peakMemory(gateway.pid);
    const checking = { gateway: gateway.url, issuer: this.#issuer, corpus: this.#corpus, files: this.#files, before };
    // What was settled afterwards is stored as well, though its first answer was no 201.
    const outcomes = this.#answers.map(({ statuses, settled, ...answer }) => ({
      ...answer,
      statuses: { ...statuses, 201: (statuses[201] ?? 0) + settled },
    }));
    const check = await checkRun({ ...checking, outcomes }, (read) =>
      this.#onProgress(`checking: ${read} entries pulled and verified`),
    );
    const faults = [...check.faults, ...this.#faults([...runs, flood.others, flood.party, crowd.others])];
    return { runs, flood, crowd, peakMemoryBytes, check: { ...check, ok: faults.length === 0, faults } };
  }

  /** What the runs themselves tell, beside what is stored. */
  #faults(runs: readonly LoadRun[]): string[] {
    const unanswered = runs
      .filter((run) => run.unanswered > 0)
      .map((run) => `${run.name}, round ${run.round + 1}: ${run.unanswered} of ${run.sent} requests were not answered`);
    const exhausted = runs.filter((run) => run.exhausted).map((run) => `${run.name}: filings ran out before its end`);
    return [...unanswered, ...exhausted];
  }

  #openLoop(): { readonly seconds: number; readonly connectionsMax: number } {
    const { seconds, connectionsMax } = this.#options;
    return { seconds, connectionsMax };
  }

  /** The same load as `bench -- single`: connections that each wait for their answer. */
  async #capacity(): Promise<LoadRun> {
    const { filers, seconds, connections } = this.#options;
    const load = await this.#start(filers + CAPACITY_MAX * seconds, 0);
    this.#onProgress('warming up');
    this.#answers.push(
      await load.ask<LoadAnswer>({ loop: 'closed', connections: WARM_CONNECTIONS, to: filers } satisfies LoadQuestion),
    );
    const run = await this.#run(load, { loop: 'closed', connections, seconds }, 'capacity');
    await load.end();
    return run;
  }

  /** A load generator with at least `filings` of the corpus, which begins at number `from`. */
  async #start(filings: number, from: number): Promise<Child> {
    const { filers } = this.#options;
    const months = Math.ceil(filings / filers);
    if (months > MONTHS_MAX) {
      throw new RangeError(
        `${filers} filers have at most ${MONTHS_MAX} returns each: use --filers ${Math.ceil(filings / MONTHS_MAX)} or more`,
      );
    }
    const files = await signedCorpus({ ...this.#corpus, issuer: this.#issuer, months }, (share) =>
      this.#onProgress('signing filings', share),
    );
    if (files.length > this.#files.length) this.#files = files;
    return await this.#child({ url: this.#gateway.url, files, from, repeats: false });
  }

  async #child(setup: LoadSetup): Promise<Child> {
    const { child } = await Child.start('../overload/load-program.ts', setup);
    this.#children.push(child);
    return child;
  }

  /** `isOfCorpus`: what is answered to it can be verified against the corpus. */
  async #run(load: Child, question: LoadQuestion, name: string, round = 0, isOfCorpus = true): Promise<LoadRun> {
    const { pid } = this.#gateway;
    const pace = question.loop === 'open' ? `${question.rate}/s offered` : 'as fast as answered';
    this.#onProgress(`${name} ${pace}`);
    const before = pid === undefined ? undefined : readCpu(pid);
    const answer = await load.ask<LoadAnswer>(question);
    const after = pid === undefined ? undefined : readCpu(pid);
    const { samples, ...figures } = answer;
    this.#answers.push({ ...figures, samples: isOfCorpus ? samples : [] });
    return {
      ...figures,
      round,
      name,
      ...(question.loop === 'open' ? { rate: question.rate } : {}),
      goodput: answer.outcomes.accepted.count / answer.seconds,
      cpu: before && after && { gateway: after.gateway - before.gateway, postgres: after.postgres - before.postgres },
    };
  }

  /** One enterprise sends its returns again and again, as software does that has lost its mind. */
  async #flood(load: Child, capacity: number): Promise<OverloadResult['flood']> {
    const corpus: CorpusOptions = { ...this.#corpus, seed: `${this.#corpus.seed} flood`, filers: 1 };
    await importParties(this.#gateway, corpus, this.#onProgress);
    const issuer = this.#issuer;
    const files = await signedCorpus({ ...corpus, issuer, months: MONTHS_MAX }, () => {});
    const flooder = await this.#child({ url: this.#gateway.url, files, from: 0, repeats: true });
    const { flood, others } = this.#options;
    const at = (multiple: number): LoadQuestion => {
      return { loop: 'open', rate: Math.max(1, Math.round(multiple * capacity)), ...this.#openLoop() };
    };
    const [beside, party] = await Promise.all([
      this.#run(load, at(others), 'others beside the flood'),
      this.#run(flooder, at(flood), 'flood by one party', 0, false),
    ]);
    return { others: beside, party };
  }

  async #crowd(load: Child, capacity: number): Promise<OverloadResult['crowd']> {
    const { others, idleSockets, slowSenders, connectionsMax } = this.#options;
    const rate = Math.max(1, Math.round(others * capacity));
    const seconds = CROWD_PATIENCE_SECONDS / 2;
    const [beside, figures] = await Promise.all([
      this.#run(load, { loop: 'open', rate, seconds, connectionsMax }, 'others beside the crowd'),
      gather({
        url: this.#gateway.url,
        idle: idleSockets,
        slow: slowSenders,
        patienceSeconds: CROWD_PATIENCE_SECONDS,
      }),
    ]);
    return { ...figures, others: beside };
  }

  async end(): Promise<void> {
    await Promise.all(this.#children.map((child) => child.end()));
  }
}
