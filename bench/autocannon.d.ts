// What bench/load.ts uses of autocannon 9.0.0, which has no types of its own.
declare module 'autocannon' {
  import type { EventEmitter } from 'node:events';

  /** One connection. */
  interface Client extends EventEmitter {
    /** Its own copy. `verifyBody` sees each answer's body, after the next request was sent. */
    readonly opts: { verifyBody: (body: string) => boolean };
    getRequestBuffer(): Buffer;
    _doRequest(): void;
    destroy(): void;
  }

  interface Options {
    readonly url: string;
    readonly method: string;
    readonly connections: number;
    /** Seconds. */
    readonly duration: number;
    /** Seconds without an answer. */
    readonly timeout: number;
    readonly setupClient: (client: Client) => void;
  }

  function autocannon(options: Options, done: (error: Error | null) => void): EventEmitter;
  namespace autocannon {
    export type { Client, Options };
  }
  export = autocannon;
}
