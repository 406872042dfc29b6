import { expect, test } from 'vitest';
import { type BulkForm, bulkAgent, bulkImportLines, bulkPayload, uploadBody } from '../../bench/bulk-corpus.ts';
import { checkEnvelope } from '../../src/domain/payload.ts';
import { sha256 } from '../../src/std/bytes.ts';
import { rootOfLeaves } from '../support/receipt-verifier.ts';

const corpus = { seed: 'bulk test', filers: 3, offices: 2, shape: 'usual' } as const;
const issuer = 'http://gateway.test';

function linesOf(form: BulkForm, lineBytes?: number): string[] {
  const body = uploadBody({ corpus, issuer, form, from: 1, to: 6, lineBytes });
  return body.toString().trimEnd().split('\n');
}

function payloadOf(line: string | undefined): string {
  const jws = JSON.parse(line ?? '') as string;
  return Buffer.from(jws.split('.')[1] ?? '', 'base64url').toString();
}

test('form B signs the root over the bytes of its lines', () => {
  const [first, ...lines] = linesOf('manifest');
  const leaves = lines.map((line) => sha256(Buffer.concat([Buffer.of(0), Buffer.from(line)])));
  expect(JSON.parse(payloadOf(first))).toEqual({ count: 5, root: rootOfLeaves(leaves).toString('base64url') });
  expect(lines).toEqual([1, 2, 3, 4, 5].map((number) => bulkPayload(corpus, number)));
});

test('form A signs each line', () => {
  expect(linesOf('jws').map(payloadOf)).toEqual([1, 2, 3, 4, 5].map((number) => bulkPayload(corpus, number)));
});

test('a filled line has its length, and says the same', () => {
  const [, ...lines] = linesOf('manifest', 2_000);
  for (const [i, line] of lines.entries()) {
    expect(Buffer.byteLength(line)).toBe(1_999);
    expect(JSON.parse(line)).toEqual(JSON.parse(bulkPayload(corpus, i + 1)));
  }
});

test('filings are different ones, each of an enterprise that has given the agent a mandate', () => {
  const payloads = Array.from({ length: 12 }, (_, number) => bulkPayload(corpus, number));
  expect(new Set(payloads).size).toBe(12);
  for (const payload of payloads) expect(checkEnvelope(JSON.parse(payload)).errors).toBeUndefined();
  const imported = [...bulkImportLines(corpus)].map((line) => JSON.parse(line) as Record<string, unknown>);
  const mandates = imported.filter(({ op }) => op === 'mandate');
  expect(mandates.map(({ agent }) => agent)).toEqual(Array(3).fill(bulkAgent(corpus).uscc));
  const filers = new Set(payloads.map((payload) => (JSON.parse(payload) as { filer: string }).filer));
  expect(new Set(mandates.map(({ filer }) => filer))).toEqual(filers);
});
