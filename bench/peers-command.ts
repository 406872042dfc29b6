import { table } from '../src/cli/text.ts';
import { type BenchCommand, wholeNumber } from './command.ts';
import { benchPeers, type PeersResult, type Round } from './peers/peers.ts';

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

const OURS = 'Shenbao';

/** Median, and the smallest and largest beside it. */
function spread(values: readonly number[], digits: number): string {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted[sorted.length >> 1];
  if (middle === undefined) return '—';
  return `${middle.toFixed(digits)} (${sorted[0]?.toFixed(digits)}–${sorted.at(-1)?.toFixed(digits)})`;
}

function totalCpu(round: Round, name: string): number | undefined {
  const cpu = round.slices[name]?.cpuUs;
  return cpu && cpu.program + cpu.postgres;
}

/** What nobody can do without: HTTP, one signature, storing the row. */
function floorUs(round: Round): number | undefined {
  const http = totalCpu(round, 'Hono, answering a constant');
  const rows = totalCpu(round, 'bare multi-row insert, postgres.js, 128 rows');
  return http === undefined || rows === undefined ? undefined : http + round.verifyUs + rows;
}

function reportLines({ names, rounds, machine, options, commit }: PeersResult): string[] {
  const present = (values: readonly (number | undefined)[]): number[] =>
    values.filter((value): value is number => value !== undefined);
  const rows = names.map((name) => {
    const perSecond = rounds.map((round) => round.slices[name]?.perSecond ?? 0);
    const ratios = rounds.map(
      (round) => (round.slices[OURS]?.perSecond ?? 0) / (round.slices[name]?.perSecond ?? Number.NaN),
    );
    return [
      name,
      spread(perSecond, 0),
      spread(present(rounds.map((round) => round.slices[name]?.cpuUs?.program)), 0),
      spread(present(rounds.map((round) => round.slices[name]?.cpuUs?.postgres)), 0),
      name === OURS ? '' : spread(ratios, 2),
    ];
  });
  const floors = present(rounds.map(floorUs));
  const ratios = present(
    rounds.map((round) => {
      const [floor, actual] = [floorUs(round), totalCpu(round, OURS)];
      return floor === undefined || actual === undefined ? undefined : floor / actual;
    }),
  );
  return [
    ...table([['', 'a second', 'CPU µs each', 'PostgreSQL µs', 'Shenbao / this'], ...rows]),
    '',
    ...table([
      [
        'crypto.verify, ES256',
        `${spread(
          rounds.map(({ verifyUs }) => verifyUs),
          0,
        )} µs`,
      ],
      ['floor: HTTP, signature, insert', `${spread(floors, 0)} µs`],
      ['floor / Shenbao', spread(ratios, 2)],
      ['rounds', `${rounds.length} of ${options.seconds} s each, median (smallest–largest)`],
      ['machine', `${machine.cores} cores, ${machine.cpu}, Node ${machine.node}, load before ${machine.loadBefore}`],
      ['commit', commit],
    ]),
  ];
}
