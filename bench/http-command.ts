import { table } from '../src/cli/text.ts';
import { type BenchCommand, wholeNumber } from './command.ts';
import { overRounds } from './figure.ts';
import { BARE, benchHttp, FLOOR, type HttpResult, OURS, ratios } from './http.ts';

export const http: BenchCommand = {
  usage: `npm run bench -- http [options]

What the gateway's HTTP costs with nothing behind it: signed filings over many connections to its server, whose only route
reads them and answers a constant, beside a Hono route that does the same and beside bare node:http; in turn, several rounds. CPU is
that of the serving process. Build first: npm run build

  --seconds N          of each in each round (1)
  --rounds N           (9)
  --connections N      (256)
  --build FOLDER       another build of the gateway beside this one; may be given several times
`,
  options: {
    seconds: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '9' },
    connections: { type: 'string', default: '256' },
    build: { type: 'string', multiple: true, default: [] },
  },
  async run(values, onProgress) {
    const whole = (name: string): number => wholeNumber(values, name);
    const result = await benchHttp(
      {
        seconds: whole('seconds'),
        rounds: whole('rounds'),
        connections: whole('connections'),
        builds: values.build as string[],
      },
      onProgress,
    );
    return { result, lines: reportLines(result), faults: [] };
  },
};

function spread(values: readonly number[], digits: number): string {
  const { value, spread: ends } = overRounds(values);
  return `${value.toFixed(digits)} (${ends.map((end) => end.toFixed(digits)).join('–')})`;
}

function reportLines({ cpuUs, options, machine, commit }: HttpResult): string[] {
  const beside = (values: readonly number[], other: string): string => spread(ratios(values, cpuUs[other]), 2);
  const rows = Object.entries(cpuUs).map(([name, values]) => [
    name,
    spread(values, 1),
    name === BARE ? '' : beside(values, BARE),
    name === BARE || name === FLOOR ? '' : beside(values, FLOOR),
    name === BARE || name === FLOOR || name === OURS ? '' : beside(values, OURS),
  ]);
  return [
    ...table([['', 'CPU µs a request', '/ bare', '/ Hono', '/ the gateway’s'], ...rows]),
    '',
    ...table([
      ['rounds', `${options.rounds} of ${options.seconds} s each, median (smallest–largest)`],
      ['machine', `${machine.cores} cores, ${machine.cpu}, Node ${machine.node}, load before ${machine.loadBefore}`],
      ['crypto.verify before', `${machine.verifyUs.toFixed(0)} µs (ES256, one thread)`],
      ['commit', commit],
    ]),
  ];
}
