/** Values of an axis onto pixels of a plot. */
export interface Scale {
  readonly ticks: readonly Tick[];
  at(value: number): number;
}

export interface Tick {
  readonly value: number;
  readonly text: string;
}

/** Short enough for an axis: `1.5k` for 1,500. */
function short(value: number): string {
  if (value >= 1e6) return `${trimmed(value / 1e6)}M`;
  if (value >= 1e3) return `${trimmed(value / 1e3)}k`;
  return trimmed(value);
}

function trimmed(value: number): string {
  return String(Number(value.toPrecision(3)));
}

/** From 0 to `most` or a little more, with round ticks (1, 2 or 5 times a power of ten). */
export function linear(most: number, from: number, to: number, wanted = 5): Scale {
  const top = most > 0 ? most : 1;
  const rough = top / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((each) => each >= rough) ?? 10 * power;
  const end = Math.ceil(top / step) * step;
  const ticks = Array.from({ length: Math.round(end / step) + 1 }, (_, i) => ({
    value: i * step,
    text: short(i * step),
  }));
  return { ticks, at: (value) => from + ((to - from) * value) / end };
}

/** Powers of ten around everything between `least` and `most`. */
export function logarithmic(least: number, most: number, from: number, to: number): Scale {
  const low = Math.floor(Math.log10(Math.max(least, 0.01)));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(most, 0.01))));
  const ticks = Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i)).map((value) => ({
    value,
    text: short(value),
  }));
  return {
    ticks,
    at: (value) => from + ((to - from) * (Math.log10(Math.max(value, 10 ** low)) - low)) / (high - low),
  };
}

/** How many nines a percentile has: 90 is 1, 99 is 2, and the largest of all stands a little behind 99.99. */
const NINES = 4.3;
const PERCENTILE_TICKS = [0, 50, 90, 99, 99.9, 99.99];

/** Percentiles so that each further nine takes as much room as the one before. */
export function percentiles(from: number, to: number): Scale {
  const nines = (percentile: number): number => Math.min(NINES, -Math.log10(Math.max(1 - percentile / 100, 1e-9)));
  return {
    ticks: PERCENTILE_TICKS.map((value) => ({ value, text: `${value} %` })),
    at: (value) => from + ((to - from) * nines(value)) / NINES,
  };
}
