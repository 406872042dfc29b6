import type { FilingPayload } from '../domain/filing.ts';
import { ShenbaoError } from './errors.ts';
import { payloadBytes } from './filing.ts';
import type { FlattenedJws } from './jws.ts';

// How the client's calls look on the wire.

/** A payload to be signed with the client's key, or a JWS made elsewhere (compact, flattened, or a flattened one's text). */
export type Submission = FilingPayload | FlattenedJws | string;

/** The parameters that are there, as a query. */
export function queryText(parameters: object): string {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) if (value !== undefined) given.set(name, String(value));
  return given.size === 0 ? '' : `?${given}`;
}

export function filingPath(id: string): string {
  return `/v1/filings/${encodeURIComponent(id)}`;
}

export function isPayload(filing: Submission): filing is FilingPayload {
  return typeof filing !== 'string' && !('protected' in filing);
}

export function contentOf(filing: FlattenedJws | string): string {
  return typeof filing === 'string' ? filing.trim() : JSON.stringify(filing);
}

export function joseBody(content: string): {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
} {
  const type = content.startsWith('{') ? 'application/jose+json' : 'application/jose';
  return { headers: { 'content-type': type }, body: content };
}

export function jwsLine(filing: FlattenedJws | string): string {
  const content = contentOf(filing);
  return content.startsWith('{') ? content.replaceAll(/[\r\n]+/g, ' ') : JSON.stringify(content);
}

export function payloadLine(filing: Submission): Uint8Array {
  if (!isPayload(filing)) throw new ShenbaoError('usage', 'form B takes payloads, which it signs together');
  return payloadBytes(filing);
}
