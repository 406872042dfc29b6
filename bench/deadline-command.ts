import { table } from '../src/cli/text.ts';
import { type BenchCommand, UsageError, wholeNumber } from './command.ts';
import { benchNight, type NightOptions, type NightResult } from './deadline/night.ts';
import { hottest } from './profile.ts';
import { PROFILES } from './single.ts';

export const deadline: BenchCommand = {
  usage: `npm run bench -- deadline [options]

The night of a deadline: imports everybody, then each enterprise files one return with a key that the gateway has not used
before, along a curve that rises to the deadline; agents file for all their clients at once; the offices pull and verify all
the while. What is refused comes again when it was told to. Checks everything that was stored. Build first: npm run build

  --filers N           enterprises (30000; the goal is written for 600000)
  --seconds N          from the first arrival to the deadline (15; 90 for 600000)
  --agents N           bookkeeping agents, beside the filers (10)
  --clients N          clients of each, filed for at one moment (200)
  --offices N          tax offices (36)
  --connections N      connections at most; who finds all of them busy waits (512)
  --pause N            milliseconds that the offices rest between two rounds over the logs that grew (1000)
  --patience N         seconds after the deadline until everything must have been accepted, and pulled (300)
  --workers N          serving processes of the gateway (1)
  --seed TEXT          another seed, other parties and filings
  --profile            profile the gateway, print its twenty hottest functions
  --target URL         a gateway that runs already, with --operator-key FILE; nothing is deleted there afterwards
`,
  options: {
    filers: { type: 'string', default: '30000' },
    seconds: { type: 'string', default: '15' },
    agents: { type: 'string', default: '10' },
    clients: { type: 'string', default: '200' },
    offices: { type: 'string', default: '36' },
    connections: { type: 'string', default: '512' },
    pause: { type: 'string', default: '1000' },
    patience: { type: 'string', default: '300' },
    workers: { type: 'string', default: '1' },
    seed: { type: 'string' },
    profile: { type: 'boolean', default: false },
    target: { type: 'string' },
    'operator-key': { type: 'string' },
  },
  async run(values, onProgress) {
    const options = readOptions(values);
    const result = await benchNight(options, onProgress);
    return { result, lines: [...reportLines(result), ...profileLines(result)], faults: result.faults };
  },
};

function readOptions(values: Readonly<Record<string, unknown>>): NightOptions {
  const whole = (name: string): number => wholeNumber(values, name);
  const text = (name: string): string | undefined => values[name] as string | undefined;
  const [target, operatorKey] = [text('target'), text('operator-key')];
  if ((target === undefined) !== (operatorKey === undefined))
    throw new UsageError('--target and --operator-key belong together');
  return {
    filers: whole('filers'),
    seconds: whole('seconds'),
    agents: whole('agents'),
    clients: whole('clients'),
    offices: whole('offices'),
    connections: whole('connections'),
    pauseMs: whole('pause'),
    patienceSeconds: whole('patience'),
    workers: whole('workers'),
    // A running gateway keeps what it was sent: the same filings again would be replays.
    seed: text('seed') ?? (target === undefined ? 'shenbao' : `target ${Date.now()}`),
    profileDir: values.profile === true ? PROFILES : undefined,
    target: target === undefined || operatorKey === undefined ? undefined : { url: target, operatorKey },
  };
}

function reportLines({
  figures,
  options,
  load,
  offices,
  imported,
  receipts,
  machine,
  commit,
  filingBytes,
}: NightResult): string[] {
  const counts = (all: Readonly<Record<string, number>>): string =>
    Object.entries(all)
      .map(([name, count]) => `${count} × ${name}`)
      .join(', ') || 'none';
  const rows = figures.map(({ name, value, unit, goal, scaled }) => [
    name,
    `${shown(value)} ${unit}`.trimEnd(),
    scaled === undefined ? '' : `scaled ${shown(scaled)}`,
    goal === undefined ? '' : `goal ${shown(goal)}`,
  ]);
  const facts = [
    [
      'arrivals',
      `${options.filers} filers, ${options.agents} agents × ${options.clients} clients, within ${options.seconds} s`,
    ],
    ['answers', counts(load.statuses)],
    ['problems', counts(load.problems)],
    ['waiting for a connection', `${load.waitingMost} at most; ${options.connections} connections`],
    ['filings', `${filingBytes.toFixed(0)} bytes a JWS`],
    ['imported', `${imported.parties} parties, ${imported.lines} lines in ${imported.seconds.toFixed(1)} s`],
    [
      'pulled',
      `${offices.pulled} entries by ${options.offices} offices in ${offices.batches} batches, every root equal`,
    ],
    ['receipts', `${receipts} sampled, all verified offline`],
    ['CPU of the bench', `filing ${load.cpuSeconds.toFixed(1)} s, pulling ${offices.cpuSeconds.toFixed(1)} s`],
    ['machine', `${machine.cores} cores, ${machine.cpu}, Node ${machine.node}, load before ${machine.loadBefore}`],
    ['crypto.verify before', `${machine.verifyUs.toFixed(0)} µs (ES256, one thread)`],
    ['commit', commit],
  ];
  return [...table(rows), '', ...table(facts)];
}

function shown(value: number): string {
  return value >= 100 || Number.isInteger(value) ? value.toFixed(0) : value.toFixed(2);
}

function profileLines({ options, startAt, load }: NightResult): string[] {
  if (options.profileDir === undefined) return [];
  // The profile's clock is that of this process: both count from the machine's start.
  const epochUs = Date.now() * 1_000 - Number(process.hrtime.bigint() / 1_000n);
  const fromUs = startAt * 1_000 - epochUs;
  const hot = hottest(options.profileDir, { fromUs, toUs: fromUs + load.seconds * 1e6 }, 20);
  const rows = hot.map(({ name, place, us, share }) => [
    `${(share * 100).toFixed(1)} %`,
    `${(us / load.accepted).toFixed(1)} µs`,
    name,
    place,
  ]);
  return ['', 'Own time in the gateway during the night, of what it was busy and a filing:', ...table(rows)];
}
