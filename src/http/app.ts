import type { Context } from 'hono';
import { Hono } from 'hono';
import type { Clock } from '../std/clock.ts';
import { type ErrorCode, GatewayError } from '../std/errors.ts';
import type { Logger, Metrics, RandomBytes } from '../std/telemetry.ts';
import type { Recorder } from '../trail/record.ts';
import { type Authenticate, REFUSE_ALL } from './auth.ts';
import { RequestCall } from './call.ts';
import type { Failures } from './failures.ts';
import { applyHeaders, optionsResponse } from './headers.ts';
import { type Limits, rateLimitHeaders } from './limits.ts';
import { type CompiledRoute, compileRoute, type Labels, metricLabels, perform } from './perform.ts';
import { performRecorded, type RecordingDeps } from './recorded.ts';
import { RequestIds } from './request-ids.ts';
import type { Route } from './route.ts';
import { Sweep } from './sweep.ts';

export interface AppDeps {
  readonly routes: readonly Route[];
  /** Absent: tokens are not known, every token is refused. */
  readonly authenticate?: Authenticate;
  /** Absent: no rate limits. */
  readonly limits?: Limits;
  /** Where what the routes say is recorded goes. */
  readonly recorder: Pick<Recorder, 'record'>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly random: RandomBytes;
  readonly failures: Failures;
}

/**
 * The gateway's HTTP face: routes in, a Hono application out. All of a request's way is in `perform.ts`; here is what
 * surrounds it: ids, deadlines, answers to failures, headers, and what no route takes.
 */
export function createApp(deps: AppDeps): Hono {
  const app = new Hono();
  const ids = new RequestIds(deps.random);
  const sweep = new Sweep(deps.clock);
  const authenticate = deps.authenticate ?? REFUSE_ALL;
  const { limits, recorder, failures } = deps;
  const recording = { authenticate, limits, recorder, failures };
  const machine: Machine = { deps, ids, sweep, authenticate, recording };
  deps.metrics.gauge('http_in_flight', () => sweep.size);
  for (const route of deps.routes) {
    const serve = server(machine, compileRoute(route));
    app.on(route.method, honoPath(route.path), serve);
  }
  app.notFound((context) => answerUnrouted(machine, app, context));
  app.onError((error, context) => {
    return answerFailure(machine, UNROUTED, unroutedCall(machine, context), error);
  });
  return app;
}

interface Machine {
  readonly deps: AppDeps;
  readonly ids: RequestIds;
  readonly sweep: Sweep;
  readonly authenticate: Authenticate;
  readonly recording: RecordingDeps;
}

/** How requests that no route takes appear in metrics and headers. */
const UNROUTED: Served = { cacheControl: 'no-store', ...metricLabels('unrouted') };

/** `/v1/x/{id}/{rest*}` as Hono writes it. */
export function honoPath(path: string): string {
  return path.replace(/\{([^}*]+)(\*?)\}/g, (_, name: string, rest: string) =>
    rest === '' ? `:${name}` : `:${name}{.+}`,
  );
}

type Serve = (context: Context) => Promise<Response>;

/** What Hono calls for a route. */
function server(machine: Machine, route: CompiledRoute): Serve {
  const { sweep, ids } = machine;
  const setting = {
    clock: machine.deps.clock,
    limitBytes: route.limitBytes,
    answerWithinMs: route.route.answerWithinMs,
    onDeadline: (call: RequestCall) => fail(machine, route, call, new GatewayError('unavailable')),
  };
  return (context) => {
    const call = new RequestCall(context, ids.next(), setting);
    sweep.add(call);
    return new Promise((resolve) => {
      call.resolve = resolve;
      void run(machine, route, call);
    });
  };
}

async function run(machine: Machine, route: CompiledRoute, call: RequestCall): Promise<void> {
  try {
    const response =
      route.route.recorded === undefined
        ? await perform(route, call, machine.authenticate, machine.deps.limits)
        : await performRecorded(route, call, machine.recording);
    if (call.resolve === undefined) discard(response);
    else
      settle(
        machine,
        call,
        finish(machine, route, call, route.isStreamed ? guardStream(machine, route, call, response) : response, 'none'),
      );
  } catch (error) {
    fail(machine, route, call, error);
  }
}

function fail(machine: Machine, route: CompiledRoute, call: RequestCall, error: unknown): void {
  if (call.resolve !== undefined) settle(machine, call, answerFailure(machine, route, call, error));
}

function settle(machine: Machine, call: RequestCall, response: Response): void {
  machine.sweep.delete(call);
  call.resolve?.(response);
  call.resolve = undefined;
}

/** An answer that nobody will read: a body that streams holds resources until it is told so. */
function discard(response: Response): void {
  response.body?.cancel().catch(() => {});
}

/**
 * A streamed body whose failure is reported here and ends the connection. Left alone, @hono/node-server would print the
 * error, message and all, and try to send the message to the client.
 */
function guardStream(machine: Machine, route: Served, call: RequestCall, response: Response): Response {
  const reader = response.body?.getReader();
  if (reader === undefined) return response;
  let isLeft = false;
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        // The client went while the next part was made: the stream is closed already, and nothing has failed.
        if (isLeft) return;
        if (done) controller.close();
        else controller.enqueue(value);
      } catch (error) {
        machine.deps.failures.brokenOff(error, call.requestId, route.operationId);
        if (call.outgoing === undefined) controller.error(new Error('the answer broke off'));
        // Destroyed before it was ended: the client sees that the last chunk is missing.
        else call.outgoing.destroy();
      }
    },
    cancel: (reason) => {
      isLeft = true;
      return reader.cancel(reason);
    },
  });
  return new Response(body, { status: response.status, headers: response.headers });
}

type Served = Pick<CompiledRoute, 'operationId' | 'cacheControl' | 'operationLabel' | 'labels'>;

function answerFailure(machine: Machine, route: Served, call: RequestCall, thrown: unknown): Response {
  const { failures, limits } = machine.deps;
  const error = failures.toGatewayError(thrown);
  const { limited } = error.details;
  if (limited !== undefined && limits !== undefined)
    call.extraHeaders = rateLimitHeaders(limited.kind, limits.state(limited.party, limited.kind));
  return finish(machine, route, call, failures.answer(error, call, route.operationId), error.code);
}

function finish(
  machine: Machine,
  route: Served,
  call: RequestCall,
  response: Response,
  problem: ErrorCode | 'none',
): Response {
  applyHeaders(call, response, route.cacheControl);
  if (call.method === 'HEAD') discard(response);
  const { metrics, clock } = machine.deps;
  metrics.count('http_requests_total', labelsOf(route, response.status, problem));
  metrics.observe('http_request_seconds', (clock.monotonic() - call.startedAt) / 1_000, route.operationLabel);
  return response;
}

/** The labels of an answer's count; one object for each combination, all from closed sets. A problem's code tells its status. */
function labelsOf(route: Served, status: number, problem: ErrorCode | 'none'): Labels {
  const key = problem === 'none' ? status : problem;
  let labels = route.labels.get(key);
  if (labels === undefined) {
    labels = { operation: route.operationId, status: String(status), problem };
    route.labels.set(key, labels);
  }
  return labels;
}

const METHODS = ['GET', 'POST', 'PUT', 'DELETE'] as const;

/** Methods that the path of this request takes; HEAD comes with GET, OPTIONS with any. Empty: no such path. */
function allowedMethods(app: Hono, path: string): string[] {
  const taken = METHODS.filter((method) => app.router.match(method, path)[0].length > 0);
  if (taken.length === 0) return [];
  return [...taken, ...(taken.includes('GET') ? ['HEAD'] : []), 'OPTIONS'];
}

function unroutedCall(machine: Machine, context: Context): RequestCall {
  return new RequestCall(context, machine.ids.next(), {
    clock: machine.deps.clock,
    limitBytes: 0,
    onDeadline: () => {},
  });
}

function answerUnrouted(machine: Machine, app: Hono, context: Context): Response {
  const call = unroutedCall(machine, context);
  const allow = allowedMethods(app, context.req.path).join(', ');
  if (allow === '') return answerFailure(machine, UNROUTED, call, new GatewayError('not-found'));
  if (call.method === 'OPTIONS') return finish(machine, UNROUTED, call, optionsResponse(allow), 'none');
  const response = answerFailure(machine, UNROUTED, call, new GatewayError('method-not-allowed'));
  response.headers.set('Allow', allow);
  return response;
}
