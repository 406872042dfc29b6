/**
 * How many filings one process works on at once, for a `Pool`. Measured on two cores (bench/NOTES.md, "Overload" and "What a
 * tick costs").
 */
export const FILING_BOUNDS = {
  bearableMs: 1_000,
  smallShare: 64,
  /** Two ticks of those that are gathered, of which one is filled while the other is stored. */
  enough: 384,
  maxTickItems: 256,
  gather: { msEach: 0.5, maxMs: 40, items: 192 },
  maxTickBytes: 16 * 1024 * 1024,
  maxWaitMs: 4_000,
};
