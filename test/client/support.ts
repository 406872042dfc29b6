import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import type { FilingPayload } from '../../src/client/client.ts';

export const signedPayload: FilingPayload = {
  type: 'tax.vat.general',
  filer: '91350100M000100Y43',
  period: { from: '2026-10-01', to: '2026-10-31' },
  kind: 'original',
  data: { note: '增值税及附加税费申报表' },
};

export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

/** What a test server does with a request that has arrived whole. */
export type Reply = (response: ServerResponse, seen: Seen) => void;

/** A small real server: answers each request by the next reply, and the rest by the last one. Remembers what it saw. */
export async function serveReplies(
  ...replies: readonly Reply[]
): Promise<{ url: string; seen: Seen[]; server: Server }> {
  const seen: Seen[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      const arrived = { method, url, headers, body: Buffer.concat(chunks) };
      seen.push(arrived);
      const reply = replies[Math.min(seen.length, replies.length) - 1] as Reply;
      reply(response, arrived);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen, server };
}

export const dropConnection: Reply = (response) => {
  response.socket?.destroy();
};

export function json(status: number, body: unknown, headers: Record<string, string> = {}): Reply {
  return (response) => {
    const type = status >= 400 ? 'application/problem+json' : 'application/json';
    response.writeHead(status, { 'content-type': type, 'x-request-id': 'req-1', ...headers });
    response.end(JSON.stringify(body));
  };
}

export function problem(status: number, code: string, retryable: boolean, headers: Record<string, string> = {}): Reply {
  return json(status, { type: `urn:shenbao:problem:${code}`, title: code, status, code, retryable }, headers);
}

/** Retries without waiting long, so that tests take milliseconds. */
export const FAST = { firstMs: 1, longestMs: 5, deadlineMs: 5_000, attemptMs: 2_000 };
