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
  treeRoot,
  verifyConsistency,
  verifyInclusion,
} from '../../src/log/merkle.ts';
import { sha256 } from '../../src/std/bytes.ts';
import { MTH, PATH, PROOF, verifiesConsistency, verifiesInclusion } from './rfc-merkle.ts';

// Two implementations of the same RFCs must agree in everything: roots, proofs, and verdicts on proofs that were
// damaged. A failure names its seed; MERKLE_SEED runs it again.

const SEED = process.env.MERKLE_SEED;
const runs = (numRuns: number): { numRuns: number; seed?: number } =>
  SEED === undefined ? { numRuns } : { numRuns, seed: Number(SEED) };

const ENTRIES = Array.from({ length: 5_000 }, (_, i) => Buffer.from(`entry ${i}`));
const LEAVES = ENTRIES.map((entry) => leafHash(sha256, entry));
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const empty = sha256('');

const size = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 1, max: 300 }) },
  { weight: 1, arbitrary: fc.constantFrom(511, 512, 513, 1_023, 1_024, 1_025, 4_095, 4_096, 4_097) },
  { weight: 1, arbitrary: fc.integer({ min: 301, max: ENTRIES.length }) },
);
const place = size.chain((n) => fc.record({ n: fc.constant(n), m: fc.integer({ min: 0, max: n - 1 }) }));
const pair = size.chain((n) => fc.record({ n: fc.constant(n), m: fc.integer({ min: 1, max: n }) }));

/** One way to damage a path; `at` and `bit` are taken modulo what there is. */
const damage = fc.record({
  how: fc.constantFrom('flip', 'drop', 'double', 'swap', 'append', 'prepend', 'shorten', 'copy', 'empty'),
  at: fc.nat(64),
  bit: fc.nat(255),
});
type Damage = typeof damage extends fc.Arbitrary<infer T> ? T : never;

function damaged(path: readonly Uint8Array[], { how, at, bit }: Damage): Uint8Array[] {
  const other = sha256(`other ${bit}`);
  if (how === 'append') return [...path, other];
  if (how === 'prepend') return [other, ...path];
  if (how === 'empty' || path.length === 0) return [];
  const i = at % path.length;
  const j = (i + 1) % path.length;
  const [node, next] = [path[i] as Uint8Array, path[j] as Uint8Array];
  if (how === 'flip') return path.with(i, flipped(node, bit));
  if (how === 'drop') return path.toSpliced(i, 1);
  if (how === 'double') return path.toSpliced(i, 0, node);
  if (how === 'swap') return path.with(i, next).with(j, node);
  if (how === 'shorten') return path.with(i, node.slice(1));
  return path.with(i, next);
}

function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  return bytes.map((byte, i) => (i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
}

describe('the known vectors of the Certificate Transparency test data', () => {
  const inputs = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'];
  const entries = inputs.map((input) => Buffer.from(input, 'hex'));
  const leaves = entries.map((entry) => leafHash(sha256, entry));
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

  test('are the roots of both implementations', () => {
    expect(roots.map((_, n) => hex(treeRoot(sha256, leaves.slice(0, n))))).toEqual(roots);
    expect(roots.map((_, n) => hex(MTH(entries.slice(0, n))))).toEqual(roots);
  });

  test('are the paths of both implementations', () => {
    const audit = [
      'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
      'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
      'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    ];
    expect(inclusionPath(sha256, leaves, 5).map(hex)).toEqual(audit);
    expect(PATH(5, entries).map(hex)).toEqual(audit);
    const consistency = [
      '0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a',
      'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
      'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    ];
    expect(consistencyPath(sha256, leaves, 6).map(hex)).toEqual(consistency);
    expect(PROOF(6, entries).map(hex)).toEqual(consistency);
  });
});

describe('both implementations', () => {
  test('have the same roots for every size up to 300, and some larger', () => {
    for (const n of [...Array.from({ length: 301 }, (_, i) => i), 511, 512, 513, 4_095, 4_096, 4_097, 5_000]) {
      expect(hex(treeRoot(sha256, LEAVES.slice(0, n)))).toBe(hex(MTH(ENTRIES.slice(0, n))));
    }
  });

  test('have the same paths for every place and every pair of sizes up to 70', () => {
    for (let n = 1; n <= 70; n++) {
      const [entries, leaves] = [ENTRIES.slice(0, n), LEAVES.slice(0, n)];
      for (let m = 0; m < n; m++) {
        expect(inclusionPath(sha256, leaves, m).map(hex)).toEqual(PATH(m, entries).map(hex));
        expect(consistencyPath(sha256, leaves, m + 1).map(hex)).toEqual(PROOF(m + 1, entries).map(hex));
      }
    }
  });

  test('have the same inclusion paths at any size, named by ranges in the same order', () => {
    fc.assert(
      fc.property(place, ({ n, m }) => {
        const path = PATH(m, ENTRIES.slice(0, n)).map(hex);
        expect(merkleTree(sha256, LEAVES.slice(0, n)).path(m).map(hex)).toEqual(path);
        const named = inclusionRanges(m, n).map(({ start, end }) => hex(MTH(ENTRIES.slice(start, end))));
        expect(named).toEqual(path);
      }),
      runs(150),
    );
  });

  test('have the same consistency paths at any sizes, named by ranges in the same order', () => {
    fc.assert(
      fc.property(pair, ({ n, m }) => {
        const path = PROOF(m, ENTRIES.slice(0, n)).map(hex);
        expect(consistencyPath(sha256, LEAVES.slice(0, n), m).map(hex)).toEqual(path);
        const named = consistencyRanges(m, n).map(({ start, end }) => hex(MTH(ENTRIES.slice(start, end))));
        expect(named).toEqual(path);
      }),
      runs(150),
    );
  });

  test('keep leaves and nodes apart', () => {
    const [left, right] = LEAVES as [Uint8Array, Uint8Array];
    expect(hex(nodeHash(sha256, left, right))).toBe(hex(MTH(ENTRIES.slice(0, 2))));
    expect(hex(leafHash(sha256, Buffer.concat([left, right])))).not.toBe(hex(MTH(ENTRIES.slice(0, 2))));
  });
});

describe('both verifiers', () => {
  const near = fc.constantFrom(-1, 0, 0, 0, 1, 2);

  test('give the same verdict on inclusion proofs, honest and damaged', () => {
    const counts = { true: 0, false: 0 };
    fc.assert(
      fc.property(
        place,
        fc.array(damage, { maxLength: 3 }),
        near,
        near,
        fc.boolean(),
        (at, damages, by, more, root) => {
          const leaves = LEAVES.slice(0, at.n);
          const index = Math.max(0, at.m + by);
          const claim = {
            leaf: LEAVES[at.m] as Uint8Array,
            index,
            size: at.n + more,
            path: damages.reduce<Uint8Array[]>(damaged, inclusionPath(sha256, leaves, at.m)),
            root: root ? treeRoot(sha256, leaves) : flipped(treeRoot(sha256, leaves), at.m % 256),
          };
          const verdict = verifiesInclusion({
            hash: claim.leaf,
            leaf_index: index,
            tree_size: claim.size,
            inclusion_path: claim.path,
            root_hash: claim.root,
          });
          counts[`${verdict}`]++;
          expect(verifyInclusion(sha256, claim)).toBe(verdict);
        },
      ),
      { ...runs(600), examples: [[{ n: 7, m: 3 }, [], 0, 0, true]] },
    );
    expect(Math.min(counts.true, counts.false)).toBeGreaterThan(0);
  });

  test('give the same verdict on consistency proofs, honest and damaged', () => {
    const counts = { true: 0, false: 0 };
    fc.assert(
      fc.property(pair, fc.array(damage, { maxLength: 3 }), near, near, fc.nat(3), (sizes, damages, by, more, root) => {
        const { n, m } = sizes;
        const [oldSize, newSize] = [Math.max(1, m + by), n + more];
        fc.pre(oldSize < newSize);
        const roots = [treeRoot(sha256, LEAVES.slice(0, m)), treeRoot(sha256, LEAVES.slice(0, n))] as const;
        const claim = {
          oldSize,
          oldRoot: root === 1 ? flipped(roots[0], m % 256) : roots[0],
          size: newSize,
          root: root === 2 ? flipped(roots[1], n % 256) : roots[1],
          path: damages.reduce<Uint8Array[]>(damaged, consistencyPath(sha256, LEAVES.slice(0, n), m)),
        };
        const verdict = verifiesConsistency({
          first: oldSize,
          first_hash: claim.oldRoot,
          second: newSize,
          second_hash: claim.root,
          consistency_path: claim.path,
        });
        counts[`${verdict}`]++;
        expect(verifyConsistency(sha256, claim)).toBe(verdict);
      }),
      { ...runs(600), examples: [[{ n: 7, m: 3 }, [], 0, 0, 0]] },
    );
    expect(Math.min(counts.true, counts.false)).toBeGreaterThan(0);
  });

  test('accept what the other implementation proves', () => {
    fc.assert(
      fc.property(pair, ({ n, m }) => {
        const [entries, leaves] = [ENTRIES.slice(0, n), LEAVES.slice(0, n)];
        const [oldRoot, root] = [MTH(entries.slice(0, m)), MTH(entries)];
        const inclusion = {
          leaf: LEAVES[m - 1] as Uint8Array,
          index: m - 1,
          size: n,
          path: PATH(m - 1, entries),
          root,
        };
        expect(verifyInclusion(sha256, inclusion)).toBe(true);
        const path = PROOF(m, entries);
        expect(verifyConsistency(sha256, { oldSize: m, oldRoot, size: n, root, path })).toBe(true);
        if (m === n) return;
        const consistency_path = consistencyPath(sha256, leaves, m);
        const claim = { first: m, first_hash: oldRoot, second: n, second_hash: root, consistency_path };
        expect(verifiesConsistency(claim)).toBe(true);
      }),
      runs(100),
    );
  });

  test('have a rule of our own where the RFC has none: equal sizes, and the empty tree', () => {
    fc.assert(
      fc.property(pair, fc.boolean(), ({ n, m }, longer) => {
        const [oldRoot, root] = [treeRoot(sha256, LEAVES.slice(0, m)), treeRoot(sha256, LEAVES.slice(0, n))];
        const path = longer ? [sha256('more')] : [];
        expect(verifyConsistency(sha256, { oldSize: n, oldRoot, size: n, root, path })).toBe(m === n && !longer);
        expect(verifyConsistency(sha256, { oldSize: 0, oldRoot: empty, size: n, root, path })).toBe(!longer);
        expect(verifyConsistency(sha256, { oldSize: 0, oldRoot, size: n, root, path })).toBe(false);
      }),
      runs(60),
    );
  });
});
