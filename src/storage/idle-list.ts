import type { Socket } from 'node:net';
import type { Sql } from 'postgres';

const EVERY_MS = 1_000;

/**
 * Keeps the driver's list of idle connections short. postgres.js 3.4.9 takes connections from the front of that list and puts
 * them back at its end, and forgets the places before the front only when the list is empty, but searches them with each use:
 * while some connection is always idle every statement takes longer than the one before, for as long as the process lives.
 * Whoever takes all connections at once empties the list.
 */
export class IdleList {
  #open = 0;
  #timer: NodeJS.Timeout | undefined;
  readonly #client: () => Sql;

  /** @param client asked for once it has connections */
  constructor(client: () => Sql) {
    this.#client = client;
  }

  /** Counts a connection of the client. */
  add(socket: Socket): Socket {
    this.#open++;
    this.#timer ??= setInterval(() => this.#empty(), EVERY_MS).unref();
    socket.once('close', () => {
      this.#open--;
      if (this.#open > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    });
    return socket;
  }

  /** As many as there are. One that is at work comes when it is done, unless the client may open another; each is given back at once. */
  #empty(): void {
    if (this.#open < 2) return;
    const sql = this.#client();
    for (let i = 0; i < this.#open; i++) {
      // Fails with the connection, of which whoever uses it next hears.
      sql.reserve().then(
        (connection) => connection.release(),
        () => undefined,
      );
    }
  }
}
