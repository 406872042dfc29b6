import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Tile, TreeEdge } from '../../src/log/edge.ts';
import { consistencyPath, RunningRoot, treeRoot, verifyConsistency } from '../../src/log/merkle.ts';
import { sha256 } from '../../src/std/bytes.ts';
import { MTH, PROOF, verifiesConsistency } from './rfc-merkle.ts';

// All checkpoints that a log ever signs are consistent with each other, whatever its history: how much was added
// between two of them, and whether the tree was grown whole, from its right edge or leaf by leaf. And a history that was
// rewritten anywhere below a checkpoint is consistent with none of those that cover the place.

const entryOf = (i: number): Buffer => Buffer.from(`entry ${i}`);
const leafOf = (entry: Buffer): Buffer => sha256(Buffer.concat([Buffer.of(0), entry]));

/** What is added between two checkpoints; mostly little, now and then more than a tile. */
const growth = fc.oneof(
  { weight: 5, arbitrary: fc.integer({ min: 0, max: 9 }) },
  { weight: 2, arbitrary: fc.integer({ min: 10, max: 120 }) },
  { weight: 1, arbitrary: fc.integer({ min: 250, max: 300 }) },
);
const history = fc.array(growth, { minLength: 2, maxLength: 9 });

/** Sizes at which the log signed, each once. */
function sizesOf(growths: readonly number[]): number[] {
  let size = 0;
  const sizes = growths.map((more) => {
    size += more;
    return size;
  });
  return [...new Set(sizes)];
}

/** The roots that a gateway signs, growing from the stored right edge each time. */
function signedRoots(leaves: readonly Buffer[], sizes: readonly number[]): Map<number, Uint8Array> {
  const stored = new Map<string, Tile>();
  const roots = new Map<number, Uint8Array>();
  let grown = 0;
  for (const size of sizes) {
    const edge = new TreeEdge(sha256, grown, [...stored.values()]);
    for (const leaf of leaves.slice(edge.size, size)) edge.push(leaf);
    for (const tile of edge.changedTiles()) stored.set(`${tile.level}/${tile.n}`, tile);
    roots.set(size, edge.root());
    grown = size;
  }
  return roots;
}

describe('all checkpoints that a log ever signed', () => {
  test('are consistent with each other, by both implementations, over random histories', () => {
    fc.assert(
      fc.property(history, (growths) => {
        const sizes = sizesOf(growths);
        const last = sizes.at(-1) as number;
        const entries = Array.from({ length: last }, (_, i) => entryOf(i));
        const leaves = entries.map(leafOf);
        const roots = signedRoots(leaves, sizes);
        const running = new RunningRoot(sha256);
        for (const size of sizes) {
          for (const leaf of leaves.slice(running.size, size)) running.push(leaf);
          const root = roots.get(size) as Uint8Array;
          expect(Buffer.from(root)).toEqual(MTH(entries.slice(0, size)));
          expect(Buffer.from(running.root())).toEqual(Buffer.from(root));
        }
        for (const size of sizes) {
          for (const oldSize of sizes.filter((one) => one > 0 && one < size)) {
            const [oldRoot, root] = [roots.get(oldSize) as Uint8Array, roots.get(size) as Uint8Array];
            const path = consistencyPath(sha256, leaves.slice(0, size), oldSize);
            expect(path.map((step) => Buffer.from(step))).toEqual(PROOF(oldSize, entries.slice(0, size)));
            expect(verifyConsistency(sha256, { oldSize, oldRoot, size, root, path })).toBe(true);
            const facts = { first: oldSize, first_hash: oldRoot, second: size, second_hash: root };
            expect(verifiesConsistency({ ...facts, consistency_path: path })).toBe(true);
          }
        }
      }),
      { numRuns: 40 },
    );
  }, 60_000);

  test('are consistent with no other history that was rewritten below them', () => {
    fc.assert(
      fc.property(history, fc.nat(), fc.nat(2), (growths, place, how) => {
        const sizes = sizesOf(growths).filter((size) => size > 0);
        const last = sizes.at(-1);
        fc.pre(last !== undefined && last > 2);
        const leaves = Array.from({ length: last as number }, (_, i) => leafOf(entryOf(i)));
        const at = place % (leaves.length - 1);
        const other = sha256('other');
        // One entry altered, one removed, or two that changed places.
        const rewritten = [
          leaves.with(at, other),
          [...leaves.toSpliced(at, 1), other],
          leaves.with(at, leaves[at + 1] as Buffer).with(at + 1, leaves[at] as Buffer),
        ][how] as Buffer[];
        for (const oldSize of sizes) {
          // A pair that changed places across the border of the old tree differs there in its left half only.
          const isTouched = at < oldSize;
          const oldRoot = treeRoot(sha256, leaves.slice(0, oldSize));
          const root = treeRoot(sha256, rewritten);
          const path = consistencyPath(sha256, rewritten, oldSize);
          const claim = { oldSize, oldRoot, size: rewritten.length, root, path };
          expect(verifyConsistency(sha256, claim)).toBe(!isTouched);
          if (oldSize === rewritten.length) continue;
          const facts = { first: oldSize, first_hash: oldRoot, second: rewritten.length, second_hash: root };
          expect(verifiesConsistency({ ...facts, consistency_path: path })).toBe(!isTouched);
          // Nor does the honest log's own proof help.
          const honest = consistencyPath(sha256, leaves, oldSize);
          expect(verifyConsistency(sha256, { ...claim, path: honest })).toBe(false);
        }
      }),
      { numRuns: 60 },
    );
  }, 60_000);
});
