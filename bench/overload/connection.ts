import { connect, type Socket } from 'node:net';

export interface ConnectionOwner {
  /** The answer to the request that was under way. `body` makes a string of it, for those who want one; `head` is its header. */
  answered(connection: Connection, status: number, body: () => string, head: string): void;
  /** The connection can no longer be used; a request under way stays without an answer. */
  ended(connection: Connection): void;
}

const HEAD_END = '\r\n\r\n';
const STATUS_AT = 'HTTP/1.1 '.length;
const STATUS_END = STATUS_AT + 3;

/**
 * One HTTP/1.1 connection with one request at a time under way, and as little work as Node allows: load generator and gateway
 * share the cores, and at three times what the gateway can bear each microsecond here is taken from it.
 */
export class Connection {
  readonly #socket: Socket;
  readonly #owner: ConnectionOwner;
  #partial: Buffer | undefined;
  #isBusy = false;
  #hasEnded = false;

  constructor(host: string, port: number, owner: ConnectionOwner) {
    this.#owner = owner;
    this.#socket = connect({ host, port, noDelay: true });
    this.#socket.on('data', (chunk: Buffer) => this.#take(chunk));
    this.#socket.on('error', () => {});
    for (const event of ['end', 'close']) this.#socket.on(event, () => this.#end());
  }

  send(request: Buffer): this {
    this.#isBusy = true;
    this.#socket.write(request);
    return this;
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    const bytes = this.#partial === undefined ? chunk : Buffer.concat([this.#partial, chunk]);
    const headEnd = bytes.indexOf(HEAD_END, 0, 'latin1');
    if (headEnd < 0) {
      this.#partial = bytes;
      return;
    }
    const head = bytes.toString('latin1', 0, headEnd);
    const start = headEnd + HEAD_END.length;
    const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1];
    if (length === undefined) throw new Error(`an answer without its length: ${head}`);
    const end = start + Number(length);
    this.#partial = bytes.length < end ? bytes : undefined;
    if (this.#partial !== undefined) return;
    this.#isBusy = false;
    const closes = /\r\nconnection: close/i.test(head);
    if (closes) this.#hasEnded = true;
    this.#owner.answered(
      this,
      Number(head.slice(STATUS_AT, STATUS_END)),
      () => bytes.toString('utf8', start, end),
      head,
    );
    if (closes) this.#leave();
  }

  #end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#leave();
  }

  #leave(): void {
    this.#socket.destroy();
    this.#owner.ended(this);
  }

  /** Whether another request can be sent. */
  get isUsable(): boolean {
    return !this.#hasEnded && !this.#isBusy;
  }
}
