import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { edgeStart, type Tile, TreeEdge } from '../../src/log/edge.ts';
import { officeLog } from '../../src/log/logs.ts';
import { treeRoot, verifyConsistency, verifyInclusion } from '../../src/log/merkle.ts';
import { consistencyProof, inclusionProof } from '../../src/log/nodes.ts';
import { filingProof } from '../../src/log/proof.ts';
import { checkpointAt, freshCheckpoint, newestCheckpoint } from '../../src/log/tree.ts';
import { sha256 } from '../../src/std/bytes.ts';
import { openDatabase } from '../../src/storage/db.ts';
import { verifyCheckpointNote } from './note-verifier.ts';
import { createOfficeLogs, ISSUER, type OfficeLogs } from './office-log.ts';

describe('the right edge of a tree', () => {
  test('gives the root and the tiles of the whole tree, however its growth is cut up', () => {
    const leaves = Array.from({ length: 66_000 }, (_, i) => sha256(`leaf ${i}`));
    const cuts = fc.array(fc.integer({ min: 0, max: 3_000 }), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(cuts, (steps) => {
        const stored = new Map<string, Tile>();
        let size = 0;
        for (const step of steps) {
          const edge = new TreeEdge(sha256, size, [...stored.values()]);
          for (const leaf of leaves.slice(edgeStart(size), size + step)) edge.push(leaf);
          size += step;
          for (const tile of edge.changedTiles()) stored.set(`${tile.level}/${tile.n}`, tile);
          expect(edge.size).toBe(size);
          expect(edge.root()).toEqual(treeRoot(sha256, leaves.slice(0, size)));
        }
        for (const { level, n, hashes } of stored.values()) {
          const width = 256 ** level;
          hashes.forEach((hash, i) => {
            const start = (n * 256 + i) * width;
            if (i % 64 === 0) expect(hash).toEqual(treeRoot(sha256, leaves.slice(start, start + width)));
          });
          expect(hashes.length).toBe(Math.min(256, Math.floor(size / width) - n * 256));
        }
      }),
      { numRuns: 12, examples: [[[256, 1]], [[65_535, 2]], [[65_536, 300]], [[0, 1]]] },
    );
  });
});

describe("an office's tree on the database", () => {
  let logs: OfficeLogs;
  let rawPublicKey: Buffer;

  beforeAll(async () => {
    logs = await createOfficeLogs();
    rawPublicKey = Buffer.from(logs.publicKey.export({ format: 'jwk' }).x as string, 'base64url');
  });
  afterAll(() => logs.drop());

  const storedLeaves = async (office: string): Promise<Buffer[]> => {
    const rows = await logs.database.db.sql<
      { leaf: Buffer }[]
    >`SELECT leaf FROM filing WHERE office = ${office} ORDER BY idx`;
    return rows.map((row) => row.leaf);
  };
  const originOf = (office: string): string => `${ISSUER.slice('https://'.length)}/offices/${office}`;

  test('of no entries has a signed checkpoint too', async () => {
    await logs.addOffice('empty');
    const { note } = await freshCheckpoint(logs.ctx, 'empty');
    const head = verifyCheckpointNote(Buffer.from(note), originOf('empty'), rawPublicKey);
    expect(head).toEqual({ origin: originOf('empty'), size: 0n, root: sha256('') });
  });

  test('of an unknown office does not exist', async () => {
    await expect(freshCheckpoint(logs.ctx, 'nowhere')).rejects.toMatchObject({ code: 'not-found' });
  });

  test('has the root of a tree from scratch after every growth, and proofs for every size', async () => {
    await logs.addOffice('grows');
    const roots = new Map<number, Buffer>();
    for (const step of [1, 1, 3, 250, 1, 1, 300, 700, 17]) {
      await logs.file('grows', step);
      const { size, root, note } = await freshCheckpoint(logs.ctx, 'grows');
      const leaves = await storedLeaves('grows');
      expect(size).toBe(leaves.length);
      expect(root).toEqual(treeRoot(sha256, leaves));
      expect(verifyCheckpointNote(Buffer.from(note), originOf('grows'), rawPublicKey)).toMatchObject({
        size: BigInt(size),
        root,
      });
      roots.set(size, root);
    }
    const leaves = await storedLeaves('grows');
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: leaves.length - 1 }), fc.nat(), async (index, more) => {
        const size = index + 1 + (more % (leaves.length - index));
        const proof = await inclusionProof(logs.ctx, officeLog(logs.ctx, 'grows'), { index, size });
        const root = treeRoot(sha256, leaves.slice(0, size));
        expect(verifyInclusion(sha256, { ...proof, leaf: leaves[index] as Buffer, root })).toBe(true);
        const { path, oldRoot } = await consistencyProof(logs.ctx, officeLog(logs.ctx, 'grows'), {
          oldSize: index,
          size,
        });
        expect(oldRoot).toEqual(treeRoot(sha256, leaves.slice(0, index)));
        expect(verifyConsistency(sha256, { oldSize: index, oldRoot, size, root, path })).toBe(true);
      }),
      { numRuns: 60 },
    );
    const [old] = roots.keys();
    expect((await checkpointAt(logs.ctx, 'grows', old as number)).root).toEqual(roots.get(old as number));
  });

  test('signs any earlier size again with the same root', async () => {
    await logs.addOffice('earlier');
    await logs.file('earlier', 20);
    await freshCheckpoint(logs.ctx, 'earlier');
    const { size, root, note } = await checkpointAt(logs.ctx, 'earlier', 13);
    expect({ size, root }).toEqual({ size: 13, root: treeRoot(sha256, (await storedLeaves('earlier')).slice(0, 13)) });
    expect(verifyCheckpointNote(Buffer.from(note), originOf('earlier'), rawPublicKey).size).toBe(13n);
    expect((await newestCheckpoint(logs.ctx, 'earlier'))?.size).toBe(20);
  });

  test('is signed once when it does not grow, and again under its new name when the gateway moves', async () => {
    await logs.addOffice('moves');
    await logs.file('moves', 3);
    const first = await freshCheckpoint(logs.ctx, 'moves');
    expect(await freshCheckpoint(logs.ctx, 'moves')).toEqual(first);
    const moved = await freshCheckpoint({ ...logs.ctx, issuer: { iss: 'https://new.example' } }, 'moves');
    expect(verifyCheckpointNote(Buffer.from(moved.note), 'new.example/offices/moves', rawPublicKey).root).toEqual(
      first.root,
    );
  });

  test('gives the same roots to several processes that grow and ask at once', async () => {
    await logs.addOffice('shared');
    const others = Array.from({ length: 3 }, () => openDatabase(logs.database.address, { connections: 3 }));
    const asked = [logs.ctx, ...others.map((db) => ({ ...logs.ctx, db }))];
    const checkpoints: { size: number; root: Buffer }[] = [];
    await Promise.all([
      ...asked.map(async (ctx) => {
        for (let i = 0; i < 25; i++) checkpoints.push(await freshCheckpoint(ctx, 'shared'));
      }),
      ...[1, 7, 40].map(async (step) => {
        for (let i = 0; i < 15; i++) await logs.file('shared', step);
      }),
    ]);
    checkpoints.push(await freshCheckpoint(logs.ctx, 'shared'));
    await Promise.all(others.map((db) => db.close()));
    const leaves = await storedLeaves('shared');
    expect(leaves.length).toBe(48 * 15);
    expect(checkpoints.at(-1)?.size).toBe(leaves.length);
    for (const { size, root } of checkpoints) expect(root).toEqual(treeRoot(sha256, leaves.slice(0, size)));
  });

  test('is grown by one process at a time', async () => {
    await logs.addOffice('locked');
    await logs.file('locked', 300);
    await freshCheckpoint(logs.ctx, 'locked');
    await logs.file('locked', 300);
    let asked: Promise<{ size: number }> | undefined;
    let isSigned = false;
    await logs.database.db.sql.begin(async (tx) => {
      await tx`SELECT 1 FROM office_tree WHERE office = 'locked' FOR UPDATE`;
      asked = freshCheckpoint(logs.ctx, 'locked').finally(() => {
        isSigned = true;
      });
      await sleep(400);
      expect(isSigned).toBe(false);
      await logs.file('locked', 5);
    });
    // It began to read when the lock was its own.
    expect((await asked)?.size).toBe(605);
  });

  test('is not signed any more when an entry under a checkpoint was altered', async () => {
    await logs.addOffice('altered');
    await logs.file('altered', 5);
    await freshCheckpoint(logs.ctx, 'altered');
    await logs.database.db.sql`UPDATE filing SET leaf = ${sha256('other')} WHERE office = 'altered' AND idx = 2`;
    await logs.file('altered', 1);
    await expect(freshCheckpoint(logs.ctx, 'altered')).rejects.toThrow('broken invariant');
    expect((await newestCheckpoint(logs.ctx, 'altered'))?.size).toBe(5);
  });

  test('is not signed any more when an entry is missing', async () => {
    await logs.addOffice('holed');
    await logs.file('holed', 5);
    await logs.database.db.sql`DELETE FROM filing WHERE office = 'holed' AND idx = 2`;
    await expect(freshCheckpoint(logs.ctx, 'holed')).rejects.toThrow('broken invariant: the log has no gaps');
  });

  test('proves an entry in the tlog-proof format', async () => {
    await logs.addOffice('proved');
    await logs.file('proved', 5);
    const proof = await filingProof(logs.ctx, 'proved', 3);
    const [first, second, ...rest] = proof.split('\n');
    expect([first, second]).toEqual(['c2sp.org/tlog-proof@v1', 'index 3']);
    const gap = rest.indexOf('');
    const path = rest.slice(0, gap).map((line) => Buffer.from(line, 'base64'));
    const head = verifyCheckpointNote(Buffer.from(rest.slice(gap + 1).join('\n')), originOf('proved'), rawPublicKey);
    const leaf = (await storedLeaves('proved'))[3] as Buffer;
    // RFC 6962 by hand: leaf 3 of 5 is a right leaf in the left half, and leaf 4 stands alone.
    const node = (left: Buffer, right: Buffer): Buffer => sha256(Buffer.concat([Buffer.of(1), left, right]));
    const [sibling, pair, last] = path as [Buffer, Buffer, Buffer];
    expect(path.length).toBe(3);
    expect(node(node(pair, node(sibling, leaf)), last)).toEqual(head.root);
    await expect(filingProof(logs.ctx, 'proved', 5)).rejects.toMatchObject({ code: 'not-found' });
  });
});
