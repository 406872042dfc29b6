// Everybody who files in a deadline night: a process of its own. Its parent sends one NightRun and gets one LoadReport; meanwhile
// it hears of the progress.
import { readFileSync } from 'node:fs';
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { Connection, type ConnectionOwner } from '../overload/connection.ts';
import { type Arrivals, arrivals, type NightPlan } from './arrivals.ts';

export interface LoadSetup {
  readonly url: string;
  readonly plan: NightPlan;
  /** In the order of the plan's numbers. */
  readonly files: readonly string[];
  /** Connections at most, as a balancer before the gateway keeps them; who finds all of them busy waits for one. */
  readonly connections: number;
}

export interface NightRun {
  /** When the first may come, milliseconds since the epoch. */
  readonly startAt: number;
  /** After the deadline, until whatever is still open is given up. */
  readonly patienceSeconds: number;
}

export type Percentiles = readonly (readonly [percentile: number, ms: number])[];

export interface LoadOutcome {
  /** From the first moment to the last 201. */
  readonly seconds: number;
  readonly statuses: Readonly<Record<string, number>>;
  readonly problems: Readonly<Record<string, number>>;
  /** Answered 201 or 200. */
  readonly accepted: number;
  /** Not accepted when patience ended, or refused for good. */
  readonly open: number;
  /** Sent again because connections broke. */
  readonly lost: number;
  /** Filings that were told to come again at least once. */
  readonly sentAgain: number;
  /** Sent before the deadline, and received after it by the gateway's clock. */
  readonly afterDeadline: number;
  /** From the moment at which a filing was due until it was accepted, however often it was sent: filers, and agents' clients. */
  readonly answeredMs: { readonly filers: Percentiles; readonly agents: Percentiles };
  /** From then until it was received by the gateway's clock, which is its legal time. */
  readonly receivedMs: Percentiles;
  readonly waitingMost: number;
  /** In each second. */
  readonly due: readonly number[];
  readonly acceptedEach: readonly number[];
  readonly refusedEach: readonly number[];
  readonly samples: readonly { readonly jws: string; readonly body: string }[];
  readonly cpuSeconds: number;
}

export type LoadReport =
  | { readonly event: 'loaded'; readonly meanBytes: number }
  | { readonly event: 'tick'; readonly accepted: number; readonly due: number }
  | { readonly event: 'done'; readonly outcome: LoadOutcome };

const PERCENTILES = [1, 10, 25, 50, 75, 90, 95, 99, 99.9, 100];
/** How often it is looked who is due. */
const TURN_MS = 1;
const SAMPLES = 300;
const PROBLEM = '{"type":"urn:shenbao:problem:';
const RECEIVED = '"receivedAt":"';
const INSTANT_LENGTH = '2026-11-15T23:59:59.999Z'.length;
/** Where an answer that can be repeated names no time. */
const RETRY_MS = 1_000;
const RETRIED: ReadonlySet<number> = new Set([429, 503]);

const setup = JSON.parse(process.argv[2] ?? '') as LoadSetup;
const { hostname, port, host } = new URL(setup.url);

/** Filings by number, as views of their files. */
class Filings {
  readonly #bytes: Buffer[] = [];
  readonly #heads = new Map<number, Buffer>();

  constructor(files: readonly string[]) {
    for (const file of files) {
      const bytes = readFileSync(file);
      for (let start = 0, end = 0; start < bytes.length; start = end + 1) {
        end = bytes.indexOf(0x0a, start);
        this.#bytes.push(bytes.subarray(start, end));
      }
    }
  }

  get count(): number {
    return this.#bytes.length;
  }

  get meanBytes(): number {
    return this.#bytes.reduce((sum, { length }) => sum + length, 0) / this.count;
  }

  jws(number: number): Buffer {
    return this.#bytes[number] as Buffer;
  }

  request(number: number): Buffer {
    const { length } = this.jws(number);
    let head = this.#heads.get(length);
    if (head === undefined) {
      head = Buffer.from(
        `POST /v1/filings HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/jose\r\nContent-Length: ${length}\r\n\r\n`,
      );
      this.#heads.set(length, head);
    }
    return Buffer.concat([head, this.jws(number)]);
  }
}

/** One night. */
class Night implements ConnectionOwner {
  readonly #arrivals: Arrivals;
  readonly #startAt: number;
  readonly #idle: Connection[] = [];
  readonly #underWay = new Map<Connection, number>();
  readonly #connections = new Set<Connection>();
  /** Those who come again now. */
  readonly #again: number[] = [];
  readonly #cameAgain = new Set<number>();
  readonly #statuses: Record<string, number> = {};
  readonly #problems: Record<string, number> = {};
  readonly #filersUs: RecordableHistogram = createHistogram();
  readonly #agentsUs: RecordableHistogram = createHistogram();
  readonly #receivedUs: RecordableHistogram = createHistogram();
  readonly #acceptedEach: number[] = [];
  readonly #refusedEach: number[] = [];
  readonly #samples: { jws: string; body: string }[] = [];
  #lastAt = 0;
  #next = 0;
  #due = 0;
  #accepted = 0;
  #refusedForGood = 0;
  #lost = 0;
  #afterDeadline = 0;
  #waitingMost = 0;
  #isOver = false;

  constructor(startAt: number) {
    this.#arrivals = arrivals(setup.plan);
    this.#startAt = startAt;
  }

  async perform(patienceSeconds: number): Promise<LoadOutcome> {
    const cpuBefore = process.cpuUsage();
    const total = this.#arrivals.order.length;
    const giveUpMs = (setup.plan.seconds + patienceSeconds) * 1_000;
    const ticker = setInterval(() => report({ event: 'tick', accepted: this.#accepted, due: this.#due }), 500);
    while (this.#accepted + this.#refusedForGood < total && this.#nowMs() < giveUpMs) {
      this.#sendDue();
      await sleep(TURN_MS);
    }
    this.#isOver = true;
    clearInterval(ticker);
    const cpu = process.cpuUsage(cpuBefore);
    for (const connection of this.#connections) connection.close();
    return this.#outcome((cpu.user + cpu.system) / 1e6);
  }

  /** Milliseconds since the beginning, on the clock that the gateway's times are from. */
  #nowMs(): number {
    return performance.timeOrigin + performance.now() - this.#startAt;
  }

  #sendDue(): void {
    const { order, dueMs } = this.#arrivals;
    const nowMs = this.#nowMs();
    while (this.#due < order.length && (dueMs[order[this.#due] as number] as number) <= nowMs) this.#due++;
    this.#waitingMost = Math.max(this.#waitingMost, this.#due - this.#next + this.#again.length);
    while (this.#hasWaiting()) {
      const connection = this.#idle.pop() ?? this.#connect();
      if (connection === undefined) return;
      this.#sendNext(connection);
    }
  }

  #hasWaiting(): boolean {
    return this.#again.length > 0 || this.#next < this.#due;
  }

  /** Who was told to come again comes first. */
  #sendNext(connection: Connection): void {
    const number = this.#again.shift() ?? (this.#arrivals.order[this.#next++] as number);
    this.#underWay.set(connection, number);
    connection.send(filings.request(number));
  }

  #connect(): Connection | undefined {
    if (this.#connections.size >= setup.connections) return undefined;
    const connection = new Connection(hostname, Number(port), this);
    this.#connections.add(connection);
    return connection;
  }

  answered(connection: Connection, status: number, body: () => string, head: string): void {
    const number = this.#underWay.get(connection) as number;
    this.#underWay.delete(connection);
    this.#statuses[status] = (this.#statuses[status] ?? 0) + 1;
    if (status === 201 || status === 200) this.#accept(number, body());
    else this.#refuse(number, status, body(), head);
    if (!connection.isUsable || this.#isOver) return;
    if (this.#hasWaiting()) this.#sendNext(connection);
    else this.#idle.push(connection);
  }

  ended(connection: Connection): void {
    this.#connections.delete(connection);
    const at = this.#idle.indexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
    const number = this.#underWay.get(connection);
    this.#underWay.delete(connection);
    if (number === undefined || this.#isOver) return;
    this.#lost++;
    this.#comeAgain(number, RETRY_MS);
  }

  #accept(number: number, body: string): void {
    const nowMs = this.#nowMs();
    const dueMs = this.#arrivals.dueMs[number] as number;
    this.#accepted++;
    this.#lastAt = nowMs;
    count(this.#acceptedEach, nowMs);
    record(number < setup.plan.filers ? this.#filersUs : this.#agentsUs, nowMs - dueMs);
    const at = body.indexOf(RECEIVED) + RECEIVED.length;
    const receivedMs = Date.parse(body.slice(at, at + INSTANT_LENGTH)) - this.#startAt;
    record(this.#receivedUs, receivedMs - dueMs);
    if (receivedMs > setup.plan.seconds * 1_000) this.#afterDeadline++;
    if (number % Math.ceil(filings.count / SAMPLES) === 0)
      this.#samples.push({ jws: filings.jws(number).toString('latin1'), body });
  }

  #refuse(number: number, status: number, body: string, head: string): void {
    const code = body.startsWith(PROBLEM) ? body.slice(PROBLEM.length, body.indexOf('"', PROBLEM.length)) : 'none';
    this.#problems[code] = (this.#problems[code] ?? 0) + 1;
    count(this.#refusedEach, this.#nowMs());
    if (!RETRIED.has(status)) {
      this.#refusedForGood++;
      return;
    }
    const seconds = /\r\nretry-after: (\d+)/i.exec(head)?.[1];
    this.#comeAgain(number, seconds === undefined ? RETRY_MS : Number(seconds) * 1_000);
  }

  /** Spread over half a second more, as clocks and networks do it. */
  #comeAgain(number: number, waitMs: number): void {
    this.#cameAgain.add(number);
    setTimeout(() => this.#again.push(number), waitMs + (number % 500));
  }

  #outcome(cpuSeconds: number): LoadOutcome {
    const due: number[] = [];
    for (const ms of this.#arrivals.dueMs) count(due, ms);
    return {
      seconds: this.#lastAt / 1_000,
      statuses: this.#statuses,
      problems: this.#problems,
      accepted: this.#accepted,
      open: this.#arrivals.order.length - this.#accepted,
      lost: this.#lost,
      sentAgain: this.#cameAgain.size,
      afterDeadline: this.#afterDeadline,
      answeredMs: { filers: percentilesOf(this.#filersUs), agents: percentilesOf(this.#agentsUs) },
      receivedMs: percentilesOf(this.#receivedUs),
      waitingMost: this.#waitingMost,
      due: dense(due),
      acceptedEach: dense(this.#acceptedEach),
      refusedEach: dense(this.#refusedEach),
      samples: this.#samples,
      cpuSeconds,
    };
  }
}

function count(each: number[], ms: number): void {
  const second = Math.max(0, Math.floor(ms / 1_000));
  each[second] = (each[second] ?? 0) + 1;
}

function dense(each: readonly number[]): number[] {
  return Array.from(each, (value) => value ?? 0);
}

/** A histogram takes whole numbers from 1 on. */
function record(histogram: RecordableHistogram, ms: number): void {
  histogram.record(Math.max(1, Math.round(ms * 1_000)));
}

function percentilesOf(histogram: RecordableHistogram): Percentiles {
  if (histogram.count === 0) return [];
  return PERCENTILES.map((percentile) => [percentile, histogram.percentile(percentile) / 1_000] as const);
}

function report(message: LoadReport): void {
  process.send?.(message);
}

const filings = new Filings(setup.files);
process.on('message', ({ startAt, patienceSeconds }: NightRun) => {
  void new Night(startAt).perform(patienceSeconds).then((outcome) => report({ event: 'done', outcome }));
});
// Without its parent nobody would read the outcome.
process.on('disconnect', () => process.exit(0));
report({ event: 'loaded', meanBytes: filings.meanBytes });
