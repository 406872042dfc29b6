import { describe, expect, test } from 'vitest';
import { openApiText } from '../../src/http/openapi-build.ts';

// What of the contract is recorded, said once more and by name: a new operation has to be put into one of these lists, with
// a thought about what it does and what it hands out.

/** Changes what the gateway does, or whom it lets in. */
const ADMINISTRATION = [
  'putOffice',
  'putParty',
  'addKey',
  'revokeKey',
  'rotateKey',
  'putRegistrations',
  'putMandate',
  'giveMandate',
  'importIdentity',
  'putCalendarYear',
  'deleteCalendarYear',
  'putDeadline',
  'deleteDeadline',
  'putFigures',
  'reloadFilingTypes',
];

/** Hands out what was filed, whole or in figures, or what others have done. */
const CONTENT = [
  'getContent',
  'readEntries',
  'getPrefill',
  // Amounts as filed, of what was filed late.
  'listObligations',
  'listTrail',
  'exportTrail',
];

/** Stands in the office's log itself, which is a record. */
const FILING = ['submitFiling', 'submitBulk', 'validateFiling'];

/** Whether and where something was filed, with its warnings; ids, digests, proofs. Not what was filed. */
const FILED = ['getFiling', 'findFilings', 'getReceipt', 'getProof'];

/** Hashes, sizes and leases. A batch names a range; its entries are read by `readEntries`. */
const LOGS = [
  'listHeads',
  'getCheckpoint',
  'getConsistency',
  'getTile',
  'openBatch',
  'acknowledgeBatch',
  'releaseBatch',
  'listConsumers',
  'getNationalCheckpoint',
  'getNationalConsistency',
  'readNationalEntries',
  'getNationalTile',
  'getNationalProof',
];

/** The register: public keys, names of enterprises and offices, mandates; and what everybody may know. */
const REGISTER = ['getOffice', 'getParty', 'listKeys', 'getKey', 'getRegistrations', 'getMandate'];
const OPEN = [
  'listFilingTypes',
  'getFilingType',
  'getFilingTypeSchema',
  'getFilingTypeRules',
  'getFilingTypeExample',
  'listCalendarYears',
  'getCalendarYear',
  'listDeadlines',
  'getDeadline',
  'getFigures',
  'issueToken',
  'getJwks',
  'getOAuthMetadata',
  'getHealth',
  'getReadiness',
  'getMetrics',
  'getOpenApi',
  'listProblems',
  'getLimits',
  'getFrontPage',
  'getDocs',
  'getAsset',
];

interface Operation {
  readonly operationId: string;
  readonly 'x-access': 'public' | readonly string[];
  readonly 'x-recorded'?: string;
}

const paths = (JSON.parse(openApiText()) as { paths: Record<string, Record<string, Operation>> }).paths;
const operations = Object.values(paths).flatMap((methods) =>
  Object.entries(methods).map(([method, operation]) => ({ method, ...operation })),
);
const recordedAs = (kind: string | undefined): string[] =>
  operations.filter((each) => each['x-recorded'] === kind).map(({ operationId }) => operationId);

describe('every operation is in exactly one class', () => {
  test('administration', () => expect(recordedAs('administration').sort()).toEqual([...ADMINISTRATION].sort()));
  test('content', () => expect(recordedAs('content').sort()).toEqual([...CONTENT].sort()));
  test('neither', () => {
    const others = [...FILING, ...FILED, ...LOGS, ...REGISTER, ...OPEN];
    expect(recordedAs(undefined).sort()).toEqual(others.sort());
    expect(new Set([...others, ...ADMINISTRATION, ...CONTENT]).size).toBe(operations.length);
  });
});

test('whatever an operator may write is administration', () => {
  const writes = operations.filter(
    ({ method, 'x-access': access }) => method !== 'get' && access !== 'public' && access.includes('operator'),
  );
  expect(writes.length).toBeGreaterThan(10);
  expect(writes.filter((each) => each['x-recorded'] !== 'administration')).toEqual([]);
});
