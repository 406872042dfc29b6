import { afterAll, beforeAll, expect, test } from 'vitest';
import { acknowledgeBatch } from '../../src/batches/acknowledge.ts';
import type { BatchContext } from '../../src/batches/context.ts';
import { openBatch } from '../../src/batches/open.ts';
import type { CheckedFiling } from '../../src/ingest/commit.ts';
import { type Heads, headsSince } from '../../src/log/heads.ts';
import { treeRoot } from '../../src/log/merkle.ts';
import { checkpointAt, freshCheckpoint } from '../../src/log/tree.ts';
import { sha256 } from '../../src/std/bytes.ts';
import { createOfficeLogs, type OfficeLogs } from './office-log.ts';

let logs: OfficeLogs;
let ctx: BatchContext;

beforeAll(async () => {
  logs = await createOfficeLogs();
  ctx = {
    ...logs.ctx,
    checkpoints: {
      fresh: (office) => freshCheckpoint(logs.ctx, office),
      at: (office, size) => checkpointAt(logs.ctx, office, size),
    },
    cosigners: async () => [],
  };
});
afterAll(() => logs.drop());

const heads = (agency: 'emg' | 'city', since = '0', waitMs = 0): Promise<Heads> =>
  headsSince(logs.ctx, { agency, since, waitMs, signal: new AbortController().signal });

const urgentAt =
  (...indexes: number[]) =>
  (filing: CheckedFiling, i: number): CheckedFiling => ({ ...filing, urgent: indexes.includes(i) });

/** Leases up to `max` entries and acknowledges them. */
async function acknowledge(office: string, consumer: string, max: number): Promise<void> {
  const batch = await openBatch(ctx, { office, consumer, max, leaseSeconds: 600 });
  if (batch === undefined) throw new Error('nothing to open');
  const rows = await logs.database.db.sql<{ leaf: Buffer }[]>`
    SELECT leaf FROM filing WHERE office = ${office} AND idx < ${batch.to} ORDER BY idx`;
  const root = treeRoot(
    sha256,
    rows.map(({ leaf }) => leaf),
  );
  await acknowledgeBatch(ctx, { office, consumer, id: batch.id, size: batch.to, root: Buffer.from(root) });
}

test('urgent filings put their office first until one of its consumers has acknowledged them', async () => {
  for (const office of ['emg-a', 'emg-b', 'emg-c', 'emg-d']) await logs.addOffice(office, 'emg');
  await logs.file('emg-a', 20);
  await logs.file('emg-b', 20);
  await logs.file('emg-d', 20, urgentAt(3, 12));
  await logs.file('emg-c', 20, urgentAt(19));
  const rest = [
    { office: 'emg-a', size: 20 },
    { office: 'emg-b', size: 20 },
  ];
  const c = { office: 'emg-c', size: 20, urgent: ['emg-c.19'] };
  const d = { office: 'emg-d', size: 20, urgent: ['emg-d.3', 'emg-d.12'] };
  expect((await heads('emg')).items).toEqual([c, d, ...rest]);

  // Leased is not acknowledged.
  await openBatch(ctx, { office: 'emg-d', consumer: 'slow', max: 20, leaseSeconds: 600 });
  await acknowledge('emg-d', 'main', 3);
  expect((await heads('emg')).items).toEqual([c, d, ...rest]);

  await acknowledge('emg-d', 'main', 1);
  expect((await heads('emg')).items).toEqual([c, { ...d, urgent: ['emg-d.12'] }, ...rest]);

  // The consumer that is furthest counts, and other offices' consumers do not.
  await acknowledge('emg-d', 'other', 13);
  await acknowledge('emg-a', 'main', 20);
  expect((await heads('emg')).items).toEqual([c, ...rest, { office: 'emg-d', size: 20 }]);
});

test('at most a hundred are told, the oldest', async () => {
  await logs.addOffice('city-a', 'city');
  await logs.file('city-a', 130, (filing) => ({ ...filing, urgent: true }));
  const [head] = (await heads('city')).items;
  expect(head).toEqual({
    office: 'city-a',
    size: 130,
    urgent: Array.from({ length: 100 }, (_, i) => `city-a.${i}`),
  });
  await acknowledge('city-a', 'main', 120);
  const urgent = (await heads('city')).items[0]?.urgent;
  expect([urgent?.length, urgent?.[0], urgent?.[9]]).toEqual([10, 'city-a.120', 'city-a.129']);
});

test('who waits is told of an urgent filing as of any other', async () => {
  await logs.addOffice('city-b', 'city');
  let { items, next } = await heads('city');
  // Transactions of other databases on the server may hold a cursor back.
  await expect
    .poll(
      async () => {
        ({ items, next } = await heads('city', next));
        return items;
      },
      { timeout: 20_000 },
    )
    .toEqual([]);
  const waiting = heads('city', next, 25_000);
  await logs.file('city-b', 2, urgentAt(1));
  expect((await waiting).items).toEqual([{ office: 'city-b', size: 2, urgent: ['city-b.1'] }]);
});
