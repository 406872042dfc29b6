import { connect, type Socket } from 'node:net';

/** An answer as it came over the wire, read by the letter of RFC 9112. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly head: string;
  readonly body: Buffer;
}

/** What came is not HTTP, or not one answer. */
class NotHttp extends Error {}

const HEADER = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*$/;

interface Parsed {
  readonly answer: RawAnswer;
  readonly end: number;
}

/** HTTP/1.0 knows no chunks: what its client gets without a length ends with the connection (RFC 9112 section 6.3). */
interface Asked {
  readonly method: string;
  readonly isOld: boolean;
}

const OLD_REQUEST = /^[^\r\n]* HTTP\/1\.0\r?\n/;

/** The first final answer in `bytes`; undefined while it is not all there. `isClosed`: no more will come. */
function parseOne(bytes: Buffer, asked: Asked, isClosed: boolean): Parsed | undefined {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const head = bytes.subarray(0, end).toString('latin1');
  const [first = '', ...lines] = head.split('\r\n');
  const status = Number(/^HTTP\/1\.1 ([1-5]\d\d) [\t\x20-\x7e]*$/.exec(first)?.[1] ?? Number.NaN);
  if (Number.isNaN(status)) throw new NotHttp(`no status line: ${JSON.stringify(first.slice(0, 80))}`);
  const headers = new Map<string, string>();
  for (const line of lines) {
    const [, name = '', value = ''] = HEADER.exec(line) ?? [];
    if (name === '') throw new NotHttp(`no header: ${JSON.stringify(line.slice(0, 80))}`);
    if (headers.has(name.toLowerCase())) throw new NotHttp(`a header twice: ${name}`);
    headers.set(name.toLowerCase(), value);
  }
  if (status < 200) {
    const next = parseOne(bytes.subarray(end + 4), asked, isClosed);
    return next && { answer: next.answer, end: next.end + end + 4 };
  }
  const isEmpty = asked.method === 'HEAD' || status === 204 || status === 304;
  const isFramed = headers.has('content-length') || headers.has('transfer-encoding');
  if (asked.isOld && !isEmpty && !isFramed && headers.get('connection') === 'close') {
    if (!isClosed) return undefined;
    return { answer: { status, headers, head, body: bytes.subarray(end + 4) }, end: bytes.length };
  }
  const body = bodyOf(bytes, end + 4, headers, isEmpty);
  return body && { answer: { status, headers, head, body: body.bytes }, end: body.end };
}

function bodyOf(
  bytes: Buffer,
  start: number,
  headers: ReadonlyMap<string, string>,
  isEmpty: boolean,
): { readonly bytes: Buffer; readonly end: number } | undefined {
  const length = headers.get('content-length');
  // Whoever refuses a head that is too long has not read the method, and closes behind its answer: HEAD or not.
  const isLast = headers.get('connection') === 'close' && headers.get('content-type') !== undefined;
  if (isEmpty && !(isLast && bytes.length > start)) return { bytes: Buffer.alloc(0), end: start };
  if (headers.has('transfer-encoding')) {
    if (length !== undefined || headers.get('transfer-encoding') !== 'chunked') throw new NotHttp('framed in two ways');
    return chunksOf(bytes, start);
  }
  if (length === undefined || !/^\d+$/.test(length)) throw new NotHttp('neither length nor chunks');
  const end = start + Number(length);
  return bytes.length < end ? undefined : { bytes: bytes.subarray(start, end), end };
}

function chunksOf(bytes: Buffer, start: number): { readonly bytes: Buffer; readonly end: number } | undefined {
  const chunks: Buffer[] = [];
  for (let at = start; ; ) {
    const line = bytes.indexOf('\r\n', at);
    if (line < 0) return undefined;
    const size = bytes.subarray(at, line).toString('latin1');
    if (!/^[0-9a-fA-F]{1,8}$/.test(size)) throw new NotHttp('no size of a chunk');
    const length = Number.parseInt(size, 16);
    const end = line + 2 + length;
    if (bytes.length < end + 2) return undefined;
    if (bytes[end] !== 0x0d || bytes[end + 1] !== 0x0a) throw new NotHttp('a chunk of another length than it says');
    if (length === 0) return { bytes: Buffer.concat(chunks), end: end + 2 };
    chunks.push(bytes.subarray(line + 2, end));
    at = end + 2;
  }
}

/** A socket that waits for at most one answer. */
class Connection {
  readonly #socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  #waiting: { readonly asked: Asked; resolve(answer: RawAnswer): void; reject(error: Error): void } | undefined;
  isOpen = true;

  constructor(port: number) {
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.#socket.on('data', (chunk: Buffer) => {
      this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
      this.#look();
    });
    this.#socket.on('error', () => this.#lost());
    this.#socket.on('close', () => this.#lost());
  }

  send(bytes: Buffer, method: string): Promise<RawAnswer> {
    return new Promise((resolve, reject) => {
      this.#waiting = { asked: { method, isOld: OLD_REQUEST.test(bytes.toString('latin1')) }, resolve, reject };
      this.#socket.write(bytes);
    });
  }

  close(): void {
    this.isOpen = false;
    this.#socket.destroy();
  }

  #look(isClosed = false): void {
    const waiting = this.#waiting;
    if (waiting === undefined) {
      // Nobody has asked: the request before was taken for more than one.
      this.close();
      return;
    }
    try {
      const parsed = parseOne(this.#received, waiting.asked, isClosed);
      if (parsed === undefined) return;
      if (parsed.end < this.#received.length) throw new NotHttp('more than one answer to one request');
      this.#received = Buffer.alloc(0);
      this.#waiting = undefined;
      if (parsed.answer.headers.get('connection')?.toLowerCase() === 'close') this.close();
      waiting.resolve(parsed.answer);
    } catch (error) {
      this.#waiting = undefined;
      this.close();
      waiting.reject(error as Error);
    }
  }

  #lost(): void {
    this.isOpen = false;
    if (this.#waiting?.asked.isOld) this.#look(true);
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.reject(new NotHttp(`closed without a whole answer (${this.#received.length} bytes came)`));
  }
}

const ANSWER_PATIENCE_MS = 30_000;

/** Connections that are kept from one request to the next; the bytes on them are the caller's. */
export class RawClient {
  readonly #port: number;
  readonly #idle: Connection[] = [];

  constructor(port: number) {
    this.#port = port;
  }

  #open(): Connection {
    for (let kept = this.#idle.pop(); kept !== undefined; kept = this.#idle.pop()) if (kept.isOpen) return kept;
    return new Connection(this.#port);
  }

  /** One request whose length is what it says, and its one answer. */
  async ask(bytes: Buffer, method: string): Promise<RawAnswer> {
    const connection = this.#open();
    // Closed, it fails whoever waits on it.
    const timer = setTimeout(() => connection.close(), ANSWER_PATIENCE_MS);
    try {
      return await connection.send(bytes, method);
    } finally {
      clearTimeout(timer);
      if (connection.isOpen) this.#idle.push(connection);
    }
  }

  /**
   * Bytes that may be several requests, half a one or none: whatever is answered before the server closes or has been
   * silent for `silentMs`.
   */
  say(bytes: Buffer, method: string, silentMs: number): Promise<RawAnswer[]> {
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = [];
      const socket = connect({ port: this.#port, host: '127.0.0.1' }, () => socket.write(bytes));
      const finish = (): void => {
        socket.destroy();
        try {
          resolve(answersIn(Buffer.concat(chunks), { method, isOld: false }));
        } catch (error) {
          reject(error as Error);
        }
      };
      socket.setTimeout(silentMs, finish);
      socket.on('data', (chunk: Buffer) => chunks.push(chunk));
      socket.on('end', finish);
      socket.on('error', finish);
    });
  }

  close(): void {
    for (const connection of this.#idle.splice(0)) connection.close();
  }
}

function answersIn(bytes: Buffer, asked: Asked): RawAnswer[] {
  const answers: RawAnswer[] = [];
  for (let rest = bytes; rest.length > 0; ) {
    const parsed = parseOne(rest, asked, true);
    if (parsed === undefined) break;
    answers.push(parsed.answer);
    rest = rest.subarray(parsed.end);
  }
  return answers;
}
