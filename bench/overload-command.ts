import { table } from '../src/cli/text.ts';
import { type BenchCommand, UsageError, wholeNumber } from './command.ts';
import { type Distribution, type Figure, type Series, scaledRate } from './figure.ts';
import type { Clients, LoadRun } from './overload/stage.ts';
import { benchOverload, type OverloadOptions, type OverloadResult } from './overload.ts';

export const overload: BenchCommand = {
  usage: `npm run bench -- overload [options]

Measures how many filings a second the gateway can bear, then offers once, twice and three times as many in an open loop
(requests come at their rate whatever is answered), a fifth of them from clients that keep to Retry-After. Then one
enterprise floods, and then a crowd of idle and slow connections comes, while others file at their pace. Each on a gateway
of its own; checks everything that was stored. Build first: npm run build

  --seconds N          length of each load (8)
  --rounds N           times that the loads are offered (1)
  --loads LIST         multiples of the capacity (1,2,3)
  --flood N            what one enterprise sends, in multiples of the capacity (2)
  --idle N             connections that send nothing (5000)
  --slow N             connections that send a byte now and then (1000)
  --connections N      of the closed loop that finds the capacity (256)
  --connections-max N  of the open loop (8000)
  --filers N           enterprises that file (10000)
  --offices N          tax offices that they file with (10)
  --workers N          serving processes of the gateway (1)
  --seed TEXT          another seed, other filers and filings
  --target URL         a gateway that runs already, with --operator-key FILE; nothing is deleted there afterwards
`,
  options: {
    seconds: { type: 'string', default: '8' },
    rounds: { type: 'string', default: '1' },
    loads: { type: 'string', default: '1,2,3' },
    flood: { type: 'string', default: '2' },
    idle: { type: 'string', default: '5000' },
    slow: { type: 'string', default: '1000' },
    connections: { type: 'string', default: '256' },
    'connections-max': { type: 'string', default: '8000' },
    filers: { type: 'string', default: '10000' },
    offices: { type: 'string', default: '10' },
    workers: { type: 'string', default: '1' },
    seed: { type: 'string' },
    target: { type: 'string' },
    'operator-key': { type: 'string' },
  },
  async run(values, onProgress) {
    const result = await benchOverload(readOptions(values), onProgress);
    const faults = [...result.check.faults, ...faultsOf(result)];
    const kept = {
      ...result,
      figures: figuresOf(result),
      series: seriesOf(result),
      distributions: distributionsOf(result),
    };
    return { result: kept, lines: reportLines(result), faults };
  },
};

function readOptions(values: Readonly<Record<string, unknown>>): OverloadOptions {
  const whole = (name: string): number => wholeNumber(values, name);
  const text = (name: string): string | undefined => values[name] as string | undefined;
  const [target, operatorKey] = [text('target'), text('operator-key')];
  if ((target === undefined) !== (operatorKey === undefined))
    throw new UsageError('--target and --operator-key belong together');
  const loads = String(values.loads).split(',').map(Number);
  if (loads.some((load) => !(load > 0))) throw new UsageError('--loads takes numbers above 0 with commas between them');
  return {
    seconds: whole('seconds'),
    rounds: whole('rounds'),
    loads,
    flood: whole('flood'),
    others: 0.5,
    idleSockets: whole('idle'),
    slowSenders: whole('slow'),
    connections: whole('connections'),
    connectionsMax: whole('connections-max'),
    filers: whole('filers'),
    offices: whole('offices'),
    workers: whole('workers'),
    // A running gateway keeps what it was sent: the same filings again would be replays.
    seed: text('seed') ?? (target === undefined ? 'shenbao' : `target ${Date.now()}`),
    target: target === undefined || operatorKey === undefined ? undefined : { url: target, operatorKey },
  };
}

/** What must not be in an answer, however much is asked. */
function faultsOf({ runs, flood, crowd }: OverloadResult): string[] {
  return [...runs, flood.others, flood.party, crowd.others].flatMap(({ name, statuses }) =>
    Object.keys(statuses)
      .filter((status) => !['200', '201', '429', '503'].includes(status))
      .map((status) => `${name}: ${statuses[status]} answers with status ${status}`),
  );
}

const percentile = ({ latencyMs }: LoadRun['outcomes']['accepted'], wanted: number): number | undefined =>
  latencyMs.find(([at]) => at === wanted)?.[1];

/** Share of the requests that were accepted. */
const success = ({ outcomes, sent }: LoadRun): number => (100 * outcomes.accepted.count) / sent;

/** What was accepted a second of one load of one round, whoever sent it. */
function goodputs(runs: readonly LoadRun[]): number[] {
  const loads = new Map<string, number>();
  for (const { name, round, goodput } of runs) {
    const load = `${name} ${round}`;
    loads.set(load, (loads.get(load) ?? 0) + goodput);
  }
  return [...loads.values()];
}

/** The highest rate of acceptance, under whichever load. */
const peakOf = ({ runs }: OverloadResult): number => Math.max(...goodputs(runs));

/** The median over the rounds, and their range. */
function overRounds(values: readonly number[]): { readonly value: number; readonly spread: readonly [number, number] } {
  const sorted = values.toSorted((a, b) => a - b);
  return { value: sorted[Math.floor(sorted.length / 2)] ?? 0, spread: [sorted[0] ?? 0, sorted.at(-1) ?? 0] };
}

function figuresOf(result: OverloadResult): Figure[] {
  const { runs, flood, crowd, machine, peakMemoryBytes } = result;
  const peak = peakOf(result);
  const names = [...new Set(runs.map(({ name }) => name))].filter((name) => name !== 'capacity');
  const loads = names.flatMap((name): Figure[] => {
    const same = runs.filter((run) => run.name === name);
    const isOver = Number.parseFloat(name) > 1;
    return [
      {
        name: `goodput at ${name}`,
        ...overRounds(goodputs(same).map((goodput) => goodput / peak)),
        unit: 'of the peak',
        better: 'more',
        ...(isOver ? { goal: 0.9, atLeast: 0.8 } : {}),
      },
      ...refusalFigures(name, same),
    ];
  });
  const cut = crowd.lastCutSeconds;
  return [
    { name: 'peak', value: peak, unit: 'filings/s', better: 'more', scaled: scaledRate(peak, machine) },
    ...loads,
    {
      name: 'others beside a flood',
      value: success(flood.others),
      unit: '% accepted',
      better: 'more',
      goal: 99.9,
      atLeast: 99.9,
    },
    {
      name: 'others beside a crowd',
      value: success(crowd.others),
      unit: '% accepted',
      better: 'more',
      goal: 99,
      atLeast: 99,
    },
    ...(cut === undefined
      ? []
      : [{ name: 'last of the crowd cut', value: cut, unit: 's', better: 'less', goal: 15, atLeast: 15 } as const]),
    ...(peakMemoryBytes === undefined
      ? []
      : [
          {
            name: 'gateway memory',
            value: peakMemoryBytes / 1024 ** 2,
            unit: 'MiB',
            better: 'less',
            goal: 512,
          } as const,
        ]),
  ];
}

/** Whoever comes again before he may waits for his refusal, on purpose: the goal is for those who keep to what they were told. */
function refusalFigures(load: string, runs: readonly LoadRun[]): Figure[] {
  return (['honouring', 'ignoring'] as const).flatMap((clients): Figure[] => {
    const refusals = runs
      .filter((run) => run.clients === clients)
      .flatMap((run) => percentile(run.outcomes.refused, 99) ?? []);
    if (refusals.length === 0) return [];
    const goals = clients === 'honouring' ? { goal: 20, atLeast: 50 } : {};
    return [
      {
        name: `refusal p99 at ${load}, ${RETRY_AFTER[clients]}`,
        ...overRounds(refusals),
        unit: 'ms',
        better: 'less',
        ...goals,
      },
    ];
  });
}

const RETRY_AFTER: Readonly<Record<Clients, string>> = {
  honouring: 'Retry-After kept',
  ignoring: 'Retry-After ignored',
};

const nameOf = ({ name, clients }: LoadRun): string =>
  clients === undefined ? name : `${name}, ${RETRY_AFTER[clients]}`;

function seriesOf({ runs }: OverloadResult): Series[] {
  return runs.flatMap((run) =>
    (['accepted', 'refused'] as const)
      .filter((outcome) => run.outcomes[outcome].count > 0)
      .map((outcome) => ({
        name: `${nameOf(run)}, round ${run.round + 1}: ${outcome}`,
        unit: '/s',
        points: run.outcomes[outcome].perSecond.map((count, second) => [second, count] as const),
      })),
  );
}

function distributionsOf({ runs }: OverloadResult): Distribution[] {
  return runs.flatMap((run) =>
    (['accepted', 'refused'] as const)
      .filter((outcome) => run.outcomes[outcome].count > 0)
      .map((outcome) => ({
        name: `${nameOf(run)}, round ${run.round + 1}: ${outcome}`,
        points: run.outcomes[outcome].latencyMs,
      })),
  );
}

function reportLines(result: OverloadResult): string[] {
  const { runs, flood, crowd, machine, check, commit, peakMemoryBytes } = result;
  const peak = peakOf(result);
  const all = [...runs, flood.others, flood.party, crowd.others];
  const head = [
    'load',
    'offered/s',
    'accepted/s',
    'of peak',
    'p50',
    'p99',
    'refused',
    'p50',
    'p99',
    'limited',
    'others',
    'sent late p99',
    'CPU a request, gateway + db',
  ];
  const ms = (value: number | undefined): string => (value === undefined ? '' : `${value.toFixed(1)} ms`);
  const rows = all.map((run) => {
    const { outcomes, cpu } = run;
    return [
      nameOf(run),
      run.rate === undefined ? '' : String(run.rate),
      run.goodput.toFixed(0),
      (run.goodput / peak).toFixed(2),
      ms(percentile(outcomes.accepted, 50)),
      ms(percentile(outcomes.accepted, 99)),
      String(outcomes.refused.count),
      ms(percentile(outcomes.refused, 50)),
      ms(percentile(outcomes.refused, 99)),
      String(outcomes.limited.count),
      String(outcomes.other.count + run.unanswered),
      ms(run.sentLateMs.p99),
      cpu === undefined ? '' : `${(((cpu.gateway + cpu.postgres) * 1e6) / run.sentTogether).toFixed(0)} µs`,
    ];
  });
  return [
    ...table([head, ...rows]),
    `beside a flood by one party ${success(flood.others).toFixed(2)} % of the others' filings were accepted at once, beside a crowd ${success(crowd.others).toFixed(2)} %`,
    crowd.lastCutSeconds === undefined
      ? `of ${crowd.idle} idle connections and ${crowd.slow} slow senders ${crowd.stillOpen} were still open at the end`
      : `${crowd.idle} idle connections and ${crowd.slow} slow senders: the last was cut after ${crowd.lastCutSeconds.toFixed(1)} s`,
    ...(peakMemoryBytes === undefined ? [] : [`gateway memory, peak: ${(peakMemoryBytes / 1024 ** 2).toFixed(0)} MiB`]),
    `checked: ${check.stored} entries pulled, dense in ${check.offices} offices, every root equal; ${check.receipts} receipts verified offline`,
    `crypto.verify before: ${machine.verifyUs.toFixed(0)} µs; load before ${machine.loadBefore.toFixed(2)}; Node ${machine.node}; version ${commit}`,
  ];
}
