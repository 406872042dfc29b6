import { type IncomingMessage, type OutgoingHttpHeaders, ServerResponse } from 'node:http';

/** Headers that an answer gets beside its own. */
export type ExtraHeaders = Readonly<Record<string, string>>;

/**
 * Node's response, with the headers that every answer has put in when the head is written. `setHeader` for each of them,
 * or a Headers object around the application's answer, costs more than the rest of our bookkeeping for a request.
 */
export class GatewayResponse<Request extends IncomingMessage = IncomingMessage> extends ServerResponse<Request> {
  #cacheControl: string | undefined;
  #extra: ExtraHeaders | undefined;

  /** `cacheControl` counts unless the answer says something of its own; `extra` wins over the answer. */
  prepare(cacheControl: string, extra: ExtraHeaders): void {
    this.#cacheControl = cacheControl;
    this.#extra = extra;
  }

  override writeHead(status: number, reason?: unknown, headers?: unknown): this {
    const given = (typeof reason === 'object' ? reason : headers) as OutgoingHttpHeaders | undefined;
    if (this.#extra === undefined)
      return given === undefined ? super.writeHead(status) : super.writeHead(status, given);
    const all: OutgoingHttpHeaders = { ...given, ...this.#extra };
    if (this.#cacheControl !== undefined && all['Cache-Control'] === undefined && all['cache-control'] === undefined) {
      all['Cache-Control'] = this.#cacheControl;
    }
    return super.writeHead(status, all);
  }
}
