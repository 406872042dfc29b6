import { verify } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { acknowledgeBatch } from '../../src/batches/acknowledge.ts';
import type { BatchContext } from '../../src/batches/context.ts';
import type { OfficeKey } from '../../src/batches/cosign.ts';
import { type OpenBatch, openBatch } from '../../src/batches/open.ts';
import { releaseBatch } from '../../src/batches/release.ts';
import { laneOf } from '../../src/domain/filing.ts';
import { checkpointAt, freshCheckpoint } from '../../src/log/tree.ts';
import { GatewayError } from '../../src/std/errors.ts';
import { generateKeyPair } from '../../src/std/key-pair.ts';
import { endingAt, endsBeyond } from '../../src/storage/batches.ts';
import { readDeliveries } from '../../src/storage/cosignatures.ts';
import { type CosigningOptions, cosignatureLine, type KeyPair } from '../log/cosigner.ts';
import { createOfficeLogs, type OfficeLogs } from '../log/office-log.ts';

let now = Date.parse('2026-11-15T00:00:00Z');
const clock = { now: () => now, monotonic: () => performance.now() };

let logs: OfficeLogs;
let ctx: BatchContext;
let offices = 0;
const registered = new Map<string, OfficeKey[]>();

beforeAll(async () => {
  logs = await createOfficeLogs({ clock });
  ctx = {
    ...logs.ctx,
    checkpoints: {
      fresh: (office) => freshCheckpoint(logs.ctx, office),
      at: (office, size) => checkpointAt(logs.ctx, office, size),
    },
    cosigners: async (office) => registered.get(office) ?? [],
  };
});
afterAll(() => logs.drop());

function newKey(dates: Partial<OfficeKey> = {}): KeyPair & { readonly office: OfficeKey } {
  const { privateKey, publicKey } = generateKeyPair('Ed25519');
  const x = publicKey.export({ format: 'jwk' }).x as string;
  const office: OfficeKey = {
    kid: `kid-${x}`,
    publicKey: Buffer.from(x, 'base64url'),
    verify: (data, signature) => verify(null, data, publicKey, signature),
    ...dates,
  };
  return { privateKey, x, office };
}

/** A new office with some filings and a key in force. */
async function officeWith(filings: number, key = newKey()) {
  const office = `cosigning-${offices++}`;
  await logs.addOffice(office);
  await logs.file(office, filings);
  registered.set(office, [key.office]);
  return { office, key };
}

async function open(office: string, options: { max?: number; consumer?: string } = {}): Promise<OpenBatch> {
  const batch = await openBatch(ctx, { office, consumer: 'main', max: 10_000, leaseSeconds: 60, ...options });
  if (batch === undefined) throw new Error('nothing to open');
  return batch;
}

const seconds = (): number => Math.floor(now / 1000);
const cosign = (batch: OpenBatch, key: KeyPair, options: CosigningOptions = {}): string =>
  cosignatureLine(batch.checkpoint, key, { time: seconds(), ...options });

const acknowledge = (office: string, batch: OpenBatch, cosignature?: string, consumer = 'main') =>
  acknowledgeBatch(ctx, {
    office,
    consumer,
    id: batch.id,
    size: batch.to,
    root: Buffer.from(batch.checkpoint.split('\n')[2] ?? '', 'base64'),
    cosignature,
  });

const stored = (office: string) =>
  logs.database.db.sql<{ size: number; kid: string; line: string; at: string }[]>`
    SELECT size, kid, line, extract(epoch FROM cosigned_at)::int AS at FROM cosignature WHERE office = ${office}
    ORDER BY size, kid`;

const deliveries = async (office: string, indexes: readonly number[]) => {
  const lane = laneOf(office, logs.database.lanes);
  const rows = await readDeliveries(
    logs.database.db.sql,
    indexes.map((index) => ({ lane, office, index })),
  );
  return rows.toSorted((a, b) => a.index - b.index);
};

async function refusalOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof GatewayError)) throw new Error('was not refused');
  expect(error.code).toBe('invalid-resource');
  expect(error.details.errors).toHaveLength(1);
  const { pointer, message } = error.details.errors?.[0] ?? {};
  expect(pointer).toBe('/cosignature');
  expect(message?.zh).toMatch(/[\u4e00-\u9fff]/);
  return message?.en ?? '';
}

describe('a cosignature', () => {
  test('is stored with the acknowledgement, once, whatever is repeated', async () => {
    const { office, key } = await officeWith(5);
    const batch = await open(office);
    const line = cosign(batch, key);
    for (const _ of ['first', 'again']) expect(await acknowledge(office, batch, line)).toEqual({ cursor: 5 });
    const row = { size: 5, kid: key.office.kid, line, at: seconds() };
    expect(await stored(office)).toEqual([row]);
    now += 1_000;
    // Another one by the same key says nothing new.
    await acknowledge(office, batch, cosign(batch, key));
    expect(await stored(office)).toEqual([row]);
    // What is there already needs no key any more.
    registered.set(office, []);
    expect(await acknowledge(office, batch, line)).toEqual({ cursor: 5 });
  });

  test('can be added by acknowledging again, and by a second key', async () => {
    const { office, key } = await officeWith(4);
    const batch = await open(office);
    await acknowledge(office, batch);
    expect(await stored(office)).toEqual([]);
    now += 3_600_000;
    const second = newKey();
    registered.set(office, [key.office, second.office]);
    await acknowledge(office, batch, cosign(batch, key));
    await acknowledge(office, batch, cosign(batch, second));
    expect((await stored(office)).map(({ kid }) => kid)).toEqual([key.office.kid, second.office.kid].sort());
  });

  test('that does not hold is refused with the reason, and nothing is acknowledged', async () => {
    const { office, key } = await officeWith(6);
    const other = await officeWith(6);
    const batch = await open(office);
    const theirs = await open(other.office);
    const refused = (line: string) => refusalOf(acknowledge(office, batch, line));
    expect(await refused(cosign(batch, newKey()))).toMatch(/key id is that of no Ed25519 key/);
    expect(await refused(cosign(theirs, other.key))).toMatch(/name of the cosignature must be/);
    expect(await refused(cosign(batch, other.key))).toMatch(/key id/);
    expect(await refused(cosign(batch, key, { name: batch.checkpoint.split('\n')[0] ?? '' }))).toMatch(/name/);
    expect(await refused(cosign(batch, key, { type: 1 }))).toMatch(/key id/);
    const otherSize = { ...batch, checkpoint: batch.checkpoint.replace('\n6\n', '\n5\n') };
    expect(await refused(cosign(otherSize, key))).toMatch(/does not verify over the gateway's checkpoint of 6 entries/);
    const otherTime = cosign(batch, key, { change: (text) => text.replace('\n', ' \n') });
    expect(await refused(otherTime)).toMatch(/does not verify/);
    expect(await refused('— not a cosignature')).toMatch(/not a signature line/);
    expect(await deliveries(office, [0])).toEqual([]);
    expect(await stored(office)).toEqual([]);
    // A wrong root is told first: the office's log is not ours, whatever it has signed.
    const wrong = { office, consumer: 'main', id: batch.id, size: 6, root: Buffer.alloc(32), cosignature: 'x' };
    await expect(acknowledgeBatch(ctx, wrong)).rejects.toMatchObject({ code: 'root-mismatch' });
  });

  test('has a time between the signing of the checkpoint and now, by clocks that differ by five minutes at most', async () => {
    const { office, key } = await officeWith(3);
    const batch = await open(office);
    const signedAt = seconds();
    now += 3_600_000;
    const at = (time: number) => acknowledge(office, batch, cosign(batch, key, { time }));
    expect(await refusalOf(at(seconds() + 301))).toMatch(/more than 5 minutes ahead/);
    expect(await refusalOf(at(signedAt - 301))).toMatch(/before the checkpoint was signed/);
    expect(await refusalOf(at(0))).toMatch(/before/);
    expect(await at(signedAt - 300)).toEqual({ cursor: 3 });
    const late = await officeWith(3);
    const last = await open(late.office);
    expect(await acknowledge(late.office, last, cosign(last, late.key, { time: seconds() + 300 }))).toEqual({
      cursor: 3,
    });
  });

  test('is by a key in force: not revoked, not expired, not of later', async () => {
    const dates = [{ revokedAt: now - 1 }, { notAfter: now }, { notBefore: now + 1 }];
    for (const date of dates) {
      const { office, key } = await officeWith(1, newKey(date));
      const batch = await open(office);
      expect(await refusalOf(acknowledge(office, batch, cosign(batch, key)))).toMatch(/revoked, or not in force/);
      // Without another key nobody can cosign; with one, the reason is this key.
      expect(await refusalOf(acknowledge(office, batch, cosign(batch, newKey())))).toMatch(/Only Ed25519 keys/);
    }
    const { office } = await officeWith(1);
    registered.delete(office);
    const batch = await open(office);
    expect(await refusalOf(acknowledge(office, batch, cosign(batch, newKey())))).toMatch(
      /Only Ed25519 keys can cosign/,
    );
  });
});

describe('what is delivered', () => {
  test('is what a consumer has acknowledged, since the first acknowledgement that covers it', async () => {
    const { office, key } = await officeWith(9);
    const start = now;
    const first = await open(office, { max: 3 });
    now += 1_000;
    await acknowledge(office, first);
    const [second, third] = [await open(office, { max: 2 }), await open(office, { max: 2 })];
    expect(await deliveries(office, [0, 2, 3, 8])).toMatchObject([
      { index: 0, at: start + 1_000, size: 3 },
      { index: 2, at: start + 1_000, size: 3 },
    ]);
    now += 1_000;
    // One acknowledgement covers both, and says so of both.
    await acknowledge(office, third, cosign(third, key));
    now += 1_000;
    await acknowledge(office, second);
    const slow = await open(office, { consumer: 'slow', max: 4 });
    await acknowledge(office, slow, cosign(slow, key), 'slow');
    const rows = await deliveries(office, [0, 3, 4, 6, 7]);
    expect(rows.map(({ index, at, size, cosigned }) => [index, at - start, size, cosigned?.size])).toEqual([
      [0, 1_000, 3, 4],
      [3, 2_000, 5, 4],
      [4, 2_000, 5, 7],
      [6, 2_000, 7, 7],
    ]);
    expect(rows[0]?.cosigned?.note).toBe(slow.checkpoint);
  });

  test('is not what was only leased, or given back', async () => {
    const { office } = await officeWith(4);
    const { id } = await open(office);
    expect(await deliveries(office, [0, 1, 2, 3])).toEqual([]);
    await releaseBatch(ctx, { office, consumer: 'main', id });
    expect(await deliveries(office, [0, 1, 2, 3])).toEqual([]);
  });
});

test('ids of batches are UUIDs of version 8 in the order of what they end at', () => {
  const ends = [0, 1, 255, 256, 65_536, 2 ** 31, 2 ** 40, 2 ** 48 - 2];
  for (const to of ends) {
    const bytes = { low: Buffer.alloc(10), high: Buffer.alloc(10, 0xff) };
    for (const random of [bytes.low, bytes.high]) {
      const id = endingAt(to, random);
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      expect(id < endsBeyond(to)).toBe(true);
      if (to > 0) expect(id >= endsBeyond(to - 1)).toBe(true);
    }
  }
});
