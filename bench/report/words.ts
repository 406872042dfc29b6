import type { Figure, Machine } from '../figure.ts';

/** Three significant places, thousands apart. */
export function number(value: number): string {
  const size = Math.abs(value);
  const digits = Number.isInteger(value) || size >= 100 ? 0 : size >= 10 ? 1 : 2;
  return value.toLocaleString('en-GB', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

export function withUnit(value: number, unit: string): string {
  const gap = unit === '' || unit.startsWith('/') || unit === '×' || unit === '%' ? '' : ' ';
  return `${number(value)}${gap}${unit}`;
}

export type Verdict = 'met' | 'acceptable' | 'missed';

/** How a value stands to the figure's goal; undefined where there is none. */
export function verdictOf({ goal, atLeast, better }: Figure, value: number): Verdict | undefined {
  const reaches = (wanted: number | undefined): boolean =>
    wanted !== undefined && (better === 'more' ? value >= wanted : value <= wanted);
  if (goal === undefined && atLeast === undefined) return undefined;
  if (reaches(goal)) return 'met';
  return reaches(atLeast) ? 'acceptable' : 'missed';
}

/** The verdict here and, where it is another one, scaled. */
export function verdictText(figure: Figure): string {
  const here = verdictOf(figure, figure.value);
  if (here === undefined) return '';
  const scaled = figure.scaled === undefined ? here : verdictOf(figure, figure.scaled);
  return scaled === here ? here : `${here}; ${scaled} when scaled`;
}

/** The cells of a figure in every table: what, here, spread, scaled, goal. */
export function figureCells(
  figure: Figure,
): [name: string, value: string, spread: string, scaled: string, goal: string] {
  const { name, value, unit, spread, scaled, goal, atLeast } = figure;
  const least = atLeast === undefined ? '' : ` (at least ${withUnit(atLeast, unit)})`;
  const most = atLeast === undefined ? '' : ` (at most ${withUnit(atLeast, unit)})`;
  return [
    name,
    withUnit(value, unit),
    spread === undefined || spread[0] === spread[1] ? '' : `${number(spread[0])}–${number(spread[1])}`,
    scaled === undefined ? '' : withUnit(scaled, unit),
    goal === undefined ? '' : `${withUnit(goal, unit)}${figure.better === 'more' ? least : most}`,
  ];
}

export const COLUMNS = ['figure', 'here', 'spread', 'scaled', 'goal', 'verdict'] as const;

export function machineText({ cores, cpu, memoryBytes, node, postgres }: Machine): string {
  const memory = `${number(Math.round(memoryBytes / 1024 ** 3))} GiB`;
  const database = postgres === undefined ? '' : `, PostgreSQL ${postgres}`;
  return `${cores} cores, ${cpu.trim()}, ${memory}, Node ${node.replace(/^v/, '')}${database}`;
}
