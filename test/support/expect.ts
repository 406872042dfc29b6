import { createHash } from 'node:crypto';
import { expect } from 'vitest';
import type { Answer } from './wire.ts';

export interface Violation {
  readonly pointer: string;
  readonly code: string;
  readonly rule?: string;
  readonly line?: string;
  readonly severity: string;
  readonly message: { readonly zh: string; readonly en: string };
  readonly explanation?: string;
}

export interface ProblemDocument {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly instance: string;
  readonly code: string;
  readonly retryable: boolean;
  readonly errors?: readonly Violation[];
  readonly more?: number;
  readonly [member: string]: unknown;
}

/** Asserts everything that the contract says of every error, and returns the document. */
export function expectProblem(answer: Answer, status: number, code: string | readonly string[]): ProblemDocument {
  expect(answer.headers['content-type']?.split(';')[0], answer.text).toBe('application/problem+json');
  const problem = answer.json() as ProblemDocument;
  expect({ status: answer.status, code: problem.code }, answer.text).toEqual({
    status,
    code: typeof code === 'string' ? code : expect.toBeOneOf([...code]),
  });
  expect(problem.type).toBe(`urn:shenbao:problem:${problem.code}`);
  expect(problem.status).toBe(status);
  expect(typeof problem.retryable).toBe('boolean');
  expect(problem.title).toMatch(/\S/);
  expect(problem.detail).toMatch(/\S/);
  expect(answer.headers['x-request-id']).toMatch(/\S/);
  expect(problem.instance).toBe(answer.headers['x-request-id']);
  if (status === 401) expect(answer.headers['www-authenticate']).toMatch(/\S/);
  if (status === 429 || status === 503) expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
  for (const violation of problem.errors ?? []) expectViolation(violation);
  expect((problem.errors ?? []).length).toBeLessThanOrEqual(100);
  return problem;
}

export function expectViolation(violation: Violation): void {
  expect(violation.pointer).toMatch(/^(\/|$)/);
  expect(violation.code).toMatch(/\S/);
  expect(violation.severity).toMatch(/^(error|warning)$/);
  expect(violation.message.zh).toMatch(/[一-鿿]/);
  expect(violation.message.en).toMatch(/[A-Za-z]/);
}

export interface Filing {
  readonly id: string;
  readonly type: string;
  readonly version: string;
  readonly filer: string;
  readonly office: string;
  readonly index: number;
  readonly period: { readonly from: string; readonly to: string };
  readonly reference?: string;
  readonly kind: string;
  readonly supersedes?: string;
  readonly digest: string;
  readonly status: string;
  readonly receivedAt: string;
  readonly late: boolean;
  readonly warnings: readonly Violation[];
  readonly receipt: { readonly statement: Record<string, unknown>; readonly signature: string };
  readonly history?: readonly { readonly status: string; readonly at: string; readonly by?: string }[];
}

/** The filing of an answer that has to be a success. */
export function filingOf(answer: Answer, status: number): Filing {
  expect(answer.status, answer.text).toBe(status);
  return answer.json() as Filing;
}

/** The receipt as its bytes stand in the answer: it is the last member of a filing. */
export function receiptText(answer: Answer): string {
  const at = answer.text.indexOf('"receipt":');
  if (at < 0) throw new Error(`no receipt: ${answer.text}`);
  return answer.text.slice(at + 10, answer.text.lastIndexOf('}'));
}

export function digestOf(bytes: string | Uint8Array): string {
  return createHash('sha256').update(bytes).digest('base64url');
}

export const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
