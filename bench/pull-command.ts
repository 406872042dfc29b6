import { table } from '../src/cli/text.ts';
import { type BenchCommand, UsageError, wholeNumber } from './command.ts';
import { type BenchResult, type Figure, overRounds, type Series, scaledCpu, scaledRate } from './figure.ts';
import { benchPull, type PullBenchOptions, type PullMeasured } from './pull.ts';
import type { PullRound, PullSlice } from './pull-round.ts';

export const pull: BenchCommand = {
  usage: `npm run bench -- pull [options]

Fills a data folder with one office's signed VAT returns, and reads them from a gateway: plain and compressed by a client that only
counts, by the built command line, which verifies everything and writes it to disk, and by COPY of the contents alone; in turn,
several rounds. For the goal: --entries 1000000. Build first: npm run build

  --entries N          the backlog (100000)
  --rounds N           (3)
  --profile            profile the gateway, print its hottest functions
  --keep FOLDER        leave the data folder there, and use it again; 2 kB of disk an entry
  --target URL         a gateway that runs already, with --office CODE --office-key FILE: the log as it is there. Each round leaves a consumer
`,
  options: {
    entries: { type: 'string', default: '100000' },
    rounds: { type: 'string', default: '3' },
    profile: { type: 'boolean', default: false },
    keep: { type: 'string' },
    target: { type: 'string' },
    office: { type: 'string' },
    'office-key': { type: 'string' },
  },
  async run(values, onProgress) {
    const measured = await benchPull(readOptions(values), onProgress);
    const result: BenchResult = { ...measured, figures: figuresOf(measured), series: seriesOf(measured) };
    return { result, lines: reportLines(measured), faults: measured.faults };
  },
};

function readOptions(values: Readonly<Record<string, unknown>>): PullBenchOptions {
  const text = (name: string): string | undefined => values[name] as string | undefined;
  const [url, office, keyFile] = [text('target'), text('office'), text('office-key')];
  if (url !== undefined && (office === undefined || keyFile === undefined))
    throw new UsageError('--target needs --office and --office-key');
  return {
    entries: wholeNumber(values, 'entries'),
    rounds: wholeNumber(values, 'rounds'),
    profile: values.profile === true,
    keep: text('keep'),
    target: url === undefined || office === undefined || keyFile === undefined ? undefined : { url, office, keyFile },
  };
}

type Way = 'served' | 'compressed' | 'pulled' | 'copied';

const NAMES: Readonly<Record<Way, string>> = {
  served: 'served',
  compressed: 'served, compressed',
  pulled: 'pulled and verified by the command line',
  copied: 'COPY of the contents alone',
};

function slices(rounds: readonly PullRound[], way: Way): PullSlice[] {
  return rounds.flatMap((round) => round[way] ?? []);
}

function cpuOf({ cpuUs }: PullSlice, way: Way): number | undefined {
  if (cpuUs === undefined) return undefined;
  // The reading client is the bench's own; the command line is what an office pays for.
  return cpuUs.gateway + cpuUs.postgres + (way === 'pulled' ? cpuUs.client : 0);
}

function figuresOf({ rounds }: PullMeasured): Figure[] {
  // The rounds' own calibration: the machine's speed moves within minutes.
  const now = { verifyUs: overRounds(rounds.map(({ verifyUs }) => verifyUs)).value };
  const goals: Partial<Record<Way, Pick<Figure, 'goal' | 'atLeast'>>> = {
    served: { goal: 100_000, atLeast: 80_000 },
    pulled: { goal: 50_000 },
  };
  const figures: Figure[] = [];
  for (const way of Object.keys(NAMES) as Way[]) {
    const found = slices(rounds, way);
    if (found.length === 0) continue;
    const rate = overRounds(found.map(({ entriesPerSecond }) => entriesPerSecond));
    const name = `entries/s ${NAMES[way]}`;
    figures.push({ name, ...rate, unit: '/s', better: 'more', scaled: scaledRate(rate.value, now), ...goals[way] });
    const cpu = found.flatMap((slice) => cpuOf(slice, way) ?? []);
    if (cpu.length === 0) continue;
    const each = overRounds(cpu);
    figures.push({
      name: `CPU an entry ${NAMES[way]}`,
      ...each,
      unit: 'µs',
      better: 'less',
      scaled: scaledCpu(each.value, now),
    });
  }
  const shares = rounds.flatMap(({ served, copied }) =>
    copied === undefined ? [] : served.entriesPerSecond / copied.entriesPerSecond,
  );
  if (shares.length > 0)
    figures.push({
      name: 'served, of COPY of the contents',
      ...overRounds(shares),
      unit: '×',
      better: 'more',
      goal: 0.4,
    });
  return figures;
}

function seriesOf({ rounds }: PullMeasured): Series[] {
  const name = 'entries served';
  const counts = rounds.at(-1)?.served.perSecond ?? [];
  // The last second is not a whole one.
  const points = counts.slice(0, -1).map((count, i) => [i, count - (counts[i - 1] ?? 0)] as const);
  return points.length < 2 ? [] : [{ name, unit: '/s', points }];
}

function reportLines({ rounds, entries, machine, peakBytes, hot, commit, fillSeconds }: PullMeasured): string[] {
  const rows = (Object.keys(NAMES) as Way[]).flatMap((way) => {
    const found = slices(rounds, way);
    return found.length === 0 ? [] : [rowOf(NAMES[way], found)];
  });
  const verify = overRounds(rounds.map(({ verifyUs }) => verifyUs));
  const memory = peakBytes === undefined ? '' : `, gateway at most ${(peakBytes / 1024 / 1024).toFixed(0)} MiB`;
  return [
    ...table([['', 'entries/s', 'bytes', 'gateway', 'PostgreSQL', 'client'], ...rows]),
    '',
    `${entries} entries, ${rounds.length} rounds, median (smallest and largest); CPU µs an entry${memory}`,
    ...(fillSeconds === undefined ? [] : [`filled in ${fillSeconds.toFixed(0)} s`]),
    `crypto.verify before the rounds ${verify.value.toFixed(0)} µs; ${machine.cores} cores, ${machine.cpu}, Node ${machine.node}, load before ${machine.loadBefore.toFixed(1)}; commit ${commit}`,
    ...(hot ?? []).map(({ share, name, place }) => `${(share * 100).toFixed(1).padStart(5)} %  ${name}  ${place}`),
  ];
}

function rowOf(name: string, found: readonly PullSlice[]): string[] {
  const rate = overRounds(found.map(({ entriesPerSecond }) => entriesPerSecond));
  const bytes = found.flatMap((slice) => slice.bytes ?? []);
  const cpu = (of: (cpuUs: NonNullable<PullSlice['cpuUs']>) => number): string => {
    const values = found.flatMap(({ cpuUs }) => (cpuUs === undefined ? [] : of(cpuUs)));
    return values.length === 0 ? '—' : overRounds(values).value.toFixed(1);
  };
  return [
    name,
    `${rate.value.toFixed(0)} (${rate.spread[0].toFixed(0)}–${rate.spread[1].toFixed(0)})`,
    bytes.length === 0 ? '—' : overRounds(bytes).value.toFixed(0),
    cpu(({ gateway }) => gateway),
    cpu(({ postgres }) => postgres),
    cpu(({ client }) => client),
  ];
}
