import { afterAll, beforeAll, expect, test } from 'vitest';
import { acknowledgeBatch } from '../../src/batches/acknowledge.ts';
import type { BatchContext } from '../../src/batches/context.ts';
import { type OpenBatch, openBatch } from '../../src/batches/open.ts';
import { releaseBatch } from '../../src/batches/release.ts';
import { openEntries } from '../../src/log/entries.ts';
import { checkpointAt, freshCheckpoint } from '../../src/log/tree.ts';
import { appendToTrail } from '../../src/trail/record.ts';
import { createOfficeLogs, type OfficeLogs } from '../log/office-log.ts';
import { counting } from '../support/statements.ts';

// A batch of a busy night is some forty entries: what it costs is statements and round trips, not entries.

const OFFICE = 'counted';
const NAME = { office: OFFICE, consumer: 'main' };

let logs: OfficeLogs;
let texts: string[];
let ctx: BatchContext & OfficeLogs['ctx'];

beforeAll(async () => {
  logs = await createOfficeLogs();
  const counted = counting(logs.database.db.sql);
  texts = counted.texts;
  const log = { ...logs.ctx, db: { ...logs.ctx.db, sql: counted.sql } };
  const checkpoints = {
    fresh: (office: string) => freshCheckpoint(log, office),
    at: (office: string, size: number) => checkpointAt(log, office, size),
  };
  ctx = { ...log, checkpoints, cosigners: async () => [] };
  await logs.addOffice(OFFICE);
  await logs.file(OFFICE, 300);
});
afterAll(() => logs.drop());

/** What `work` gives, and how many statements it sent, BEGIN and COMMIT among them. */
async function sent<T>(work: () => Promise<T>): Promise<{ readonly found: T; readonly statements: number }> {
  const before = texts.length;
  const found = await work();
  return { found, statements: texts.length - before };
}

const open = (max = 1_000) => openBatch(ctx, { ...NAME, max, leaseSeconds: 60 });

async function acknowledge(batch: OpenBatch | undefined): Promise<void> {
  if (batch === undefined) throw new Error('nothing to open');
  const { root } = await checkpointAt(logs.ctx, OFFICE, batch.to);
  await acknowledgeBatch(ctx, { ...NAME, id: batch.id, size: batch.to, root });
}

test('a batch of a log that grew is opened, read and acknowledged with few statements', async () => {
  await acknowledge(await open());
  await logs.file(OFFICE, 40);
  const opened = await sent(() => open());
  const batch = opened.found as OpenBatch;
  expect(batch).toMatchObject({ from: 300, to: 340 });
  const read = await sent(async () => {
    const { parts } = await openEntries(ctx, { office: OFFICE, from: 300, limit: 40 });
    for await (const part of parts) expect(part.length).toBeGreaterThan(0);
  });
  const acknowledged = await sent(() => acknowledge(batch));
  // Signing takes nine of these, leasing six.
  expect([opened.statements, read.statements, acknowledged.statements]).toEqual([15, 2, 7]);
});

test('a log that did not grow is asked for once', async () => {
  expect((await sent(() => freshCheckpoint(ctx, OFFICE))).statements).toBe(1);
  // And the consumer's lease is looked for, in vain.
  expect((await sent(() => open())).statements).toBe(5);
});

test('a batch that ends before the newest checkpoint has one of its own looked up', async () => {
  await logs.file(OFFICE, 40);
  await freshCheckpoint(logs.ctx, OFFICE);
  const { found, statements } = await sent(() => open(10));
  expect(found).toMatchObject({ from: 340, to: 350 });
  // Signed now, from a tile and the leaves beside it, and stored.
  expect(statements).toBe(1 + 6 + 5);
  expect((await sent(() => releaseBatch(ctx, { ...NAME, id: (found as OpenBatch).id }))).statements).toBe(5);
});

test('a row of the trail takes one transaction', async () => {
  const event = {
    role: 'office',
    party: OFFICE,
    action: 'readEntries',
    target: OFFICE,
    result: '200',
    request: 'r',
  } as const;
  const append = () => appendToTrail({ sql: ctx.db.sql, clock: ctx.clock }, [event]);
  await append();
  expect((await sent(append)).statements).toBe(6);
});
