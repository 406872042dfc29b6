import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http';
import { type AddressInfo, Server as NetServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { getRequestListener, RequestError } from '@hono/node-server';
import type { Hono } from 'hono';
import { type ErrorCode, GatewayError } from '../std/errors.ts';
import type { Logger, Metrics, RandomBytes } from '../std/telemetry.ts';
import { type Door, guarded, isGuarded, turnsAt } from './door.ts';
import { describeFault } from './failures.ts';
import { COMMON_HEADERS } from './headers.ts';
import { Line } from './line.ts';
import { GatewayResponse } from './node-response.ts';
import { problemBody, problemHeaders } from './problem.ts';
import { RequestIds } from './request-ids.ts';

/** What the server allows a connection. docs/http.md explains the choices. */
export interface ServerLimits {
  /** Request line and headers together. */
  readonly headerBytes: number;
  /** From the connection's start, or a request's first byte, to the end of its headers. */
  readonly headersTimeoutMs: number;
  /** Whole requests, however steadily a large body moves. */
  readonly requestTimeoutMs: number;
  /** Between an answer and the next request. Longer than the 60 s after which common load balancers give up. */
  readonly keepAliveTimeoutMs: number;
  /** A connection on which nothing moves in either direction, such as a client that does not read its answer. */
  readonly silenceTimeoutMs: number;
  readonly connections: number;
}

export const SERVER_LIMITS: ServerLimits = {
  headerBytes: 16 * 1024,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 600_000,
  keepAliveTimeoutMs: 65_000,
  silenceTimeoutMs: 120_000,
  connections: 10_000,
};

export interface ListenOptions {
  readonly app: Hono;
  readonly host: string;
  /** 0 for any that is free. */
  readonly port: number;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly random: RandomBytes;
  readonly limits?: Partial<ServerLimits>;
  /** What is refused at once while the gateway is full. */
  readonly door?: Door;
}

export interface Listening {
  readonly url: string;
  readonly port: number;
  /** Takes no more connections, answers what is under way, and cuts what is left after `graceMs`. */
  close(graceMs: number): Promise<void>;
}

/** How often connections are compared with their time limits. */
const CHECK_EVERY_MS = 1_000;
/** How often connections are looked through for idle ones, while there are nearly too many. */
const SWEEP_EVERY_MS = 100;
/** Connections that the kernel may hold while the process is busy. */
const BACKLOG = 4_096;

export async function listen(options: ListenOptions): Promise<Listening> {
  const limits = { ...SERVER_LIMITS, ...options.limits };
  const drain = { active: false };
  const crowd = { isDense: false };
  const ids = new RequestIds(options.random);
  const strangers = new Strangers(ids, options.log);
  const { door, metrics } = options;
  const turns = door && turnsAt(door);
  // Those who wait at the door have what room there is.
  const line = door && turns && new Line({ ...door, room: () => door.room() - turns.waiting });
  const listener = getRequestListener(options.app.fetch, { errorHandler: (error) => strangers.response(error) });
  const server = createServer(
    {
      maxHeaderSize: limits.headerBytes,
      headersTimeout: limits.headersTimeoutMs,
      requestTimeout: limits.requestTimeoutMs,
      keepAliveTimeout: limits.keepAliveTimeoutMs,
      connectionsCheckingInterval: CHECK_EVERY_MS,
      // A missing Host is answered by the adaptor's error handler, with a problem document instead of nothing.
      requireHostHeader: false,
      ServerResponse: responseClass({ drain, crowd, door, line }),
    },
    strangers.outside(
      door === undefined || turns === undefined ? listener : guarded(door, { ids, metrics, turns }, listener),
    ),
  );
  server.timeout = limits.silenceTimeoutMs;
  server.maxConnections = limits.connections;
  handleStrangers(server, strangers);
  metrics.gauge('http_connections_in_line', () => line?.size ?? 0);
  metrics.gauge('http_filings_at_door', () => turns?.waiting ?? 0);
  watchConnections(server, limits.connections, crowd, options);
  await start(server, options);
  const { port } = server.address() as AddressInfo;
  const host = options.host.includes(':') ? `[${options.host}]` : options.host;
  return { url: `http://${host}:${port}`, port, close: (graceMs) => close(server, drain, line, graceMs) };
}

/** Statuses that ask to come again later. */
const TOLD_TO_WAIT: ReadonlySet<number> = new Set([429, 503]);

interface AnswerSetting {
  readonly drain: { readonly active: boolean };
  readonly crowd: { readonly isDense: boolean };
  readonly door: Door | undefined;
  readonly line: Line | undefined;
}

/**
 * While the server drains, every answer tells its client to come back on a new connection. Whoever is told to come later with a filing waits
 * in line, or on a new connection while there are nearly too many: those in line look idle.
 */
function responseClass({ drain, crowd, door, line }: AnswerSetting): typeof ServerResponse {
  return class extends GatewayResponse {
    override writeHead(status: number, reason?: unknown, headers?: unknown): this {
      const isToWait = TOLD_TO_WAIT.has(status) && door !== undefined && isGuarded(door, this.req);
      if (drain.active || (isToWait && crowd.isDense)) this.shouldKeepAlive = false;
      else if (isToWait && this.socket !== null) line?.enter(this.socket);
      return super.writeHead(status, reason, headers);
    }
  } as typeof ServerResponse;
}

function start(server: Server, { host, port }: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, backlog: BACKLOG }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function watchConnections(
  server: Server,
  max: number,
  crowd: { isDense: boolean },
  { log, metrics }: ListenOptions,
): void {
  let open = 0;
  const count = (change: 1 | -1): void => {
    open += change;
    crowd.isDense = open > max * 0.9;
  };
  let isSwept = false;
  server.on('connection', (socket: Socket) => {
    count(1);
    socket.once('close', () => count(-1));
    // Nearly full: those who keep a connection for later make room for those who want something now. Each is looked at for that.
    if (!crowd.isDense || (isSwept && open < max)) return;
    isSwept = true;
    setTimeout(() => {
      isSwept = false;
    }, SWEEP_EVERY_MS).unref();
    server.closeIdleConnections();
  });
  server.on('drop', () => {
    metrics.count('http_connections_dropped_total');
    log.debug({ open }, 'connection refused: too many');
  });
  metrics.gauge('http_connections', () => open);
}

/** What is answered to those who never get as far as a route: garbage, slow or huge headers, no Host. */
class Strangers {
  readonly #ids: RequestIds;
  readonly #log: Logger;
  #turn = 0;

  constructor(ids: RequestIds, log: Logger) {
    this.#ids = ids;
    this.#log = log;
  }

  /**
   * Keeps out what speaks another HTTP: Node's parser takes a request line without a version, one that has lost a space,
   * for HTTP/0.9, and would let it be answered by the route whose path it happens to begin with.
   */
  outside(listener: RequestListener): RequestListener {
    return (incoming, outgoing) => {
      if (incoming.httpVersionMajor === 1) return listener(incoming, outgoing);
      const { status, headers, body } = this.#answer('malformed');
      outgoing
        .writeHead(status, { ...headers, Connection: 'close', 'Content-Length': Buffer.byteLength(body) })
        .end(body);
    };
  }

  /** For requests that the adaptor could not make a Request of, and for what escaped the application. */
  response(thrown: unknown): Response {
    const isTheirs = thrown instanceof RequestError;
    const { status, headers, body, id } = this.#answer(isTheirs ? 'malformed' : 'internal');
    if (!isTheirs)
      this.#log.error({ requestId: id, ...describeFault(thrown) }, 'request failed outside the application');
    return new Response(body, { status, headers });
  }

  /** The same as bytes, for a socket whose request Node could not parse. */
  bytes(code: ErrorCode): string {
    const { status, headers, body } = this.#answer(code);
    const lines = Object.entries({
      ...headers,
      Connection: 'close',
      'Content-Length': String(Buffer.byteLength(body)),
    });
    const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
    return `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${head}\r\n${body}`;
  }

  #answer(code: ErrorCode): { status: number; headers: Record<string, string>; body: string; id: string } {
    const id = this.#ids.next();
    const error = new GatewayError(code);
    const document = problemBody(error, 'zh', id);
    const headers = {
      ...problemHeaders(error, 'zh', this.#turn++),
      'X-Request-Id': id,
      ...COMMON_HEADERS,
    };
    return { status: document.status, headers, body: JSON.stringify(document), id };
  }
}

/** Node's codes for what a connection did wrong; everything else is `malformed`. */
const CLIENT_ERRORS: Readonly<Record<string, ErrorCode>> = {
  HPE_HEADER_OVERFLOW: 'header-too-large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 'too-large',
  ERR_HTTP_REQUEST_TIMEOUT: 'timeout',
};

/** Long enough for a client that is still sending to see the answer before the connection goes. */
const LINGER_MS = 500;

function handleStrangers(server: Server, strangers: Strangers): void {
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
    // As Node's own default does: what has begun to be answered cannot be answered otherwise.
    const begun = (socket as { _httpMessage?: ServerResponse | null })._httpMessage?.headersSent === true;
    if (!socket.writable || begun || error.code === 'ECONNRESET') {
      socket.destroy();
      return;
    }
    farewell(socket, strangers.bytes(CLIENT_ERRORS[error.code ?? ''] ?? 'malformed'));
  });
  server.on('connect', (_request: IncomingMessage, socket: Duplex) =>
    farewell(socket, strangers.bytes('method-not-allowed')),
  );
  // The body is asked for when a handler reads it: a client that waits learns of a refusal before it sends.
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) =>
    server.emit('request', request, response),
  );
  // RFC 9110 section 10.1.1 lets a server ignore expectations that it does not know.
  server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) =>
    server.emit('request', request, response),
  );
}

function farewell(socket: Duplex, bytes: string): void {
  socket.on('error', () => {});
  socket.end(bytes);
  socket.resume();
  setTimeout(() => socket.destroy(), LINGER_MS).unref();
}

/** Part of the grace in which a client that keeps a connection may still use it, and is told that it closes. */
const IDLE_SHARE = 0.25;
const IDLE_MAX_MS = 1_000;
const POLL_MS = 20;

async function close(
  server: Server,
  drain: { active: boolean },
  line: Line | undefined,
  graceMs: number,
): Promise<void> {
  drain.active = true;
  line?.end();
  // Not http's own close: it cuts idle connections at once, and with them the requests that are just arriving.
  const closed = new Promise<void>((resolve) => {
    NetServer.prototype.close.call(server, () => resolve());
  });
  let polls = Math.ceil(Math.min(IDLE_MAX_MS, graceMs * IDLE_SHARE) / POLL_MS);
  const poll = setInterval(() => {
    if (--polls < 0) server.closeIdleConnections();
  }, POLL_MS);
  const deadline = setTimeout(() => server.closeAllConnections(), graceMs);
  await closed;
  clearInterval(poll);
  clearTimeout(deadline);
}
