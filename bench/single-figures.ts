import type { CpuTimes } from './cpu.ts';
import {
  type Bars,
  type Distribution,
  type Figure,
  type Machine,
  type Series,
  scaledCpu,
  scaledRate,
} from './figure.ts';
import type { LoadOutcome } from './load.ts';

/** One stretch of load, and what the gateway's processes used meanwhile. */
export interface Stretch {
  readonly outcome: LoadOutcome;
  /** CPU microseconds a filing; absent for a gateway that was running before. */
  readonly cpuUs?: CpuParts;
}

export interface CpuParts {
  readonly gateway: number;
  readonly postgres: number;
  readonly load: number;
}

export interface SingleMeasured {
  /** As given; absent: as many as possible. */
  readonly rate: number | undefined;
  readonly main: Stretch;
  /** At half of what the main stretch came to. */
  readonly half?: Stretch & { readonly rate: number };
  readonly peakMemoryBytes: number | undefined;
}

const MIB = 1024 * 1024;

/** CPU a filing of one stretch; absent where the operating system does not tell. */
export function cpuOf(
  before: CpuTimes | undefined,
  after: CpuTimes | undefined,
  outcome: LoadOutcome,
): Pick<Stretch, 'cpuUs'> {
  const accepted = outcome.statuses[201] ?? 0;
  if (before === undefined || after === undefined || accepted === 0) return {};
  const each = (seconds: number): number => (seconds * 1e6) / accepted;
  return {
    cpuUs: {
      gateway: each(after.gateway - before.gateway),
      postgres: each(after.postgres - before.postgres),
      load: each(outcome.cpuSeconds),
    },
  };
}

export function perSecond({ statuses, seconds }: LoadOutcome): number {
  return (statuses[201] ?? 0) / seconds;
}

/** Goals are for the closed loop, and for half of its rate; at a rate that was asked for there are none. */
export function singleFigures(measured: SingleMeasured, machine: Machine): Figure[] {
  const { rate, main, half, peakMemoryBytes } = measured;
  const value = perSecond(main.outcome);
  const { p50, p99 } = main.outcome.latencyMs;
  const goal = rate === undefined;
  const at = goal ? 'closed loop' : `at ${rate}/s`;
  const figures: Figure[] = [
    {
      name: 'filings/s',
      value,
      unit: '/s',
      better: 'more',
      ...(goal ? { goal: 10_000, atLeast: 7_000, scaled: scaledRate(value, machine) } : {}),
    },
    { name: `latency p50, ${at}`, value: p50, unit: 'ms', better: 'less' },
    { name: `latency p99, ${at}`, value: p99, unit: 'ms', better: 'less', ...(goal ? { goal: 250 } : {}) },
  ];
  if (half !== undefined) {
    const { latencyMs } = half.outcome;
    figures.push(
      { name: 'latency p50, half the rate', value: latencyMs.p50, unit: 'ms', better: 'less' },
      { name: 'latency p99, half the rate', value: latencyMs.p99, unit: 'ms', better: 'less', goal: 25 },
    );
  }
  if (main.cpuUs !== undefined) {
    const cpu = main.cpuUs.gateway + main.cpuUs.postgres;
    figures.push({ name: 'CPU a filing', value: cpu, unit: 'µs', better: 'less', scaled: scaledCpu(cpu, machine) });
  }
  if (peakMemoryBytes !== undefined)
    figures.push({
      name: 'gateway memory, peak',
      value: peakMemoryBytes / MIB,
      unit: 'MiB',
      better: 'less',
      goal: 512,
    });
  return figures;
}

export function singleSeries({ main, half }: SingleMeasured): Series[] {
  return [...timelines('', main.outcome), ...(half === undefined ? [] : timelines(', half the rate', half.outcome))];
}

function timelines(suffix: string, { series, latencySeries, seconds }: LoadOutcome): Series[] {
  // The last second is not a whole one.
  const whole = Math.floor(seconds);
  const latency = (name: 'p50' | 'p99'): Series => ({
    name: `latency ${name}${suffix}`,
    unit: 'ms',
    points: latencySeries.map((point) => [point.second, point[name]]),
  });
  return [
    {
      name: `answers${suffix}`,
      unit: '/s',
      points: series.slice(0, Math.max(1, whole)).map((count, second) => [second, count]),
    },
    latency('p50'),
    latency('p99'),
  ];
}

export function singleDistributions({ rate, main, half }: SingleMeasured): Distribution[] {
  const name = rate === undefined ? 'closed loop' : `${rate}/s`;
  return [
    { name, points: main.outcome.distribution },
    ...(half === undefined ? [] : [{ name: 'half the rate', points: half.outcome.distribution }]),
  ];
}

export function singleBars({ main, half }: SingleMeasured, machine: Machine): Bars[] {
  const bar = (name: string, cpuUs: CpuParts): Bars['bars'][number] => ({
    name,
    parts: [
      { name: 'gateway', value: cpuUs.gateway },
      { name: 'PostgreSQL', value: cpuUs.postgres },
      { name: 'load generator', value: cpuUs.load },
    ],
  });
  if (main.cpuUs === undefined) return [];
  return [
    {
      title: 'CPU a filing, by process',
      unit: 'µs',
      bars: [
        bar('as fast as answered', main.cpuUs),
        ...(half?.cpuUs === undefined ? [] : [bar('half the rate', half.cpuUs)]),
        { name: 'one ES256 verification', parts: [{ name: 'crypto.verify', value: machine.verifyUs }] },
      ],
    },
  ];
}
