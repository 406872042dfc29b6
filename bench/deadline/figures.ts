import { type Distribution, type Figure, type Machine, type Series, scaledCpu, scaledRate } from '../figure.ts';
import type { Percentiles } from './load-program.ts';
import type { NightMeasured, NightOptions } from './night.ts';

/** Filers of the night that the goal is written for. */
const GOAL_FILERS = 600_000;
const GOAL_SECONDS = { goal: 100, atLeast: 150 };
/** An office has what was filed for it within so many seconds. */
const OFFICE_SECONDS = 5;

export function nightFigures(
  options: NightOptions,
  { load, offices, imported, startAt, cpu, peakMemoryBytes }: NightMeasured,
  machine: Machine,
): { readonly figures: Figure[]; readonly series: Series[]; readonly distributions: Distribution[] } {
  const more = (name: string, value: number, unit: string, rest: Partial<Figure> = {}): Figure => ({
    name,
    value,
    unit,
    better: 'more',
    ...rest,
  });
  const less = (name: string, value: number, unit: string, rest: Partial<Figure> = {}): Figure => ({
    name,
    value,
    unit,
    better: 'less',
    ...rest,
  });
  const rate = (name: string, value: number, unit: string): Figure =>
    more(name, value, unit, { scaled: scaledRate(value, machine) });
  const cpuOf = (name: string, value: number): Figure => less(name, value, 'µs', { scaled: scaledCpu(value, machine) });
  const each = (seconds: number, count: number): number => (seconds * 1e6) / count;
  const refused = (load.statuses[503] ?? 0) + (load.statuses[429] ?? 0);
  const { answeredMs, receivedMs } = load;
  const agents =
    answeredMs.agents.length === 0 ? [] : [less("agents' bursts accepted, p99", at(answeredMs.agents, 99), 'ms')];
  const figures: Figure[] = [
    less('done in', load.seconds, 's', options.filers >= GOAL_FILERS ? GOAL_SECONDS : {}),
    rate('filings/s', load.accepted / load.seconds, '/s'),
    less('an office waited at most', offices.worst.ms / 1_000, 's', { goal: OFFICE_SECONDS, atLeast: OFFICE_SECONDS }),
    less('an office waited, p99', at(offices.waitedMs, 99) / 1_000, 's'),
    less('accepted after, p50', at(answeredMs.filers, 50), 'ms'),
    less('accepted after, p99', at(answeredMs.filers, 99), 'ms'),
    less('accepted after, longest', at(answeredMs.filers, 100), 'ms'),
    ...agents,
    less('received after, p99', at(receivedMs, 99), 'ms'),
    less('due in time, received late', load.afterDeadline, ''),
    less('refusals, sent again', refused, ''),
    ...(cpu === undefined
      ? []
      : [
          cpuOf('CPU a filing', each(cpu.gateway + cpu.postgres, load.accepted)),
          cpuOf('  gateway', each(cpu.gateway, load.accepted)),
          cpuOf('  PostgreSQL', each(cpu.postgres, load.accepted)),
        ]),
    ...(peakMemoryBytes === undefined ? [] : [less('gateway memory, peak', peakMemoryBytes / 1024 / 1024, 'MiB')]),
    rate('parties imported/s', imported.parties / imported.seconds, '/s'),
    ...(imported.cpu === undefined
      ? []
      : [cpuOf('CPU an imported party', each(imported.cpu.gateway + imported.cpu.postgres, imported.parties))]),
  ];
  const series: Series[] = [
    { name: 'due', unit: 'filings/s', points: pointsOf(load.due) },
    { name: 'accepted', unit: 'filings/s', points: pointsOf(load.acceptedEach) },
    { name: 'refused', unit: 'answers/s', points: pointsOf(load.refusedEach) },
    {
      name: 'longest wait of an office',
      unit: 'ms',
      points: pointsOf(offices.longestEach, (offices.startedAt - startAt) / 1_000),
    },
  ];
  const distributions: Distribution[] = [
    { name: 'accepted after', points: answeredMs.filers },
    { name: 'an office waited', points: offices.waitedMs },
  ];
  return { figures, series, distributions };
}

function at(percentiles: Percentiles, percentile: number): number {
  return percentiles.find(([one]) => one === percentile)?.[1] ?? 0;
}

function pointsOf(values: readonly number[], fromSecond = 0): [number, number][] {
  return values
    .map((value, second) => [second + fromSecond, value] as [number, number])
    .filter(([second]) => second >= 0);
}
