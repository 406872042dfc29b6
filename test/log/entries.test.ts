import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startCheckpointTimer } from '../../src/log/checkpoint-timer.ts';
import { openEntries } from '../../src/log/entries.ts';
import { headsSince } from '../../src/log/heads.ts';
import { leafHash, merkleTree, verifyInclusion } from '../../src/log/merkle.ts';
import { freshCheckpoint, newestCheckpoint } from '../../src/log/tree.ts';
import { sha256 } from '../../src/std/bytes.ts';
import { gate } from '../support/gate.ts';
import { silentLogger } from '../support/logger.ts';
import { createOfficeLogs, type OfficeLogs } from './office-log.ts';

let logs: OfficeLogs;
beforeAll(async () => {
  logs = await createOfficeLogs();
});
afterAll(() => logs.drop());

async function read(office: string, from: number, limit: number) {
  const range = await openEntries(logs.ctx, { office, from, limit });
  const parts: Buffer[] = [];
  for await (const part of range.parts) parts.push(part);
  const text = Buffer.concat(parts).toString();
  const lines =
    text === ''
      ? []
      : text
          .trimEnd()
          .split('\n')
          .map((line) => JSON.parse(line));
  return { ...range, parts, lines };
}

describe('entries', () => {
  test('come in index order, from any index, up to a limit, and again', async () => {
    await logs.addOffice('read');
    await logs.file('read', 2_300);
    const all = await read('read', 0, 100_000);
    expect(all).toMatchObject({ from: 0, to: 2_300, checkpointSize: 2_300 });
    expect(all.lines.map((line) => line.id)).toEqual(Array.from({ length: 2_300 }, (_, i) => `read.${i}`));
    expect(Object.keys(all.lines[0])).toEqual(['index', 'id', 'receivedAt', 'salt', 'leaf', 'jws']);
    const some = await read('read', 1_999, 3);
    expect(some.lines).toEqual(all.lines.slice(1_999, 2_002));
  });

  test('end at the newest checkpoint, which is made new when it ends before the limit', async () => {
    await logs.addOffice('ends');
    await logs.file('ends', 3);
    await freshCheckpoint(logs.ctx, 'ends');
    await logs.file('ends', 2);
    expect(await read('ends', 0, 3)).toMatchObject({ to: 3, checkpointSize: 3 });
    expect(await read('ends', 0, 100)).toMatchObject({ to: 5, checkpointSize: 5 });
    expect(await read('ends', 900, 100)).toMatchObject({ from: 900, to: 900, lines: [], checkpointSize: 5 });
  });

  test('hold a flattened JWS as the object that was sent, on one line', async () => {
    await logs.addOffice('flat');
    const jws = { payload: 'eyJhIjoxfQ', protected: 'e30', signature: 'c2ln' };
    await logs.file('flat', 1, (filing) => ({
      ...filing,
      content: JSON.stringify(jws, null, 2).replaceAll('\n', '\r\n'),
    }));
    const { lines } = await read('flat', 0, 10);
    expect(lines[0].jws).toEqual(jws);
  });

  test('of bulk form B hold the line and its path to the signed manifest', async () => {
    await logs.addOffice('bulk');
    const texts = Array.from({ length: 11 }, (_, i) => `{"n":${i},"name":"申报"}`);
    const leaves = texts.map((text) => leafHash(sha256, Buffer.from(text)));
    const manifest = { id: randomUUID(), jws: 'e30.e30.c2ln', leaves: Buffer.concat(leaves) };
    await logs.file('bulk', 11, (filing, i) => ({
      ...filing,
      content: texts[i] as string,
      manifest: { ...manifest, line: i },
    }));
    const { lines } = await read('bulk', 0, 100);
    const { root } = merkleTree(sha256, leaves);
    for (const [i, line] of lines.entries()) {
      expect(Object.keys(line)).toEqual([
        'index',
        'id',
        'receivedAt',
        'salt',
        'leaf',
        'payload',
        'manifest',
        'line',
        'path',
      ]);
      const payload = Buffer.from(line.payload, 'base64url');
      expect(payload.toString()).toBe(texts[i]);
      const path = line.path.map((hash: string) => Buffer.from(hash, 'base64url'));
      const claim = { leaf: leafHash(sha256, payload), index: line.line, size: 11, path, root };
      expect(verifyInclusion(sha256, claim)).toBe(true);
      expect(line.manifest).toBe(manifest.jws);
    }
  });

  test('are read in parts of bounded size, however large the filings', async () => {
    await logs.addOffice('large');
    const content = `e30.${'A'.repeat(900_000)}.c2ln`;
    await logs.file('large', 12, (filing, i) => ({
      ...filing,
      content: i === 5 ? `e30.${'A'.repeat(4_000_000)}.c2ln` : content,
    }));
    const { parts, lines } = await read('large', 0, 100);
    expect(lines.map((line) => line.index)).toEqual(Array.from({ length: 12 }, (_, i) => i));
    // What is large comes alone, and is held alone.
    expect(parts.map((part) => Math.ceil(part.length / 1_000_000))).toEqual([1, 1, 1, 1, 1, 5, 1, 1, 1, 1, 1, 1]);
  });

  test('stop with an error, not a shorter answer, when one is missing', async () => {
    await logs.addOffice('broken');
    await logs.file('broken', 5);
    await freshCheckpoint(logs.ctx, 'broken');
    await logs.database.db.sql`DELETE FROM filing WHERE office = 'broken' AND idx = 3`;
    await expect(read('broken', 0, 10)).rejects.toThrow('broken invariant: the log has no gaps');
  });
});

describe('heads', () => {
  const heads = (since: string, waitMs = 0, signal = new AbortController().signal) =>
    headsSince(logs.ctx, { agency: 'psb', since, waitMs, signal });

  /** Asks on until there is nothing to tell. Transactions of other databases on the server may hold a cursor back. */
  const settled = async (): Promise<string> => {
    let answer = await heads('0');
    await expect
      .poll(async () => {
        answer = await heads(answer.next);
        return answer.items.length;
      })
      .toBe(0);
    return answer.next;
  };

  test('tell what grew, and then what grew since', async () => {
    await logs.addOffice('head-a', 'psb');
    await logs.addOffice('head-b', 'psb');
    await logs.addOffice('head-c', 'psb');
    expect((await heads('0')).items).toEqual([]);
    await logs.file('head-b', 2);
    await logs.file('head-a', 1);
    const first = await heads('0');
    expect(first.items).toEqual([
      { office: 'head-a', size: 1 },
      { office: 'head-b', size: 2 },
    ]);
    const since = await settled();
    expect((await heads(since)).items).toEqual([]);
    await logs.file('head-b', 1);
    expect((await heads(since)).items).toEqual([{ office: 'head-b', size: 3 }]);
  });

  test('never miss a transaction that began before the cursor and committed after it', async () => {
    const { sql } = logs.database.db;
    await logs.addOffice('head-slow', 'psb');
    const [held, grown] = [gate(), gate()];
    const slow = sql.begin(async (tx) => {
      await tx`UPDATE office_head SET size = 7, txid = pg_current_xact_id() WHERE office = 'head-slow'`;
      grown.open();
      await held.opened;
    });
    await grown.opened;
    await logs.file('head-a', 1);
    const { next } = await heads('0');
    held.open();
    await slow;
    expect((await heads(next)).items).toContainEqual({ office: 'head-slow', size: 7 });
  });

  test('wait for something to tell, and stop when the client has gone', async () => {
    const waiting = heads(await settled(), 10_000);
    await logs.file('head-c', 1);
    expect((await waiting).items).toEqual([{ office: 'head-c', size: 1 }]);
    const since = await settled();
    const gone = new AbortController();
    const begun = performance.now();
    setTimeout(() => gone.abort(), 50);
    await heads(since, 30_000, gone.signal);
    expect(performance.now() - begun).toBeLessThan(5_000);
  });

  test('tell everything to a cursor of another database', async () => {
    expect((await heads('9000000000000000000')).items.length).toBeGreaterThan(2);
  });
});

test('the timer signs what nobody asks for', async () => {
  await logs.addOffice('timed');
  await logs.file('timed', 4);
  const timer = startCheckpointTimer({ ...logs.ctx, log: silentLogger }, 50);
  await expect.poll(async () => (await newestCheckpoint(logs.ctx, 'timed'))?.size, { timeout: 5_000 }).toBe(4);
  await timer.stop();
});
