import type { Bars, Distribution, Series } from '../figure.ts';
import { totalOf } from './results.ts';
import { linear, logarithmic, percentiles, type Scale } from './scale.ts';
import { withUnit } from './words.ts';

/** Classes `c0` to `c5` of the page's style. */
const COLOURS = 6;
const WIDTH = 520;
const HEIGHT = 220;
/** Left, top, right, bottom. */
const MARGIN = { left: 52, top: 10, right: 14, bottom: 26 };

export function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** A drawing, and what its colours stand for. */
export interface Plot {
  readonly title: string;
  readonly svg: string;
  readonly legend: readonly string[];
}

interface Line {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

/** Values over the seconds of a run, all in one unit. */
export function timePlot(title: string, series: readonly Series[]): Plot {
  const points = series.flatMap((one) => one.points);
  const x = linear(Math.max(1, ...points.map(([second]) => second)), MARGIN.left, WIDTH - MARGIN.right, 8);
  const y = linear(Math.max(...points.map(([, value]) => value), 0), HEIGHT - MARGIN.bottom, MARGIN.top);
  return linePlot(title, series, { x, y, xText: 's', yText: series[0]?.unit ?? '' });
}

/** Latency by percentile; both axes so that the slow end can be seen. */
export function distributionPlot(title: string, distributions: readonly Distribution[]): Plot {
  const values = distributions.flatMap(({ points }) => points.map(([, ms]) => ms));
  const x = percentiles(MARGIN.left, WIDTH - MARGIN.right);
  const y = logarithmic(Math.min(...values), Math.max(...values), HEIGHT - MARGIN.bottom, MARGIN.top);
  return linePlot(title, distributions, { x, y, xText: '', yText: 'ms' });
}

interface Axes {
  readonly x: Scale;
  readonly y: Scale;
  readonly xText: string;
  readonly yText: string;
}

function linePlot(title: string, lines: readonly Line[], { x, y, xText, yText }: Axes): Plot {
  const right = WIDTH - MARGIN.right;
  const bottom = HEIGHT - MARGIN.bottom;
  const grid = y.ticks.map(({ value, text }) => {
    const at = round(y.at(value));
    return `<path class="grid" d="M${MARGIN.left} ${at}H${right}"/>${label(MARGIN.left - 6, at + 4, 'end', text)}`;
  });
  const below = x.ticks.map(({ value, text }) =>
    label(x.at(value), bottom + 16, 'middle', `${text}${xText && ` ${xText}`}`),
  );
  const drawn = lines.map(({ name, points }, i) => {
    const path = points.map(([px, py], n) => `${n === 0 ? 'M' : 'L'}${round(x.at(px))} ${round(y.at(py))}`).join('');
    return `<path class="line c${i % COLOURS}" d="${path}"><title>${escapeHtml(name)}</title></path>`;
  });
  return {
    title: `${title} (${yText})`,
    svg: svg(HEIGHT, title, [...grid, ...below, ...drawn]),
    legend: lines.map(({ name }) => name),
  };
}

const BAR_HEIGHT = 15;
const BAR_STEP = 24;
/** Names stand above short bars only when they do not fit beside them. */
const NAME_WIDTH = 250;
const VALUE_WIDTH = 80;
const BARS_WIDTH = 860;

/** Lying bars, each made of its parts; a thin line shows the smallest and the largest over the rounds. */
export function barsPlot({ title, unit, bars }: Bars): Plot {
  const legend = [...new Set(bars.flatMap(({ parts }) => parts.map(({ name }) => name)))];
  const most = Math.max(...bars.map((bar) => Math.max(totalOf(bar), bar.spread?.[1] ?? 0)), 0);
  const x = linear(most, NAME_WIDTH, BARS_WIDTH - VALUE_WIDTH);
  const bottom = bars.length * BAR_STEP + 4;
  const grid = x.ticks.map(({ value, text }) => {
    const at = round(x.at(value));
    return `<path class="grid" d="M${at} 0V${bottom}"/>${label(at, bottom + 16, 'middle', text)}`;
  });
  const drawn = bars.map((bar, row) => {
    const top = row * BAR_STEP + 5;
    let from = 0;
    const parts = bar.parts.map(({ name, value }) => {
      const [start, end] = [x.at(from), x.at(from + value)];
      from += value;
      const tip = `<title>${escapeHtml(`${bar.name}: ${name} ${withUnit(value, unit)}`)}</title>`;
      const colour = legend.indexOf(name) % COLOURS;
      return `<rect class="bar c${colour}" x="${round(start)}" y="${top}" width="${round(Math.max(0.5, end - start))}" height="${BAR_HEIGHT}">${tip}</rect>`;
    });
    const middle = top + BAR_HEIGHT / 2;
    const [least, largest] = bar.spread ?? [from, from];
    const whisker =
      largest > least ? `<path class="whisker" d="M${round(x.at(least))} ${middle}H${round(x.at(largest))}"/>` : '';
    const valueAt = x.at(Math.max(from, largest)) + 6;
    return [
      label(NAME_WIDTH - 8, middle + 4, 'end', bar.name),
      ...parts,
      whisker,
      label(valueAt, middle + 4, 'start', withUnit(from, unit)),
    ].join('');
  });
  return {
    title: `${title} (${unit})`,
    svg: svg(bottom + 22, title, [...grid, ...drawn], BARS_WIDTH),
    legend: legend.length > 1 ? legend : [],
  };
}

function svg(height: number, title: string, content: readonly string[], width = WIDTH): string {
  return `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeHtml(title)}">${content.join('')}</svg>`;
}

function label(x: number, y: number, anchor: 'start' | 'middle' | 'end', text: string): string {
  return `<text x="${round(x)}" y="${round(y)}" text-anchor="${anchor}">${escapeHtml(text)}</text>`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
