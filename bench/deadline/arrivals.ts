/** How many file how late: what of a deadline's last day is pressed into a few seconds. */
export interface NightPlan {
  /** Enterprises that file for themselves, once each. */
  readonly filers: number;
  /** Bookkeeping agents, and the clients that each files for, all of them at one moment. */
  readonly agents: number;
  readonly clients: number;
  /** From the first arrival to the deadline. */
  readonly seconds: number;
}

/** The last day runs from 09:00 to 17:30; its humps are at 10:00 and 15:00. */
const DAY_HOURS = 8.5;
const MORNING = { at: 1 / DAY_HOURS, width: 0.05, height: 0.45 };
const AFTERNOON = { at: 6 / DAY_HOURS, width: 0.06, height: 0.75 };
const STEPS = 1_000;

/** Arrivals at a moment of the day (0 to 1), in no unit: rising to the deadline, with a hump before and one after noon. */
function density(moment: number): number {
  const hump = ({ at, width, height }: typeof MORNING): number =>
    height * Math.exp(-(((moment - at) / width) ** 2) / 2);
  return 0.4 + 0.8 * moment + hump(MORNING) + hump(AFTERNOON);
}

/** `count` moments of a night of `seconds`, as the curve has them, in order: milliseconds from its beginning. */
export function arrivalTimes(count: number, seconds: number): Float64Array {
  const sums = new Float64Array(STEPS + 1);
  for (let i = 0; i < STEPS; i++) sums[i + 1] = (sums[i] as number) + density((i + 0.5) / STEPS);
  const total = sums[STEPS] as number;
  const times = new Float64Array(count);
  let step = 0;
  for (let k = 0; k < count; k++) {
    const wanted = ((k + 0.5) / count) * total;
    while ((sums[step + 1] as number) < wanted) step++;
    const from = sums[step] as number;
    const within = (wanted - from) / ((sums[step + 1] as number) - from);
    times[k] = ((step + within) / STEPS) * seconds * 1_000;
  }
  return times;
}

export interface Arrivals {
  /** Filings by their numbers (filers first, then client after client of each agent), in the order in which they are due. */
  readonly order: Uint32Array;
  /** By number: milliseconds from the beginning. */
  readonly dueMs: Float64Array;
}

/** Every filing's moment: filers one by one along the curve, agents' clients all at once, at moments along the same curve. */
export function arrivals({ filers, agents, clients, seconds }: NightPlan): Arrivals {
  const dueMs = new Float64Array(filers + agents * clients);
  dueMs.set(arrivalTimes(filers, seconds));
  for (const [agent, ms] of arrivalTimes(agents, seconds).entries()) {
    const first = filers + agent * clients;
    dueMs.fill(ms, first, first + clients);
  }
  const order = Uint32Array.from(dueMs.keys()).sort((a, b) => (dueMs[a] as number) - (dueMs[b] as number) || a - b);
  return { order, dueMs };
}
