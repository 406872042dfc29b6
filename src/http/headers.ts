import type { RequestCall } from './call.ts';
import { type CommonHeaders, GatewayResponse } from './node-response.ts';

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
export const COMMON_HEADERS = {
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Access-Control-Allow-Origin': '*',
};

/** Gives an answer the headers that all have. What a handler has said about caching stays. */
export function applyHeaders(call: RequestCall, response: Response, cacheControl: string): void {
  const always = [
    'X-Request-Id',
    call.requestId,
    'X-Content-Type-Options',
    COMMON_HEADERS['X-Content-Type-Options'],
    'Referrer-Policy',
    COMMON_HEADERS['Referrer-Policy'],
    'Access-Control-Allow-Origin',
    COMMON_HEADERS['Access-Control-Allow-Origin'],
  ];
  if (call.headers.origin !== undefined) always.push('Access-Control-Expose-Headers', EXPOSED);
  if (call.extraHeaders !== undefined) always.push(...call.extraHeaders);
  const { outgoing } = call;
  if (outgoing instanceof GatewayResponse) outgoing.common = { always, cacheControl };
  else applyToResponse(response, { always, cacheControl });
}

/** On another server than ours, and where a test calls the application itself. */
function applyToResponse({ headers }: Response, { always, cacheControl }: CommonHeaders): void {
  for (let at = 0; at < always.length; at += 2) headers.set(always[at] ?? '', always[at + 1] ?? '');
  if (!headers.has('Cache-Control')) headers.set('Cache-Control', cacheControl);
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
