import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  consistencyPath,
  consistencyRanges,
  inclusionPath,
  inclusionRanges,
  leafHash,
  merkleTree,
  nodeHash,
  RunningRoot,
  treeRoot,
  verifyConsistency,
  verifyInclusion,
} from '../../src/log/merkle.ts';
import { sha256 } from '../../src/std/bytes.ts';

// The definitions of RFC 6962 section 2.1 word for word: slow, recursive, and sharing nothing with the source.

function splitOf(n: number): number {
  let k = 1;
  while (k * 2 < n) k *= 2;
  return k;
}

function mth(leaves: readonly Buffer[]): Buffer {
  if (leaves.length === 0) return sha256('');
  if (leaves.length === 1) return leaves[0] as Buffer;
  const k = splitOf(leaves.length);
  return sha256(Buffer.concat([Buffer.of(1), mth(leaves.slice(0, k)), mth(leaves.slice(k))]));
}

function path(m: number, leaves: readonly Buffer[]): Buffer[] {
  if (leaves.length <= 1) return [];
  const k = splitOf(leaves.length);
  return m < k
    ? [...path(m, leaves.slice(0, k)), mth(leaves.slice(k))]
    : [...path(m - k, leaves.slice(k)), mth(leaves.slice(0, k))];
}

function subproof(m: number, leaves: readonly Buffer[], whole: boolean): Buffer[] {
  if (m === leaves.length) return whole ? [] : [mth(leaves)];
  const k = splitOf(leaves.length);
  return m <= k
    ? [...subproof(m, leaves.slice(0, k), whole), mth(leaves.slice(k))]
    : [...subproof(m - k, leaves.slice(k), false), mth(leaves.slice(0, k))];
}

const leavesOf = (size: number): Buffer[] => Array.from({ length: size }, (_, i) => sha256(`leaf ${i}`));
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
  test('have the roots of the Certificate Transparency reference vectors', () => {
    const inputs = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'];
    const roots = [
      'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
      '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
      'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
      'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
      'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
      '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
      '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
      'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
      '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
    ];
    const leaves = inputs.map((input) => leafHash(sha256, Buffer.from(input, 'hex')));
    expect(roots.map((_, size) => hex(treeRoot(sha256, leaves.slice(0, size))))).toEqual(roots);
  });

  test('have the roots and proofs of the recursive definitions', () => {
    for (let size = 0; size <= 70; size++) {
      const leaves = leavesOf(size);
      expect(hex(treeRoot(sha256, leaves))).toBe(hex(mth(leaves)));
      for (let i = 0; i < size; i++)
        expect(inclusionPath(sha256, leaves, i).map(hex)).toEqual(path(i, leaves).map(hex));
      for (let old = 1; old <= size; old++) {
        expect(consistencyPath(sha256, leaves, old).map(hex)).toEqual(subproof(old, leaves, true).map(hex));
      }
    }
  });

  test('are named by ranges in the order of their proofs', () => {
    fc.assert(
      fc.property(sizeAndIndex, twoSizes, ([size, index], [oldSize, newSize]) => {
        const leaves = leavesOf(300);
        const root = ({ start, end }: { start: number; end: number }): string => hex(mth(leaves.slice(start, end)));
        expect(inclusionRanges(index, size).map(root)).toEqual(path(index, leaves.slice(0, size)).map(hex));
        const proof = oldSize === 0 ? [] : subproof(oldSize, leaves.slice(0, newSize), true);
        expect(consistencyRanges(oldSize, newSize).map(root)).toEqual(proof.map(hex));
      }),
      { numRuns: 60 },
    );
  });

  test('keep leaves and nodes apart: two leaves are not a leaf of their hashes', () => {
    const [left, right] = leavesOf(2) as [Buffer, Buffer];
    expect(hex(nodeHash(sha256, left, right))).toBe(hex(mth([left, right])));
    expect(hex(leafHash(sha256, Buffer.concat([left, right])))).not.toBe(hex(mth([left, right])));
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
        const claim = { leaf: leaves[index] as Buffer, index, size, path: tree.path(index), root: tree.root };
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
        expect(hex(second.root())).toBe(hex(mth(leaves)));
        expect(hex(first.root())).toBe(hex(mth(leaves.slice(0, before))));
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
