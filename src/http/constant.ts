import { sha256, toBase64url } from '../std/bytes.ts';
import type { Call } from './route.ts';

/** Content that stays the same for the life of the process, with its strong validator (RFC 9110 section 8.8.3). */
export interface Constant {
  readonly content: string;
  readonly type: string;
  readonly etag: string;
}

export function constant(content: string, type: string): Constant {
  return { content, type, etag: `"${toBase64url(sha256(content))}"` };
}

/** The content, or 304 when the client has it already. */
export function constantResponse(
  call: Pick<Call<unknown, unknown, unknown>, 'header'>,
  { content, type, etag }: Constant,
): Response {
  const known = (call.header('if-none-match') ?? '').split(',').map((item) => item.trim().replace(/^W\//, ''));
  if (known.includes(etag) || known.includes('*')) return new Response(null, { status: 304, headers: { ETag: etag } });
  return new Response(content, { headers: { 'Content-Type': type, ETag: etag } });
}
