import { gunzipSync } from 'node:zlib';
import { expect } from 'vitest';
import { ERROR_CODES } from '../../src/std/errors.ts';
import type { ProblemDocument } from '../support/expect.ts';
import type { Spoilt } from './mutations.ts';
import type { RawAnswer } from './raw-client.ts';

/** What the OpenAPI document says of an operation. */
export interface Operation {
  readonly operationId: string;
  readonly codes: ReadonlySet<string>;
  readonly statuses: ReadonlySet<string>;
}

const CJK = /[一-鿿]/;

/** Everything that must hold of any answer to any request. */
export function expectSound(answer: RawAnswer, sent: Spoilt, operation: Operation): void {
  const { status, headers } = answer;
  // A header that was spoilt may still ask for it.
  const isGzip = answer.headers.get('content-encoding') === 'gzip' && answer.body.length > 0;
  const text = (isGzip ? gunzipSync(answer.body) : answer.body).toString();
  const said = `${answer.head}\n${text.slice(0, 600)}`;
  expect(headers.get('x-request-id'), said).toMatch(/^\S+$/);
  expect(status, said).not.toBe(500);
  expect(status < 500 || status === 503, said).toBe(true);
  const media = headers.get('content-type')?.split(';')[0];
  if (status >= 400) {
    expectUnrepeated(answer.head + text, sent, said);
    if (sent.method === 'HEAD') return;
    const problem = expectProblem(answer, media, operation, said);
    if (sent.isRouted && !FROM_OUTSIDE.has(problem.code)) expect(operation.codes, said).toContain(problem.code);
  } else if (sent.isRouted) {
    expect(operation.statuses, said).toContain(String(status));
    expectLinesUnrepeated(text, media, operation, sent);
  }
}

/** Answered before it is known which operation was meant. */
const FROM_OUTSIDE = new Set(['malformed', 'header-too-large', 'timeout', 'not-found', 'method-not-allowed']);

function expectProblem(
  answer: RawAnswer,
  media: string | undefined,
  operation: Operation,
  said: string,
): ProblemDocument {
  // OAuth libraries read no other media type: docs/http.md.
  const isOAuth = operation.operationId === 'issueToken' && media === 'application/json';
  if (!isOAuth) expect(media, said).toBe('application/problem+json');
  const problem = JSON.parse(answer.body.toString()) as ProblemDocument;
  expect(ERROR_CODES, said).toContain(problem.code);
  expect([problem.status, problem.type, problem.instance], said).toEqual([
    answer.status,
    `urn:shenbao:problem:${problem.code}`,
    answer.headers.get('x-request-id'),
  ]);
  const isEnglish = isOAuth ? CJK.test(problem.title) === false : answer.headers.get('content-language') === 'en';
  for (const words of [problem.title, problem.detail]) expect(CJK.test(words), said).toBe(!isEnglish);
  for (const { message, pointer, severity } of problem.errors ?? []) {
    expect([CJK.test(message.zh), /[A-Za-z]/.test(message.en)], said).toEqual([true, true]);
    expect(pointer, said).toMatch(/^(\/|$)/);
    expect(severity, said).toMatch(/^(error|warning)$/);
  }
  // RFC 6749 section 5.2 has no challenge for a client that did not use the Authorization header.
  if (answer.status === 401 && !isOAuth) expect(answer.headers.get('www-authenticate'), said).toMatch(/\S/);
  if (answer.status === 405)
    expect(answer.headers.get('allow') ?? answer.headers.get('connection'), said).toMatch(/\S/);
  if (answer.status === 429 || answer.status === 503)
    expect(Number(answer.headers.get('retry-after')), said).toBeGreaterThan(0);
  return problem;
}

function expectUnrepeated(text: string, { markers }: Spoilt, said: string): void {
  const lower = text.toLowerCase();
  for (const mark of markers) expect(lower.includes(mark), `${mark} comes back: ${said}`).toBe(false);
}

/** Inside a success there may be refusals: of the lines of an upload, of a payload that is only tried. */
function expectLinesUnrepeated(
  text: string,
  media: string | undefined,
  { operationId }: Operation,
  sent: Spoilt,
): void {
  if (operationId === 'validateFiling') expectUnrepeated(text, sent, text.slice(0, 600));
  if (media !== 'application/x-ndjson') return;
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const { status, problem } = JSON.parse(line) as { status?: number; problem?: ProblemDocument };
    if (problem === undefined) continue;
    expect(status, line).toBe(problem.status);
    expect(problem.status < 500 || problem.status === 503, line).toBe(true);
    expect(ERROR_CODES, line).toContain(problem.code);
    expectUnrepeated(line, sent, line.slice(0, 600));
  }
}
