/** How much a party may ask for: `burst` at once, `ratePerSecond` for ever. */
export interface BucketPolicy {
  readonly ratePerSecond: number;
  readonly burst: number;
}

/** A token bucket. Times are milliseconds of a monotonic clock. */
export class TokenBucket {
  readonly policy: BucketPolicy;
  #tokens: number;
  #at: number;

  constructor(policy: BucketPolicy, now: number) {
    this.policy = policy;
    this.#tokens = policy.burst;
    this.#at = now;
  }

  /** Tokens there are now; may be a fraction. */
  available(now: number): number {
    this.#refill(now);
    return this.#tokens;
  }

  /** Seconds until there is a token; undefined when there is one now. */
  blockedSeconds(now: number): number | undefined {
    this.#refill(now);
    if (this.#tokens >= 1) return undefined;
    return (1 - this.#tokens) / this.policy.ratePerSecond;
  }

  /** Takes tokens, also those that are not there: whoever took too many waits until the debt is paid, at most a burst's worth. */
  take(now: number, count = 1): void {
    this.#refill(now);
    this.#tokens = Math.max(this.#tokens - count, -this.policy.burst);
  }

  /** Seconds until the bucket is full again. */
  fullSeconds(now: number): number {
    this.#refill(now);
    return (this.policy.burst - this.#tokens) / this.policy.ratePerSecond;
  }

  #refill(now: number): void {
    const elapsedMs = now - this.#at;
    if (elapsedMs <= 0) return;
    this.#at = now;
    this.#tokens = Math.min(this.policy.burst, this.#tokens + (elapsedMs / 1_000) * this.policy.ratePerSecond);
  }
}
