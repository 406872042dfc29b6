// Takes an office's entries from a gateway as fast as they come, and does nothing with them but count: what this process costs is as
// little as a client can cost. A process of its own; its parent gets an outcome for each run that it asks for.
import { Agent, type IncomingMessage, request } from 'node:http';

export interface ReadRun {
  readonly url: string;
  readonly office: string;
  readonly token: string;
  readonly to: number;
  readonly gzip: boolean;
}

export interface ReadOutcome {
  readonly entries: number;
  /** As they came: compressed, where that was asked for. */
  readonly bytes: number;
  /** Lines, where they were not compressed. */
  readonly lines: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** Entries by the end of each second. */
  readonly perSecond: readonly number[];
}

const ENTRIES_A_REQUEST = 50_000;
const NEWLINE = 0x0a;

const agent = new Agent({ keepAlive: true, maxSockets: 1 });

process.on('message', (run: ReadRun) => {
  void read(run).then(
    (outcome) => process.send?.(outcome),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
process.on('disconnect', () => process.exit(0));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => {});
process.send?.('ready');

async function read(run: ReadRun): Promise<ReadOutcome> {
  const seen = new Seen();
  const cpuBefore = process.cpuUsage();
  let next = 0;
  while (next < run.to) {
    const response = await ask(run, next);
    if (response.statusCode !== 200) throw new Error(`entries were answered with ${response.statusCode}`);
    for await (const chunk of response) seen.add(chunk as Buffer, run.gzip);
    const reached = Number(response.headers['shenbao-next']);
    if (!(reached > next)) throw new Error(`the log ends at ${next}`);
    next = reached;
    seen.entries = next;
  }
  const { user, system } = process.cpuUsage(cpuBefore);
  return { ...seen.outcome(), cpuSeconds: (user + system) / 1e6 };
}

function ask({ url, office, token, to, gzip }: ReadRun, from: number): Promise<IncomingMessage> {
  const limit = Math.min(ENTRIES_A_REQUEST, to - from);
  const headers = { authorization: `Bearer ${token}`, 'accept-encoding': gzip ? 'gzip' : 'identity' };
  return new Promise((resolve, reject) => {
    request(`${url}/v1/offices/${office}/entries?from=${from}&limit=${limit}`, { agent, headers }, resolve)
      .once('error', reject)
      .end();
  });
}

class Seen {
  entries = 0;
  #bytes = 0;
  #lines = 0;
  readonly #startMs = performance.now();
  readonly #perSecond: number[] = [];

  add(chunk: Buffer, gzip: boolean): void {
    this.#bytes += chunk.length;
    if (gzip) return;
    for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, at + 1)) this.#lines++;
    const second = Math.floor((performance.now() - this.#startMs) / 1000);
    this.#perSecond[second] = this.#lines;
  }

  outcome(): Omit<ReadOutcome, 'cpuSeconds'> {
    return {
      entries: this.entries,
      bytes: this.#bytes,
      lines: this.#lines,
      seconds: (performance.now() - this.#startMs) / 1000,
      perSecond: Array.from(this.#perSecond, (count) => count ?? 0),
    };
  }
}
