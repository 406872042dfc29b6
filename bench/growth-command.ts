import { table } from '../src/cli/text.ts';
import type { AuditRound } from './audit.ts';
import { type BenchCommand, UsageError, wholeNumber } from './command.ts';
import { benchGrowth, type GrowthOptions, type GrowthResult } from './growth.ts';
import { bytesOf, type TableSize } from './growth-disk.ts';
import type { LongRun, Slice } from './growth-minutes.ts';
import type { MeasuredLoad, SideFacts } from './growth-side.ts';

export const growth: BenchCommand = {
  usage: `npm run bench -- growth [options]

Fills two data folders with signed VAT returns, as gateways would have stored them, and measures a gateway on each in turn: CPU
a filing, starts, lookups by every key, plans of every statement that reads a growing table, disk, an audit of both.
For 10 million: --large 10000000 --filers 200000 --keep FOLDER. Build first: npm run build

  --small N            filings on the one side (100000)
  --large N            filings on the other (500000)
  --filers N           enterprises that filed them, at most 60 each (20000)
  --offices N          tax offices that they filed with (10)
  --load-filers N      enterprises that file while it is measured (10000)
  --seconds N          of each side in each round (8)
  --rounds N           (3)
  --connections N      (256)
  --minutes N          then a steady run on the large side: vacuum, checkpoints, WAL, latency
  --rate N             filings a second of that run (half of what the large side did)
  --no-audit           leave the audits out
  --keep FOLDER        leave both data folders there, and use them again; 2 kB of disk a filing
`,
  options: {
    small: { type: 'string', default: '100000' },
    large: { type: 'string', default: '500000' },
    filers: { type: 'string', default: '20000' },
    offices: { type: 'string', default: '10' },
    'load-filers': { type: 'string', default: '10000' },
    seconds: { type: 'string', default: '8' },
    rounds: { type: 'string', default: '3' },
    connections: { type: 'string', default: '256' },
    minutes: { type: 'string' },
    rate: { type: 'string' },
    'no-audit': { type: 'boolean', default: false },
    keep: { type: 'string' },
  },
  async run(values, onProgress) {
    const result = await benchGrowth(readOptions(values), onProgress);
    return { result, lines: reportLines(result), faults: result.faults };
  },
};

function readOptions(values: Readonly<Record<string, unknown>>): GrowthOptions {
  const whole = (name: string): number => wholeNumber(values, name);
  const options = {
    small: whole('small'),
    large: whole('large'),
    filers: whole('filers'),
    offices: whole('offices'),
    loadFilers: whole('load-filers'),
    seconds: whole('seconds'),
    rounds: whole('rounds'),
    connections: whole('connections'),
    audit: values['no-audit'] !== true,
    minutes: values.minutes === undefined ? 0 : whole('minutes'),
    rate: values.rate === undefined ? undefined : whole('rate'),
    keep: typeof values.keep === 'string' ? values.keep : undefined,
  };
  if (options.small >= options.large) throw new UsageError('--large has to be more than --small');
  return options;
}

function reportLines(result: GrowthResult): string[] {
  const { sides, rounds, steady, audits, machine, commit, fillSeconds, options } = result;
  const filled = fillSeconds === undefined ? 'before' : `in ${fillSeconds.toFixed(0)} s`;
  return [
    ...table([
      ['stored', 'round', 'filings/s', 'CPU a filing', 'gateway', 'PostgreSQL', 'p50', 'p99'],
      ...rounds.flatMap(roundRows),
    ]),
    '',
    ...result.figures.map(({ name, value, unit, spread, goal }) => {
      const range = spread === undefined ? '' : ` (${spread[0].toFixed(2)}–${spread[1].toFixed(2)})`;
      return `${name}: ${value.toFixed(2)} ${unit}${range}${goal === undefined ? '' : `, goal ${goal}`}`;
    }),
    '',
    ...table([
      [
        'lookup, one after another',
        ...[sides.small, sides.large].flatMap(({ filings }) => [`p50 at ${filings}`, 'p99']),
      ],
      ...sides.small.lookups.map(({ lookup }, i) => [lookup, ...times(sides.small, i), ...times(sides.large, i)]),
    ]),
    '',
    ...table([
      ['disk of the large side', 'a filing'],
      ...sides.large.tables.flatMap((size) => diskRows(size, sides.large.stored)),
    ]),
    '',
    'Plans at the large side, and pages that were looked at:',
    ...table(sides.large.plans.map(({ statement, pages, reads }) => [statement, String(pages), reads.join(', ')])),
    '',
    ...auditLines(audits),
    ...(steady === undefined ? [] : steadyLines(steady)),
    `${options.large} filings of ${options.filers} enterprises and ${options.offices} offices, filled ${filled}; every statement through an index`,
    `${machine.cores} cores, ${machine.cpu}, Node ${machine.node}, load before ${machine.loadBefore}, crypto.verify ${machine.verifyUs.toFixed(0)} µs; commit ${commit}`,
  ];
}

function roundRows(
  { small, large }: { readonly small: MeasuredLoad; readonly large: MeasuredLoad },
  i: number,
): string[][] {
  const row = (name: string, load: MeasuredLoad): string[] => [
    name,
    String(i + 1),
    load.filingsPerSecond.toFixed(0),
    `${(load.gatewayUs + load.postgresUs).toFixed(0)} µs`,
    `${load.gatewayUs.toFixed(0)} µs`,
    `${load.postgresUs.toFixed(0)} µs`,
    `${load.latencyMs.p50.toFixed(0)} ms`,
    `${load.latencyMs.p99.toFixed(0)} ms`,
  ];
  return [row('few', small), row('many', large)];
}

function times({ lookups }: SideFacts, i: number): string[] {
  return [`${lookups[i]?.p50Ms.toFixed(2)} ms`, `${lookups[i]?.p99Ms.toFixed(2)} ms`];
}

function diskRows(size: TableSize, filings: number): string[][] {
  const each = (bytes: number): string => `${(bytes / filings).toFixed(1)} B`;
  return [
    [size.table, each(bytesOf(size))],
    ['  rows', each(size.tableBytes)],
    ...size.indexes.map(({ index, bytes }) => [`  ${index}`, each(bytes)]),
  ];
}

function auditLines(audits: GrowthResult['audits']): string[] {
  if (audits === undefined) return [];
  const line = ({ filings, seconds, filingsPerSecond, peakBytes }: AuditRound): string =>
    `audit of ${filings} filings, without filers’ signatures: ${seconds.toFixed(1)} s, ${filingsPerSecond.toFixed(0)}/s, ${(peakBytes / 1024 / 1024).toFixed(0)} MiB at most; nothing found`;
  return [line(audits.small), line(audits.large), ''];
}

function steadyLines(run: LongRun): string[] {
  const quarter = Math.max(1, run.slices.length >> 2);
  const mean = (slices: readonly Slice[], of: (slice: Slice) => number): string =>
    (slices.reduce((sum, slice) => sum + of(slice), 0) / slices.length).toFixed(0);
  const [first, last] = [run.slices.slice(0, quarter), run.slices.slice(-quarter)];
  const worst = Math.max(...run.slices.map(({ p99Ms }) => p99Ms));
  const { walBytesAFiling, walImagesAThousand, diskBytesAFiling, checkpointsTimed, checkpointsRequested } = run;
  return [
    `${run.minutes} min at ${run.rate}/s: ${run.accepted} filings, p99 ${mean(first, ({ p99Ms }) => p99Ms)} → ${mean(last, ({ p99Ms }) => p99Ms)} ms (first and last quarter), at worst ${worst.toFixed(0)} ms in ten seconds; CPU ${mean(first, ({ cpuUs }) => cpuUs)} → ${mean(last, ({ cpuUs }) => cpuUs)} µs a filing`,
    `WAL ${walBytesAFiling.toFixed(0)} B a filing, ${walImagesAThousand.toFixed(0)} whole pages for a thousand filings; disk ${diskBytesAFiling.toFixed(0)} B a filing`,
    `checkpoints begun: ${checkpointsTimed} by time, ${checkpointsRequested} by WAL; ${run.checkpointWriteSeconds.toFixed(0)} s writing, ${run.checkpointSyncSeconds.toFixed(1)} s of fsync`,
    ...table([
      ['table', 'autovacuum', 'autoanalyze', 'dead rows at most', 'at the end', 'pages', 'frozen'],
      ...run.tables.map((t) =>
        [t.table, t.autovacuums, t.autoanalyzes, t.deadMost, t.deadLast, t.pages, t.frozenPages].map(String),
      ),
    ]),
    '',
  ];
}
