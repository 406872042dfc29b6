import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Log, officeLog } from '../../src/log/logs.ts';
import { treeRoot } from '../../src/log/merkle.ts';
import { freshHead, headAt } from '../../src/log/tree.ts';
import { sha256 } from '../../src/std/bytes.ts';
import { createOfficeLogs, type OfficeLogs } from './office-log.ts';

let logs: OfficeLogs;
beforeAll(async () => {
  logs = await createOfficeLogs();
  await logs.addOffice('steady');
});
afterAll(() => logs.drop());

const TILE = 256;
const leaves = Array.from({ length: 150_000 }, (_, i) => sha256(`leaf ${i}`));

test('what a checkpoint reads depends on what is new, not on how long the log is', async () => {
  const counted = { size: 0, leaves: 0 };
  const steady = officeLog(logs.ctx, 'steady');
  const log: Log = {
    ...steady,
    readState: async (sql) => {
      const state = await steady.readState(sql);
      return state && { ...state, size: counted.size };
    },
    readLeaves: async (_, from, to) => {
      counted.leaves += to - from;
      return leaves.slice(from, to);
    },
  };
  const grow = async (size: number): Promise<{ readonly root: Buffer; readonly read: number }> => {
    Object.assign(counted, { size, leaves: 0 });
    const { root } = await freshHead(logs.ctx, log);
    return { root, read: counted.leaves };
  };
  // Each leaf once, and for the rounds of a transaction each what an unfinished tile of leaves needs again.
  expect((await grow(149_000)).read).toBeLessThan(149_000 + 5 * TILE);
  let before = 149_000;
  for (const size of [149_001, 149_002, 149_100, 149_248, 149_249, 149_760, 150_000]) {
    const { root, read } = await grow(size);
    expect(root).toEqual(Buffer.from(treeRoot(sha256, leaves.slice(0, size))));
    // The new ones, the unfinished tile that they add to, and at most one such tile each for being shown to go on from what was signed.
    expect(read).toBeLessThanOrEqual(size - before + 4 * TILE);
    before = size;
  }
  expect((await grow(before)).read).toBe(0);
  // One of a size that was passed long ago, as a batch wants it.
  counted.leaves = 0;
  const { root } = await headAt(logs.ctx, log, 77_777);
  expect(root).toEqual(Buffer.from(treeRoot(sha256, leaves.slice(0, 77_777))));
  expect(counted.leaves).toBeLessThanOrEqual(TILE);
});
