import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { createApp } from '../../src/http/app.ts';
import type { Authenticate } from '../../src/http/auth.ts';
import type { Door } from '../../src/http/door.ts';
import { type Classify, Failures } from '../../src/http/failures.ts';
import { Limits } from '../../src/http/limits.ts';
import type { Route } from '../../src/http/route.ts';
import { type Listening, listen, type ServerLimits } from '../../src/http/server.ts';
import { Deferrals } from '../../src/ingest/deferrals.ts';
import { type Clock, systemClock } from '../../src/std/clock.ts';
import type { Logger, Metrics } from '../../src/std/telemetry.ts';
import type { TrailEvent } from '../../src/trail/chain.ts';

/** Remembers what would have been logged. */
export class RecordingLog implements Logger {
  readonly lines: { level: string; fields: object; message: string }[] = [];
  debug = (fields: object, message: string) => this.#add('debug', fields, message);
  info = (fields: object, message: string) => this.#add('info', fields, message);
  warn = (fields: object, message: string) => this.#add('warn', fields, message);
  error = (fields: object, message: string) => this.#add('error', fields, message);

  get text(): string {
    return JSON.stringify(this.lines);
  }

  #add(level: string, fields: object, message: string): void {
    this.lines.push({ level, fields, message });
  }
}

export class RecordingMetrics implements Metrics {
  readonly counts: { name: string; labels: Readonly<Record<string, string>> | undefined }[] = [];
  readonly gauges = new Map<string, () => number>();
  count = (name: string, labels?: Readonly<Record<string, string>>) => void this.counts.push({ name, labels });
  observe = () => {};
  gauge = (name: string, read: () => number) => void this.gauges.set(name, read);
}

/** Guards `POST /filings`. */
export function testDoor(room: () => number, parts: Partial<Door> = {}): Door {
  const [deferrals, limits] = [new Deferrals(systemClock), new Limits(systemClock)];
  const share = (): number => room();
  const hasEnough = (): boolean => false;
  return {
    path: '/filings',
    operationId: 'submit',
    room,
    share,
    hasEnough,
    deferrals,
    limits,
    clock: systemClock,
    ...parts,
  };
}

export interface TestAppOptions {
  readonly authenticate?: Authenticate;
  readonly limits?: Limits;
  readonly classify?: Classify;
  readonly clock?: Clock;
  readonly serverLimits?: Partial<ServerLimits>;
  readonly door?: Door;
  /** Absent: rows of the audit trail are collected in `trail`. */
  readonly record?: (event: TrailEvent) => Promise<void>;
}

export function testApp(routes: readonly Route[], options: TestAppOptions = {}) {
  const log = new RecordingLog();
  const metrics = new RecordingMetrics();
  const clock = options.clock ?? systemClock;
  const failures = new Failures({ classify: options.classify ?? (() => undefined), log, clock });
  const trail: TrailEvent[] = [];
  const app = createApp({
    routes,
    clock,
    log,
    metrics,
    random: randomBytes,
    failures,
    recorder: { record: options.record ?? (async (event) => void trail.push(event)) },
    ...(options.authenticate === undefined ? {} : { authenticate: options.authenticate }),
    ...(options.limits === undefined ? {} : { limits: options.limits }),
  });
  return { app, log, metrics, trail };
}

export interface TestServer extends Listening {
  readonly log: RecordingLog;
  readonly metrics: RecordingMetrics;
}

export async function testServer(routes: readonly Route[], options: TestAppOptions = {}): Promise<TestServer> {
  const { app, log, metrics } = testApp(routes, options);
  const limits = options.serverLimits;
  const listening = await listen({
    app,
    host: '127.0.0.1',
    port: 0,
    log,
    metrics,
    random: randomBytes,
    ...(limits === undefined ? {} : { limits }),
    ...(options.door === undefined ? {} : { door: options.door }),
  });
  return { ...listening, log, metrics };
}

export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Milliseconds from the connection to its end. */
  readonly elapsedMs: number;
}

/** Writes bytes on a fresh socket and reads until the server closes it. */
export function rawExchange(port: number, send: (socket: Socket) => void): Promise<RawAnswer> {
  const startedAt = performance.now();
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => send(socket));
    const chunks: Buffer[] = [];
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('error', reject);
    socket.on('close', () => resolve(parseAnswer(Buffer.concat(chunks).toString(), performance.now() - startedAt)));
  });
}

export function parseAnswer(text: string, elapsedMs = 0): RawAnswer {
  const end = text.indexOf('\r\n\r\n');
  const [statusLine = '', ...lines] = text.slice(0, end).split('\r\n');
  const headers = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
  );
  return { status: Number(statusLine.split(' ')[1] ?? 0), headers, body: text.slice(end + 4), elapsedMs };
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
