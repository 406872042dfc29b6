import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Deferrals } from '../ingest/deferrals.ts';
import { claimedKeyId } from '../ingest/jws.ts';
import type { Clock } from '../std/clock.ts';
import { GatewayError } from '../std/errors.ts';
import type { Metrics } from '../std/telemetry.ts';
import type { Language } from '../std/text.ts';
import { noticeArrival } from './arrival.ts';
import { BODY_TIMEOUT_MS } from './body.ts';
import { COMMON_HEADERS } from './headers.ts';
import { type Limits, rateLimitHeaders } from './limits.ts';
import { preferredLanguage } from './negotiate.ts';
import { PROBLEMS, problemBody, problemHeaders } from './problem.ts';
import type { RequestIds } from './request-ids.ts';
import { type Owner, Turns } from './turns.ts';

/** The operation whose requests are turned away before anything is done for them. */
export interface Door {
  readonly path: string;
  readonly operationId: string;
  /** How many filings could be taken now; none: what comes would be refused anyway. */
  readonly room: () => number;
  /** Whether what comes should wait here, since enough is at work. */
  readonly hasEnough: () => boolean;
  /** How many places one party may have, when so many filings wait here for one. */
  readonly share: (waiting: number) => number;
  /** Those of whom none are taken at present. */
  readonly deferrals: Pick<Deferrals, 'any' | 'of'>;
  readonly limits: Limits;
  readonly clock: Clock;
}

/** Some 10 ms of work. */
const BEGUN_A_TURN = 64;
/** Twice as long as the last of those who are let in should wait in all. */
export const DOOR_PATIENCE_MS = 2_000;
/** Of what is larger, or is not told, it is not looked whose it is: its body has to be watched once it is read. */
const BODY_BYTES_MAX = 64 * 1024;

/** Of bodies that wait to be read: as much as filings may have that are inside. */
const WAITING_BYTES_MAX = 64 * 1024 * 1024;
/** What a request takes up beside its body, and what Node reads of a body before it is asked for: 64 KiB at a time. */
const REQUEST_BYTES = 4 * 1024;
const READ_AHEAD_BYTES = 64 * 1024;

interface Refusal {
  readonly before: string;
  readonly after: string;
  /** One for each `Retry-After`; refusals take them in turn. */
  readonly headers: readonly (readonly string[])[];
}

const WAITS = 4;
const OVERLOADED = new GatewayError('overloaded');
const REFUSALS: Readonly<Record<Language, Refusal>> = { zh: refusalIn('zh'), en: refusalIn('en') };

type Deps = { readonly ids: RequestIds; readonly metrics: Metrics; readonly turns: Turns };

/** Where filings wait that were not turned away. */
export function turnsAt({ hasEnough, clock }: Pick<Door, 'hasEnough' | 'clock'>): Turns {
  return new Turns({ perTurn: BEGUN_A_TURN, patienceMs: DOOR_PATIENCE_MS, hasEnough, clock });
}

/**
 * Turns filings away as soon as their head is read while there is no room for them, or the beginning of their body while their party is
 * refused, with the answer that they would get in the end. A gateway that gets three requests for each that it can serve has to say no
 * twice as often as yes: what the usual way costs until then would leave little for those who are served.
 */
export function guarded(door: Door, deps: Deps, listener: RequestListener): RequestListener {
  let turn = 0;
  const refuse = (incoming: IncomingMessage, outgoing: ServerResponse, error: GatewayError): void => {
    answer(incoming, outgoing, answerOf(door, error, { incoming, id: deps.ids.next(), turn: turn++ }));
    const { code } = error;
    const labels = { operation: door.operationId, status: String(PROBLEMS[code].status), problem: code };
    deps.metrics.count('http_requests_total', labels);
  };
  const { turns } = deps;
  const begin = (incoming: IncomingMessage, outgoing: ServerResponse, owner: Owner): void => {
    turns.begin(owner, {
      bytes: heldOf(incoming),
      begin: () => {
        noticeArrival(incoming, door.clock);
        if (!incoming.destroyed) listener(incoming, outgoing);
      },
      wait: () => noticeArrival(incoming, door.clock),
      giveUp: () => {
        if (!incoming.destroyed) refuse(incoming, outgoing, OVERLOADED);
      },
    });
  };
  return (incoming, outgoing) => {
    if (!isGuarded(door, incoming)) return listener(incoming, outgoing);
    if (turns.bytes > WAITING_BYTES_MAX) return refuse(incoming, outgoing, OVERLOADED);
    if (door.room() <= turns.waiting) return refuse(incoming, outgoing, OVERLOADED);
    if (turns.isFree && (!isSmall(incoming) || !door.deferrals.any)) return begin(incoming, outgoing, undefined);
    peek(incoming, isSmall(incoming), (kid) => {
      const owner = kid ?? strangerOf(incoming.socket);
      const error = kid === undefined ? undefined : door.deferrals.of(kid);
      if (error !== undefined) refuse(incoming, outgoing, error);
      else if (turns.waitingOf(owner) > door.share(turns.waiting)) refuse(incoming, outgoing, OVERLOADED);
      else begin(incoming, outgoing, owner);
    });
  };
}

const STRANGER = Symbol('stranger');
let strangers = 0;

/** Who does not say at once who he is, is whoever has his connection. */
function strangerOf(socket: Socket & { [STRANGER]?: number }): number {
  socket[STRANGER] ??= strangers++;
  return socket[STRANGER];
}

export function isGuarded({ path }: Pick<Door, 'path'>, { method, url = '' }: IncomingMessage): boolean {
  return method === 'POST' && (url === path || url.startsWith(`${path}?`));
}

/** Bytes of memory that a request takes up that waits to be read. */
function heldOf({ headers }: IncomingMessage): number {
  const length = Number(headers['content-length'] ?? READ_AHEAD_BYTES);
  return REQUEST_BYTES + Math.min(length, READ_AHEAD_BYTES);
}

/** Whoever waits for leave to send has to be told more than an answer. */
function isSmall({ headers }: IncomingMessage): boolean {
  const length = headers['content-length'];
  return length !== undefined && Number(length) <= BODY_BYTES_MAX && headers.expect === undefined;
}

/**
 * The id of the key that a filing claims to be signed with, if that is told at once; its body stays there to be read. Of whoever sends his
 * body later, or a large one, it is not known: once it is his turn somebody watches how long that takes.
 */
function peek(incoming: IncomingMessage, isRead: boolean, look: (kid: string | undefined) => void): void {
  process.nextTick(() => {
    if (!isRead) return look(undefined);
    // Reading from an empty body would end it, and the request would be gone before anybody has answered it.
    const opening = incoming.readableLength === 0 ? null : (incoming.read() as Buffer | null);
    if (opening !== null) incoming.unshift(opening);
    look(opening === null ? undefined : claimedKeyId(opening));
  });
}

interface Answer {
  readonly status: number;
  readonly headers: readonly string[];
  readonly body: string;
}

interface Asked {
  readonly incoming: IncomingMessage;
  readonly id: string;
  readonly turn: number;
}

function answerOf(door: Door, error: GatewayError, { incoming, id, turn }: Asked): Answer {
  const language = preferredLanguage(incoming.headers['accept-language']);
  const { status } = PROBLEMS[error.code];
  if (error.code === 'overloaded') {
    const { before, after, headers } = REFUSALS[language];
    return { status, headers: ['X-Request-Id', id, ...(headers[turn % WAITS] ?? [])], body: before + id + after };
  }
  const { limited } = error.details;
  const limit = limited && rateLimitHeaders(limited.kind, door.limits.state(limited.party, limited.kind));
  const headers = ['X-Request-Id', id, ...headersOf(error, language, turn), ...(limit ?? [])];
  return { status, headers, body: JSON.stringify(problemBody(error, language, id)) };
}

function answer(incoming: IncomingMessage, outgoing: ServerResponse, { status, headers, body }: Answer): void {
  outgoing.writeHead(status, [...headers, 'Content-Length', String(Buffer.byteLength(body))]);
  outgoing.end(body, () => {
    if (!incoming.complete) cutUnlessComplete(incoming);
  });
  // To the body's end, which is forgotten; mostly it is there already. Node would not do it for a body that was looked at.
  incoming.resume();
}

function cutUnlessComplete(incoming: IncomingMessage): void {
  const timer = setTimeout(() => incoming.socket.destroy(), BODY_TIMEOUT_MS).unref();
  incoming.once('close', () => clearTimeout(timer));
}

function refusalIn(language: Language): Refusal {
  const mark = '\u0000';
  const [before = '', after = ''] = JSON.stringify(problemBody(OVERLOADED, language, mark)).split('\\u0000');
  return { before, after, headers: Array.from({ length: WAITS }, (_, turn) => headersOf(OVERLOADED, language, turn)) };
}

/** Name and value in turn. */
function headersOf(error: GatewayError, language: Language, turn: number): string[] {
  return Object.entries({ ...COMMON_HEADERS, ...problemHeaders(error, language, turn) }).flat();
}
