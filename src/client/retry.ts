import type { Clock } from '../std/clock.ts';
import type { ShenbaoError } from './errors.ts';

/** How long to keep trying, and how patiently. All times in milliseconds. */
export interface RetryPolicy {
  /** Give up this long after the first attempt began. */
  readonly deadlineMs: number;
  /** One attempt without an answer counts as lost after this time. */
  readonly attemptMs: number;
  /** Waits are random between 0 and this, doubled with every attempt up to `longestMs` ("full jitter"). */
  readonly firstMs: number;
  readonly longestMs: number;
}

export const DEFAULT_RETRY: RetryPolicy = { deadlineMs: 60_000, attemptMs: 20_000, firstMs: 200, longestMs: 10_000 };

export interface RetryContext {
  readonly policy: RetryPolicy;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
  /** Told of every attempt that will be repeated. */
  readonly onRetry?: (error: ShenbaoError, waitMs: number) => void;
}

/** Seconds that the gateway asked to wait, beside the error. */
export interface Refusal {
  readonly error: ShenbaoError;
  readonly retryAfterMs?: number | undefined;
}

export type Outcome<T> = { readonly value: T } | Refusal;

/**
 * Repeats `attempt` while its error can pass (no answer, 429, 503) and the deadline allows the wait. The caller must
 * make each attempt from the same bytes. Throws the last error.
 */
export async function retrying<T>(
  context: RetryContext,
  attempt: () => Promise<Outcome<T>>,
  signal?: AbortSignal,
): Promise<T> {
  const { policy, clock } = context;
  const giveUpAt = clock.monotonic() + policy.deadlineMs;
  for (let tries = 0; ; tries++) {
    const outcome = await attempt();
    if ('value' in outcome) return outcome.value;
    const backoffMs = Math.min(policy.longestMs, policy.firstMs * 2 ** Math.min(tries, 30)) * context.random();
    // Spread those whom the gateway sent away for the same time.
    const askedMs = (outcome.retryAfterMs ?? 0) * (1 + context.random() / 4);
    const waitMs = Math.max(backoffMs, askedMs);
    if (!outcome.error.retryable || signal?.aborted || clock.monotonic() + waitMs > giveUpAt) throw outcome.error;
    context.onRetry?.(outcome.error, waitMs);
    await context.sleep(waitMs, signal);
  }
}

/** `Retry-After`: seconds or an HTTP date (RFC 9110, 10.2.3). */
export function retryAfterMs(header: string | null, nowMs: number): number | undefined {
  if (header === null) return undefined;
  if (/^\d{1,6}$/.test(header.trim())) return Number(header) * 1000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? undefined : Math.max(0, at - nowMs);
}

/** Resolves after `ms`, or at once when aborted: whoever waits asks the signal. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    if (signal?.aborted) done();
    else signal?.addEventListener('abort', done);
  });
}
