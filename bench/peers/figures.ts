import { type Bar, type Bars, type Figure, overRounds, scaledRate } from '../figure.ts';
import { INSERT_NAMES, OUR_NAME, SERVER_NAMES, type Slice } from './subjects.ts';

/** One round: everything once, one after the other, so that what else the machine does falls on all alike. */
export interface Round {
  /** CPU microseconds of one ES256 verification in this round. */
  readonly verifyUs: number;
  readonly slices: Readonly<Record<string, Slice>>;
}

/** How many times as fast as each of them the gateway has to be. */
const RATIO_GOALS: Readonly<Record<string, { readonly goal: number; readonly atLeast?: number }>> = {
  [INSERT_NAMES.pgbench]: { goal: 0.9 },
  [SERVER_NAMES.hono]: { goal: 4 },
  [SERVER_NAMES.fastify]: { goal: 4 },
};

function totalCpu(round: Round, name: string): number | undefined {
  const cpu = round.slices[name]?.cpuUs;
  return cpu && cpu.program + cpu.postgres;
}

/** What nobody can do without: HTTP, one signature, storing the row. */
function floorParts(round: Round): { http: number; verify: number; rows: number } | undefined {
  const http = totalCpu(round, SERVER_NAMES.constant);
  const rows = totalCpu(round, INSERT_NAMES['multi-row']);
  return http === undefined || rows === undefined ? undefined : { http, verify: round.verifyUs, rows };
}

export function floorUs(round: Round): number | undefined {
  const parts = floorParts(round);
  return parts && parts.http + parts.verify + parts.rows;
}

/** Of those rounds in which it could be measured. */
export function eachRound(rounds: readonly Round[], of: (round: Round) => number | undefined): number[] {
  return rounds.map(of).filter((value): value is number => value !== undefined && Number.isFinite(value));
}

/** How many times as fast as `name` the gateway was within each round. */
export function ratiosTo(name: string, rounds: readonly Round[]): number[] {
  return eachRound(
    rounds,
    ({ slices }) => (slices[OUR_NAME]?.perSecond ?? 0) / (slices[name]?.perSecond ?? Number.NaN),
  );
}

/** Floor over what the gateway takes, within each round. */
export function floorRatios(rounds: readonly Round[]): number[] {
  return eachRound(rounds, (round) => {
    const [floor, actual] = [floorUs(round), totalCpu(round, OUR_NAME)];
    return floor === undefined || actual === undefined ? undefined : floor / actual;
  });
}

export function peersFigures(names: readonly string[], rounds: readonly Round[]): Figure[] {
  const figures: Figure[] = [
    {
      name: 'filings/s',
      unit: '/s',
      better: 'more',
      ...overRounds(eachRound(rounds, ({ slices }) => slices[OUR_NAME]?.perSecond)),
      scaled: overRounds(
        eachRound(rounds, ({ slices, verifyUs }) => scaledRate(slices[OUR_NAME]?.perSecond ?? 0, { verifyUs })),
      ).value,
    },
  ];
  for (const name of Object.keys(RATIO_GOALS).filter((one) => names.includes(one)))
    figures.push({
      name: `times as fast as ${name}`,
      unit: '×',
      better: 'more',
      ...overRounds(ratiosTo(name, rounds)),
      ...RATIO_GOALS[name],
    });
  const floors = floorRatios(rounds);
  if (floors.length > 0)
    figures.push({
      name: 'CPU floor / CPU taken',
      unit: '',
      better: 'more',
      ...overRounds(floors),
      goal: 0.8,
      atLeast: 0.7,
    });
  return figures;
}

/** Speed and CPU of all of them beside one another. */
export function peersBars(names: readonly string[], rounds: readonly Round[]): Bars[] {
  const speed = names.map((name): Bar => {
    const { value, spread } = overRounds(eachRound(rounds, ({ slices }) => slices[name]?.perSecond));
    return { name, parts: [{ name: 'filings or rows', value }], spread };
  });
  return [
    { title: 'Speed of gateway, peers and parts', unit: '/s', bars: speed },
    {
      title: 'CPU for each, beside the floor',
      unit: 'µs',
      bars: [...floorBar(rounds), ...names.flatMap((name) => cpuBar(name, rounds))],
    },
  ];
}

function floorBar(rounds: readonly Round[]): Bar[] {
  const floors = rounds.map(floorParts).filter((parts) => parts !== undefined);
  if (floors.length === 0) return [];
  const part = (name: string, of: 'http' | 'verify' | 'rows') => ({
    name,
    value: overRounds(floors.map((parts) => parts[of])).value,
  });
  const parts = [part('HTTP', 'http'), part('signature', 'verify'), part('insert', 'rows')];
  return [{ name: 'floor: HTTP, signature, insert', parts }];
}

function cpuBar(name: string, rounds: readonly Round[]): Bar[] {
  const program = eachRound(rounds, ({ slices }) => slices[name]?.cpuUs?.program);
  const postgres = eachRound(rounds, ({ slices }) => slices[name]?.cpuUs?.postgres);
  if (program.length === 0) return [];
  const parts = [
    { name: 'program', value: overRounds(program).value },
    { name: 'PostgreSQL', value: overRounds(postgres).value },
  ];
  return [{ name, parts, spread: overRounds(eachRound(rounds, (round) => totalCpu(round, name))).spread }];
}
