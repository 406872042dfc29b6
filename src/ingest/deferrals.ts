import type { Clock } from '../std/clock.ts';
import type { GatewayError } from '../std/errors.ts';

/** How long one refusal speaks for those after it: a tick or two, in which a share of the room hardly becomes free. */
const DEFERRED_MS = 100;
/** Keys remembered at once; a flood from more than these costs what it costs. */
const KEYS_MAX = 1_000;

interface Deferral {
  readonly untilMs: number;
  readonly error: GatewayError;
}

/**
 * Keys whose filings were just refused because of whose they are: the party has its share of the room, or is over its limit. What else
 * they sign within the next moment gets the same answer as soon as its protected header has come, before anything is done for it. Who
 * floods a gateway sends thousands of filings a second; reading, parsing and looking up each of them would leave the others nothing.
 * Whoever forges filings under a key makes its owner wait too, as they do by filling its share of the room.
 */
export class Deferrals {
  readonly #clock: Clock;
  /** In the order in which they end. */
  readonly #byKid = new Map<string, Deferral>();
  #lastMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  defer(kid: string, error: GatewayError): void {
    const now = this.#clock.monotonic();
    this.#byKid.delete(kid);
    for (const [known, { untilMs }] of this.#byKid) {
      if (untilMs > now && this.#byKid.size < KEYS_MAX) break;
      this.#byKid.delete(known);
    }
    this.#lastMs = now + DEFERRED_MS;
    this.#byKid.set(kid, { untilMs: this.#lastMs, error });
  }

  /** Whether anybody's filings are refused now: most of the time there is nothing to ask. */
  get any(): boolean {
    return this.#clock.monotonic() < this.#lastMs;
  }

  /** Why filings of this key are refused now. */
  of(kid: string): GatewayError | undefined {
    const deferral = this.#byKid.get(kid);
    return deferral !== undefined && this.#clock.monotonic() < deferral.untilMs ? deferral.error : undefined;
  }
}
