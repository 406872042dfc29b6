import { table } from '../src/cli/text.ts';
import { type BenchCommand, wholeNumber } from './command.ts';
import { overRounds } from './figure.ts';
import { eachRound, floorRatios, floorUs, ratiosTo } from './peers/figures.ts';
import { benchPeers, type PeersResult } from './peers/peers.ts';
import { OUR_NAME } from './peers/subjects.ts';

export const peers: BenchCommand = {
  usage: `npm run bench -- peers [options]

The gateway beside others' ways of doing the same, in turn, several rounds: the textbook stack (Hono or Fastify, jose, Ajv, one
insert a request), one-row inserts by postgres.js and, where it is installed, by pgbench; and beside what its parts cost
alone: HTTP, one signature, a bare multi-row insert. Prints ratios with their spread. Build first: npm run build

  --seconds N          of each in each round (8)
  --rounds N           (3)
  --connections N      (256)
  --filers N           (10000)
  --offices N          (10)
  --workers N          serving processes of the gateway (1)
  --seed TEXT
`,
  options: {
    seconds: { type: 'string', default: '8' },
    rounds: { type: 'string', default: '3' },
    connections: { type: 'string', default: '256' },
    filers: { type: 'string', default: '10000' },
    offices: { type: 'string', default: '10' },
    workers: { type: 'string', default: '1' },
    seed: { type: 'string', default: 'shenbao' },
  },
  async run(values, onProgress) {
    const whole = (name: string): number => wholeNumber(values, name);
    const result = await benchPeers(
      {
        seconds: whole('seconds'),
        rounds: whole('rounds'),
        connections: whole('connections'),
        filers: whole('filers'),
        offices: whole('offices'),
        workers: whole('workers'),
        seed: values.seed as string,
      },
      onProgress,
    );
    return { result, lines: reportLines(result), faults: result.faults };
  },
};

/** Median, and the smallest and largest beside it. */
function spread(values: readonly number[], digits: number): string {
  if (values.length === 0) return '—';
  const {
    value,
    spread: [least, most],
  } = overRounds(values);
  return `${value.toFixed(digits)} (${least.toFixed(digits)}–${most.toFixed(digits)})`;
}

function reportLines({ names, rounds, machine, options, commit }: PeersResult): string[] {
  const rows = names.map((name) => [
    name,
    spread(
      eachRound(rounds, ({ slices }) => slices[name]?.perSecond),
      0,
    ),
    spread(
      eachRound(rounds, ({ slices }) => slices[name]?.cpuUs?.program),
      0,
    ),
    spread(
      eachRound(rounds, ({ slices }) => slices[name]?.cpuUs?.postgres),
      0,
    ),
    name === OUR_NAME ? '' : spread(ratiosTo(name, rounds), 2),
  ]);
  const verify = eachRound(rounds, ({ verifyUs }) => verifyUs);
  return [
    ...table([['', 'a second', 'CPU µs each', 'PostgreSQL µs', 'Shenbao / this'], ...rows]),
    '',
    ...table([
      ['crypto.verify, ES256', `${spread(verify, 0)} µs`],
      ['floor: HTTP, signature, insert', `${spread(eachRound(rounds, floorUs), 0)} µs`],
      ['floor / Shenbao', spread(floorRatios(rounds), 2)],
      ['rounds', `${rounds.length} of ${options.seconds} s each, median (smallest–largest)`],
      ['machine', `${machine.cores} cores, ${machine.cpu}, Node ${machine.node}, load before ${machine.loadBefore}`],
      ['commit', commit],
    ]),
  ];
}
