import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { acknowledgeBatch } from '../../src/batches/acknowledge.ts';
import type { BatchContext } from '../../src/batches/context.ts';
import { openBatch } from '../../src/batches/open.ts';
import { type CommitContext, commitTick } from '../../src/ingest/commit.ts';
import { startCheckpointTimer } from '../../src/log/checkpoint-timer.ts';
import type { LogContext } from '../../src/log/context.ts';
import { openEntries } from '../../src/log/entries.ts';
import { RunningRoot } from '../../src/log/merkle.ts';
import { checkpointAt, freshCheckpoint } from '../../src/log/tree.ts';
import { sha256 } from '../../src/std/bytes.ts';
import { type Database, openDatabase } from '../../src/storage/db.ts';
import { silentLogger } from '../support/logger.ts';
import { createOfficeLogs, newFiling, type OfficeLogs } from './office-log.ts';

const SECONDS = 20;
const WRITERS = 12;
const READERS = 4;
const OFFICES = ['11', '22', '33'];

let logs: OfficeLogs;
const pools: Database[] = [];

beforeAll(async () => {
  logs = await createOfficeLogs();
  for (const office of OFFICES) await logs.addOffice(office);
});
afterAll(async () => {
  await Promise.all(pools.map((pool) => pool.close()));
  await logs.drop();
});

/** Connections of its own: to PostgreSQL this is another gateway process. */
function process(): LogContext {
  const db = openDatabase(logs.database.address, { connections: 3 });
  pools.push(db);
  return { ...logs.ctx, db };
}

interface Line {
  readonly index: number;
  readonly id: string;
  readonly receivedAt: string;
  readonly salt: string;
  readonly leaf: string;
  readonly jws: string;
}

/** The leaf as an office computes it from what it was given, by api.md and nothing of ours. */
function leafOf(office: string, line: Line): Buffer {
  const payload = Buffer.from(line.jws.split('.')[1] as string, 'base64url');
  const commit = createHash('sha256').update(Buffer.from(line.salt, 'base64url')).update(payload).digest('base64url');
  const { id, index, receivedAt } = line;
  const face = canonicalize({ v: 1, id, office, index, receivedAt, commit }) as string;
  return createHash('sha256').update(Buffer.of(0)).update(face).digest();
}

class Puller {
  readonly #ctx: LogContext;
  readonly #batches: BatchContext;
  readonly #name: string;
  readonly ids = new Map<string, string[]>();
  readonly #roots = new Map<string, RunningRoot>();
  acknowledged = 0;

  constructor(name: string) {
    const ctx = process();
    this.#ctx = ctx;
    const checkpoints = {
      fresh: (office: string) => freshCheckpoint(ctx, office),
      at: (office: string, size: number) => checkpointAt(ctx, office, size),
    };
    this.#batches = { ...ctx, checkpoints, cosigners: async () => [] };
    this.#name = name;
  }

  /** False when there was nothing to pull. */
  async pull(office: string): Promise<boolean> {
    const consumer = { office, consumer: this.#name };
    const batch = await openBatch(this.#batches, { ...consumer, max: 700, leaseSeconds: 60 });
    if (batch === undefined) return false;
    const ids = this.ids.get(office) ?? [];
    const root = this.#roots.get(office) ?? new RunningRoot(sha256);
    this.ids.set(office, ids);
    this.#roots.set(office, root);
    expect(batch.from).toBe(root.size);
    const range = await openEntries(this.#ctx, { office, from: batch.from, limit: batch.to - batch.from });
    for await (const part of range.parts) {
      for (const text of part.toString().split('\n').slice(0, -1)) {
        const line = JSON.parse(text) as Line;
        const leaf = leafOf(office, line);
        expect(line.index).toBe(root.size);
        expect(line.leaf).toBe(leaf.toString('base64url'));
        root.push(leaf);
        ids.push(line.id);
      }
    }
    const { cursor } = await acknowledgeBatch(this.#batches, {
      ...consumer,
      id: batch.id,
      size: batch.to,
      root: Buffer.from(root.root()),
    });
    expect(cursor).toBe(batch.to);
    this.acknowledged++;
    return true;
  }
}

test(`${WRITERS} writers and ${READERS} readers for ${SECONDS} s: nothing skipped, nothing doubled, every root equal`, async () => {
  const until = performance.now() + SECONDS * 1_000;
  const filed = new Map<string, string[]>(OFFICES.map((office) => [office, []]));
  const writers = Array.from({ length: 3 }, process).flatMap((ctx) => Array.from({ length: WRITERS / 3 }, () => ctx));
  const write = async (ctx: LogContext, writer: number): Promise<void> => {
    const commit: CommitContext = { ...logs.commit, db: ctx.db as Database };
    for (let tick = writer; performance.now() < until; tick++) {
      const filings = Array.from({ length: 1 + (tick % 9) }, (_, i) =>
        newFiling(OFFICES[(tick + i) % OFFICES.length] as string),
      );
      for (const outcome of await commitTick(commit, filings)) {
        if (outcome.kind !== 'stored') throw new Error(outcome.kind);
        filed.get(outcome.record.office)?.push(`${outcome.record.office}.${outcome.record.index}`);
      }
    }
  };
  const pullers = Array.from({ length: READERS }, (_, i) => new Puller(`reader-${i}`));
  const timer = startCheckpointTimer({ ...process(), log: silentLogger }, 100);
  const read = async (puller: Puller, reader: number): Promise<void> => {
    for (let turn = reader; performance.now() < until; turn++)
      await puller.pull(OFFICES[turn % OFFICES.length] as string);
  };
  await Promise.all([...writers.map(write), ...pullers.map(read)]);
  await timer.stop();
  for (const puller of pullers) {
    for (const office of OFFICES) while (await puller.pull(office));
    for (const office of OFFICES) {
      const expected = (filed.get(office) ?? []).toSorted((a, b) => Number(a.split('.')[1]) - Number(b.split('.')[1]));
      expect(expected.length).toBeGreaterThan(100);
      expect(puller.ids.get(office)).toEqual(expected);
    }
    expect(puller.acknowledged).toBeGreaterThan(20);
  }
}, 120_000);
