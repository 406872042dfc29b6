import { table } from '../src/cli/text.ts';
import { type BenchCommand, UsageError, wholeNumber } from './command.ts';
import { benchSingle, PROFILES, type SingleOptions, type SingleResult } from './single.ts';

export const single: BenchCommand = {
  usage: `npm run bench -- single [options]

Starts a gateway of its own on an empty database, files signed VAT returns over many connections for a while,
prints what it took, and checks everything that was stored. Build first: npm run build

  --seconds N          length of the measured run (20)
  --half N             then so many seconds at half of the rate that came out, for its latency (0: not)
  --connections N      connections, each with one request under way (256)
  --filers N           enterprises that file (10000)
  --offices N          tax offices that they file with (10)
  --rate N             filings a second, evenly; without it as many as possible
  --workers N          serving processes of the gateway (1)
  --full               every cell of the form's 41 lines (a JWS of 4 kB); by default lines of 0 are left out (1.1 kB)
  --seed TEXT          another seed, other filers and filings
  --profile            profile the gateway, print its ten hottest functions
  --target URL         a gateway that runs already, with --operator-key FILE; nothing is deleted there afterwards
`,
  options: {
    seconds: { type: 'string', default: '20' },
    half: { type: 'string', default: '0' },
    connections: { type: 'string', default: '256' },
    filers: { type: 'string', default: '10000' },
    offices: { type: 'string', default: '10' },
    rate: { type: 'string' },
    workers: { type: 'string', default: '1' },
    full: { type: 'boolean', default: false },
    seed: { type: 'string' },
    profile: { type: 'boolean', default: false },
    target: { type: 'string' },
    'operator-key': { type: 'string' },
  },
  async run(values, onProgress) {
    const result = await benchSingle(readOptions(values), onProgress);
    return { result, lines: [...reportLines(result), ...profileLines(result)], faults: result.check.faults };
  },
};

function readOptions(values: Readonly<Record<string, unknown>>): SingleOptions {
  const whole = (name: string): number => wholeNumber(values, name);
  const text = (name: string): string | undefined => values[name] as string | undefined;
  const [target, operatorKey] = [text('target'), text('operator-key')];
  if ((target === undefined) !== (operatorKey === undefined))
    throw new UsageError('--target and --operator-key belong together');
  return {
    seconds: whole('seconds'),
    halfSeconds: values.half === '0' ? 0 : whole('half'),
    connections: whole('connections'),
    filers: whole('filers'),
    offices: whole('offices'),
    rate: values.rate === undefined ? undefined : whole('rate'),
    workers: whole('workers'),
    full: values.full === true,
    // A running gateway keeps what it was sent: the same filings again would be replays.
    seed: text('seed') ?? (target === undefined ? 'shenbao' : `target ${Date.now()}`),
    profile: values.profile === true,
    target: target === undefined || operatorKey === undefined ? undefined : { url: target, operatorKey },
  };
}

function reportLines(result: SingleResult): string[] {
  const { outcome, half, cpuUs, machine, check, options } = result;
  const ms = (value: number): string => `${value.toFixed(1)} ms`;
  const us = (value: number): string => `${value.toFixed(0)} µs`;
  const counts = (all: Readonly<Record<string, number>>): string =>
    Object.entries(all)
      .map(([name, count]) => `${count} × ${name}`)
      .join(', ') || 'none';
  const cpuRows =
    cpuUs === undefined
      ? []
      : [
          ['CPU a filing', us(cpuUs.gateway + cpuUs.postgres)],
          ['  gateway', us(cpuUs.gateway)],
          ['  PostgreSQL', us(cpuUs.postgres)],
          ['  (load generator)', us(cpuUs.load)],
        ];
  const memory = result.peakMemoryBytes;
  const pace = options.rate === undefined ? 'as fast as answered' : `${options.rate}/s`;
  return table([
    ['filings/s', result.filingsPerSecond.toFixed(0)],
    ['latency p50', ms(outcome.latencyMs.p50)],
    ['latency p90', ms(outcome.latencyMs.p90)],
    ['latency p99', ms(outcome.latencyMs.p99)],
    ['latency max', ms(outcome.latencyMs.max)],
    ...(half === undefined
      ? []
      : [[`latency p50, p99 at ${half.rate}/s`, `${ms(half.latencyMs.p50)}, ${ms(half.latencyMs.p99)}`]]),
    ...cpuRows,
    ...(memory === undefined ? [] : [['gateway memory, peak', `${(memory / 1024 / 1024).toFixed(0)} MiB`]]),
    ['answers', counts(outcome.statuses)],
    ['problems', counts(outcome.problems)],
    ['run', `${outcome.seconds.toFixed(1)} s, ${options.connections} connections, ${pace}`],
    ['filings', `${result.filingBytes.toFixed(0)} bytes a JWS, ${options.filers} filers, ${options.offices} offices`],
    ['stored and pulled', `${check.stored} entries, dense in ${check.offices} offices, every root equal`],
    ['receipts', `${check.receipts} sampled, all verified offline`],
    ['machine', `${machine.cores} cores, ${machine.cpu}, Node ${machine.node}, load before ${machine.loadBefore}`],
    ['crypto.verify before', `${us(machine.verifyUs)} (ES256, one thread)`],
    ['commit', result.commit],
  ]);
}

function profileLines(result: SingleResult): string[] {
  if (result.hot === undefined) return [];
  const accepted = result.outcome.statuses[201] ?? 1;
  const rows = result.hot.map(({ name, place, us, share }) => [
    `${(share * 100).toFixed(1)} %`,
    `${(us / accepted).toFixed(1)} µs`,
    name,
    place,
  ]);
  return [
    '',
    'Own time in the gateway during the run, of what it was busy and a filing:',
    ...table(rows),
    '',
    `The profile, for Chrome’s DevTools: ${PROFILES}`,
  ];
}
