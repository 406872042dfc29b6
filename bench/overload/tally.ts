import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';

/** `accepted`: 201 and 200. `refused`: told to come again because the gateway is full. `limited`: because of the party's own limit. */
export type Outcome = 'accepted' | 'refused' | 'limited' | 'other';

export interface OutcomeFigures {
  readonly count: number;
  /** From when the request was due to the end of its answer, by percentile. */
  readonly latencyMs: readonly (readonly [percentile: number, ms: number])[];
  /** In each second, by when the answer came. */
  readonly perSecond: readonly number[];
}

export interface RunFigures {
  /** From the first request to the last answer. */
  readonly seconds: number;
  readonly sent: number;
  readonly statuses: Readonly<Record<string, number>>;
  readonly problems: Readonly<Record<string, number>>;
  readonly unanswered: number;
  readonly outcomes: Readonly<Record<Outcome, OutcomeFigures>>;
  /** How much later than due requests were sent: the load generator's own delay, part of every latency. */
  readonly sentLateMs: { readonly p50: number; readonly p99: number; readonly max: number };
  readonly connections: number;
  readonly samples: readonly { readonly filing: number; readonly body: string }[];
  /** CPU seconds of the load generator itself. */
  readonly cpuSeconds: number;
}

const PERCENTILES = [1, 10, 25, 50, 75, 90, 95, 99, 99.9, 100];
const PROBLEM = '{"type":"urn:shenbao:problem:';
const SAMPLES = 60;
/** One accepted answer in so many is kept, until there are enough. */
const SAMPLE_EVERY = 97;

class OutcomeTally {
  readonly #latencyUs: RecordableHistogram = createHistogram();
  readonly #perSecond: number[] = [];
  #count = 0;

  add(latencyMs: number, second: number): void {
    this.#count++;
    this.#latencyUs.record(Math.max(1, Math.round(latencyMs * 1_000)));
    this.#perSecond[second] = (this.#perSecond[second] ?? 0) + 1;
  }

  get count(): number {
    return this.#count;
  }

  figures(): OutcomeFigures {
    const at = (percentile: number): number =>
      (percentile === 100 ? this.#latencyUs.max : this.#latencyUs.percentile(percentile)) / 1_000;
    return {
      count: this.#count,
      latencyMs: this.#count === 0 ? [] : PERCENTILES.map((percentile) => [percentile, at(percentile)] as const),
      perSecond: Array.from(this.#perSecond, (count) => count ?? 0),
    };
  }
}

/** One run: what was sent, when, and what came back. */
export class Tally {
  readonly #startMs = performance.now();
  readonly #cpu = process.cpuUsage();
  readonly #statuses: Record<string, number> = {};
  readonly #problems: Record<string, number> = {};
  readonly #samples: { filing: number; body: string }[] = [];
  readonly #lateUs: RecordableHistogram = createHistogram();
  readonly #outcomes: Readonly<Record<Outcome, OutcomeTally>> = {
    accepted: new OutcomeTally(),
    refused: new OutcomeTally(),
    limited: new OutcomeTally(),
    other: new OutcomeTally(),
  };
  #lastMs = this.#startMs;
  #sent = 0;
  #answered = 0;

  sent(lateMs: number): void {
    this.#sent++;
    this.#lateUs.record(Math.max(1, Math.round(lateMs * 1_000)));
  }

  answered(filing: number, status: number, dueMs: number, body: () => string): Outcome {
    this.#answered++;
    this.#lastMs = performance.now();
    this.#statuses[status] = (this.#statuses[status] ?? 0) + 1;
    const outcome = this.#outcomeOf(filing, status, body);
    this.#outcomes[outcome].add(this.#lastMs - dueMs, Math.floor((this.#lastMs - this.#startMs) / 1_000));
    return outcome;
  }

  #outcomeOf(filing: number, status: number, body: () => string): Outcome {
    if (status === 201 || status === 200) {
      const isSample = status === 201 && this.#outcomes.accepted.count % SAMPLE_EVERY === 0;
      if (isSample && this.#samples.length < SAMPLES) this.#samples.push({ filing, body: body() });
      return 'accepted';
    }
    const text = body();
    const code = text.startsWith(PROBLEM)
      ? text.slice(PROBLEM.length, text.indexOf('"', PROBLEM.length))
      : `status ${status}`;
    this.#problems[code] = (this.#problems[code] ?? 0) + 1;
    if (code === 'overloaded') return 'refused';
    return status === 429 ? 'limited' : 'other';
  }

  figures(connections: number): RunFigures {
    const cpu = process.cpuUsage(this.#cpu);
    return {
      seconds: (this.#lastMs - this.#startMs) / 1_000,
      sent: this.#sent,
      statuses: this.#statuses,
      problems: this.#problems,
      unanswered: this.#sent - this.#answered,
      outcomes: {
        accepted: this.#outcomes.accepted.figures(),
        refused: this.#outcomes.refused.figures(),
        limited: this.#outcomes.limited.figures(),
        other: this.#outcomes.other.figures(),
      },
      sentLateMs: {
        p50: this.#lateUs.percentile(50) / 1_000,
        p99: this.#lateUs.percentile(99) / 1_000,
        max: this.#lateUs.max / 1_000,
      },
      connections,
      samples: this.#samples,
      cpuSeconds: (cpu.user + cpu.system) / 1e6,
    };
  }
}
