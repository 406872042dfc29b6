import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** What the proxy does with a connection when it sees a COMMIT. */
export type Cut = 'none' | 'before' | 'during' | 'after' | 'half-close' | 'truncate';

interface Link {
  readonly client: Socket;
  readonly server: Socket;
}

const COMMIT = /^commit;?$/i;

/**
 * Stands between a gateway and PostgreSQL, understands enough of the protocol to find COMMIT, and breaks connections on
 * order: before COMMIT is passed on, after it was passed on and before its answer, after its answer.
 */
export class DatabaseProxy {
  readonly #server: Server;
  readonly #links = new Set<Link>();
  readonly #target: { readonly host: string; readonly port: number };
  /** Asked at every COMMIT. */
  onCommit: () => Cut = () => 'none';
  commits = 0;
  #isSilent = false;
  #isPaused = false;

  private constructor(target: { host: string; port: number }) {
    this.#target = target;
    this.#server = createServer((client) => this.#accept(client));
  }

  static async start(target: { host: string; port: number }): Promise<DatabaseProxy> {
    const proxy = new DatabaseProxy(target);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /**
   * A black hole: whatever is sent in either direction disappears, and new connections get no word. Ends with `hear`;
   * connections that lost bytes stay dead without being told, as after a failover behind a firewall.
   */
  silence(): void {
    this.#isSilent = true;
  }

  hear(): void {
    this.#isSilent = false;
  }

  /** Nothing is lost, but nothing moves until `resume`: a network that is down for a while, or a stopped server. */
  pause(): void {
    this.#isPaused = true;
    for (const { client, server } of this.#links) for (const socket of [client, server]) socket.pause();
  }

  resume(): void {
    this.#isPaused = false;
    for (const { client, server } of this.#links) for (const socket of [client, server]) socket.resume();
  }

  resetAll(): void {
    for (const { client, server } of this.#links) for (const socket of [client, server]) socket.resetAndDestroy();
  }

  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.resetAll();
    await closed;
  }

  #accept(client: Socket): void {
    const server = connect(this.#target);
    const link = { client, server };
    this.#links.add(link);
    let isLost = this.#isSilent;
    let cut: Cut = 'none';
    const messages = new Messages();
    const drops = (): boolean => {
      isLost ||= this.#isSilent;
      return isLost;
    };
    client.on('data', (chunk) => {
      if (drops()) return;
      if (messages.hasCommit(chunk)) {
        this.commits++;
        cut = this.onCommit();
        if (cut === 'before') return reset(link);
        if (cut === 'truncate') {
          // Half of COMMIT's message: the server must never carry it out.
          server.write(chunk.subarray(0, chunk.length - 3));
          return reset(link, true);
        }
        server.write(chunk);
        if (cut === 'half-close') client.end();
        return;
      }
      server.write(chunk);
    });
    server.on('data', (chunk) => {
      if (drops()) return;
      if (cut === 'during') return reset(link);
      if (cut === 'half-close') return;
      client.write(chunk);
      if (cut === 'after') client.end(() => reset(link));
    });
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      socket.setNoDelay(true);
      socket.on('error', () => {});
      socket.on('close', () => {
        this.#links.delete(link);
        if (!isLost) other.destroy();
      });
      if (this.#isPaused) socket.pause();
    }
  }
}

function reset({ client, server }: Link, gently = false): void {
  client.resetAndDestroy();
  if (gently) server.end();
  else server.destroy();
}

/** Follows the messages that a client sends (PostgreSQL manual, "Message Formats") across chunks. */
class Messages {
  #rest: Buffer = Buffer.alloc(0);
  #isStarted = false;
  /** Prepared statements that are COMMIT. */
  readonly #names = new Set<string>();

  /** True when one of the messages that this chunk completes carries COMMIT out: as a simple query, or bound. */
  hasCommit(chunk: Buffer): boolean {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let isFound = false;
    for (;;) {
      const head = this.#isStarted ? 1 : 0;
      if (this.#rest.length < head + 4) return isFound;
      const end = head + this.#rest.readUInt32BE(head);
      if (this.#rest.length < end) return isFound;
      const type = head === 0 ? '' : String.fromCharCode(this.#rest.readUInt8(0));
      // The startup message has no type; an SSLRequest before it would be 8 bytes long.
      if (head === 0) this.#isStarted = end !== 8;
      else if (this.#isCommit(type, this.#rest.subarray(head + 4, end))) isFound = true;
      this.#rest = this.#rest.subarray(end);
    }
  }

  #isCommit(type: string, body: Buffer): boolean {
    const [first = '', second = ''] = body.subarray(0, 200).toString('latin1').split('\0');
    if (type === 'Q') return COMMIT.test(first);
    // Parse: name and query; Bind: portal and name.
    if (type === 'P') this.#names[COMMIT.test(second) ? 'add' : 'delete'](first);
    return type === 'B' && this.#names.has(second);
  }
}
