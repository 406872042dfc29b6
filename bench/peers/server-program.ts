// A peer's server: a process of its own with a PostgreSQL of its own, so that its CPU can be told from others'. Its parent
// names the kind and gets the port, then the number of rows whenever it asks, and ends it by disconnecting.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import fastify from 'fastify';
import { Hono } from 'hono';
import { type CorpusOptions, enterprise } from '../corpus.ts';
import { publicHalf } from '../keys.ts';
import { countRows, type PeerDatabase, startPeerDatabase } from './database.ts';
import { type Party, Textbook } from './textbook.ts';

/** `constant`: what HTTP alone costs. `hono`, `fastify`: the textbook stack behind either. */
export type PeerKind = 'constant' | 'hono' | 'fastify';

export interface PeerSetup {
  readonly kind: PeerKind;
  readonly corpus: CorpusOptions;
}

export type PeerReport = { readonly port: number } | { readonly rows: number };

const setup = JSON.parse(process.argv[2] ?? '') as PeerSetup;
const database = setup.kind === 'constant' ? undefined : await startPeerDatabase();
const port = await serve(setup, database);
process.on('message', () => {
  void count(database).then((rows) => report({ rows }));
});
process.on('disconnect', () => void (database?.stop() ?? Promise.resolve()).finally(() => process.exit(0)));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => {});
report({ port });

function report(message: PeerReport): void {
  process.send?.(message);
}

async function count(of: PeerDatabase | undefined): Promise<number> {
  return of === undefined ? 0 : await countRows(of.address, 'declaration');
}

function* parties(corpus: CorpusOptions): Generator<Party> {
  for (let i = 0; i < corpus.filers; i++) {
    const { uscc, key } = enterprise(corpus, i);
    yield { id: uscc, jwk: publicHalf(key) };
  }
}

async function serve({ kind, corpus }: PeerSetup, own: PeerDatabase | undefined): Promise<number> {
  if (own === undefined) return await serveHono(constant());
  const textbook = await Textbook.open(own.address, parties(corpus));
  return kind === 'fastify' ? await serveFastify(textbook) : await serveHono(withHono(textbook));
}

function constant(): Hono {
  const app = new Hono();
  app.post('/v1/filings', async (c) => {
    await c.req.text();
    return c.json({ status: 'accepted' }, 201);
  });
  return app;
}

function withHono(textbook: Textbook): Hono {
  const app = new Hono();
  app.post('/v1/filings', async (c) => {
    const { status, body } = await textbook.submit(await c.req.text());
    return c.json(body, status);
  });
  return app;
}

function serveHono(app: Hono): Promise<number> {
  const server = createServer(getRequestListener(app.fetch));
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}

async function serveFastify(textbook: Textbook): Promise<number> {
  const app = fastify();
  app.addContentTypeParser('application/jose', { parseAs: 'string' }, (_request, body, done) => done(null, body));
  app.post<{ Body: string }>('/v1/filings', async (request, reply) => {
    const { status, body } = await textbook.submit(request.body);
    return await reply.code(status).send(body);
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  return (app.server.address() as AddressInfo).port;
}
