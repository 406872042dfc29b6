import type { ErrorCode, GatewayError, Violation } from '../std/errors.ts';
import type { Language, Text } from '../std/text.ts';
import { PROBLEM_TEXTS } from './problem-texts.ts';

/** What an error code means on the wire. */
export interface ProblemDefinition {
  readonly status: number;
  /** Whether the same request, sent again later, can succeed. */
  readonly retryable: boolean;
  readonly title: Text;
  readonly meaning: Text;
  /** RFC 9110 section 11.6.1: every 401 names the scheme that would help. */
  readonly challenge?: 'Bearer' | 'JWS';
  /** Seconds in `Retry-After` when the thrower gave none: `least`, and up to `spread` more so that retries do not come together. */
  readonly retryAfter?: { readonly least: number; readonly spread: number };
}

type Row = Omit<ProblemDefinition, 'title' | 'meaning'>;

const refused = (status: number): Row => ({ status, retryable: false });
const challenged = (challenge: 'Bearer' | 'JWS'): Row => ({ status: 401, retryable: false, challenge });
const passing = (status: number, least: number, spread: number): Row => ({
  status,
  retryable: true,
  retryAfter: { least, spread },
});

/** The only place that maps an error to an HTTP status. */
const ROWS: Readonly<Record<ErrorCode, Row>> = {
  malformed: refused(400),
  'malformed-jws': refused(400),
  'malformed-json': refused(400),
  'invalid-parameter': refused(400),
  unauthenticated: challenged('Bearer'),
  'unknown-key': challenged('JWS'),
  'bad-signature': challenged('JWS'),
  'wrong-audience': challenged('JWS'),
  'bulk-root-mismatch': challenged('JWS'),
  'invalid-client': challenged('JWS'),
  forbidden: refused(403),
  'no-mandate': refused(403),
  'not-registered': refused(403),
  'key-revoked': refused(403),
  'key-not-in-force': refused(403),
  'party-suspended': refused(403),
  'not-found': refused(404),
  'method-not-allowed': refused(405),
  'not-acceptable': refused(406),
  timeout: { status: 408, retryable: true },
  conflict: refused(409),
  'filing-conflict': refused(409),
  superseded: refused(409),
  stale: refused(409),
  'too-large': refused(413),
  'unsupported-media-type': refused(415),
  'invalid-filing': refused(422),
  'invalid-resource': refused(422),
  'root-mismatch': refused(422),
  'rate-limited': passing(429, 1, 1),
  'header-too-large': refused(431),
  internal: { status: 500, retryable: true },
  overloaded: passing(503, 2, 3),
  unavailable: passing(503, 2, 4),
  'outcome-unknown': passing(503, 1, 2),
};

export const PROBLEMS = Object.fromEntries(
  Object.entries(ROWS).map(([code, row]) => [code, { ...row, ...PROBLEM_TEXTS[code as ErrorCode] }]),
) as Readonly<Record<ErrorCode, ProblemDefinition>>;

export function problemType(code: ErrorCode): string {
  return `urn:shenbao:problem:${code}`;
}

/** The document lists no more; `more` counts the rest. */
const MAX_LISTED_ERRORS = 100;

/** A problem document (RFC 9457) with this gateway's members. */
export interface ProblemBody {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly instance: string;
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly errors?: readonly Violation[];
  readonly more?: number;
  readonly [member: string]: unknown;
}

/** The problem document of `error`, in `language`. `errors` carry both languages always. */
export function problemBody(error: GatewayError, language: Language, requestId: string): ProblemBody {
  const problem = PROBLEMS[error.code];
  const { detail, errors, more, members } = error.details;
  const unlisted = (more ?? 0) + Math.max(0, (errors?.length ?? 0) - MAX_LISTED_ERRORS);
  const standard = {
    type: problemType(error.code),
    title: problem.title[language],
    status: problem.status,
    detail: (detail ?? problem.meaning)[language],
    instance: requestId,
    code: error.code,
    retryable: problem.retryable,
    ...(errors === undefined ? {} : { errors: errors.slice(0, MAX_LISTED_ERRORS) }),
    ...(unlisted === 0 ? {} : { more: unlisted }),
  };
  // Twice, so that standard members come first and no extension member can take their place.
  return members === undefined ? standard : { ...standard, ...members, ...standard };
}

/** Seconds for `Retry-After`. `turn` is any running number: it spreads the clients that were refused together. */
function retryAfterSeconds(error: GatewayError, turn: number): number | undefined {
  if (error.details.retryAfterSeconds !== undefined) return Math.max(1, Math.ceil(error.details.retryAfterSeconds));
  const delay = PROBLEMS[error.code].retryAfter;
  return delay === undefined ? undefined : delay.least + (turn % (delay.spread + 1));
}

export const PROBLEM_MEDIA_TYPE = 'application/problem+json';
export const LANGUAGE_TAGS: Readonly<Record<Language, string>> = { zh: 'zh-CN', en: 'en' };

/** The headers that belong to a problem document. */
export function problemHeaders(error: GatewayError, language: Language, turn: number): Record<string, string> {
  const headers: Record<string, string> = {
    'Content-Type': PROBLEM_MEDIA_TYPE,
    'Content-Language': LANGUAGE_TAGS[language],
    'Cache-Control': 'no-store',
    Vary: 'Accept-Language',
  };
  const seconds = retryAfterSeconds(error, turn);
  if (seconds !== undefined) headers['Retry-After'] = String(seconds);
  const challenge = PROBLEMS[error.code].challenge;
  if (challenge !== undefined) headers['WWW-Authenticate'] = `${challenge} realm="shenbao"`;
  return headers;
}
