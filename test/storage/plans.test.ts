import { randomBytes, randomUUID } from 'node:crypto';
import type { TransactionSql } from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { endingAt } from '../../src/storage/batches.ts';
import { readDeliveries } from '../../src/storage/cosignatures.ts';
import { copyEntries, readUrgent } from '../../src/storage/feed.ts';
import { listFilings, loadFiling, loadFilings, loadTicks } from '../../src/storage/filing-lookup.ts';
import { findByKeys, findManifests } from '../../src/storage/filings.ts';
import { readComparable } from '../../src/storage/findings.ts';
import { readLeaves } from '../../src/storage/log.ts';
import { findKeyed } from '../../src/storage/obligations.ts';
import { listStanding, readContents } from '../../src/storage/standing.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

// Plans are kept from when the tables were empty and PostgreSQL knew nothing of them: they must be right even then.

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

const INDEXES = ['filing_key', 'filing_pk', 'filing_urgent'];

/** How often each index, by default of `filing`, is scanned by what `work` does. */
function scans(work: (tx: TransactionSql) => Promise<unknown>, indexes = INDEXES): Promise<unknown> {
  return database.db.sql.begin(async (tx) => {
    await tx`SET LOCAL plan_cache_mode = force_generic_plan`;
    const count = async (index: string): Promise<number> => {
      const [row] = await tx`SELECT pg_stat_get_xact_numscans(${index}::text::regclass)::int AS n`;
      return row?.n as number;
    };
    const before = await Promise.all(indexes.map(count));
    // What is not there may be said with a broken invariant: how it was looked for is what counts.
    await work(tx).catch((error: Error) => expect(error.message).toContain('no gaps'));
    const after = await Promise.all(indexes.map(count));
    return Object.fromEntries(
      indexes.flatMap((index, i) => (after[i] === before[i] ? [] : [[index, (after[i] ?? 0) - (before[i] ?? 0)]])),
    );
  });
}

test('filings are looked up by their keys in the index of keys', async () => {
  const keys = [1, 2, 3].map((lane) => ({ lane, key: randomBytes(40) }));
  expect(await scans((tx) => findByKeys(tx, keys))).toEqual({ filing_key: 3 });
  expect(await scans((tx) => findKeyed(tx as never, keys))).toEqual({ filing_key: 3 });
});

test('manifests are looked up through their primary key', async () => {
  const manifests = [1, 2, 3].map((lane) => ({ lane, id: randomUUID() }));
  expect(await scans((tx) => findManifests(tx, manifests), ['manifest_pk'])).toEqual({ manifest_pk: 3 });
});

test('ticks are looked up through their primary key', async () => {
  const places = [1, 2, 3].map((lane) => ({ lane, id: randomUUID() }));
  expect(await scans((tx) => loadTicks(tx as never, places), ['tick_pk'])).toEqual({ tick_pk: 3 });
});

test('filings are read by their places through the primary key', async () => {
  const log = { lane: 1, office: '13501000000' };
  const inPrimaryKey = { filing_pk: 1 };
  expect(await scans((tx) => loadFiling(tx as never, log.lane, log.office, 7))).toEqual(inPrimaryKey);
  const places = [1, 2].map((index) => ({ ...log, index }));
  expect(await scans((tx) => loadFilings(tx as never, places))).toEqual({ filing_pk: 2 });
  expect(await scans((tx) => readLeaves(tx as never, log, 0, 256))).toEqual(inPrimaryKey);
  expect(await scans((tx) => copyEntries(tx, log, { from: 0, to: 100, contentBytes: 1_000 }, () => {}))).toEqual(
    inPrimaryKey,
  );
});

test('a filer’s filings are listed through the index of keys, lane by lane', async () => {
  const filter = {
    lanes: [1, 2],
    tag: randomBytes(6),
    filer: '91350100M000100Y43',
    fromMonth: 24_320,
    toMonth: 24_321,
    limit: 10,
  };
  expect(await scans((tx) => listFilings(tx as never, filter))).toEqual({ filing_key: 4 });
});

test('urgent filings are looked up in the index that holds no others', async () => {
  const heads = [1, 2, 3].map((lane) => ({ lane, office: `office-${lane}`, size: 1_000_000 }));
  expect(await scans((tx) => readUrgent(tx as never, heads, 100))).toEqual({ filing_urgent: 3 });
});

test('what stands of a filer is looked for through the index of keys, lane by lane and month by month', async () => {
  const filter = {
    lanes: [1, 2],
    tag: randomBytes(6),
    filer: '91350100M000100Y43',
    type: 'tax.vat.general',
    fromMonth: 24_320,
    toMonth: 24_321,
    from: '2026-09-01',
    to: '2026-10-31',
    reference: undefined,
    limit: 64,
  };
  const reaches = ['inside', 'overlapping', 'exactly'] as const;
  for (const reach of reaches)
    expect(await scans((tx) => listStanding(tx, [{ ...filter, reach }]))).toEqual({ filing_key: 4 });
  const others = { ...filter, lanes: [3], fromMonth: 24_310, reference: 'R-1' };
  const many = reaches.flatMap((reach) => [
    { ...filter, reach },
    { ...others, reach },
  ]);
  expect(await scans((tx) => listStanding(tx, many))).toEqual({ filing_key: 3 * (4 + 12) });
});

test('what is compared is read through the primary key', async () => {
  const log = { lane: 1, office: '13501000000' };
  const places = [1, 2].map((index) => ({ ...log, index }));
  expect(await scans((tx) => readContents(tx, places))).toEqual({ filing_pk: 2 });
  const range = { from: 0, to: 4_096, types: ['tax.vat.general'], limit: 32 };
  expect(await scans((tx) => readComparable(tx, log, range))).toEqual({ filing_pk: 1 });
});

test('what is delivered is told by walks of primary keys', async () => {
  const { sql } = database.db;
  const [lane, office] = [1, 'delivered'];
  const id = endingAt(10, randomBytes(10));
  await sql`INSERT INTO consumer (lane, office, name, cursor, leased, acked_at) VALUES (${lane}, ${office}, 'a', 10, 10, now())`;
  await sql`
    INSERT INTO batch (lane, office, consumer, id, from_index, to_index, state, attempts, expires_at)
    VALUES (${lane}, ${office}, 'a', ${id}, 0, 10, 'acknowledged', 1, now())`;
  const filings = [3, 7, 12].map((index) => ({ lane, office, index }));
  const indexes = ['consumer_pk', 'batch_pk', 'batch_open', 'cosignature_pk', 'checkpoint_pk'];
  // One of each for a filing; the one beyond the cursor goes no further than the consumers.
  expect(await scans((tx) => readDeliveries(tx as never, filings), indexes)).toEqual({
    consumer_pk: 3,
    batch_pk: 2,
    cosignature_pk: 2,
    checkpoint_pk: 2,
  });
});

test('what is delivered is told without reading all that was ever acknowledged, also when PostgreSQL knows how much that is', async () => {
  const { sql } = database.db;
  const [lane, office, count] = [1, 'busy', 3_000];
  const ids = Array.from({ length: count }, (_, i) => endingAt((i + 1) * 10, randomBytes(10)));
  await sql`
    INSERT INTO consumer (lane, office, name, cursor, leased, acked_at)
    SELECT ${lane}, ${office}, 'c' || i, ${count * 10}, ${count * 10}, now() + interval '1 day' FROM generate_series(1, 3) AS i`;
  await sql`
    INSERT INTO batch (lane, office, consumer, id, from_index, to_index, state, attempts, expires_at)
    SELECT ${lane}, ${office}, 'c1', id, (n - 1) * 10, n * 10, 'acknowledged', 1, now()
    FROM unnest(${ids}::uuid[]) WITH ORDINALITY AS t (id, n)`;
  await sql`
    INSERT INTO checkpoint (lane, office, size, root, note, signed_at)
    SELECT ${lane}, ${office}, i * 10, ''::bytea, '', now() FROM generate_series(1, ${count}) AS i`;
  await sql`
    INSERT INTO cosignature (lane, office, size, kid, line, cosigned_at)
    SELECT ${lane}, ${office}, i * 10, 'kid', '', now() FROM generate_series(1, ${count}) AS i`;
  await sql`ANALYZE consumer, batch, checkpoint, cosignature`;
  const filings = Array.from({ length: 20 }, (_, i) => ({ lane, office, index: i * 1_000 + 3 }));
  const read = await sql.begin(async (tx) => {
    const rows = await readDeliveries(tx as never, filings);
    expect(rows.map(({ index, size }) => size - index)).toEqual(filings.map(() => 7));
    const [counted] = await tx`
      SELECT sum(pg_stat_get_xact_tuples_returned(oid))::int AS n FROM pg_class
      WHERE relname = ANY(${['batch', 'batch_pk', 'checkpoint', 'checkpoint_pk', 'cosignature', 'cosignature_pk']})`;
    return counted?.n as number;
  });
  expect(read).toBeGreaterThan(0);
  expect(read).toBeLessThanOrEqual(filings.length * 10);
});
