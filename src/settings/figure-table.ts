import type { Figures } from '../domain/filing-type.ts';
import { isInForce } from '../identity/mandates.ts';
import type { PlainDate } from '../std/clock.ts';
import type { LoadedFigure } from './records.ts';
import { COUNTRY, withinRegions } from './regions.ts';

/** About 3,000 counties file on a handful of dates. */
const MAX_KNOWN = 10_000;

/** The figures that are loaded for regions. Immutable but for what it remembers. */
export class FigureTable {
  readonly #regions: ReadonlyMap<string, readonly LoadedFigure[]>;
  readonly #known = new Map<string, Figures | undefined>();

  /** @param regions by their codes; {@link COUNTRY} for the whole country */
  constructor(regions: ReadonlyMap<string, readonly LoadedFigure[]>) {
    this.#regions = regions;
  }

  figures(region: string | undefined, date: PlainDate): Figures | undefined {
    if (this.#regions.size === 0) return undefined;
    const key = `${region ?? ''} ${date}`;
    const found = this.#known.get(key);
    if (found !== undefined || this.#known.has(key)) return found;
    const figures = this.#inForce(region, date);
    if (this.#known.size >= MAX_KNOWN) this.#known.clear();
    this.#known.set(key, figures);
    return figures;
  }

  #inForce(region: string | undefined, date: PlainDate): Figures | undefined {
    const values = new Map<string, number>();
    // From the country down: what is nearer replaces what is farther.
    for (const code of [COUNTRY, ...(region === undefined ? [] : withinRegions(region).reverse())]) {
      for (const figure of this.#regions.get(code) ?? []) {
        if (isInForce(figure, date)) values.set(figure.name, figure.value);
      }
    }
    return values.size === 0 ? undefined : (name) => values.get(name);
  }
}
