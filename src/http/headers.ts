import type { RequestCall } from './call.ts';

/** Headers that a script on another origin may read. */
const EXPOSED = [
  'Content-Language',
  'ETag',
  'Idempotent-Replayed',
  'Location',
  'RateLimit',
  'RateLimit-Policy',
  'Retry-After',
  'WWW-Authenticate',
  'X-Request-Id',
].join(', ');

const ALLOWED_REQUEST_HEADERS = [
  'Accept',
  'Accept-Language',
  'Authorization',
  'Content-Type',
  'If-None-Match',
  'Last-Event-ID',
  'Prefer',
].join(', ');

/**
 * Headers of every answer. Any origin may call: there are no cookies and nothing else that a browser adds on its own,
 * so a foreign page can only do what its user's own signature or token lets it do, and could do so without a browser.
 */
export const COMMON_HEADERS: readonly (readonly [string, string])[] = [
  ['X-Content-Type-Options', 'nosniff'],
  ['Referrer-Policy', 'no-referrer'],
  ['Access-Control-Allow-Origin', '*'],
];

/**
 * Gives an answer the headers that all have. What a handler has set itself stays. On a real connection they go straight
 * to Node's response, because reading a Response's headers would make @hono/node-server build a Headers object for it.
 */
export function applyHeaders(call: RequestCall, response: Response, cacheControl: string): void {
  const { outgoing } = call;
  if (outgoing === undefined) {
    applyToResponse(call, response, cacheControl);
    return;
  }
  if (outgoing.headersSent) return;
  outgoing.setHeader('X-Request-Id', call.requestId);
  outgoing.setHeader('Cache-Control', cacheControl);
  for (const [name, value] of COMMON_HEADERS) outgoing.setHeader(name, value);
  for (const [name, value] of call.extraHeaders) outgoing.setHeader(name, value);
  if (call.headers.origin !== undefined) outgoing.setHeader('Access-Control-Expose-Headers', EXPOSED);
}

function applyToResponse(call: RequestCall, response: Response, cacheControl: string): void {
  const { headers } = response;
  headers.set('X-Request-Id', call.requestId);
  if (!headers.has('Cache-Control')) headers.set('Cache-Control', cacheControl);
  for (const [name, value] of COMMON_HEADERS) headers.set(name, value);
  for (const [name, value] of call.extraHeaders) headers.set(name, value);
  if (call.headers.origin !== undefined) headers.set('Access-Control-Expose-Headers', EXPOSED);
}

/** The answer to a CORS preflight, and to any other OPTIONS. */
export function optionsResponse(allow: string): Response {
  return new Response(null, {
    status: 204,
    headers: {
      Allow: allow,
      'Access-Control-Allow-Methods': allow,
      'Access-Control-Allow-Headers': ALLOWED_REQUEST_HEADERS,
      'Access-Control-Max-Age': '86400',
    },
  });
}
