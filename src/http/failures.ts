import type { Clock } from '../std/clock.ts';
import { type ErrorCode, GatewayError } from '../std/errors.ts';
import type { Logger } from '../std/telemetry.ts';
import type { Language } from '../std/text.ts';
import { ClientGone } from './body.ts';
import { PROBLEMS, problemBody, problemHeaders } from './problem.ts';

/** Tells what kind of failure of a part below an error is, for instance of the database; undefined: none it knows. */
export type Classify = (error: unknown) => ErrorCode | undefined;

/** What the log may say of an error: never its message, which can hold the data of a statement or a document. */
export interface FaultFields {
  readonly error: string;
  /** A system error's or PostgreSQL's code (SQLSTATE), the innermost one. */
  readonly code?: string;
  readonly frames: readonly string[];
}

const MAX_FRAMES = 12;
const MAX_CAUSES = 5;

export function describeFault(error: unknown): FaultFields {
  if (!(error instanceof Error)) return { error: typeof error, frames: [] };
  let code: string | undefined;
  let innermost: Error = error;
  for (let depth = 0; depth < MAX_CAUSES; depth++) {
    const own = (innermost as { code?: unknown }).code;
    if (typeof own === 'string' && /^[A-Z0-9_]{2,40}$/.test(own)) code = own;
    if (!(innermost.cause instanceof Error)) break;
    innermost = innermost.cause;
  }
  return { error: error.constructor.name, ...(code === undefined ? {} : { code }), frames: framesOf(error) };
}

function framesOf(error: Error): string[] {
  const stack = error.stack ?? '';
  // A message of several lines could pass itself off as frames, so everything up to its end goes.
  const end = stack.indexOf(error.message);
  return stack
    .slice(end < 0 ? 0 : end + error.message.length)
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .slice(0, MAX_FRAMES)
    .map((line) => line.trim());
}

/** Lines a second about failures: a flood of them must not become a flood of log. */
const MAX_LINES_PER_SECOND = 20;

export interface FailureContext {
  readonly requestId: string;
  readonly language: Language;
}

/** Turns whatever was thrown into the answer that the client gets, and into what the operator needs to know. */
export class Failures {
  readonly #classify: Classify;
  readonly #log: Logger;
  readonly #clock: Clock;
  #turn = 0;
  #second = 0;
  #lines = 0;
  #suppressed = 0;

  constructor(deps: { readonly classify: Classify; readonly log: Logger; readonly clock: Clock }) {
    this.#classify = deps.classify;
    this.#log = deps.log;
    this.#clock = deps.clock;
  }

  /** The error that a client is told about. */
  toGatewayError(error: unknown): GatewayError {
    if (error instanceof GatewayError) return error;
    if (error instanceof ClientGone) return new GatewayError('malformed', { cause: error });
    return new GatewayError(this.#classify(error) ?? 'internal', { cause: error });
  }

  /** The same for a failure inside an answer that has begun: nobody else will report it. */
  readonly explain = (error: unknown): GatewayError => {
    const explained = this.toGatewayError(error);
    if (PROBLEMS[explained.code].status >= 500) this.#report(explained, {});
    return explained;
  };

  /** A body that broke off while it was sent; the client sees an incomplete answer. */
  brokenOff(error: unknown, requestId: string, operation: string): void {
    if (error instanceof ClientGone) return;
    this.#report(this.toGatewayError(error), { requestId, operation, brokenOff: true });
  }

  answer(error: GatewayError, context: FailureContext, operation: string): Response {
    const { status } = PROBLEMS[error.code];
    if (status >= 500) this.#report(error, { requestId: context.requestId, operation });
    const { language } = context;
    const body = JSON.stringify(problemBody(error, language, context.requestId));
    return new Response(body, { status, headers: problemHeaders(error, language, this.#turn++) });
  }

  #report(error: GatewayError, context: object): void {
    // Refusals under load are counted by the metrics; a line for each would be work at the worst moment.
    if (error.code === 'overloaded') return;
    const second = Math.floor(this.#clock.monotonic() / 1_000);
    if (second !== this.#second) {
      if (this.#suppressed > 0) this.#log.warn({ suppressed: this.#suppressed }, 'more requests failed');
      this.#second = second;
      this.#lines = 0;
      this.#suppressed = 0;
    }
    if (++this.#lines > MAX_LINES_PER_SECOND) {
      this.#suppressed++;
      return;
    }
    const fields = { ...context, problem: error.code, ...faultOf(error) };
    if (error.code === 'internal') this.#log.error(fields, 'request failed');
    else this.#log.warn(fields, 'request not served');
  }
}

function faultOf(error: GatewayError): Partial<FaultFields> {
  const { cause } = error.details;
  if (cause !== undefined) return describeFault(cause);
  return error.code === 'internal' ? describeFault(error) : {};
}
