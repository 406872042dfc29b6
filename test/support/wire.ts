import http, { type IncomingHttpHeaders } from 'node:http';
import { connect } from 'node:net';
import { keepSubmitted, keepText } from './output.ts';

/** An HTTP answer, read whole. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
  readonly text: string;
  json(): unknown;
}

export interface AskOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** Connections kept open between requests; those of the gateway's object when absent. */
  readonly agent?: http.Agent;
  readonly timeoutMs?: number;
}

/** Connections that are kept open from one request to the next. */
export class Connections {
  #agent = new http.Agent({ keepAlive: true });

  get agent(): http.Agent {
    return this.#agent;
  }

  close(): void {
    this.#agent.destroy();
    this.#agent = new http.Agent({ keepAlive: true });
  }
}

function answerOf(status: number, headers: IncomingHttpHeaders, bytes: Buffer): Answer {
  const text = bytes.toString();
  // A refusal must not repeat what it refuses.
  if (status >= 400) keepText('refusals', `${text}\n`);
  return { status, headers, bytes, text, json: () => JSON.parse(text) };
}

function heard(): void {}

/** One request over node:http, which adds no header of its own but Host, Connection and Content-Length. */
export function ask(connections: Connections, method: string, url: string, options: AskOptions = {}): Promise<Answer> {
  const { headers = {}, body, agent = connections.agent, timeoutMs = 30_000 } = options;
  if (body !== undefined) keepSubmitted(body);
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'Content-Length': String(Buffer.byteLength(body)) };
    const request = http.request(url, { method, agent, headers: { ...length, ...headers } }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => resolve(answerOf(response.statusCode ?? 0, response.headers, Buffer.concat(chunks))));
      response.on('error', reject);
    });
    request.setTimeout(timeoutMs, () => request.destroy(new Error(`no answer within ${timeoutMs} ms`)));
    request.on('error', reject);
    // When the answer has come before all was sent, node:http listens no more to a socket that still writes.
    request.once('socket', (socket) => {
      if (!socket.listeners('error').includes(heard)) socket.on('error', heard);
    });
    request.end(body);
  });
}

/** Writes bytes to a socket as they are and reads until the other side closes, or has been silent for a while. */
export function sendBytes(port: number, bytes: string | Uint8Array, silentMs = 1_000): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect({ port, host: '127.0.0.1' }, () => socket.write(bytes));
    const finish = (): void => {
      socket.destroy();
      resolve(Buffer.concat(chunks));
    };
    socket.setTimeout(silentMs, finish);
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('end', finish);
    // A server that refuses before it has read all resets the connection; what it said is there all the same.
    socket.on('error', (error) => (chunks.length > 0 ? finish() : reject(error)));
  });
}

/** The first answer in what a socket brought, with a Content-Length or up to the end. */
export function parseAnswer(bytes: Buffer): Answer {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) throw new Error(`no answer: ${bytes.toString().slice(0, 200)}`);
  const [first = '', ...lines] = bytes.subarray(0, end).toString('latin1').split('\r\n');
  const headers = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
  );
  const body = bytes.subarray(end + 4);
  const length = headers['content-length'];
  return answerOf(Number(first.split(' ')[1]), headers, length === undefined ? body : body.subarray(0, Number(length)));
}
