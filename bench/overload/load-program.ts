// The load generator of an overload: a process of its own. Its parent sends one LoadQuestion after the other, and gets the
// figures of each when it is over; disconnecting ends it.
import { setTimeout as sleep } from 'node:timers/promises';
import { Connection, type ConnectionOwner } from './connection.ts';
import { FilingQueue } from './filing-queue.ts';
import { type RunFigures, Tally } from './tally.ts';

export interface LoadSetup {
  readonly url: string;
  /** Compact JWS, one a line. */
  readonly files: readonly string[];
  /** The first filing to send, by its number over all files. */
  readonly from: number;
  /** All below this number; those of the files when absent. */
  readonly to?: number;
  /** Begins again at the first filing when there are no more. */
  readonly repeats: boolean;
}

/** In the open loop requests come at their rate whatever happens; in the closed one each connection waits for its answer. */
export type LoadQuestion =
  | {
      readonly loop: 'open';
      readonly rate: number;
      readonly seconds: number;
      readonly connectionsMax: number;
      /** A connection that was told to come later stays unused until then, as when its client keeps to it. */
      readonly honoursRetryAfter: boolean;
    }
  | { readonly loop: 'closed'; readonly connections: number; readonly seconds: number }
  /** Each filing below `to`, once. */
  | { readonly loop: 'closed'; readonly connections: number; readonly to: number };

export interface LoadAnswer extends RunFigures {
  /** Filings ran out before the time was over. */
  readonly exhausted: boolean;
  /** Filings whose answer had left open whether they were stored, and that were asked about afterwards: all stand now. */
  readonly settled: number;
}

/** How often what has become due is sent. */
const TURN_MS = 1;
/** Open before the open loop begins, beside as many as come within the next; more are opened when all are busy. */
const FIRST_CONNECTIONS = 500;
/** As long as clients are told to stay away, on average, or stand in line who come before. */
const AWAY_SECONDS = 3.5;
const PREPARED_AT_ONCE = 64;
const ATTEMPTS = 20;
const ATTEMPT_EVERY_MS = 500;
/** For the last answers, after the last request. */
const PATIENCE_MS = 60_000;

const setup = JSON.parse(process.argv[2] ?? '') as LoadSetup;
const { hostname, port, host } = new URL(setup.url);
const queue = new FilingQueue(setup.files, host, setup);

const HEALTH = Buffer.from(`GET /healthz HTTP/1.1\r\nHost: ${host}\r\n\r\n`);

interface UnderWay {
  readonly filing: number;
  readonly dueMs: number;
}

/** One run, and its connections. */
class Run implements ConnectionOwner {
  #tally = new Tally();
  readonly #preparing = new Set<Connection>();
  readonly #acknowledged = new Set<number>();
  readonly #doubtful = new Set<number>();
  readonly #idle: Connection[] = [];
  readonly #underWay = new Map<Connection, UnderWay>();
  readonly #open = new Set<Connection>();
  readonly #isClosedLoop: boolean;
  readonly #honoursRetryAfter: boolean;
  #isOver = false;
  #connections = 0;
  readonly #to: number;

  constructor(question: LoadQuestion) {
    this.#isClosedLoop = question.loop === 'closed';
    this.#honoursRetryAfter = 'honoursRetryAfter' in question && question.honoursRetryAfter;
    this.#to = 'to' in question ? question.to : Number.POSITIVE_INFINITY;
  }

  async perform(question: LoadQuestion): Promise<LoadAnswer> {
    if (question.loop === 'open') await this.#atRate(question);
    else await this.#asAnswered(question);
    this.#isOver = true;
    const end = performance.now() + PATIENCE_MS;
    while (this.#underWay.size > 0 && performance.now() < end) await sleep(20);
    const figures = this.#tally.figures(this.#connections);
    for (const connection of this.#open) connection.close();
    return { ...figures, exhausted: queue.isExhausted, settled: await this.#settle() };
  }

  /** Sends again what was answered with neither yes nor no, until it has its receipt, as a client does. */
  async #settle(): Promise<number> {
    const open = [...this.#doubtful].filter((filing) => !this.#acknowledged.has(filing));
    for (const filing of open) {
      for (let attempt = 1; ; attempt++) {
        const headers = { 'Content-Type': 'application/jose' };
        const { status } = await fetch(`${setup.url}/v1/filings`, {
          method: 'POST',
          headers,
          body: queue.body(filing),
        });
        if (status === 200 || status === 201) break;
        if (attempt === ATTEMPTS) throw new Error(`filing ${filing} got ${status} to the end`);
        await sleep(ATTEMPT_EVERY_MS);
      }
    }
    return open.length;
  }

  async #atRate({ rate, seconds, connectionsMax }: LoadQuestion & { loop: 'open' }): Promise<void> {
    await this.#prepare(Math.min(connectionsMax, Math.ceil(FIRST_CONNECTIONS + rate * AWAY_SECONDS)));
    const startMs = performance.now();
    const intervalMs = 1_000 / rate;
    const total = rate * seconds;
    for (let sent = 0; sent < total && !queue.isExhausted; ) {
      const nowMs = performance.now();
      for (; sent < total; sent++) {
        const dueMs = startMs + sent * intervalMs;
        if (dueMs > nowMs) break;
        const connection = this.#idle.pop() ?? (this.#open.size < connectionsMax ? this.#connect() : undefined);
        // All are busy: it waits for one, and its waiting counts.
        if (connection === undefined || !this.#send(connection, dueMs)) break;
      }
      await sleep(TURN_MS);
    }
  }

  async #asAnswered(question: LoadQuestion & { loop: 'closed' }): Promise<void> {
    for (let i = 0; i < question.connections; i++) this.#send(this.#connect(), performance.now());
    if ('seconds' in question) {
      await sleep(question.seconds * 1_000);
      return;
    }
    while (this.#underWay.size > 0) await sleep(20);
  }

  /**
   * Connections that have been used before, as software keeps them: Node takes new ones one by one, which would be measured in
   * place of the gateway.
   */
  async #prepare(count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      this.#preparing.add(this.#connect().send(HEALTH));
      while (this.#preparing.size >= PREPARED_AT_ONCE) await sleep(TURN_MS);
    }
    while (this.#preparing.size > 0) await sleep(TURN_MS);
    this.#tally = new Tally();
  }

  #connect(): Connection {
    const connection = new Connection(hostname, Number(port), this);
    this.#open.add(connection);
    this.#connections++;
    return connection;
  }

  #send(connection: Connection, dueMs: number): boolean {
    const filing = queue.take(this.#to);
    if (filing === undefined) return false;
    this.#underWay.set(connection, { filing, dueMs });
    this.#tally.sent(performance.now() - dueMs);
    connection.send(queue.request(filing));
    return true;
  }

  answered(connection: Connection, status: number, body: () => string, head: string): void {
    if (this.#preparing.delete(connection)) {
      this.#idle.push(connection);
      return;
    }
    const { filing, dueMs } = this.#underWay.get(connection) as UnderWay;
    this.#underWay.delete(connection);
    const outcome = this.#tally.answered(filing, status, dueMs, body);
    if (outcome === 'refused' || outcome === 'limited') queue.giveBack(filing);
    else if (outcome === 'accepted') this.#acknowledged.add(filing);
    else if (status === 503) this.#doubtful.add(filing);
    if (!connection.isUsable) return;
    if (this.#isClosedLoop) {
      if (!this.#isOver) this.#send(connection, performance.now());
      return;
    }
    const seconds = this.#honoursRetryAfter ? /\r\nretry-after: (\d+)/i.exec(head)?.[1] : undefined;
    if (seconds === undefined) this.#idle.push(connection);
    else setTimeout(() => this.#comeBack(connection), Number(seconds) * 1_000).unref();
  }

  #comeBack(connection: Connection): void {
    if (connection.isUsable) this.#idle.push(connection);
  }

  ended(connection: Connection): void {
    this.#open.delete(connection);
    this.#preparing.delete(connection);
    this.#underWay.delete(connection);
    const at = this.#idle.indexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
  }
}

process.on('message', (question: LoadQuestion) => {
  void new Run(question).perform(question).then((answer) => process.send?.(answer));
});
// Without its parent nobody would read the outcome.
process.on('disconnect', () => process.exit(0));
process.send?.({ ready: true });
