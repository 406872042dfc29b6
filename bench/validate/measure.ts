import { verifyCost } from '../calibrate.ts';
import { REFERENCE_VERIFY_US } from '../figure.ts';
import type { Step, ValidateCase } from './cases.ts';

export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

/** CPU microseconds of one run of a step. */
export interface Cost extends Spread {
  /** Median of what it would be where one ES256 verification takes {@link REFERENCE_VERIFY_US}. */
  readonly scaled: number;
  /** The same of the best round: of a busy machine it says more. */
  readonly scaledLeast: number;
}

export interface Weighed extends Omit<ValidateCase, 'steps'> {
  readonly costs: Readonly<Partial<Record<Step, Cost>>>;
}

export interface MeasureOptions {
  /** Rounds at most; fewer when the time is over. */
  readonly rounds: number;
  /** After which no further round begins. */
  readonly seconds: number;
}

export interface Measured {
  readonly cases: readonly Weighed[];
  readonly roundsDone: number;
  readonly verifyUs: Spread;
}

interface Weighing {
  readonly name: Step;
  readonly run: () => void;
  readonly samples: number[];
  readonly scaled: number[];
  /** Runs in one sample. */
  count: number;
}

/** V8 goes on improving a step for thousands of runs; a gateway has done as many within seconds. */
const WARM_UP = { runs: 10_000, cpuUs: 400_000, shareOfTime: 0.6 };

/**
 * Weighs every step of every case in turn, several rounds of it, each after one calibration: what else the machine does
 * falls on all of them alike. CPU is of the whole process, so garbage collection is in it.
 */
export function measure(
  cases: readonly ValidateCase[],
  { rounds, seconds }: MeasureOptions,
  onProgress: (share: number) => void,
): Measured {
  const weighings = cases.map(({ steps }) =>
    (Object.keys(steps) as Step[]).map(
      (name): Weighing => ({ name, run: steps[name] as () => void, samples: [], scaled: [], count: 1 }),
    ),
  );
  const all = weighings.flat();
  const [startMs, lengthMs] = [performance.now(), seconds * 1_000];
  const sampleUs = ((1 - WARM_UP.shareOfTime) * lengthMs * 1_000) / (all.length * rounds);
  // The last cases first: they are those that goals are set for, and time may run out.
  for (const weighing of [...all].reverse()) warmUp(weighing, sampleUs, startMs + WARM_UP.shareOfTime * lengthMs);
  const verifyUs: number[] = [];
  for (let round = 0; round < rounds && (round === 0 || performance.now() < startMs + lengthMs); round++) {
    const verify = verifyCost();
    verifyUs.push(verify);
    for (const weighing of all) {
      const cost = sample(weighing);
      weighing.samples.push(cost);
      weighing.scaled.push((cost * REFERENCE_VERIFY_US) / verify);
    }
    onProgress((round + 1) / rounds);
  }
  return {
    cases: cases.map(({ steps: _, ...facts }, i) => ({
      ...facts,
      costs: Object.fromEntries(
        (weighings[i] ?? []).map(({ name, samples, scaled }) => [name, costOf(samples, scaled)]),
      ),
    })),
    roundsDone: verifyUs.length,
    verifyUs: spread(verifyUs),
  };
}

/** Also learns how many runs make a sample. */
function warmUp(weighing: Weighing, sampleUs: number, endMs: number): void {
  let cost = sample(weighing);
  for (let runs = 1, cpuUs = cost; runs < WARM_UP.runs && cpuUs < WARM_UP.cpuUs && performance.now() < endMs; ) {
    weighing.count = Math.max(1, Math.floor(sampleUs / 4 / cost));
    cost = sample(weighing);
    runs += weighing.count;
    cpuUs += cost * weighing.count;
  }
  weighing.count = Math.max(1, Math.round(sampleUs / cost));
}

function sample({ run, count }: Weighing): number {
  const before = process.cpuUsage();
  for (let i = 0; i < count; i++) run();
  const { user, system } = process.cpuUsage(before);
  // One run may be too short for the clock.
  return Math.max((user + system) / count, 0.001);
}

function costOf(samples: readonly number[], scaled: readonly number[]): Cost {
  return { ...spread(samples), scaled: median(scaled), scaledLeast: Math.min(...scaled) };
}

function spread(samples: readonly number[]): Spread {
  return { median: median(samples), least: Math.min(...samples), most: Math.max(...samples) };
}

function median(samples: readonly number[]): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [low = 0, high = 0] = [sorted[sorted.length % 2 === 0 ? middle - 1 : middle], sorted[middle]];
  return (low + high) / 2;
}
