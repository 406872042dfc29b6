// The load generator: a process of its own, so that its work is not the gateway's and its pauses are its own. Its parent
// sends one LoadRun after the other and gets LoadReports back.
import { readFileSync } from 'node:fs';
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import autocannon from 'autocannon';
import { Pacer } from './pacer.ts';

export interface LoadSetup {
  readonly url: string;
  readonly connections: number;
  /** Compact JWS, one a line. */
  readonly files: readonly string[];
}

/** Filings `from` to `to` - 1 of the files, each sent once; ends at `to`, or after so many seconds. */
export interface LoadRun {
  readonly from: number;
  readonly to: number;
  readonly seconds?: number | undefined;
  /** Filings a second; absent: each connection sends as soon as it has its answer. */
  readonly rate?: number | undefined;
  /** Begins again at the first filing when there are no more: for a server that keeps nothing. */
  readonly again?: boolean;
}

export interface LoadOutcome {
  /** From the first request to the last answer. */
  readonly seconds: number;
  readonly sent: number;
  readonly statuses: Readonly<Record<string, number>>;
  readonly problems: Readonly<Record<string, number>>;
  /** Filings answered 503: stored or not, which only sending them again tells. */
  readonly doubtful: readonly number[];
  /** Requests without an answer: broken connections and timeouts. */
  readonly unanswered: number;
  readonly latencyMs: { readonly p50: number; readonly p90: number; readonly p99: number; readonly max: number };
  /** Milliseconds by percentile, 0 to 100. */
  readonly distribution: readonly (readonly [percentile: number, ms: number])[];
  /** Answers in each second. */
  readonly series: readonly number[];
  /** Latency of the answers of each second. */
  readonly latencySeries: readonly { readonly second: number; readonly p50: number; readonly p99: number }[];
  readonly samples: readonly { readonly filing: number; readonly body: string }[];
  /** CPU seconds of the load generator itself. */
  readonly cpuSeconds: number;
  /** Filings ran out before the time was over. */
  readonly exhausted: boolean;
}

export type LoadReport =
  | { readonly event: 'loaded'; readonly filings: number; readonly meanBytes: number }
  | { readonly event: 'tick'; readonly answered: number }
  | { readonly event: 'done'; readonly outcome: LoadOutcome };

const ANSWER_PATIENCE_SECONDS = 10;
const SAMPLES = 200;
/** One answer in so many is kept, until there are enough. */
const SAMPLE_EVERY = 101;
/** Enough for a plot whose right end is where it matters. */
const PERCENTILES = [0, 1, 5, 10, 25, 50, 75, 90, 95, 98, 99, 99.5, 99.8, 99.9, 99.95, 99.99, 100];
const PROBLEM = '{"type":"urn:shenbao:problem:';

const setup = JSON.parse(process.argv[2] ?? '') as LoadSetup;
const filings = setup.files.flatMap((file) => linesOf(readFileSync(file)));
const host = new URL(setup.url).host;
const heads = new Map<number, Buffer>();

process.on('message', (run: LoadRun) => {
  void perform(run).then((outcome) => report({ event: 'done', outcome }));
});
// Without its parent nobody would read the outcome.
process.on('disconnect', () => process.exit(1));
const bytes = filings.reduce((sum, filing) => sum + filing.length, 0);
report({ event: 'loaded', filings: filings.length, meanBytes: bytes / filings.length });

function report(message: LoadReport): void {
  process.send?.(message);
}

/** Views of one buffer, without copies. */
function linesOf(file: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  for (let start = 0; start < file.length; ) {
    const end = file.indexOf(0x0a, start);
    lines.push(file.subarray(start, end));
    start = end + 1;
  }
  return lines;
}

function requestOf(filing: Buffer): Buffer {
  let head = heads.get(filing.length);
  if (head === undefined) {
    head = Buffer.from(
      `POST /v1/filings HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/jose\r\nContent-Length: ${filing.length}\r\n\r\n`,
    );
    heads.set(filing.length, head);
  }
  return Buffer.concat([head, filing]);
}

/** One run: what was sent and what came back. */
class Tally {
  readonly statuses: Record<string, number> = {};
  readonly problems: Record<string, number> = {};
  readonly latencyUs: RecordableHistogram = createHistogram();
  readonly series: number[] = [];
  readonly latencySeries: { second: number; p50: number; p99: number }[] = [];
  readonly samples: { filing: number; body: string }[] = [];
  readonly doubtful: number[] = [];
  readonly startMs = performance.now();
  lastMs = this.startMs;
  sent = 0;
  answered = 0;
  unanswered = 0;
  readonly #secondUs: RecordableHistogram = createHistogram();
  #second = 0;

  answer(status: number, latencyMs: number): void {
    this.answered++;
    this.statuses[status] = (this.statuses[status] ?? 0) + 1;
    const us = Math.max(1, Math.round(latencyMs * 1000));
    this.latencyUs.record(us);
    this.lastMs = performance.now();
    const second = Math.floor((this.lastMs - this.startMs) / 1000);
    if (second !== this.#second) this.endSecond(second);
    this.#secondUs.record(us);
    this.series[second] = (this.series[second] ?? 0) + 1;
  }

  endSecond(next: number): void {
    if (this.#secondUs.count > 0) {
      const [p50, p99] = [this.#secondUs.percentile(50) / 1000, this.#secondUs.percentile(99) / 1000];
      this.latencySeries.push({ second: this.#second, p50, p99 });
    }
    this.#secondUs.reset();
    this.#second = next;
  }

  body(filing: number, body: string): void {
    if (body.startsWith(PROBLEM)) {
      const code = body.slice(PROBLEM.length, body.indexOf('"', PROBLEM.length));
      this.problems[code] = (this.problems[code] ?? 0) + 1;
    } else if (this.answered % SAMPLE_EVERY === 0 && this.samples.length < SAMPLES) {
      this.samples.push({ filing, body });
    }
  }
}

async function perform(run: LoadRun): Promise<LoadOutcome> {
  const tally = new Tally();
  const cpuBefore = process.cpuUsage();
  const state = { next: run.from, ended: false };
  const pacer = run.rate === undefined ? undefined : new Pacer(run.rate);
  const end = (): void => {
    state.ended = true;
    pacer?.stop();
  };
  const timer = run.seconds === undefined ? undefined : setTimeout(end, run.seconds * 1000);
  const ticker = setInterval(() => report({ event: 'tick', answered: tally.answered }), 500);
  await new Promise<void>((resolve, reject) => {
    const setupClient = (client: autocannon.Client): void => drive(client, { run, state, tally, pacer });
    autocannon(
      {
        url: `${setup.url}/v1/filings`,
        method: 'POST',
        connections: Math.min(setup.connections, run.to - run.from),
        // Ours is the clock: at the end every request under way still gets its answer.
        duration: (run.seconds ?? 0) + 3600,
        timeout: ANSWER_PATIENCE_SECONDS,
        setupClient,
      },
      (error) => (error === null ? resolve() : reject(error)),
    );
  });
  clearInterval(ticker);
  clearTimeout(timer);
  pacer?.stop();
  return outcomeOf(tally, process.cpuUsage(cpuBefore), run.seconds !== undefined && !state.ended);
}

interface Driving {
  readonly run: LoadRun;
  readonly state: { next: number; readonly ended: boolean };
  readonly tally: Tally;
  readonly pacer: Pacer | undefined;
}

/** Makes a connection send the next filing each time, and close when there is none or the time is over. */
function drive(client: autocannon.Client, { run, state, tally, pacer }: Driving): void {
  const send = client._doRequest.bind(client);
  let current = -1;
  let answered = -1;
  let lateMs = 0;
  client.getRequestBuffer = () => {
    if (run.again === true && state.next >= run.to) state.next = run.from;
    current = state.next++;
    tally.sent++;
    return requestOf(filings[current] as Buffer);
  };
  const go = (late: number): void => {
    lateMs = late;
    if (state.ended || (state.next >= run.to && run.again !== true)) client.destroy();
    else send();
  };
  client._doRequest = () => (pacer === undefined || state.ended ? go(0) : pacer.await(go));
  client.on('response', (status: number, _bytes: number, latencyMs: number) => {
    answered = current;
    if (status === 503) tally.doubtful.push(current);
    tally.answer(status, latencyMs + lateMs);
  });
  client.opts.verifyBody = (body) => {
    tally.body(answered, body);
    return true;
  };
  const lost = (): void => {
    tally.unanswered++;
  };
  client.on('timeout', lost);
  client.on('connError', lost);
}

function outcomeOf(tally: Tally, cpu: NodeJS.CpuUsage, exhausted: boolean): LoadOutcome {
  const at = (percent: number): number => tally.latencyUs.percentile(percent) / 1000;
  const { sent, statuses, problems, unanswered, samples, doubtful, latencySeries } = tally;
  tally.endSecond(0);
  return {
    seconds: (tally.lastMs - tally.startMs) / 1000,
    sent,
    statuses,
    problems,
    doubtful,
    unanswered,
    latencyMs: { p50: at(50), p90: at(90), p99: at(99), max: tally.latencyUs.max / 1000 },
    distribution: PERCENTILES.map((percent) => [percent, percent === 0 ? tally.latencyUs.min / 1000 : at(percent)]),
    series: Array.from(tally.series, (count) => count ?? 0),
    latencySeries,
    samples,
    cpuSeconds: (cpu.user + cpu.system) / 1e6,
    exhausted,
  };
}
