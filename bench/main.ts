import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { Progress } from '../src/cli/progress.ts';
import { painter, table } from '../src/cli/text.ts';
import { benchSingle, PROFILES, type SingleOptions, type SingleResult } from './single.ts';

const USAGE = `npm run bench -- single [options]

Starts a gateway of its own on an empty database, files signed VAT returns over many connections for a while,
prints what it took, and checks everything that was stored. Build first: npm run build

  --seconds N          length of the measured run (20)
  --connections N      connections, each with one request under way (256)
  --filers N           enterprises that file (10000)
  --offices N          tax offices that they file with (10)
  --rate N             filings a second, evenly; without it as many as possible
  --workers N          serving processes of the gateway (1)
  --full               every cell of the form's 41 lines (a JWS of 4 kB); by default lines of 0 are left out (1.1 kB)
  --seed TEXT          another seed, other filers and filings
  --profile            profile the gateway, print its ten hottest functions
  --json FILE          write the result as JSON
  --save               write it to bench/results/<date>-<commit>.json
  --target URL         a gateway that runs already, with --operator-key FILE; nothing is deleted there afterwards
`;

const OPTIONS = {
  seconds: { type: 'string', default: '20' },
  connections: { type: 'string', default: '256' },
  filers: { type: 'string', default: '10000' },
  offices: { type: 'string', default: '10' },
  rate: { type: 'string' },
  workers: { type: 'string', default: '1' },
  full: { type: 'boolean', default: false },
  seed: { type: 'string' },
  profile: { type: 'boolean', default: false },
  json: { type: 'string' },
  save: { type: 'boolean', default: false },
  target: { type: 'string' },
  'operator-key': { type: 'string' },
  help: { type: 'boolean', default: false },
} as const satisfies ParseArgsConfig['options'];

interface Arguments {
  readonly options: SingleOptions;
  readonly jsonFiles: readonly string[];
  readonly save: boolean;
}

class UsageError extends Error {}

function readArguments(args: readonly string[]): Arguments | 'help' {
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse(args);
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
  const { values, positionals } = parsed;
  if (values.help || positionals.length === 0) return 'help';
  if (positionals.length > 1 || positionals[0] !== 'single') throw new UsageError('the bench is called single');
  const whole = (name: 'seconds' | 'connections' | 'filers' | 'offices' | 'rate' | 'workers'): number => {
    const number = Number(values[name]);
    if (!Number.isInteger(number) || number < 1) throw new UsageError(`--${name} takes a whole number above 0`);
    return number;
  };
  const { target, 'operator-key': operatorKey } = values;
  if ((target === undefined) !== (operatorKey === undefined))
    throw new UsageError('--target and --operator-key belong together');
  const options: SingleOptions = {
    seconds: whole('seconds'),
    connections: whole('connections'),
    filers: whole('filers'),
    offices: whole('offices'),
    rate: values.rate === undefined ? undefined : whole('rate'),
    workers: whole('workers'),
    full: values.full,
    // A running gateway keeps what it was sent: the same filings again would be replays.
    seed: values.seed ?? (target === undefined ? 'shenbao' : `target ${Date.now()}`),
    profile: values.profile,
    target: target === undefined || operatorKey === undefined ? undefined : { url: target, operatorKey },
  };
  return { options, jsonFiles: values.json === undefined ? [] : [values.json], save: values.save };
}

function parse(args: readonly string[]) {
  return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true, strict: true });
}

function reportLines(result: SingleResult): string[] {
  const { outcome, cpuUs, machine, check, options } = result;
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

async function main(): Promise<number> {
  const parsed = readArguments(process.argv.slice(2));
  if (parsed === 'help') {
    process.stdout.write(USAGE);
    return 0;
  }
  const progress = new Progress(process.stderr.isTTY ? process.stderr : undefined, () => performance.now());
  const paint = painter(process.stdout.isTTY === true);
  let step = '';
  const result = await benchSingle(parsed.options, (text, share) => {
    const name = text.replaceAll(/\d+ /g, '');
    // Where nothing can be drawn over, each step is told once.
    if (!process.stderr.isTTY && name !== step) process.stderr.write(`${name} ...\n`);
    step = name;
    progress.draw(share, text);
  });
  progress.clear();
  if (!result.check.ok) {
    for (const fault of result.check.faults) console.error(paint('red', fault));
    console.error('The run failed its check: no figures.');
    return 1;
  }
  for (const line of [...reportLines(result), ...profileLines(result)]) console.log(line);
  const saved = path.join(
    fileURLToPath(new URL('./results/', import.meta.url)),
    `${result.at.slice(0, 10)}-${result.commit}.json`,
  );
  for (const file of [...parsed.jsonFiles, ...(parsed.save ? [saved] : [])]) {
    await mkdir(path.dirname(path.resolve(file)), { recursive: true });
    await writeFile(file, `${JSON.stringify(result, undefined, 2)}\n`);
  }
  return 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof UsageError ? `${error.message}\n\n${USAGE}` : error);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
