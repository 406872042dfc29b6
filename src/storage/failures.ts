import type { ErrorCode } from '../std/errors.ts';

/** What postgres.js calls a connection that could not be had, or was lost. */
const CONNECTION_CODES = new Set([
  'CONNECT_TIMEOUT',
  'CONNECTION_CLOSED',
  'CONNECTION_ENDED',
  'CONNECTION_DESTROYED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ENOENT',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENOTFOUND',
]);

/**
 * SQLSTATE classes in which nothing is wrong with the statement: 08 connection, 53 out of resources (disk, memory,
 * connections), 57 operator intervention (shutdown, cancelled by timeout), 58 system error, 25006 read-only after a
 * failover; 40001, 40P01 and 55P03 lost a race for a lock.
 */
const PASSING = /^(08|53|57|58|25006|40001|40P01|55P03)/;

/**
 * Whether the database, not the request, is why a statement failed: `unavailable`, and the same again may go through.
 * Undefined for everything else. Looks through drizzle's wrapping error, whose message holds the parameters and must
 * never be logged.
 */
export function classifyFailure(error: unknown): Extract<ErrorCode, 'unavailable'> | undefined {
  const code = failureCode(error);
  return code !== undefined && (CONNECTION_CODES.has(code) || PASSING.test(code)) ? 'unavailable' : undefined;
}

/** SQLSTATE or the driver's code, for logs; undefined when the error is not the database's. */
export function failureCode(error: unknown): string | undefined {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 4; cause = cause.cause, depth++) {
    if ('code' in cause && typeof cause.code === 'string') return cause.code;
  }
  return undefined;
}

/** Another transaction stored the same key first. */
export function isUniqueViolation(error: unknown): boolean {
  return failureCode(error) === '23505';
}
