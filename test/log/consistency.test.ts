import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { signedConsistency } from '../../src/log/consistency.ts';
import { treeRoot, verifyConsistency } from '../../src/log/merkle.ts';
import { freshCheckpoint, newestCheckpoint } from '../../src/log/tree.ts';
import { sha256 } from '../../src/std/bytes.ts';
import { type VerifiedHead, verifyCheckpointNote } from './note-verifier.ts';
import { createOfficeLogs, ISSUER, type OfficeLogs } from './office-log.ts';
import { verifiesConsistency } from './rfc-merkle.ts';

let logs: OfficeLogs;

beforeAll(async () => {
  logs = await createOfficeLogs();
  await logs.addOffice('refused');
  await logs.file('refused', 5);
});
afterAll(() => logs.drop());

const leavesOf = async (office: string): Promise<Buffer[]> => {
  const rows = await logs.database.db.sql<{ leaf: Buffer }[]>`
    SELECT leaf FROM filing WHERE office = ${office} ORDER BY idx`;
  return rows.map(({ leaf }) => leaf);
};

const prove = (office: string, from: number, to?: number) => signedConsistency(logs.ctx, { office, from, to });

function openNote(office: string, note: string): VerifiedHead {
  const rawKey = Buffer.from(logs.publicKey.export({ format: 'jwk' }).x as string, 'base64url');
  return verifyCheckpointNote(Buffer.from(note), `${new URL(ISSUER).host}/offices/${office}`, rawKey);
}

/** As an auditor: with the roots that were computed from scratch, and by the second implementation. */
async function audit(office: string, from: number, to: number, roots: ReadonlyMap<number, Uint8Array>): Promise<void> {
  const proof = await prove(office, from, to);
  expect(proof).toMatchObject({ from, to });
  const [oldRoot, root] = [roots.get(from) as Uint8Array, roots.get(to) as Uint8Array];
  expect(openNote(office, proof.checkpoint)).toMatchObject({ size: BigInt(to), root: Buffer.from(root) });
  const claim = { oldSize: from, oldRoot, size: to, root, path: proof.path };
  expect(verifyConsistency(sha256, claim)).toBe(true);
  if (from === to) {
    expect(proof.path).toEqual([]);
    return;
  }
  const verifies = (path: readonly Uint8Array[]): boolean => {
    const ours = verifyConsistency(sha256, { ...claim, path });
    const facts = { first: from, first_hash: oldRoot, second: to, second_hash: root, consistency_path: path };
    expect(ours).toBe(verifiesConsistency(facts));
    return ours;
  };
  expect(verifies(proof.path)).toBe(true);
  const tampered = [
    [...proof.path, sha256('more')],
    [sha256('more'), ...proof.path],
    ...proof.path.flatMap((_, i) => [proof.path.toSpliced(i, 1), proof.path.with(i, sha256('other'))]),
  ];
  for (const path of tampered) expect(verifies(path)).toBe(false);
}

describe('consistency of signed checkpoints', () => {
  test('is proved for every pair of sizes of a log', async () => {
    await logs.addOffice('pairs');
    await logs.file('pairs', 20);
    await freshCheckpoint(logs.ctx, 'pairs');
    await logs.file('pairs', 6);
    await prove('pairs', 26);
    const leaves = await leavesOf('pairs');
    const roots = new Map(leaves.map((_, i) => [i + 1, treeRoot(sha256, leaves.slice(0, i + 1))]));
    for (let to = 1; to <= leaves.length; to++)
      for (let from = 1; from <= to; from++) await audit('pairs', from, to, roots);
  });

  test('is proved around the borders of tiles, in a log of more than 70,000 entries', async () => {
    await logs.addOffice('large');
    await fill('large', 70_401);
    const sizes = [1, 255, 256, 257, 512, 513, 65_279, 65_280, 65_535, 65_536, 65_537, 65_792, 70_143, 70_144, 70_401];
    const leaves = await leavesOf('large');
    expect(leaves.length).toBe(70_401);
    const roots = new Map(sizes.map((size) => [size, treeRoot(sha256, leaves.slice(0, size))]));
    for (const to of sizes) for (const from of sizes) if (from <= to) await audit('large', from, to, roots);
  });

  test('leads to the newest checkpoint unless told otherwise', async () => {
    await logs.addOffice('newest');
    await logs.file('newest', 3);
    await freshCheckpoint(logs.ctx, 'newest');
    await logs.file('newest', 4);
    const { from, to, checkpoint } = await prove('newest', 3);
    expect({ from, to, checkpoint }).toEqual({
      from: 3,
      to: 7,
      checkpoint: (await newestCheckpoint(logs.ctx, 'newest'))?.note,
    });
  });

  test.each([
    ['from nothing', 0, 3, 'empty one'],
    ['from nothing to the newest', 0, undefined, 'empty one'],
    ['backwards', 4, 3, 'greater than to'],
    ['from beyond the newest', 6, undefined, 'newest checkpoint of this log has 5 entries'],
    ['to beyond the newest', 4, 6, 'newest checkpoint of this log has 5 entries'],
    ['between sizes beyond the newest', 9, 8, 'newest checkpoint of this log has 5 entries'],
  ])('is refused %s', async (_, from, to, advice) => {
    await expect(prove('refused', from, to)).rejects.toMatchObject({
      code: 'invalid-parameter',
      details: { detail: { zh: expect.stringMatching(/\p{Script=Han}/u), en: expect.stringContaining(advice) } },
    });
  });

  test('of an empty log or an unknown office is not to be had', async () => {
    await logs.addOffice('empty');
    await expect(prove('empty', 1)).rejects.toMatchObject({ code: 'invalid-parameter' });
    await expect(prove('nowhere', 1)).rejects.toMatchObject({ code: 'not-found' });
  });

  test('is not claimed when an entry under a checkpoint was altered', async () => {
    await logs.addOffice('altered');
    await logs.file('altered', 5);
    await freshCheckpoint(logs.ctx, 'altered');
    await logs.file('altered', 4);
    await freshCheckpoint(logs.ctx, 'altered');
    await logs.database.db.sql`UPDATE filing SET leaf = ${sha256('other')} WHERE office = 'altered' AND idx = 2`;
    await expect(prove('altered', 5)).rejects.toThrow('broken invariant');
    // Nor from a size to itself, nor to one that is signed only now.
    await expect(prove('altered', 5, 5)).rejects.toThrow('broken invariant');
    await expect(prove('altered', 5, 7)).rejects.toThrow('still begins with its checkpoint of size 5');
    const signed = await logs.database.db.sql`SELECT size FROM checkpoint WHERE office = 'altered' ORDER BY size`;
    expect(signed.map(({ size }) => Number(size))).toEqual([5, 9]);
  });
});

/** Entries by the thousand, written beside the gateway's commit: only their leaves matter here. */
async function fill(office: string, count: number): Promise<void> {
  await logs.file(office, 1);
  const { sql } = logs.database.db;
  // In parts: a statement that takes long is given up, also on a busy machine.
  for (let from = 1; from < count; from += 5_000) {
    const to = Math.min(count, from + 5_000) - 1;
    await sql`
    INSERT INTO filing SELECT entry.*
    FROM filing, generate_series(${from}::integer, ${to}::integer) AS n, LATERAL jsonb_populate_record(filing, jsonb_build_object(
      'idx', n, 'key', sha256(convert_to(${office} || ' key ' || n, 'UTF8')), 'leaf', sha256(convert_to('leaf ' || n, 'UTF8'))
    )) AS entry
    WHERE filing.office = ${office} AND filing.idx = 0`;
  }
  await sql`UPDATE office_head SET size = ${count} WHERE office = ${office}`;
}
