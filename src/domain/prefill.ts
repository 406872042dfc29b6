/**
 * `prefill.json` of a version: what a filing begins with. Paths are those of `data` with dots, `*` for every member of an
 * object. The skeleton with what carries over is valid but for what `fill` names.
 */
export interface Prefill {
  /** Present when the skeleton, with what carries over, may be filed as it is: a zero filing (零申报). */
  readonly zero?: ZeroFiling;
  readonly skeleton: Readonly<Record<string, unknown>>;
  /** Members of the skeleton that other kinds of period have otherwise. */
  readonly byPeriod?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly carry: readonly CarryRule[];
  /** Left to fill, whatever carried over; `list[]` for a member of every element. */
  readonly fill: readonly string[];
  /** Left to fill only while there is no earlier filing to carry over from. */
  readonly fillFirst: readonly string[];
}

export interface ZeroFiling {
  /** Kinds of period; absent: all of the type. */
  readonly periods?: readonly string[];
  /**
   * What the filer has something to say of, so that there is no zero filing: a path at which there is something after
   * carrying over, neither 0 nor empty; with `not`, anything else than that.
   */
  readonly unless: readonly (string | { readonly path: string; readonly not: string })[];
}

/** A path alone carries its value to the same path. */
export type CarryRule = string | CarryValue | CarryList | CountElements;

/** The value at `from`, or the sum of the values there, to each path of `to`. Nothing is written where nothing was. */
export interface CarryValue {
  readonly from: string | readonly string[];
  readonly to: string | readonly string[];
  /** From which filings only: of the same calendar year, of an earlier one, or of the last days of the year before. */
  readonly within?: 'year' | 'earlier-year' | 'year-end';
  /** Only for these kinds of period. */
  readonly periods?: readonly string[];
  /** The least that each number counts as. */
  readonly atLeast?: number;
  /** Added to a number. */
  readonly add?: number;
  /** Written instead of what was found. */
  readonly as?: number;
}

/** Every element of a list, begun anew from `skeleton`; `carry` and `where` have paths within the element. */
export interface CarryList {
  readonly each: string;
  /** Elements with other values stay behind. A member that is absent counts as `false`. */
  readonly where?: Readonly<Record<string, string | number | boolean>>;
  readonly skeleton?: Readonly<Record<string, unknown>>;
  readonly carry: readonly (string | CarryValue)[];
}

/** The number of elements that the list has now. */
export interface CountElements {
  readonly count: string;
  readonly to: string;
}
