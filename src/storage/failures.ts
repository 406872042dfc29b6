import type { ErrorCode } from '../std/errors.ts';

/** postgres.js and the operating system: there is no connection, or there is none any more. */
const CONNECTION_CODES: ReadonlySet<string> = new Set([
  'CONNECTION_CLOSED',
  'CONNECTION_ENDED',
  'CONNECTION_DESTROYED',
  'CONNECT_TIMEOUT',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EPIPE',
  'ETIMEDOUT',
]);

/** SQLSTATE classes and codes after which the same statement, sent later, can succeed (PostgreSQL manual, appendix A). */
const PASSING_STATES: readonly string[] = [
  '08', // connection exception
  '25006', // read-only transaction: a standby that was promoted late, or not yet
  '40001', // serialization failure
  '40P01', // deadlock detected
  '53', // insufficient resources: disk full, out of memory, too many connections
  '55P03', // lock not available
  '57014', // query cancelled, which is how statement_timeout ends
  '57P', // shutdown, crash recovery, cannot connect now
  '58030', // I/O error
];

/** Text that PostgreSQL cannot store: U+0000, which JSON can spell and a `text` column cannot hold. */
const UNSTORABLE_STATES: readonly string[] = ['22021', '22P05'];

/** Errors come wrapped: drizzle's carries the driver's as its cause. */
const MAX_CAUSES = 5;

/** The innermost code: an SQLSTATE, or the driver's or the system's word. */
export function failureCode(error: unknown): string | undefined {
  let code: string | undefined;
  let current: unknown = error;
  for (let depth = 0; depth < MAX_CAUSES && current instanceof Error; depth++) {
    const own = (current as { code?: unknown }).code;
    if (typeof own === 'string') code = own;
    else if (current instanceof AggregateError) code = failureCode(current.errors[0]) ?? code;
    current = current.cause;
  }
  return code;
}

/** True when the database could not be reached or could not work: nothing is wrong with what was asked. */
export function isUnavailable(error: unknown): boolean {
  const code = failureCode(error);
  if (code === undefined) return false;
  return (
    CONNECTION_CODES.has(code) || isMissingSocket(error, code) || PASSING_STATES.some((state) => code.startsWith(state))
  );
}

/** A Unix socket that is not there. ENOENT about any other file is a fault of ours. */
function isMissingSocket(error: unknown, code: string): boolean {
  if (code !== 'ENOENT') return false;
  for (
    let current = error, depth = 0;
    depth < MAX_CAUSES && current instanceof Error;
    depth++, current = current.cause
  ) {
    if ((current as { syscall?: unknown }).syscall === 'connect') return true;
  }
  return false;
}

/** What a failure of storage means to a client; undefined when it is none of storage's, or a fault. */
export function classifyFailure(error: unknown): ErrorCode | undefined {
  if (isUnavailable(error)) return 'unavailable';
  const code = failureCode(error);
  return code !== undefined && UNSTORABLE_STATES.includes(code) ? 'malformed' : undefined;
}

/** Another transaction stored the same key first. */
export function isUniqueViolation(error: unknown): boolean {
  return failureCode(error) === '23505';
}
