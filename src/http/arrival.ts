import type { IncomingMessage } from 'node:http';
import type { Clock } from '../std/clock.ts';

/** When a request was there with all of its body: a filing's legal time, from which its answer is due too. */
export interface Arrival {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly monotonicMs: number;
}

const ARRIVAL = Symbol('arrival');

type Arriving = Pick<IncomingMessage, 'complete'> & { [ARRIVAL]?: Arrival };

/** For requests that wait unread: notes that all of it is there, once it is. Until then nothing. */
export function noticeArrival(incoming: Arriving, clock: Clock): void {
  if (!incoming.complete || incoming[ARRIVAL] !== undefined) return;
  incoming[ARRIVAL] = { at: clock.now(), monotonicMs: clock.monotonic() };
}

/** What was noted of it, or else now: for when its body has been read to its end. */
export function arrivalOf(incoming: Arriving | undefined, clock: Clock): Arrival {
  return incoming?.[ARRIVAL] ?? { at: clock.now(), monotonicMs: clock.monotonic() };
}
