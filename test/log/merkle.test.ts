import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  consistencyPath,
  consistencyRanges,
  inclusionRanges,
  leafHash,
  merkleTree,
  RunningRoot,
  treeRoot,
  verifyConsistency,
  verifyInclusion,
} from '../../src/log/merkle.ts';
import { sha256 } from '../../src/std/bytes.ts';
import { MTH } from './rfc-merkle.ts';

// What trees are, and which proofs they have, is compared with a second implementation in rfc-merkle.test.ts.

const entriesOf = (size: number): Buffer[] => Array.from({ length: size }, (_, i) => Buffer.from(`entry ${i}`));
const leavesOf = (size: number): Uint8Array[] => entriesOf(size).map((entry) => leafHash(sha256, entry));
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const flipped = (bytes: Uint8Array, bit: number): Buffer => {
  const copy = Buffer.from(bytes);
  const at = bit % (copy.length * 8);
  copy[at >> 3] = (copy[at >> 3] as number) ^ (1 << (at & 7));
  return copy;
};

const sizes = fc.integer({ min: 1, max: 300 });
const sizeAndIndex = sizes.chain((size) => fc.tuple(fc.constant(size), fc.integer({ min: 0, max: size - 1 })));
const twoSizes = sizes.chain((size) => fc.tuple(fc.integer({ min: 0, max: size }), fc.constant(size)));

describe('RFC 6962 trees', () => {
  test('hash a leaf of any length, whatever was hashed before it', () => {
    // Long and short in turn: nothing of the one may be left in the other.
    for (const length of [4_095, 0, 4_096, 1, 4_094, 70_000, 2, 4_095]) {
      const data = Buffer.alloc(length, length % 251);
      expect(hex(leafHash(sha256, data))).toBe(hex(sha256(Buffer.concat([Buffer.of(0), data]))));
    }
  });

  test('refuse leaves that they do not have', () => {
    expect(() => merkleTree(sha256, leavesOf(3)).path(3)).toThrow(RangeError);
    expect(() => inclusionRanges(-1, 3)).toThrow(RangeError);
    expect(() => consistencyRanges(4, 3)).toThrow(RangeError);
  });
});

describe('verification', () => {
  test('accepts every honest inclusion proof and no altered one', () => {
    fc.assert(
      fc.property(sizeAndIndex, fc.nat(), fc.nat(), ([size, index], which, bit) => {
        const leaves = leavesOf(size);
        const tree = merkleTree(sha256, leaves);
        const claim = { leaf: leaves[index] as Uint8Array, index, size, path: tree.path(index), root: tree.root };
        expect(verifyInclusion(sha256, claim)).toBe(true);
        const altered = [
          { ...claim, leaf: flipped(claim.leaf, bit) },
          { ...claim, root: flipped(claim.root, bit) },
          { ...claim, index: index + 1 },
          { ...claim, index: index - 1 },
          { ...claim, index: index + 0.5 },
          { ...claim, size: size * 2 },
          { ...claim, path: [...claim.path, sha256('more')] },
          ...claim.path.map((_, i) => ({ ...claim, path: claim.path.toSpliced(i, 1) })),
          ...claim.path.map((hash, i) => ({ ...claim, path: claim.path.with(i, flipped(hash, bit + which)) })),
          ...claim.path.slice(1).map((hash, i) => ({
            ...claim,
            path: claim.path.with(i, hash).with(i + 1, claim.path[i] as Uint8Array),
          })),
        ];
        for (const wrong of altered) expect(verifyInclusion(sha256, wrong)).toBe(false);
      }),
      { numRuns: 60 },
    );
  });

  test('accepts every honest consistency proof and no altered one', () => {
    fc.assert(
      fc.property(twoSizes, fc.nat(), ([oldSize, size], bit) => {
        const leaves = leavesOf(size);
        const oldRoot = treeRoot(sha256, leaves.slice(0, oldSize));
        const claim = {
          oldSize,
          oldRoot,
          size,
          root: treeRoot(sha256, leaves),
          path: consistencyPath(sha256, leaves, oldSize),
        };
        expect(verifyConsistency(sha256, claim)).toBe(true);
        const altered = [
          { ...claim, oldRoot: flipped(oldRoot, bit) },
          { ...claim, path: [...claim.path, sha256('more')] },
          { ...claim, oldSize: size + 1 },
          { ...claim, oldSize: -1 },
          // The empty tree begins every other: its new root is not proved by anything.
          ...(oldSize === 0
            ? []
            : [
                { ...claim, root: flipped(claim.root, bit) },
                { ...claim, size: size * 2 },
              ]),
          ...claim.path.map((_, i) => ({ ...claim, path: claim.path.toSpliced(i, 1) })),
          ...claim.path.map((hash, i) => ({ ...claim, path: claim.path.with(i, flipped(hash, bit + i)) })),
        ];
        for (const wrong of altered) expect(verifyConsistency(sha256, wrong)).toBe(false);
      }),
      { numRuns: 60 },
    );
  });

  test('finds two histories: a log with one entry altered is not consistent with itself', () => {
    fc.assert(
      fc.property(
        twoSizes.filter(([old]) => old > 0),
        fc.nat(),
        ([oldSize, size], at) => {
          const leaves = leavesOf(size);
          const other = leaves.with(at % oldSize, sha256('altered'));
          const oldRoot = treeRoot(sha256, leaves.slice(0, oldSize));
          const claim = {
            oldSize,
            oldRoot,
            size,
            root: treeRoot(sha256, other),
            path: consistencyPath(sha256, other, oldSize),
          };
          expect(verifyConsistency(sha256, claim)).toBe(false);
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('a running root', () => {
  test('is the root of what was pushed, also when it is stored and taken up again', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 300 }), (before, after) => {
        const leaves = leavesOf(before + after);
        const first = new RunningRoot(sha256);
        for (const leaf of leaves.slice(0, before)) first.push(leaf);
        const second = new RunningRoot(sha256, JSON.parse(JSON.stringify(first.state())));
        for (const leaf of leaves.slice(before)) second.push(leaf);
        expect(second.size).toBe(leaves.length);
        expect(hex(second.root())).toBe(hex(MTH(entriesOf(before + after))));
        expect(hex(first.root())).toBe(hex(MTH(entriesOf(before))));
      }),
      { numRuns: 60 },
    );
  });

  test('refuses a state that no tree has', () => {
    const { subtrees } = new RunningRoot(sha256, { size: 1, subtrees: [sha256('x').toString('base64url')] }).state();
    expect(() => new RunningRoot(sha256, { size: 3, subtrees })).toThrow(RangeError);
    expect(() => new RunningRoot(sha256, { size: -1, subtrees: [] })).toThrow(RangeError);
    expect(() => new RunningRoot(sha256, { size: 1, subtrees: ['AAAA'] })).toThrow(RangeError);
  });
});
