import type { Violation } from '../std/errors.ts';
import { isObject } from './jws.ts';

/**
 * What went wrong, whatever went wrong. `code` is one of the gateway's (`GET /v1/problems`), or one of the client's own:
 * - `unreachable`: no answer from the gateway. Nothing is known to be lost: submit the same bytes again.
 * - `bad-answer`: an answer that is not the gateway's, such as a proxy's error page.
 * - `verification-failed`: a proof or signature of the gateway does not hold. Do not go on; tell a person.
 * - `no-zero-filing`: the type has no zero filing, or there is something to say of the period.
 * - `usage`: the call itself is wrong, for example reading without a key.
 */
export class ShenbaoError extends Error {
  readonly code: string;
  /** HTTP status; 0 when there was no answer. */
  readonly status: number;
  /** Whether the same request can succeed later. */
  readonly retryable: boolean;
  /** Every violation (100 at most), with pointers into what was sent. */
  readonly errors: readonly Violation[];
  readonly requestId: string | undefined;
  /** The whole problem document (RFC 9457), with extension members such as `existing` and `digest`. */
  readonly problem: Problem | undefined;

  constructor(code: string, message: string, facts: ShenbaoErrorFacts = {}) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.name = 'ShenbaoError';
    this.code = code;
    this.status = facts.status ?? 0;
    this.retryable = facts.retryable ?? false;
    this.errors = facts.problem?.errors ?? [];
    this.requestId = facts.requestId ?? facts.problem?.instance;
    this.problem = facts.problem;
  }
}

export interface ShenbaoErrorFacts {
  readonly status?: number;
  readonly retryable?: boolean;
  readonly requestId?: string;
  readonly problem?: Problem;
  readonly cause?: unknown;
}

/** `application/problem+json`, as the gateway sends it. */
export interface Problem {
  readonly type: string;
  readonly code: string;
  readonly title: string;
  readonly status: number;
  readonly detail?: string;
  readonly instance?: string;
  readonly retryable: boolean;
  readonly errors?: readonly Violation[];
  /** How many violations there are beyond `errors`. */
  readonly more?: number;
  readonly [member: string]: unknown;
}

export function isProblem(value: unknown): value is Problem {
  return isObject(value) && typeof value.code === 'string' && typeof value.status === 'number';
}

export function problemError(problem: Problem, requestId?: string): ShenbaoError {
  const message = problem.detail ?? problem.title ?? problem.code;
  return new ShenbaoError(problem.code, message, {
    status: problem.status,
    retryable: problem.retryable === true,
    problem,
    ...(requestId === undefined ? {} : { requestId }),
  });
}

/** The error of an answer that is not 2xx. */
export async function responseError(response: Response): Promise<ShenbaoError> {
  const requestId = response.headers.get('x-request-id') ?? undefined;
  const text = await response.text().catch(() => '');
  try {
    const value: unknown = JSON.parse(text);
    if (isProblem(value)) return problemError(value, requestId);
    if (isObject(value) && typeof value.error === 'string') return oauthError(response, value, requestId);
  } catch {
    // Not JSON: some other server answered.
  }
  return new ShenbaoError('bad-answer', `HTTP ${response.status} from ${new URL(response.url).origin}`, {
    status: response.status,
    retryable: RETRYABLE_STATUSES.has(response.status),
    ...(requestId === undefined ? {} : { requestId }),
  });
}

/** RFC 6749, 5.2: the token endpoint may answer in OAuth's own form. */
function oauthError(response: Response, value: Readonly<Record<string, unknown>>, requestId?: string): ShenbaoError {
  const code = String(value.error).replaceAll('_', '-');
  const detail = typeof value.error_description === 'string' ? value.error_description : code;
  return new ShenbaoError(code, detail, {
    status: response.status,
    retryable: RETRYABLE_STATUSES.has(response.status),
    ...(requestId === undefined ? {} : { requestId }),
  });
}

/** Proxies in front of the gateway answer 502 and 504 for it. */
const RETRYABLE_STATUSES: ReadonlySet<number> = new Set([408, 425, 429, 502, 503, 504]);

/** No answer: the network, a proxy or the gateway's process. */
export function unreachable(url: string, cause: unknown): ShenbaoError {
  return new ShenbaoError('unreachable', `no answer from ${new URL(url).origin}`, { retryable: true, cause });
}
