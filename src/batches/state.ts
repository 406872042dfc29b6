/** What a row says of its lease. */
export const BATCH_STATES = ['leased', 'released', 'handed-on', 'acknowledged'] as const;
export type BatchState = (typeof BATCH_STATES)[number];

/** What a lease is at a moment: `expired` is a leased one whose time ran out. It is not stored. */
export const LEASE_PHASES = ['leased', 'expired', 'released', 'handed-on', 'acknowledged'] as const;
export type LeasePhase = (typeof LEASE_PHASES)[number];

/**
 * - `acknowledge`: its holder proves with a root that it has everything up to the batch's end
 * - `cover`: an acknowledgement of a later batch proves the same for this one too
 * - `release`: its holder gives it back
 * - `hand-on`: its range, or a part of it, goes into a new batch
 */
export const BATCH_EVENTS = ['acknowledge', 'cover', 'release', 'hand-on'] as const;
export type BatchEvent = (typeof BATCH_EVENTS)[number];

/** The state that follows; `stale`: too late, answered 409; `never`: the gateway must not let it come to this. */
export type Transition = BatchState | 'stale' | 'never';

/**
 * The life of a lease, total. An expired lease is still its holder's until its range is handed on: a slow consumer that
 * comes back late but first has done its work. Given back or handed on, it is closed for good.
 */
export const TRANSITIONS: Readonly<Record<LeasePhase, Readonly<Record<BatchEvent, Transition>>>> = {
  leased: { acknowledge: 'acknowledged', cover: 'acknowledged', release: 'released', 'hand-on': 'never' },
  expired: { acknowledge: 'acknowledged', cover: 'acknowledged', release: 'released', 'hand-on': 'handed-on' },
  released: { acknowledge: 'stale', cover: 'released', release: 'released', 'hand-on': 'released' },
  'handed-on': { acknowledge: 'stale', cover: 'handed-on', release: 'handed-on', 'hand-on': 'handed-on' },
  acknowledged: { acknowledge: 'acknowledged', cover: 'acknowledged', release: 'stale', 'hand-on': 'never' },
};

/** The phase of a stored lease at `now`, both times in milliseconds since the epoch. A lease ends with its last instant. */
export function phaseOf(lease: { readonly state: BatchState; readonly expiresAt: number }, now: number): LeasePhase {
  return lease.state === 'leased' && lease.expiresAt <= now ? 'expired' : lease.state;
}

/** Indexes [from, to) of an office's log. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

/**
 * The lowest range that is free: at or above `cursor`, below `end`, in no live lease, at most `max` entries. What
 * expired or was given back lies below what was never handed out, so it comes first. Undefined when all is leased.
 */
export function nextRange(live: readonly Range[], cursor: number, end: number, max: number): Range | undefined {
  let from = cursor;
  for (const lease of live.toSorted((a, b) => a.from - b.from)) {
    if (lease.from > from) return { from, to: Math.min(lease.from, from + max, end) };
    from = Math.max(from, lease.to);
  }
  return from < end ? { from, to: Math.min(from + max, end) } : undefined;
}

export function overlaps(a: Range, b: Range): boolean {
  return a.from < b.to && b.from < a.to;
}
