import { afterAll, beforeAll, expect, test } from 'vitest';
import { originals, type Wanted } from '../../src/ingest/originals.ts';
import { getFiling } from '../../src/ingest/read.ts';
import type { FilingView } from '../../src/ingest/view.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { lodging, type Payload, type SigningParty } from '../support/filer.ts';
import { FILER } from '../support/identity.ts';
import { file, type TestIngest, testIngest } from '../support/ingest.ts';
import { counting } from '../support/statements.ts';

let database: TestDatabase;
let ingest: TestIngest;
let filer: SigningParty;
beforeAll(async () => {
  database = await createTestDatabase();
  ingest = await testIngest(database, { 'psb-a': 'psb', 'psb-b': 'psb' });
  filer = ingest.directory.addParty(FILER, [{ office: 'psb-a' }, { office: 'psb-b', to: '2021-01-01' }]);
});
afterAll(() => database.drop());

async function stored(payload: Payload): Promise<FilingView> {
  const { kind, filing } = await file(ingest, filer, payload);
  expect(kind).toBe('stored');
  return filing;
}

/** A gateway whose lookups of originals are counted. */
function watched() {
  const { sql, texts } = counting(database.db.sql);
  const { lanes } = database;
  const found = originals({ db: { ...database.db, sql }, lanes, env: 'sandbox', clock: ingest.clock });
  return { ingest: { ...ingest, ctx: { ...ingest.ctx, originals: found } }, found, texts };
}

test('a flood of replays costs three statements for many of them, and each gets its own original', async () => {
  const payloads = Array.from({ length: 40 }, () => lodging({ filer: FILER }));
  const first = await Promise.all(payloads.map((payload) => stored(payload)));
  const { ingest: counted, texts } = watched();
  const again = await Promise.all(
    [...payloads, ...payloads, ...payloads].map((payload) => file(counted, filer, payload)),
  );
  expect(again.map(({ kind }) => kind)).toEqual(again.map(() => 'replayed'));
  expect(again.map(({ filing }) => JSON.stringify(filing))).toEqual(
    [...first, ...first, ...first].map((filing) => JSON.stringify(filing)),
  );
  // One lookup for the first that was found, one or two for those that came meanwhile.
  expect(texts.filter((text) => text.startsWith('SELECT')).length).toBeLessThanOrEqual(4 * 3);
});

test('the status is that of now', async () => {
  const payload = lodging({ filer: FILER });
  const original = await stored(payload);
  const correction = { ...payload, kind: 'correction', supersedes: original.id };
  const corrected = await stored(correction);
  const other = lodging({ filer: FILER });
  const standing = await stored(other);
  const { ingest: counted } = watched();
  const again = await Promise.all([payload, correction, other].map((each) => file(counted, filer, each)));
  expect(again.map(({ filing }) => [filing.id, filing.status])).toEqual([
    [original.id, 'superseded'],
    [corrected.id, 'accepted'],
    [standing.id, 'accepted'],
  ]);
  const reader = { role: 'filer', party: FILER } as const;
  const signer = { publicKey: ingest.commit.signer.publicKey, signCompact: () => '' };
  const read = await getFiling({ ...ingest.ctx, clock: ingest.clock, signer }, reader, original.id);
  expect(again[0]?.filing.status).toBe(read.status);
});

test('what is not there is told for itself, and fails no other', async () => {
  const { id, office, index } = await stored(lodging({ filer: FILER }));
  const { lane } = (
    await database.db.sql<{ lane: number }[]>`SELECT lane FROM office_head WHERE office = ${office}`
  )[0] ?? {
    lane: -1,
  };
  const there: Wanted = { lane, office, index, offices: [office] };
  const { found } = watched();
  const [missing, original] = await Promise.all([
    found.submit({ ...there, index: 999_999 }, 0),
    found.submit(there, 0),
  ]);
  expect([missing, original?.view().id]).toEqual([undefined, id]);
});
