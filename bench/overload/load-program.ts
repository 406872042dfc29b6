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
  /** Begins again at the first filing when there are no more. */
  readonly repeats: boolean;
}

/** In the open loop requests come at their rate whatever happens; in the closed one each connection waits for its answer. */
export type LoadQuestion =
  | { readonly loop: 'open'; readonly rate: number; readonly seconds: number; readonly connectionsMax: number }
  | { readonly loop: 'closed'; readonly connections: number; readonly seconds: number }
  /** Each filing below `to`, once. */
  | { readonly loop: 'closed'; readonly connections: number; readonly to: number };

export interface LoadAnswer extends RunFigures {
  /** Filings ran out before the time was over. */
  readonly exhausted: boolean;
}

/** How often what has become due is sent. */
const TURN_MS = 1;
/** For the last answers, after the last request. */
const PATIENCE_MS = 10_000;

const setup = JSON.parse(process.argv[2] ?? '') as LoadSetup;
const { hostname, port, host } = new URL(setup.url);
const queue = new FilingQueue(setup.files, host, setup.from, setup.repeats);

interface UnderWay {
  readonly filing: number;
  readonly dueMs: number;
}

/** One run, and its connections. */
class Run implements ConnectionOwner {
  readonly #tally = new Tally();
  readonly #idle: Connection[] = [];
  readonly #underWay = new Map<Connection, UnderWay>();
  readonly #open = new Set<Connection>();
  readonly #isClosedLoop: boolean;
  #isOver = false;
  #connections = 0;
  readonly #to: number;

  constructor(question: LoadQuestion) {
    this.#isClosedLoop = question.loop === 'closed';
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
    return { ...figures, exhausted: queue.isExhausted };
  }

  async #atRate({ rate, seconds, connectionsMax }: LoadQuestion & { loop: 'open' }): Promise<void> {
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

  answered(connection: Connection, status: number, body: () => string): void {
    const { filing, dueMs } = this.#underWay.get(connection) as UnderWay;
    this.#underWay.delete(connection);
    const outcome = this.#tally.answered(filing, status, dueMs, body);
    if (outcome === 'refused' || outcome === 'limited') queue.giveBack(filing);
    if (!connection.isUsable) return;
    if (!this.#isClosedLoop) this.#idle.push(connection);
    else if (!this.#isOver) this.#send(connection, performance.now());
  }

  ended(connection: Connection): void {
    this.#open.delete(connection);
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
