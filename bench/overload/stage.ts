import { type CheckResult, checkRun } from '../check.ts';
import type { OnProgress } from '../command.ts';
import { type CorpusOptions, MONTHS_MAX } from '../corpus.ts';
import { type CpuTimes, peakMemory, readCpu } from '../cpu.ts';
import type { BenchGateway } from '../gateway.ts';
import { importParties } from '../import-parties.ts';
import { Child } from '../peers/child.ts';
import { signedCorpus } from '../signed.ts';
import type { LoadAnswer, LoadQuestion, LoadSetup } from './load-program.ts';

/** One load, as far as it was measured. */
export interface LoadRun extends Omit<LoadAnswer, 'samples'> {
  readonly round: number;
  /** `capacity`, a multiple of it, or who it was. */
  readonly name: string;
  /** Whether these come again when they were told to, or at once. Absent where it makes no difference. */
  readonly clients?: Clients | undefined;
  /** Requests a second; as answered when absent. */
  readonly rate?: number;
  /** 201s and 200s a second, over the whole run of all that sent at the same time. */
  readonly goodput: number;
  /** Requests of all that sent at the same time. */
  readonly sentTogether: number;
  /** CPU seconds meanwhile, with the first of those that sent at the same time; absent for a gateway that was running before. */
  readonly cpu?: CpuTimes | undefined;
}

export type Clients = 'ignoring' | 'honouring';

/** Who sends what. */
export interface Sender {
  readonly child: Child;
  readonly name: string;
  readonly clients?: Clients;
  readonly question: LoadQuestion;
  /** What is answered to it can be verified against the corpus. */
  readonly isOfCorpus: boolean;
}

export interface StageOptions {
  readonly corpus: CorpusOptions;
  readonly issuer: string;
  readonly onProgress: OnProgress;
}

/** Few while the code is cold: nobody should have to wait so long that his answer is unknown. */
const WARM_CONNECTIONS = 64;

/** A gateway with the parties of the corpus, what was sent to it, and what it answered. */
export class Stage {
  readonly gateway: BenchGateway;
  readonly #options: StageOptions;
  readonly #before: ReadonlyMap<string, number>;
  readonly #answers: LoadAnswer[] = [];
  readonly #children: Child[] = [];
  #files: readonly string[] = [];
  #used = 0;

  private constructor(gateway: BenchGateway, options: StageOptions, before: ReadonlyMap<string, number>) {
    this.gateway = gateway;
    this.#options = options;
    this.#before = before;
  }

  /** With every key known and every enterprise's first return filed. */
  static async open(gateway: BenchGateway, options: StageOptions): Promise<Stage> {
    const { corpus, onProgress } = options;
    const stage = new Stage(gateway, options, await importParties(gateway, corpus, onProgress));
    const child = await stage.sender(corpus.filers);
    onProgress('warming up');
    const question: LoadQuestion = { loop: 'closed', connections: WARM_CONNECTIONS, to: corpus.filers };
    stage.#answers.push(await child.ask<LoadAnswer>(question));
    return stage;
  }

  /** A load generator with the next so many filings of the corpus. */
  async sender(filings: number): Promise<Child> {
    const { corpus, issuer, onProgress } = this.#options;
    const from = this.#used;
    this.#used += filings;
    const months = Math.ceil(this.#used / corpus.filers);
    if (months > MONTHS_MAX) {
      throw new RangeError(
        `${corpus.filers} filers have at most ${MONTHS_MAX} returns each: use --filers ${Math.ceil(this.#used / MONTHS_MAX)} or more`,
      );
    }
    const files = await signedCorpus({ ...corpus, issuer, months }, (share) => onProgress('signing filings', share));
    if (files.length > this.#files.length) this.#files = files;
    return await this.#start({ url: this.gateway.url, files, from, to: this.#used, repeats: false });
  }

  /** One enterprise more, and a load generator that sends all of its returns again and again. */
  async flooder(): Promise<Child> {
    const { corpus, issuer, onProgress } = this.#options;
    const one: CorpusOptions = { ...corpus, seed: `${corpus.seed} flood`, filers: 1 };
    await importParties(this.gateway, one, onProgress);
    const files = await signedCorpus({ ...one, issuer, months: MONTHS_MAX }, () => {});
    return await this.#start({ url: this.gateway.url, files, from: 0, repeats: true });
  }

  async #start(setup: LoadSetup): Promise<Child> {
    const { child } = await Child.start('../overload/load-program.ts', setup);
    this.#children.push(child);
    return child;
  }

  /** All of them at once. */
  async run(senders: readonly Sender[], round = 0): Promise<LoadRun[]> {
    const { pid } = this.gateway;
    const rates = senders.map(({ question }) => (question.loop === 'open' ? question.rate : undefined));
    const total = rates.reduce<number>((sum, rate) => sum + (rate ?? 0), 0);
    this.#options.onProgress(`${senders[0]?.name}, ${total > 0 ? `${total}/s offered` : 'as fast as answered'}`);
    const before = pid === undefined ? undefined : readCpu(pid);
    const answers = await Promise.all(senders.map(({ child, question }) => child.ask<LoadAnswer>(question)));
    const after = pid === undefined ? undefined : readCpu(pid);
    const cpu = before &&
      after && { gateway: after.gateway - before.gateway, postgres: after.postgres - before.postgres };
    const seconds = Math.max(...answers.map((answer) => answer.seconds));
    const sentTogether = answers.reduce((sum, { sent }) => sum + sent, 0);
    return answers.map(({ samples, ...figures }, i): LoadRun => {
      const { name, clients, isOfCorpus } = senders[i] as Sender;
      this.#answers.push({ ...figures, samples: isOfCorpus ? samples : [] });
      const goodput = figures.outcomes.accepted.count / seconds;
      const rate = rates[i] === undefined ? {} : { rate: rates[i] };
      return { ...figures, round, name, clients, ...rate, goodput, sentTogether, cpu: i === 0 ? cpu : undefined };
    });
  }

  /** The highest that the gateway's processes have had, bytes. */
  get peakMemory(): number | undefined {
    return this.gateway.pid === undefined ? undefined : peakMemory(this.gateway.pid);
  }

  /** Everything that was acknowledged stands, and nothing else. */
  async check(): Promise<CheckResult> {
    const { corpus, issuer, onProgress } = this.#options;
    // What was settled afterwards is stored as well, though its first answer was no 201.
    const outcomes = this.#answers.map(({ statuses, settled, ...answer }) => ({
      ...answer,
      statuses: { ...statuses, 201: (statuses[201] ?? 0) + settled },
    }));
    const input = { gateway: this.gateway.url, issuer, corpus, files: this.#files, before: this.#before, outcomes };
    return await checkRun(input, (read) => onProgress(`checking: ${read} entries pulled and verified`));
  }

  async end(): Promise<void> {
    await Promise.all(this.#children.map((child) => child.end()));
  }
}
