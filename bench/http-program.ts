// One server that takes filings and answers each at once with nothing checked: what HTTP costs. A process of its own, so that
// its CPU can be told from the load's. Its parent names the kind, gets the port, then the CPU used so far whenever it asks.
import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { getRequestListener } from '@hono/node-server';
import { Hono } from 'hono';
import type { Route } from '../src/http/route.ts';

/** `node`: no framework. `hono`: the floor, a route that answers a constant. Otherwise the gateway's own HTTP, of a build. */
export interface HttpSetup {
  readonly kind: 'node' | 'hono' | { readonly build: string };
}

/** CPU microseconds of the process so far. */
export interface HttpUsage {
  readonly cpuUs: number;
}

const CONSTANT = { status: 'accepted' };

const { kind } = JSON.parse(process.argv[2] ?? '') as HttpSetup;
const port = typeof kind === 'object' ? await serveGateway(kind.build) : await serve(kind === 'hono' ? hono() : bare());
process.on('message', () => {
  const { user, system } = process.cpuUsage();
  process.send?.({ cpuUs: user + system } satisfies HttpUsage);
});
process.on('disconnect', () => process.exit(0));
process.send?.({ port });

function serve(listener: RequestListener): Promise<number> {
  const server = createServer(listener);
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}

function bare(): RequestListener {
  return (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      Buffer.concat(chunks).toString();
      const body = JSON.stringify(CONSTANT);
      response.writeHead(201, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) });
      response.end(body);
    });
  };
}

function hono(): RequestListener {
  const app = new Hono();
  app.post('/v1/filings', async (c) => {
    await c.req.text();
    return c.json(CONSTANT, 201);
  });
  return getRequestListener(app.fetch);
}

/** The gateway's server with one route. Compiled as it is delivered: what runs TypeScript adds work to every closure. */
async function serveGateway(build: string): Promise<number> {
  const load = (file: string): Promise<unknown> => import(pathToFileURL(path.join(build, file)).href);
  const { createApp } = (await load('http/app.js')) as typeof import('../src/http/app.ts');
  const { listen } = (await load('http/server.js')) as typeof import('../src/http/server.ts');
  const { Failures } = (await load('http/failures.js')) as typeof import('../src/http/failures.ts');
  const { Limits } = (await load('http/limits.js')) as typeof import('../src/http/limits.ts');
  const { createLogger, createTelemetry } = (await load(
    'ops/telemetry.js',
  )) as typeof import('../src/ops/telemetry.ts');
  const { systemClock: clock } = (await load('std/clock.js')) as typeof import('../src/std/clock.ts');
  const { JWS_MEDIA } = (await load('http/filing-schemas.js')) as typeof import('../src/http/filing-schemas.ts');
  const log = createLogger('warn');
  const { metrics } = createTelemetry();
  const random = randomBytes;
  const app = createApp({
    routes: [submitConstant(JWS_MEDIA)],
    limits: new Limits(clock),
    recorder: { record: () => Promise.resolve() },
    clock,
    log,
    metrics,
    random,
    failures: new Failures({ classify: () => undefined, log, clock }),
  });
  return (await listen({ app, host: '127.0.0.1', port: 0, log, metrics, random })).port;
}

function submitConstant(media: typeof import('../src/http/filing-schemas.ts').JWS_MEDIA): Route {
  return {
    method: 'POST',
    path: '/v1/filings',
    operationId: 'submitFiling',
    tag: 'filings',
    summary: { zh: '常量', en: 'A constant' },
    access: 'public',
    body: { kind: 'raw', media, limitBytes: 8 * 1024 * 1024 },
    responses: { 201: { description: 'A constant' } },
    handle: async (call) => {
      await call.text();
      return new Response(JSON.stringify(CONSTANT), {
        status: 201,
        headers: { 'Content-Type': 'application/json', Location: '/v1/filings/13501000000.42' },
      });
    },
  };
}
