import { type IncomingMessage, ServerResponse } from 'node:http';

/** What every answer carries beside its own headers. */
export interface CommonHeaders {
  /** Name and value in turn, as Node takes them. They win over the answer's own. */
  readonly always: readonly string[];
  /** Counts unless the answer says something of its own. */
  readonly cacheControl: string;
}

/**
 * Node's response, with the headers that every answer has put in when the head is written. `setHeader` for each of them,
 * or a Headers object around the application's answer, costs more than the rest of our bookkeeping for a request.
 */
export class GatewayResponse<Request extends IncomingMessage = IncomingMessage> extends ServerResponse<Request> {
  common: CommonHeaders | undefined;

  override writeHead(status: number, reason?: unknown, headers?: unknown): this {
    const given = (typeof reason === 'object' ? reason : headers) as Readonly<Record<string, string>> | undefined;
    const { common } = this;
    if (common === undefined) return given === undefined ? super.writeHead(status) : super.writeHead(status, given);
    const all: string[] = [...common.always];
    let saysCaching = false;
    for (const name in given) {
      if (name.length === 13 && name.toLowerCase() === 'cache-control') saysCaching = true;
      all.push(name, given[name] as string);
    }
    if (!saysCaching) all.push('Cache-Control', common.cacheControl);
    return super.writeHead(status, all);
  }
}
