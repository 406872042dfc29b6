import { isProblem, type Problem, problemError, ShenbaoError } from './errors.ts';
import { bodyChunks, joinBytes, parseNdjson } from './ndjson.ts';
import type { Call, Transport } from './transport.ts';

/** What the gateway takes in one request. */
export interface ChunkLimits {
  readonly lines: number;
  readonly bytes: number;
}

/** A line to send, with its number in the whole input, from 1. */
export interface NumberedLine {
  readonly line: number;
  readonly bytes: Uint8Array;
}

/** An answer to one line. */
interface LineAnswer {
  readonly line: number;
  readonly status: number;
  readonly problem?: Problem;
}

export interface Exchange {
  readonly transport: Transport;
  readonly path: string;
  readonly limits: ChunkLimits;
  /** The request's body for some lines. Called again, with fewer lines, when some have to be sent again. */
  readonly encode: (lines: readonly NumberedLine[]) => Uint8Array | Promise<Uint8Array>;
  readonly open: (path: string, call: Call) => Promise<Response>;
  readonly signal?: AbortSignal | undefined;
}

/** Answers may take long to begin: the gateway reads all lines of a form B upload first. */
const ATTEMPT_MS = 120_000;

const encoder = new TextEncoder();
const NEWLINE = new Uint8Array([0x0a]);

export function encodeLines(lines: readonly NumberedLine[]): Uint8Array {
  return joinBytes(lines.flatMap(({ bytes }) => [bytes, NEWLINE]));
}

/** Numbers the values of an input and turns each into its line. */
export async function* numberLines<T>(
  inputs: Iterable<T> | AsyncIterable<T>,
  toLine: (input: T) => string | Uint8Array,
): AsyncGenerator<NumberedLine> {
  let line = 0;
  for await (const input of inputs) {
    const value = toLine(input);
    yield { line: ++line, bytes: typeof value === 'string' ? encoder.encode(value) : value };
  }
}

/**
 * Sends lines in requests that keep to the limits and yields an answer for each. Lines without an answer, and those
 * whose problem can pass, are sent again: so answers come in input order except for such lines. Every line that goes
 * through here may safely be sent twice.
 */
export async function* exchangeLines<A extends LineAnswer>(
  exchange: Exchange,
  lines: AsyncIterable<NumberedLine>,
): AsyncGenerator<A> {
  let chunk: NumberedLine[] = [];
  let bytes = 0;
  for await (const line of lines) {
    const full = chunk.length >= exchange.limits.lines || bytes + line.bytes.length + 1 > exchange.limits.bytes;
    if (full && chunk.length > 0) {
      yield* exchangeChunk<A>(exchange, chunk);
      chunk = [];
      bytes = 0;
    }
    chunk.push(line);
    bytes += line.bytes.length + 1;
  }
  if (chunk.length > 0) yield* exchangeChunk<A>(exchange, chunk);
}

async function* exchangeChunk<A extends LineAnswer>(
  exchange: Exchange,
  chunk: readonly NumberedLine[],
): AsyncGenerator<A> {
  const { clock, policy, random, sleep } = exchange.transport.retry;
  let giveUpAt = clock.monotonic() + policy.deadlineMs;
  let pending = chunk;
  for (let tries = 0; pending.length > 0; tries++) {
    const refused: { readonly sent: NumberedLine; readonly answer: A }[] = [];
    let answered = 0;
    for await (const answer of answersOf<A>(exchange, pending)) {
      // A last line without a number says what stopped the whole upload.
      if (answer.line === undefined && isProblem(answer.problem)) {
        if (answer.problem.retryable) break;
        throw problemError(answer.problem);
      }
      const sent = pending[answered++];
      if (sent === undefined) throw new ShenbaoError('bad-answer', 'more answers than lines');
      const numbered = { ...answer, line: sent.line };
      if (answer.problem?.retryable === true) {
        refused.push({ sent, answer: numbered });
        continue;
      }
      yield numbered;
      giveUpAt = clock.monotonic() + policy.deadlineMs;
    }
    const unanswered = pending.slice(answered);
    const waitMs = Math.min(policy.longestMs, policy.firstMs * 2 ** Math.min(tries, 30)) * random();
    if (exchange.signal?.aborted || clock.monotonic() + waitMs > giveUpAt) {
      for (const { answer } of refused) yield answer;
      if (unanswered.length > 0) throw lost(exchange, unanswered.length);
      return;
    }
    pending = [...refused.map(({ sent }) => sent), ...unanswered];
    if (pending.length > 0) await sleep(waitMs, exchange.signal);
  }
}

/** Ends early, without an error, when the connection breaks. */
async function* answersOf<A>(exchange: Exchange, lines: readonly NumberedLine[]): AsyncGenerator<A> {
  const response = await exchange.open(exchange.path, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson', accept: 'application/x-ndjson' },
    body: await exchange.encode(lines),
    attemptMs: ATTEMPT_MS,
    signal: exchange.signal,
  });
  const answers = parseNdjson(bodyChunks(response));
  for (;;) {
    const next = await answers.next().catch(() => ({ done: true as const, value: undefined }));
    if (next.done === true) return;
    yield next.value as A;
  }
}

function lost(exchange: Exchange, count: number): ShenbaoError {
  return new ShenbaoError('unreachable', `no answer from ${exchange.transport.base} to ${count} lines`, {
    retryable: true,
  });
}
