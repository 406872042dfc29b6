import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Clock } from '../std/clock.ts';
import { GatewayError } from '../std/errors.ts';
import type { Metrics } from '../std/telemetry.ts';
import type { Language } from '../std/text.ts';
import { BODY_TIMEOUT_MS } from './body.ts';
import { COMMON_HEADERS } from './headers.ts';
import { preferredLanguage } from './negotiate.ts';
import { PROBLEMS, problemBody, problemHeaders } from './problem.ts';
import type { RequestIds } from './request-ids.ts';

/** The operation whose requests are turned away before anything is done for them. */
export interface Door {
  readonly path: string;
  readonly operationId: string;
  /** How many filings could be taken now; none: what comes would be refused anyway. */
  readonly room: () => number;
  readonly clock: Clock;
}

/** What is larger, or is not told, goes the usual way: its body has to be watched. */
const BODY_BYTES_MAX = 64 * 1024;

interface Refusal {
  readonly before: string;
  readonly after: string;
  /** One for each `Retry-After`; refusals take them in turn. */
  readonly headers: readonly (readonly string[])[];
}

const WAITS = 4;
const OVERLOADED = new GatewayError('overloaded');
const REFUSALS: Readonly<Record<Language, Refusal>> = { zh: refusalIn('zh'), en: refusalIn('en') };

/**
 * Turns filings away as soon as their head is read while there is no room for them, with the answer that they would get in
 * the end. A gateway that gets three requests for each that it can serve has to say no twice as often as yes: what the usual
 * way costs until then would leave little for those who are served.
 */
export function guarded(
  door: Door,
  deps: { readonly ids: RequestIds; readonly metrics: Metrics },
  listener: RequestListener,
): RequestListener {
  const labels = { operation: door.operationId, status: String(PROBLEMS.overloaded.status), problem: 'overloaded' };
  let turn = 0;
  return (incoming, outgoing) => {
    const isOurs = incoming.url === door.path && incoming.method === 'POST';
    if (!isOurs || door.room() > 0 || !isSmall(incoming)) return listener(incoming, outgoing);
    refuse(incoming, outgoing, deps.ids.next(), turn++);
    deps.metrics.count('http_requests_total', labels);
  };
}

/** Whoever waits for leave to send has to be told more than an answer. */
function isSmall({ headers }: IncomingMessage): boolean {
  const length = headers['content-length'];
  return length !== undefined && Number(length) <= BODY_BYTES_MAX && headers.expect === undefined;
}

function refuse(incoming: IncomingMessage, outgoing: ServerResponse, id: string, turn: number): void {
  const { before, after, headers } = REFUSALS[preferredLanguage(incoming.headers['accept-language'])];
  const body = before + id + after;
  const own = ['X-Request-Id', id, 'Content-Length', String(Buffer.byteLength(body))];
  outgoing.writeHead(PROBLEMS.overloaded.status, [...own, ...(headers[turn % WAITS] ?? [])]);
  // Node reads on to the body's end and forgets it; mostly it is there already.
  outgoing.end(body, () => {
    if (!incoming.complete) cutUnlessComplete(incoming);
  });
}

function cutUnlessComplete(incoming: IncomingMessage): void {
  const timer = setTimeout(() => incoming.socket.destroy(), BODY_TIMEOUT_MS).unref();
  incoming.once('close', () => clearTimeout(timer));
}

function refusalIn(language: Language): Refusal {
  const mark = '\u0000';
  const [before = '', after = ''] = JSON.stringify(problemBody(OVERLOADED, language, mark)).split('\\u0000');
  const headers = Array.from({ length: WAITS }, (_, turn) => [
    ...Object.entries({ ...COMMON_HEADERS, ...problemHeaders(OVERLOADED, language, turn) }).flat(),
  ]);
  return { before, after, headers };
}
