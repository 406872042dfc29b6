import { table } from '../src/cli/text.ts';
import { type BulkMeasured, type BulkOptions, type BulkRound, type BulkSlice, benchBulk } from './bulk.ts';
import { type BenchCommand, UsageError, wholeNumber } from './command.ts';
import { type BenchResult, type Figure, type Machine, scaledCpu, scaledRate } from './figure.ts';

export const bulk: BenchCommand = {
  usage: `npm run bench -- bulk [options]

Bulk uploads of VAT returns by an agent, one signature over 1,000 filings (form B), and with a signature each (form A); and, beside them, a bare multi-row insert of the same rows: in turn, several rounds. Then one upload of 64 MiB and
what it adds to the gateway's memory; then everything stored is pulled and verified. Build first: npm run build

  --filings N          of form B in each round (40000)
  --rounds N           (3)
  --lines N            filings in one upload (1000)
  --connections N      uploads under way at once (4)
  --filers N           enterprises with a mandate for the agent (5000)
  --offices N          tax offices that they file with (10)
  --workers N          serving processes of the gateway (1)
  --brief              form B and the bare insert alone
  --profile            profile the gateway, print its hottest functions
  --seed TEXT
  --target URL         a gateway that runs already, with --operator-key FILE; nothing is deleted there afterwards
`,
  options: {
    filings: { type: 'string', default: '40000' },
    rounds: { type: 'string', default: '3' },
    lines: { type: 'string', default: '1000' },
    connections: { type: 'string', default: '4' },
    filers: { type: 'string', default: '5000' },
    offices: { type: 'string', default: '10' },
    workers: { type: 'string', default: '1' },
    brief: { type: 'boolean', default: false },
    profile: { type: 'boolean', default: false },
    seed: { type: 'string' },
    target: { type: 'string' },
    'operator-key': { type: 'string' },
  },
  async run(values, onProgress) {
    const measured = await benchBulk(readOptions(values), onProgress);
    const result: BenchResult = { ...measured, figures: figuresOf(measured) };
    return { result, lines: reportLines(measured), faults: measured.check.faults };
  },
};

function readOptions(values: Readonly<Record<string, unknown>>): BulkOptions {
  const whole = (name: string): number => wholeNumber(values, name);
  const text = (name: string): string | undefined => values[name] as string | undefined;
  const [target, operatorKey] = [text('target'), text('operator-key')];
  if ((target === undefined) !== (operatorKey === undefined))
    throw new UsageError('--target and --operator-key belong together');
  return {
    filings: whole('filings'),
    rounds: whole('rounds'),
    lines: whole('lines'),
    connections: whole('connections'),
    filers: whole('filers'),
    offices: whole('offices'),
    workers: whole('workers'),
    brief: values.brief === true,
    profile: values.profile === true,
    // A running gateway keeps what it was sent: the same filings again would be replays.
    seed: text('seed') ?? (target === undefined ? 'shenbao bulk' : `target ${Date.now()}`),
    target: target === undefined || operatorKey === undefined ? undefined : { url: target, operatorKey },
  };
}

interface Summary {
  readonly median: number;
  readonly spread: readonly [number, number];
}

/** Undefined when no round has it. */
function summary(rounds: readonly BulkRound[], of: (round: BulkRound) => number | undefined): Summary | undefined {
  const values = rounds.map(of).filter((value): value is number => value !== undefined);
  const sorted = values.sort((a, b) => a - b);
  const [least, median, most] = [sorted[0], sorted[sorted.length >> 1], sorted.at(-1)];
  if (least === undefined || median === undefined || most === undefined) return undefined;
  return { median, spread: [least, most] };
}

const cpuOf = (slice: BulkSlice | undefined): number | undefined =>
  slice?.cpuUs && slice.cpuUs.program + slice.cpuUs.postgres;

function shareOfInsert({ slices }: BulkRound): number | undefined {
  const [ours, bare] = [slices.manifest?.perSecond, slices.insert?.perSecond];
  return ours === undefined || bare === undefined ? undefined : ours / bare;
}

function figuresOf({ rounds, memory, machine }: BulkMeasured): Figure[] {
  // The rounds' own calibration: the machine's speed moves within minutes.
  const now: Machine = { ...machine, verifyUs: summary(rounds, (round) => round.verifyUs)?.median ?? machine.verifyUs };
  const figures: Figure[] = [];
  const rate = (name: string, slice: string, goals: Pick<Figure, 'goal' | 'atLeast'> = {}): void => {
    const found = summary(rounds, ({ slices }) => slices[slice]?.perSecond);
    if (found === undefined) return;
    const { median: value, spread } = found;
    figures.push({ name, value, unit: '/s', better: 'more', scaled: scaledRate(value, now), spread, ...goals });
  };
  const cpu = (name: string, slice: string): void => {
    const found = summary(rounds, ({ slices }) => cpuOf(slices[slice]));
    if (found === undefined) return;
    const { median: value, spread } = found;
    figures.push({ name, value, unit: 'µs', better: 'less', scaled: scaledCpu(value, now), spread });
  };
  rate('filings/s, one signature over many', 'manifest', { goal: 40_000, atLeast: 25_000 });
  const share = summary(rounds, shareOfInsert);
  if (share !== undefined)
    figures.push({
      name: 'of a bare multi-row insert',
      value: share.median,
      unit: '×',
      better: 'more',
      goal: 0.6,
      spread: share.spread,
    });
  cpu('CPU a filing, one signature over many', 'manifest');
  const gzip = summary(rounds, ({ slices }) => slices.manifest?.gzip?.cpuUs);
  if (gzip !== undefined)
    figures.push({
      name: 'CPU to compress the answer to a filing',
      value: gzip.median,
      unit: 'µs',
      better: 'less',
      scaled: scaledCpu(gzip.median, now),
      spread: gzip.spread,
    });
  rate('filings/s, a signature each', 'jws');
  cpu('CPU a filing, a signature each', 'jws');
  rate('rows/s, bare multi-row insert', 'insert');
  cpu('CPU a row, bare multi-row insert', 'insert');
  if (memory !== undefined)
    figures.push({
      name: 'memory added by an upload of 64 MiB',
      value: (memory.peak - memory.before) / 1e6,
      unit: 'MB',
      better: 'less',
      goal: 128,
    });
  return figures;
}

const NAMES: Readonly<Record<string, string>> = {
  manifest: 'one signature over all (form B)',
  jws: 'a signature each (form A)',
  insert: 'bare multi-row insert',
};

function spread(found: Summary | undefined, digits: number): string {
  if (found === undefined) return '—';
  return `${found.median.toFixed(digits)} (${found.spread[0].toFixed(digits)}–${found.spread[1].toFixed(digits)})`;
}

function reportLines({ rounds, memory, machine, options, check, commit, hot }: BulkMeasured): string[] {
  const rows = Object.entries(NAMES).flatMap(([slice, name]) => {
    const of = (value: (slice: BulkSlice) => number | undefined, digits: number): string =>
      spread(
        summary(rounds, ({ slices }) => slices[slice] && value(slices[slice])),
        digits,
      );
    if (rounds[0]?.slices[slice] === undefined) return [];
    return [
      [
        name,
        of((each) => each.perSecond, 0),
        of((each) => each.cpuUs?.program, 1),
        of((each) => each.cpuUs?.postgres, 1),
        of((each) => each.cpuUs?.load, 1),
        of((each) => each.uploadMs?.whole, 0),
        of((each) => each.bytes?.answer, 0),
      ],
    ];
  });
  const mib = (bytes: number): string => `${(bytes / 1024 / 1024).toFixed(0)} MiB`;
  return [
    ...table([['', 'filings/s', 'CPU µs each', 'PostgreSQL µs', '(load) µs', 'ms an upload', 'answer bytes'], ...rows]),
    '',
    ...table([
      ['form B / bare insert', spread(summary(rounds, shareOfInsert), 2)],
      ...(memory === undefined
        ? []
        : [
            [
              'one upload of 64 MiB',
              `${mib(memory.before)} of memory before, ${mib(memory.peak)} at most: ${((memory.peak - memory.before) / 1e6).toFixed(0)} MB more`,
            ],
          ]),
      [
        'compressing the answers would add',
        `${spread(
          summary(rounds, ({ slices }) => slices.manifest?.gzip?.cpuUs),
          1,
        )} µs and leave ${spread(
          summary(rounds, ({ slices }) => slices.manifest?.gzip?.bytes),
          0,
        )} bytes a filing (gzip, level 1)`,
      ],
      [
        'refused',
        `${rounds.reduce((sum, { slices }) => sum + (slices.manifest?.refused ?? 0) + (slices.jws?.refused ?? 0), 0)} lines`,
      ],
      ['rounds', `${rounds.length} of ${options.filings} filings, median (smallest–largest)`],
      ['uploads', `${options.lines} filings each, ${options.connections} at once, ${options.offices} offices`],
      ['stored and pulled', `${check.stored} entries, dense in ${check.offices} offices, every root equal`],
      ['receipts', `${check.receipts} sampled, all verified offline`],
      ['machine', `${machine.cores} cores, ${machine.cpu}, Node ${machine.node}, load before ${machine.loadBefore}`],
      [
        'crypto.verify',
        `${spread(
          summary(rounds, ({ verifyUs }) => verifyUs),
          0,
        )} µs (ES256, one thread)`,
      ],
      ['commit', commit],
    ]),
    ...(hot ?? []).map(
      ({ name, place, us, share }) => `${(share * 100).toFixed(1)} % ${(us / 1e3).toFixed(0)} ms ${name} ${place}`,
    ),
  ];
}
