import { LRUCache } from 'lru-cache';
import type { PartyKind } from '../identity/records.ts';
import type { Clock } from '../std/clock.ts';
import { GatewayError } from '../std/errors.ts';
import { type BucketPolicy, TokenBucket } from '../std/token-bucket.ts';

export type LimitPolicies = Readonly<Record<PartyKind, BucketPolicy>>;

const DEFAULT_LIMITS: LimitPolicies = {
  filer: { ratePerSecond: 1_000, burst: 10_000 },
  agent: { ratePerSecond: 5_000, burst: 50_000 },
  office: { ratePerSecond: 1_000, burst: 10_000 },
  operator: { ratePerSecond: 1_000, burst: 10_000 },
};

/**
 * Parties remembered. Whoever falls out starts anew with a full bucket, and has one by then: with the usual limits the deepest debt is paid and
 * the bucket full again after 20 s, and one process does not serve so many others within that time.
 */
const MAX_PARTIES = 100_000;

/** Where a party's limit stands. */
export interface LimitState {
  readonly policy: BucketPolicy;
  /** Whole requests that would pass now. */
  readonly remaining: number;
  /** Seconds until the full burst is there again. */
  readonly resetSeconds: number;
}

/**
 * Rate limits by party, never by address: thousands of enterprises share an agent's address. One process's view; several
 * processes each allow their share.
 */
export class Limits {
  readonly #clock: Clock;
  readonly #policies: LimitPolicies;
  readonly #buckets = new LRUCache<string, TokenBucket>({ max: MAX_PARTIES });

  constructor(clock: Clock, policies: LimitPolicies = DEFAULT_LIMITS) {
    this.#clock = clock;
    this.#policies = policies;
  }

  /** Seconds until `party` may ask again; undefined when it may now. Takes nothing: for before the party has proved itself. */
  blocked(party: string, kind: PartyKind): number | undefined {
    return this.#buckets.get(keyOf(party, kind))?.blockedSeconds(this.#clock.monotonic());
  }

  /** Counts `count` requests of `party`. */
  take(party: string, kind: PartyKind, count = 1): void {
    this.#bucket(party, kind).take(this.#clock.monotonic(), count);
  }

  /** Counts one request of a party that has proved itself, or refuses it. */
  admit(party: string, kind: PartyKind): void {
    const seconds = this.blocked(party, kind);
    if (seconds !== undefined) throw rateLimited(seconds);
    this.take(party, kind);
  }

  state(party: string, kind: PartyKind): LimitState {
    const bucket = this.#bucket(party, kind);
    const now = this.#clock.monotonic();
    return {
      policy: bucket.policy,
      remaining: Math.max(0, Math.floor(bucket.available(now))),
      resetSeconds: Math.ceil(bucket.fullSeconds(now)),
    };
  }

  #bucket(party: string, kind: PartyKind): TokenBucket {
    const key = keyOf(party, kind);
    let bucket = this.#buckets.get(key);
    if (bucket === undefined) {
      bucket = new TokenBucket(this.#policies[kind], this.#clock.monotonic());
      this.#buckets.set(key, bucket);
    }
    return bucket;
  }
}

function keyOf(party: string, kind: PartyKind): string {
  return `${kind}:${party}`;
}

function rateLimited(retryAfterSeconds: number): GatewayError {
  return new GatewayError('rate-limited', { retryAfterSeconds });
}

/** draft-ietf-httpapi-ratelimit-headers: structured fields, the policy named after the party's kind. Name and value in turn. */
export function rateLimitHeaders(kind: PartyKind, state: LimitState): readonly string[] {
  const windowSeconds = Math.ceil(state.policy.burst / state.policy.ratePerSecond);
  return [
    'RateLimit-Policy',
    `"${kind}";q=${state.policy.burst};w=${windowSeconds}`,
    'RateLimit',
    `"${kind}";r=${state.remaining};t=${state.resetSeconds}`,
  ];
}
