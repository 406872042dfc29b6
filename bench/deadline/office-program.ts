// The offices of a deadline night: a process of its own that asks which logs grew, pulls them and verifies all that it gets. Its
// parent says how much has been filed when nothing more comes, and gets an OfficeReport when all of it was pulled.
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { type PullState, ShenbaoClient } from '../../src/client/client.ts';
import { sha256 } from '../../src/std/bytes.ts';
import { officeKey, officeOf } from '../corpus.ts';
import type { Percentiles } from './load-program.ts';

export interface OfficeSetup {
  readonly url: string;
  readonly issuer: string;
  readonly seed: string;
  readonly offices: number;
  /** Between two rounds over the logs that grew. */
  readonly pauseMs: number;
}

/** All that will ever stand in these logs. */
export interface OfficeEnd {
  readonly expected: number;
  readonly patienceSeconds: number;
}

export interface OfficeOutcome {
  /** Entries pulled, verified against signed roots and acknowledged. */
  readonly pulled: number;
  readonly batches: number;
  /** From a filing's arrival at the gateway until its office had verified it. */
  readonly waitedMs: Percentiles;
  /** The office that had to wait longest, and the office for which the longest wait was shortest. */
  readonly worst: { readonly office: string; readonly ms: number };
  readonly best: { readonly office: string; readonly ms: number };
  /** The longest wait of what arrived at the offices in each second since the start of this process. */
  readonly longestEach: readonly number[];
  readonly startedAt: number;
  readonly cpuSeconds: number;
}

export type OfficeReport =
  | { readonly event: 'ready' }
  | { readonly event: 'tick'; readonly pulled: number }
  | { readonly event: 'done'; readonly outcome: OfficeOutcome };

const PERCENTILES = [1, 50, 90, 99, 99.9, 100];
/** The gateway answers an empty question after so long. */
const WAIT_SECONDS = 1;

const setup = JSON.parse(process.argv[2] ?? '') as OfficeSetup;
const startedAt = Date.now();
const waitedMs: RecordableHistogram = createHistogram();
const longestEach: number[] = [];
let end: OfficeEnd | undefined;
let pulled = 0;
let batches = 0;

/** One office's puller. */
class Office {
  readonly code: string;
  longestMs = 0;
  /** When the newest entry that was pulled had arrived at the gateway. */
  #newestAt = startedAt;
  readonly #client: ShenbaoClient;
  #state: PullState | undefined;
  #told = 0;
  #pulling: Promise<void> | undefined;

  constructor(code: string) {
    this.code = code;
    const key = { ...officeKey(setup.seed, code), sub: code };
    this.#client = new ShenbaoClient({ gateway: setup.url, issuer: setup.issuer, key, hash: sha256 });
  }

  get client(): ShenbaoClient {
    return this.#client;
  }

  /** How far the log is known to go. */
  told(size: number): void {
    this.#told = Math.max(this.#told, size);
  }

  /** Pulls what is missing, unless that is being done already: no office waits for another. */
  pullOn(): Promise<void> {
    if ((this.#state?.size ?? 0) >= this.#told) return Promise.resolve();
    this.#pulling ??= this.#pullMissing().finally(() => {
      this.#pulling = undefined;
    });
    return this.#pulling;
  }

  async #pullMissing(): Promise<void> {
    while ((this.#state?.size ?? 0) < this.#told) {
      const received: number[] = [];
      const batch = await this.#client.office(this.code).pull('deadline', {
        ...(this.#state === undefined ? {} : { state: this.#state }),
        // As `shenbao pull` does.
        compressed: false,
        onEntry: ({ entry }) => void received.push(Date.parse(entry.receivedAt)),
        save: ({ state }) => this.#arrived(received, state.size - (this.#state?.size ?? 0)),
      });
      // Leased to a request whose answer was lost: it is handed out again when that lease has run out.
      if (batch === undefined) return;
      pulled += batch.state.size - (this.#state?.size ?? 0);
      this.#state = batch.state;
      batches++;
    }
  }

  /**
   * Only now is it known that these are the log's next entries: its root came out. Entries of a lease whose answer was lost are
   * verified again with the next ones, and not named: an office's times never run backwards, so that these came after the newest one.
   */
  #arrived(received: readonly number[], count: number): void {
    const unnamed = Array.from({ length: Math.max(0, count - received.length) }, () => this.#newestAt);
    const now = Date.now();
    const second = Math.floor((now - startedAt) / 1_000);
    for (const at of [...unnamed, ...received]) {
      const ms = now - at;
      waitedMs.record(Math.max(1, Math.round(ms)));
      this.longestMs = Math.max(this.longestMs, ms);
      longestEach[second] = Math.max(longestEach[second] ?? 0, ms);
    }
    this.#newestAt = received.at(-1) ?? this.#newestAt;
  }
}

const offices = new Map(Array.from({ length: setup.offices }, (_, i) => [officeOf(i), new Office(officeOf(i))]));

const agency = (offices.get(officeOf(0)) as Office).client;

/** What a gateway that runs already has from before is read, and not measured. */
async function catchUp(): Promise<string> {
  const heads = await agency.heads('tax');
  for (const { office, size } of heads.items) offices.get(office)?.told(size);
  for (const office of offices.values()) await office.pullOn();
  for (const office of offices.values()) office.longestMs = 0;
  waitedMs.reset();
  longestEach.length = 0;
  [pulled, batches] = [0, 0];
  return heads.next;
}

async function watch(from: string): Promise<OfficeOutcome> {
  let since = from;
  let giveUpAt = Number.POSITIVE_INFINITY;
  while (end === undefined || (pulled < end.expected && Date.now() < giveUpAt)) {
    if (end !== undefined) giveUpAt = Math.min(giveUpAt, Date.now() + end.patienceSeconds * 1_000);
    const heads = await agency.heads('tax', { since, waitSeconds: WAIT_SECONDS });
    since = heads.next;
    for (const { office, size } of heads.items) offices.get(office)?.told(size);
    // One that fails ends this process: its parent takes that for what it is.
    for (const office of offices.values()) void office.pullOn();
    await sleep(setup.pauseMs);
  }
  return outcome();
}

function outcome(): OfficeOutcome {
  const sorted = [...offices.values()].toSorted((a, b) => b.longestMs - a.longestMs);
  const named = ({ code, longestMs }: Office) => ({ office: code, ms: longestMs });
  const { user, system } = process.cpuUsage();
  return {
    pulled,
    batches,
    waitedMs:
      waitedMs.count === 0 ? [] : PERCENTILES.map((percentile) => [percentile, waitedMs.percentile(percentile)]),
    worst: named(sorted[0] as Office),
    best: named(sorted.at(-1) as Office),
    longestEach: Array.from(longestEach, (ms) => ms ?? 0),
    startedAt,
    cpuSeconds: (user + system) / 1e6,
  };
}

function report(message: OfficeReport): void {
  process.send?.(message);
}

process.on('message', (message: OfficeEnd) => {
  end = message;
});
process.on('disconnect', () => process.exit(0));
setInterval(() => report({ event: 'tick', pulled }), 500).unref();
const begun = await catchUp();
report({ event: 'ready' });
report({ event: 'done', outcome: await watch(begun) });
