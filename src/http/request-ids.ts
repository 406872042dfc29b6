import type { RandomBytes } from '../std/telemetry.ts';

/**
 * Ids for requests: a random prefix for the process and a running number. Nobody needs to be unable to guess them; they
 * need to be unique among processes and cheap. A client's own `X-Request-Id` is never taken over: it would be its data in our log.
 */
export class RequestIds {
  readonly #prefix: string;
  #count = 0;

  constructor(random: RandomBytes) {
    this.#prefix = `${random(5).toString('hex')}-`;
  }

  next(): string {
    return this.#prefix + (++this.#count).toString(36);
  }
}
