import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { acknowledgeBatch } from '../../src/batches/acknowledge.ts';
import { listConsumers } from '../../src/batches/consumers.ts';
import type { BatchContext } from '../../src/batches/context.ts';
import { MAX_OPEN_LEASES, type OpenBatch, openBatch } from '../../src/batches/open.ts';
import { releaseBatch } from '../../src/batches/release.ts';
import { type BatchState, phaseOf, TRANSITIONS } from '../../src/batches/state.ts';
import { treeRoot } from '../../src/log/merkle.ts';
import { checkpointAt, freshCheckpoint } from '../../src/log/tree.ts';
import { sha256 } from '../../src/std/bytes.ts';
import { verifyCheckpointNote } from '../log/note-verifier.ts';
import { createOfficeLogs, ISSUER, type OfficeLogs } from '../log/office-log.ts';

let now = Date.parse('2026-11-15T00:00:00Z');
const clock = { now: () => now, monotonic: () => performance.now() };

let logs: OfficeLogs;
let ctx: BatchContext;
let offices = 0;

beforeAll(async () => {
  logs = await createOfficeLogs({ clock });
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

/** A new office with some filings, and the root of any prefix of its log. */
async function officeWith(filings: number): Promise<{ office: string; root(size: number): Promise<Buffer> }> {
  const office = `office-${offices++}`;
  await logs.addOffice(office);
  if (filings > 0) await logs.file(office, filings);
  return {
    office,
    root: async (size) => {
      const rows = await logs.database.db.sql<{ leaf: Buffer }[]>`
        SELECT leaf FROM filing WHERE office = ${office} AND idx < ${size} ORDER BY idx`;
      return Buffer.from(
        treeRoot(
          sha256,
          rows.map((row) => row.leaf),
        ),
      );
    },
  };
}

const open = (office: string, options: { consumer?: string; max?: number; leaseSeconds?: number } = {}) =>
  openBatch(ctx, { office, consumer: 'main', max: 10_000, leaseSeconds: 60, ...options });

const mustOpen = async (...args: Parameters<typeof open>): Promise<OpenBatch> => {
  const batch = await open(...args);
  if (batch === undefined) throw new Error('nothing to open');
  return batch;
};

describe('opening', () => {
  test('leases ranges one after another, then nothing more', async () => {
    const { office } = await officeWith(25);
    const ranges = [await open(office, { max: 10 }), await open(office, { max: 10 }), await open(office, { max: 10 })];
    expect(ranges.map((batch) => [batch?.from, batch?.to])).toEqual([
      [0, 10],
      [10, 20],
      [20, 25],
    ]);
    expect(await open(office)).toBeUndefined();
    await logs.file(office, 2);
    expect(await open(office)).toMatchObject({ from: 25, to: 27, expiresAt: now + 60_000 });
  });

  test('comes with a signed checkpoint of exactly the entries up to its end', async () => {
    const { office, root } = await officeWith(25);
    const { checkpoint } = await mustOpen(office, { max: 10 });
    const rawKey = Buffer.from(logs.publicKey.export({ format: 'jwk' }).x as string, 'base64url');
    const head = verifyCheckpointNote(Buffer.from(checkpoint), `${new URL(ISSUER).host}/offices/${office}`, rawKey);
    expect(head).toMatchObject({ size: 10n, root: await root(10) });
  });

  test('gives every consumer the whole log', async () => {
    const { office } = await officeWith(3);
    expect(await open(office, { consumer: 'a' })).toMatchObject({ from: 0, to: 3 });
    expect(await open(office, { consumer: 'b' })).toMatchObject({ from: 0, to: 3 });
  });

  test('hands an expired or returned range out again before anything new', async () => {
    const { office } = await officeWith(30);
    const first = await mustOpen(office, { max: 10, leaseSeconds: 5 });
    const second = await mustOpen(office, { max: 10, leaseSeconds: 600 });
    now += 5_000;
    expect(await mustOpen(office, { max: 4, leaseSeconds: 600 })).toMatchObject({ from: 0, to: 4 });
    expect(await mustOpen(office, { leaseSeconds: 600 })).toMatchObject({ from: 4, to: 10 });
    await releaseBatch(ctx, { office, consumer: 'main', id: second.id });
    expect(await mustOpen(office, { leaseSeconds: 600 })).toMatchObject({ from: 10, to: 30 });
    const { items } = await listConsumers(ctx, { office, after: '', limit: 10 });
    expect(items[0]?.leases.map(({ attempts }) => attempts)).toEqual([2, 1, 1]);
    await expect(releaseBatch(ctx, { office, consumer: 'main', id: first.id })).resolves.toBeUndefined();
  });

  test('keeps the number of open leases bounded', async () => {
    const { office } = await officeWith(MAX_OPEN_LEASES + 1);
    for (let i = 0; i < MAX_OPEN_LEASES; i++) await mustOpen(office, { max: 1 });
    await expect(open(office, { max: 1 })).rejects.toMatchObject({ code: 'conflict' });
  });

  test('never leases an entry twice, however many ask at once', async () => {
    const { office } = await officeWith(200);
    const batches = await Promise.all(Array.from({ length: 40 }, () => open(office, { max: 5 })));
    const indexes = batches.flatMap((batch) => Array.from({ length: 5 }, (_, i) => (batch?.from ?? -1) + i));
    expect(indexes.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 200 }, (_, i) => i));
  });
});

describe('acknowledging', () => {
  test('moves the cursor, and is idempotent', async () => {
    const { office, root } = await officeWith(10);
    const batch = await mustOpen(office, { max: 6 });
    const ack = { office, consumer: 'main', id: batch.id, size: 6, root: await root(6) };
    expect(await acknowledgeBatch(ctx, ack)).toEqual({ cursor: 6 });
    expect(await acknowledgeBatch(ctx, ack)).toEqual({ cursor: 6 });
    const { items } = await listConsumers(ctx, { office, after: '', limit: 10 });
    expect(items).toEqual([{ name: 'main', cursor: 6, lag: 4, ackedAt: now, leases: [] }]);
    expect(await open(office)).toMatchObject({ from: 6, to: 10 });
  });

  test('covers everything below: earlier leases are closed with it', async () => {
    const { office, root } = await officeWith(30);
    const [first, second, third] = [
      await mustOpen(office, { max: 10 }),
      await mustOpen(office, { max: 10 }),
      await mustOpen(office),
    ];
    const later = { office, consumer: 'main', id: second.id, size: 20, root: await root(20) };
    expect(await acknowledgeBatch(ctx, later)).toEqual({ cursor: 20 });
    const { items } = await listConsumers(ctx, { office, after: '', limit: 10 });
    expect(items[0]?.leases.map(({ id }) => id)).toEqual([third.id]);
    const earlier = { office, consumer: 'main', id: first.id, size: 10, root: await root(10) };
    expect(await acknowledgeBatch(ctx, earlier)).toEqual({ cursor: 20 });
  });

  test("with a root that is not the log's changes nothing", async () => {
    const { office, root } = await officeWith(10);
    const batch = await mustOpen(office);
    const wrong = { office, consumer: 'main', id: batch.id, size: 10, root: await root(9) };
    await expect(acknowledgeBatch(ctx, wrong)).rejects.toMatchObject({ code: 'root-mismatch' });
    await expect(acknowledgeBatch(ctx, { ...wrong, root: Buffer.alloc(0) })).rejects.toMatchObject({
      code: 'root-mismatch',
    });
    const { items } = await listConsumers(ctx, { office, after: '', limit: 10 });
    expect(items[0]).toMatchObject({ cursor: 0, leases: [{ id: batch.id }] });
  });

  test('with another size is told the right one', async () => {
    const { office, root } = await officeWith(10);
    const { id } = await mustOpen(office, { max: 4 });
    const ack = { office, consumer: 'main', id, size: 10, root: await root(10) };
    await expect(acknowledgeBatch(ctx, ack)).rejects.toMatchObject({
      code: 'stale',
      details: { members: { size: 4 } },
    });
  });

  test('after the lease ran out counts until the range is handed on', async () => {
    const { office, root } = await officeWith(10);
    const slow = await mustOpen(office, { leaseSeconds: 1 });
    now += 60_000;
    const ack = { office, consumer: 'main', id: slow.id, size: 10, root: await root(10) };
    const other = await mustOpen(office, { max: 3 });
    await expect(acknowledgeBatch(ctx, ack)).rejects.toMatchObject({
      code: 'stale',
      details: { members: { size: 0 } },
    });
    await acknowledgeBatch(ctx, { ...ack, id: other.id, size: 3, root: await root(3) });
    await expect(acknowledgeBatch(ctx, ack)).rejects.toMatchObject({
      code: 'stale',
      details: { members: { size: 3 } },
    });
    const late = await mustOpen(office, { leaseSeconds: 1 });
    now += 60_000;
    expect(await acknowledgeBatch(ctx, { ...ack, id: late.id })).toEqual({ cursor: 10 });
  });

  test('is unknown for another consumer and for what was never opened', async () => {
    const { office, root } = await officeWith(2);
    const { id } = await mustOpen(office);
    const ack = { office, consumer: 'other', id, size: 2, root: await root(2) };
    await expect(acknowledgeBatch(ctx, ack)).rejects.toMatchObject({ code: 'not-found' });
    await expect(releaseBatch(ctx, ack)).rejects.toMatchObject({ code: 'not-found' });
  });

  test('cannot be taken back', async () => {
    const { office, root } = await officeWith(2);
    const { id } = await mustOpen(office);
    await acknowledgeBatch(ctx, { office, consumer: 'main', id, size: 2, root: await root(2) });
    await expect(releaseBatch(ctx, { office, consumer: 'main', id })).rejects.toMatchObject({ code: 'stale' });
  });
});

describe('any sequence of requests', () => {
  const steps = fc.array(
    fc.oneof(
      fc.record({
        step: fc.constant('open' as const),
        max: fc.integer({ min: 1, max: 9 }),
        lease: fc.integer({ min: 1, max: 9 }),
      }),
      fc.record({ step: fc.constant('acknowledge' as const), which: fc.nat(), isRight: fc.boolean() }),
      fc.record({ step: fc.constant('release' as const), which: fc.nat() }),
      fc.record({ step: fc.constant('wait' as const), seconds: fc.integer({ min: 1, max: 6 }) }),
      fc.record({ step: fc.constant('file' as const), count: fc.integer({ min: 1, max: 6 }) }),
    ),
    { minLength: 5, maxLength: 25 },
  );

  test('follows the table, leases nothing twice, and never moves the cursor back', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (sequence) => {
        const { office, root } = await officeWith(8);
        const opened: OpenBatch[] = [];
        let cursor = 0;
        const state = async (id: string): Promise<BatchState> => {
          const rows = await logs.database.db.sql<{ state: BatchState }[]>`SELECT state FROM batch WHERE id = ${id}`;
          return rows[0]?.state as BatchState;
        };
        for (const request of sequence) {
          if (request.step === 'wait') now += request.seconds * 1_000;
          if (request.step === 'file') await logs.file(office, request.count);
          if (request.step === 'open') {
            const batch = await open(office, { max: request.max, leaseSeconds: request.lease });
            if (batch !== undefined) {
              expect(batch.from).toBeGreaterThanOrEqual(cursor);
              for (const other of opened) {
                const isLive = phaseOf({ state: await state(other.id), expiresAt: other.expiresAt }, now) === 'leased';
                if (isLive) expect(other.to <= batch.from || other.from >= batch.to).toBe(true);
              }
              opened.push(batch);
            }
          }
          const batch = 'which' in request ? opened[request.which % opened.length] : undefined;
          if (batch === undefined) continue;
          const key = { office, consumer: 'main', id: batch.id };
          const before = phaseOf({ state: await state(batch.id), expiresAt: batch.expiresAt }, now);
          if (request.step === 'release') {
            const next = TRANSITIONS[before].release;
            const answer = await releaseBatch(ctx, key).then(
              () => 'done',
              (error: { code: string }) => error.code,
            );
            expect(answer).toBe(next === 'stale' ? 'stale' : 'done');
            expect(await state(batch.id)).toBe(next === 'stale' ? 'acknowledged' : next);
          }
          if (request.step === 'acknowledge') {
            const next = TRANSITIONS[before].acknowledge;
            const proof = request.isRight ? await root(batch.to) : sha256('wrong');
            const answer = await acknowledgeBatch(ctx, { ...key, size: batch.to, root: proof }).then(
              (acknowledged) => acknowledged.cursor,
              (error: { code: string }) => error.code,
            );
            if (next === 'stale') expect(answer).toBe('stale');
            else if (!request.isRight) expect(answer).toBe('root-mismatch');
            else {
              expect(await state(batch.id)).toBe(next);
              cursor = Math.max(cursor, batch.to);
              expect(answer).toBe(cursor);
            }
          }
        }
        const { items } = await listConsumers(ctx, { office, after: '', limit: 10 });
        if (opened.length > 0) expect(items[0]?.cursor).toBe(cursor);
      }),
      { numRuns: 25 },
    );
  });
});
