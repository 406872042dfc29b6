import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import type { Context } from 'hono';
import { decodeUtf8 } from '../std/bytes.ts';
import type { Clock } from '../std/clock.ts';
import { assert, GatewayError } from '../std/errors.ts';
import type { Language } from '../std/text.ts';
import type { TrailDetails } from '../trail/chain.ts';
import { arrivalOf } from './arrival.ts';
import { type BodyOwner, BodyReader, checkBodyHeaders } from './body.ts';
import { mediaTypeOf, preferredLanguage } from './negotiate.ts';
import type { Call, Caller } from './route.ts';
import type { Expiring } from './sweep.ts';

/** What @hono/node-server hands over beside the request; absent when a test calls `app.request()`. */
interface NodeBindings {
  readonly incoming?: IncomingMessage;
  readonly outgoing?: ServerResponse;
}

/** Every request is answered within 5 s (less one turn of the sweep), counted from when all of it had arrived. */
const ANSWER_WITHIN_MS = 4_700;
/** RFC 7240 `Prefer: wait=n`: a client that asks for it may be kept waiting longer, up to this. */
export const MAX_WAIT_SECONDS = 60;

const ANONYMOUS: Caller = { role: 'anonymous' };

/** What all requests of a route have in common. */
export interface CallSetting {
  readonly clock: Clock;
  readonly limitBytes: number;
  /** By default what all requests have. */
  readonly answerWithinMs?: number | undefined;
  /** Called once when the deadline has passed. */
  readonly onDeadline: (call: RequestCall) => void;
}

/** One request under way: what its handler sees, and its place in the sweep. */
export class RequestCall implements Call<unknown, unknown, unknown>, Expiring, BodyOwner {
  params: unknown;
  query: unknown;
  body: unknown;
  caller: Caller = ANONYMOUS;
  /** Headers that the answer gets whatever it is: name and value in turn. */
  extraHeaders: readonly string[] | undefined;
  /** Answers the request, once. */
  resolve: ((response: Response) => void) | undefined;
  readonly requestId: string;
  readonly startedAt: number;
  readonly outgoing: ServerResponse | undefined;
  /** What the audit trail is told of a recorded request beside what the request itself says. */
  details: TrailDetails | undefined;
  onBegin: Call<unknown, unknown, unknown>['begin'] | undefined;
  isUnchanged = false;
  /** Its neighbours in the sweep, for that alone. */
  newer: Expiring | undefined;
  older: Expiring | undefined;
  readonly #onDeadline: (call: RequestCall) => void;
  readonly #context: Context;
  readonly #incoming: IncomingMessage | undefined;
  readonly #clock: Clock;
  readonly #limitBytes: number;
  readonly #answerWithinMs: number;
  #headers: IncomingHttpHeaders | undefined;
  #reader: BodyReader | undefined;
  #receivedAt: number | undefined;
  #dueAt: number;
  #isStreaming = false;

  constructor(context: Context, requestId: string, { clock, limitBytes, answerWithinMs, onDeadline }: CallSetting) {
    const node = context.env as NodeBindings | undefined;
    this.#context = context;
    this.#incoming = node?.incoming;
    this.outgoing = node?.outgoing;
    this.#clock = clock;
    this.#limitBytes = limitBytes;
    this.#answerWithinMs = answerWithinMs ?? ANSWER_WITHIN_MS;
    this.#onDeadline = onDeadline;
    this.requestId = requestId;
    this.startedAt = clock.monotonic();
    this.#dueAt = this.startedAt + this.#answerWithinMs;
  }

  get headers(): IncomingHttpHeaders {
    this.#headers ??=
      this.#incoming?.headers ?? (Object.fromEntries(this.#context.req.raw.headers) as IncomingHttpHeaders);
    return this.#headers;
  }

  /** As they were sent: one that came twice counts twice. */
  get headerCount(): number {
    return this.#incoming === undefined ? 0 : this.#incoming.rawHeaders.length / 2;
  }

  header(name: string): string | undefined {
    const value = this.headers[name.toLowerCase()];
    return Array.isArray(value) ? value.join(', ') : value;
  }

  get method(): string {
    return this.#incoming?.method ?? this.#context.req.raw.method;
  }

  get language(): Language {
    return preferredLanguage(this.header('accept-language'));
  }

  get mediaType(): string {
    return mediaTypeOf(this.headers['content-type']);
  }

  get signal(): AbortSignal {
    return this.#context.req.raw.signal;
  }

  /** Path parameters as they were decoded by the router. */
  pathValues(): Map<string, readonly string[]> {
    return new Map(
      Object.entries(this.#context.req.param() as Record<string, string>).map(([name, value]) => [name, [value]]),
    );
  }

  queryValues(): Map<string, readonly string[]> {
    const values = new Map<string, string[]>();
    const url = this.#context.req.raw.url;
    const start = url.indexOf('?');
    if (start < 0) return values;
    for (const [name, value] of new URLSearchParams(url.slice(start))) {
      const given = values.get(name);
      if (given === undefined) values.set(name, [value]);
      else given.push(value);
    }
    return values;
  }

  receivedAt(): number {
    return this.#receivedAt ?? this.#clock.now();
  }

  text(): Promise<string> {
    return this.#read().whole().then(strictText);
  }

  stream(): AsyncIterable<Uint8Array> {
    const pieces = this.#read().pieces();
    // What is streamed takes as long as it takes: the reader of the body watches that it moves.
    this.#isStreaming = true;
    return pieces;
  }

  note(details: TrailDetails): void {
    this.details = { ...this.details, ...details };
  }

  begin(actor: Exclude<Caller, { role: 'anonymous' }>, target: string): Promise<void> {
    assert(this.onBegin !== undefined, 'only what is recorded and public begins by itself');
    return this.onBegin(actor, target);
  }

  unchanged(): void {
    this.isUnchanged = true;
  }

  expire(now: number): void {
    this.#reader?.expire(now);
    if (now < this.#dueAt) return;
    const waitMs = this.#preferredWaitMs();
    if (now < this.#dueAt + waitMs) return;
    this.#dueAt = Number.POSITIVE_INFINITY;
    this.#onDeadline(this);
  }

  #preferredWaitMs(): number {
    const seconds = /(?:^|[\s,;])wait=(\d{1,4})(?:$|[\s,;])/.exec(this.header('prefer') ?? '')?.[1];
    return seconds === undefined ? 0 : Math.min(Number(seconds), MAX_WAIT_SECONDS) * 1_000;
  }

  #read(): BodyReader {
    assert(this.#reader === undefined, 'a body is read once');
    checkBodyHeaders(this.headers, this.#limitBytes);
    this.#dueAt = Number.POSITIVE_INFINITY;
    if (this.headers.expect?.toLowerCase() === '100-continue') this.outgoing?.writeContinue();
    this.#reader = new BodyReader(this.#source(), this.#limitBytes, this.#clock.monotonic(), this);
    return this.#reader;
  }

  #source(): Readable {
    if (this.#incoming !== undefined) return this.#incoming;
    const body = this.#context.req.raw.body;
    return body === null ? Readable.from([]) : Readable.fromWeb(body as unknown as ReadableStream);
  }

  bodyEnded(): void {
    const { at, monotonicMs } = arrivalOf(this.#incoming, this.#clock);
    this.#receivedAt = at;
    if (!this.#isStreaming) this.#dueAt = monotonicMs + this.#answerWithinMs;
  }
}

function strictText(bytes: Buffer): string {
  const text = decodeUtf8(bytes);
  if (text !== undefined) return text;
  throw new GatewayError('malformed', {
    detail: { zh: '请求正文不是合法的 UTF-8。', en: 'The body is not valid UTF-8.' },
  });
}
