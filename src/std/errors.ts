import type { Text } from './text.ts';

/**
 * The closed set of what can go wrong, as far as a client can tell. `http/problem.ts` maps every one of them to a
 * status, a title and whether a retry can help; nothing else in the gateway knows HTTP statuses.
 */
export const ERROR_CODES = [
  'malformed',
  'malformed-jws',
  'malformed-json',
  'invalid-parameter',
  'unauthenticated',
  'unknown-key',
  'bad-signature',
  'wrong-audience',
  'bulk-root-mismatch',
  'invalid-client',
  'forbidden',
  'no-mandate',
  'not-registered',
  'key-revoked',
  'key-not-in-force',
  'party-suspended',
  'not-found',
  'method-not-allowed',
  'not-acceptable',
  'timeout',
  'conflict',
  'filing-conflict',
  'superseded',
  'stale',
  'too-large',
  'header-too-large',
  'unsupported-media-type',
  'invalid-filing',
  'invalid-resource',
  'root-mismatch',
  'rate-limited',
  'internal',
  'overloaded',
  'unavailable',
  'outcome-unknown',
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

/** One finding in what the client sent. It points at the place and never repeats the value. */
export interface Violation {
  /** RFC 6901 pointer into the document that was sent: the payload for filings, the body elsewhere. */
  readonly pointer: string;
  /** `schema`, `rule`, or a word for a check of the gateway's own, such as `period` or `identifier`. */
  readonly code: string;
  /** The rule's id in the filing type, for `code: "rule"`. */
  readonly rule?: string;
  /** The form's own line number (栏次); with `file`, the line in it. */
  readonly line?: string;
  /** For what is wrong with a file of the gateway's own instead of what was sent; `pointer` is then empty. */
  readonly file?: string;
  readonly severity: 'error' | 'warning';
  readonly message: Text;
  /** Of a warning: how the filing that it was found in explains it. */
  readonly explanation?: string;
}

export interface ErrorDetails {
  readonly detail?: Text;
  readonly errors?: readonly Violation[];
  /** How many violations there are beyond those listed. */
  readonly more?: number;
  /** Extension members of the problem document, such as `existing` and `digest`. */
  readonly members?: Readonly<Record<string, unknown>>;
  readonly retryAfterSeconds?: number;
  /** Whose rate limit was reached, for the headers that tell it. Not in the document. */
  readonly limited?: { readonly party: string; readonly kind: 'filer' | 'agent' | 'office' | 'operator' };
  /** Of `unauthenticated`: whose token it was, where it is genuine. For the audit trail; never sent. */
  readonly known?: { readonly party: string; readonly role: 'filer' | 'agent' | 'office' | 'operator' };
  /** For the log only; never sent. */
  readonly cause?: unknown;
}

/** The one error type that parts throw on purpose; everything else that is thrown is a fault and answers `internal`. */
export class GatewayError extends Error {
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, details: ErrorDetails = {}) {
    super(details.detail?.en ?? code, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'GatewayError';
    this.code = code;
    this.details = details;
  }
}

/** States an invariant of our own code. Its failure is a bug, not bad input. */
export function assert(condition: unknown, invariant: string): asserts condition {
  if (!condition) throw new Error(`broken invariant: ${invariant}`);
}
