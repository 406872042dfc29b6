import type { Language } from '../std/text.ts';
import { responseError, ShenbaoError, unreachable } from './errors.ts';
import { type Outcome, type RetryContext, retryAfterMs, retrying } from './retry.ts';

export interface Call {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly headers?: Readonly<Record<string, string>>;
  /** Bytes or text, so that every attempt sends the same; a function where each has to send something of its own. */
  readonly body?: Uint8Array | string | (() => Promise<string>);
  readonly signal?: AbortSignal | undefined;
  /** Overrides the policy's limit for one attempt, for long polls. */
  readonly attemptMs?: number;
  /** False where the caller repeats by itself. */
  readonly retry?: boolean;
}

export interface Transport {
  readonly base: string;
  readonly retry: RetryContext;
  /**
   * Sends, reads the answer, repeats both while it can help, and throws a ShenbaoError for whatever is not an answer
   * to work with. A connection that breaks inside the answer's body counts as no answer.
   */
  request<T>(path: string, call: Call, read: (response: Response) => Promise<T>): Promise<T>;
  /** The same for a long body, which the caller reads itself. */
  open(path: string, call: Call): Promise<Response>;
}

export interface TransportOptions {
  readonly base: string;
  readonly fetch: typeof fetch;
  readonly retry: RetryContext;
  readonly language: Language;
}

export function createTransport(options: TransportOptions): Transport {
  const base = options.base.replace(/\/+$/, '');
  const request = async <T>(path: string, call: Call, read: (response: Response) => Promise<T>): Promise<T> => {
    // Batches name their entries by URL, which may be absolute.
    const url = /^https?:/.test(path) ? path : `${base}${path}`;
    const attempt = (): Promise<Outcome<T>> => attemptOnce(options, url, call, read);
    if (call.retry !== false) return retrying(options.retry, attempt, call.signal);
    const outcome = await attempt();
    if ('value' in outcome) return outcome.value;
    throw outcome.error;
  };
  return {
    base,
    retry: options.retry,
    request,
    open: (path, call) => request(path, call, async (response) => response),
  };
}

async function attemptOnce<T>(
  options: TransportOptions,
  url: string,
  call: Call,
  read: (response: Response) => Promise<T>,
): Promise<Outcome<T>> {
  call.signal?.throwIfAborted();
  const body = typeof call.body === 'function' ? await call.body() : call.body;
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), call.attemptMs ?? options.retry.policy.attemptMs);
  // Stays after this function: the caller's signal must also cut a body that is still being read.
  call.signal?.addEventListener('abort', () => limit.abort(), { once: true });
  try {
    const response = await options.fetch(url, {
      method: call.method ?? 'GET',
      headers: { 'accept-language': options.language, ...call.headers },
      redirect: 'error',
      signal: limit.signal,
      ...(body === undefined ? {} : { body: body as string }),
    });
    if (response.ok) return { value: await read(response) };
    return {
      error: await responseError(response),
      retryAfterMs: retryAfterMs(response.headers.get('retry-after'), options.retry.clock.now()),
    };
  } catch (cause) {
    if (call.signal?.aborted) throw call.signal.reason;
    return { error: cause instanceof ShenbaoError ? cause : unreachable(url, cause) };
  } finally {
    clearTimeout(timer);
  }
}

/** For {@link Transport.request}: a JSON answer. */
export function asJson<T>(response: Response): Promise<T> {
  return response.json() as Promise<T>;
}

export function asText(response: Response): Promise<string> {
  return response.text();
}
