import { table } from '../src/cli/text.ts';
import { type AuditBenchOptions, type AuditBenchResult, benchAudit } from './audit.ts';
import { type BenchCommand, wholeNumber } from './command.ts';
import { scaledCpu } from './figure.ts';

export const audit: BenchCommand = {
  usage: `npm run bench -- audit [options]

Fills a database of its own with signed VAT returns, by the gateway's own ticks, and lets the built command audit it.
Every round must find nothing. Build first: npm run build

  --filings N          filings to audit (200000)
  --filers N           enterprises that filed them (10000)
  --offices N          tax offices that they filed with (10)
  --tick N             filings in one tick; a tick costs one signature of its own (100)
  --rounds N           times to audit (3)
  --threads N          threads of the audit (as many as cores)
  --signatures         filers' signatures too
  --keep FOLDER        leave the database there, and use it again
  --profile            write a V8 CPU profile of the audit to FOLDER/profile
`,
  options: {
    filings: { type: 'string', default: '200000' },
    filers: { type: 'string', default: '10000' },
    offices: { type: 'string', default: '10' },
    tick: { type: 'string', default: '100' },
    rounds: { type: 'string', default: '3' },
    threads: { type: 'string' },
    signatures: { type: 'boolean', default: false },
    keep: { type: 'string' },
    profile: { type: 'boolean', default: false },
  },
  async run(values, onProgress) {
    const result = await benchAudit(readOptions(values), onProgress);
    return { result, lines: reportLines(result), faults: result.faults };
  },
};

function readOptions(values: Readonly<Record<string, unknown>>): AuditBenchOptions {
  const whole = (name: string): number => wholeNumber(values, name);
  return {
    filings: whole('filings'),
    filers: whole('filers'),
    offices: whole('offices'),
    tick: whole('tick'),
    rounds: whole('rounds'),
    threads: values.threads === undefined ? undefined : whole('threads'),
    signatures: values.signatures === true,
    keep: typeof values.keep === 'string' ? values.keep : undefined,
    profile: values.profile === true,
  };
}

function reportLines({ rounds, machine, options, commit }: AuditBenchResult): string[] {
  const rows = rounds.map((round, i) => [
    String(i + 1),
    round.filingsPerSecond.toFixed(0),
    `${round.seconds.toFixed(2)} s`,
    `${round.auditUs.toFixed(1)} µs`,
    `${round.postgresUs.toFixed(1)} µs`,
    `${(round.peakBytes / 1024 / 1024).toFixed(0)} MiB`,
    `${round.verifyUs.toFixed(0)} µs`,
    `${scaledCpu(round.auditUs + round.postgresUs, round).toFixed(1)} µs`,
  ]);
  const { cores, cpu, node, loadBefore } = machine;
  return [
    ...table([
      [
        'round',
        'filings/s',
        'time',
        'CPU a filing',
        'PostgreSQL',
        'memory',
        'crypto.verify before',
        'CPU of both, scaled',
      ],
      ...rows,
    ]),
    '',
    `${options.filings} filings of ${options.offices} offices, ticks of ${options.tick}, ${options.signatures ? 'with' : 'without'} filers’ signatures; the time is that of the whole command`,
    `${cores} cores, ${cpu}, Node ${node}, load before ${loadBefore}; commit ${commit}`,
  ];
}
