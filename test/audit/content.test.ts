import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { payloadFacts } from '../../src/audit/content.ts';
import { leafText, statementOf } from '../../src/audit/texts.ts';
import { foldRoot, LeafGroup, LogTree, rootOf } from '../../src/audit/tree.ts';
import { type LeafInput, leafInputText, type ReceiptStatement, statementText } from '../../src/domain/statement.ts';
import { sha256 } from '../../src/std/bytes.ts';
import { MTH } from '../log/rfc-merkle.ts';

const NAMES = ['type', 'version', 'filer', 'reference', 'office', 'kind', 'supersedes'] as const;

describe('what a payload says of itself', () => {
  test('is what JSON.parse finds there, however it is spelt', () => {
    const text = fc.string({ unit: 'binary' });
    const payload = fc.record(
      {
        ...Object.fromEntries(NAMES.map((name) => [name, fc.oneof(text, fc.jsonValue())])),
        period: fc.record({ from: text, to: text, more: fc.jsonValue() }),
        data: fc.jsonValue({ depthSize: 'medium' }),
        '': fc.jsonValue(),
        'quo"te\\': fc.jsonValue(),
      },
      { requiredKeys: ['period'] },
    );
    const space = fc.constantFrom('', ' ', '\n\t');
    fc.assert(
      fc.property(payload, fc.constantFrom(undefined, 1, '\t'), space, (value, indent, around) => {
        const { from, to } = value.period as { from: string; to: string };
        const read = value as Record<string, unknown>;
        const expected = Object.fromEntries(NAMES.map((name) => [name, JSON.parse(JSON.stringify(read))[name]]));
        expect(payloadFacts(around + JSON.stringify(value, undefined, indent) + around)).toEqual({
          ...expected,
          from,
          to,
        });
      }),
      { numRuns: 2_000 },
    );
  });

  test('is not read out of anything but an object', () => {
    for (const wrong of [
      '',
      'x',
      '[]',
      '"period"',
      '{"period":1}',
      '{"period":{"from":1}',
      '[{"period":{"from":"a","to":"b"}}]',
      '{"period":{"from":"a","to":"b"}} x',
    ])
      expect(payloadFacts(wrong), wrong).toBeUndefined();
    expect(payloadFacts('{"kind":"a","period":{"from":"x","to":"y"},"kind":"b"}')?.kind).toBe('b');
  });
});

test('the texts that are hashed are the canonical ones', () => {
  const text = fc.string({ unit: 'grapheme' });
  const facts = fc.record({
    type: text,
    version: text,
    filer: text,
    from: text,
    to: text,
    kind: text,
    reference: fc.option(text, { nil: undefined }),
    supersedes: fc.option(text, { nil: undefined }),
    digest: fc.base64String(),
    leaf: fc.base64String(),
  });
  const place = fc.record({ iss: text, env: text, office: text, index: fc.maxSafeNat(), receivedAt: fc.nat(4e12) });
  fc.assert(
    fc.property(facts, place, (f, p) => {
      const { iss, env, office, index, receivedAt } = p;
      const at = new Date(receivedAt).toISOString();
      const { from, to, ...rest } = f;
      const statement = {
        ...rest,
        iss,
        env,
        id: `${office}.${index}`,
        office,
        index,
        period: { from, to },
        receivedAt: at,
      };
      expect(statementOf(p, f)).toBe(statementText(statement as unknown as ReceiptStatement));
      const leaf: LeafInput = { v: 1, id: `${office}.${index}`, office, index, receivedAt: at, commit: f.digest };
      expect(leafText(office, index, receivedAt, f.digest)).toBe(leafInputText(leaf));
    }),
  );
});

describe('the tree', () => {
  const leaves = Array.from({ length: 1_100 }, (_, i) => sha256(String(i)));

  test('has the roots of RFC 6962 at every size, from groups and what lies above them', () => {
    const tree = new LogTree();
    const group = new LeafGroup();
    for (let size = 0; size <= leaves.length; size++) {
      if (size % 97 === 0 || size % 256 < 2 || size === leaves.length)
        expect(tree.root(group.subtrees()).equals(rootOf(Buffer.concat(leaves.slice(0, size))))).toBe(true);
      group.push(leaves[size] ?? Buffer.alloc(32));
      if (group.size < 256) continue;
      tree.push(group.subtrees(), () => {});
      group.clear();
    }
    const texts = Array.from({ length: 300 }, (_, i) => Buffer.from(`leaf ${i}`));
    const hashes = Buffer.concat(texts.map((each) => sha256(Buffer.concat([Buffer.of(0), each]))));
    for (const size of [0, 1, 2, 3, 7, 8, 255, 256, 257, 300])
      expect(rootOf(hashes.subarray(0, size * 32)).equals(MTH(texts.slice(0, size))), String(size)).toBe(true);
    expect(foldRoot(Buffer.alloc(0)).equals(MTH([]))).toBe(true);
  });

  test('goes on from its state as if it had never stopped', () => {
    const roots = leaves.map((leaf) => sha256(leaf));
    const [whole, half] = [new LogTree(), new LogTree()];
    const full: string[] = [];
    for (const root of roots) whole.push(root, ({ level, n }) => full.push(`${level}/${n}`));
    for (const root of roots.slice(0, 600)) half.push(root, () => {});
    const resumed = LogTree.restore(JSON.parse(JSON.stringify(half.state())));
    for (const root of roots.slice(600)) resumed.push(root, () => {});
    expect(resumed.root(Buffer.alloc(0)).equals(whole.root(Buffer.alloc(0)))).toBe(true);
    expect(resumed.partialTiles()).toEqual(whole.partialTiles());
    expect([resumed.size, resumed.tileCounts()]).toEqual([whole.size, whole.tileCounts()]);
    expect(full).toEqual(['1/0', '1/1', '1/2', '1/3']);
  });
});
