import { createHash, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { FilingRecord } from '../../src/domain/filing-record.ts';
import { commitment, officeLeaf, SignedTick, signTick, stateLeaf } from '../../src/ingest/receipt.ts';
import { merkleTree } from '../../src/log/merkle.ts';
import { sha256 } from '../../src/std/bytes.ts';
import { generateKeyPair } from '../../src/std/key-pair.ts';
import { testSigner } from '../support/commit.ts';
import { verifyReceiptText } from '../support/receipt-verifier.ts';

const { privateKey, publicKey } = generateKeyPair('Ed25519');
const signer = testSigner(privateKey);
const jwks = { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: signer.kid }] };
const issuer = { iss: 'https://gateway.test', env: 'sandbox' };

const references = fc.oneof(
  fc.constant(undefined),
  fc.constantFrom('R-1', '票据 "7"', 'a\\b', '😀é', '</script>', '\u2028'),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 64 }),
);
const days = fc.constantFrom('1900-01-01', '1969-12-31', '2026-10-31', '2999-12-31');
const seeds = fc.record({
  office: fc.stringMatching(/^[A-Za-z0-9-]{1,32}$/),
  index: fc.integer({ min: 0, max: 999_999_999_999_999 }),
  reference: references,
  kind: fc.constantFrom('original', 'correction', 'void'),
  supersedes: fc.option(fc.constant('13501000000.42'), { nil: undefined }),
  period: fc.record({ from: days, to: days }),
  receivedAt: fc.integer({ min: Date.parse('1969-06-01'), max: Date.parse('2999-12-31') }),
  payload: fc.uint8Array({ minLength: 1, maxLength: 60 }),
});
type Seed = typeof seeds extends fc.Arbitrary<infer T> ? T : never;

function recordOf({ payload, ...seed }: Seed, leafIndex: number): FilingRecord {
  const salt = randomBytes(16);
  const { reference, supersedes, ...facts } = seed;
  return {
    ...facts,
    reference,
    supersedes,
    kind: seed.kind as FilingRecord['kind'],
    lane: 0,
    key: Buffer.alloc(40),
    type: 'psb.lodging',
    version: '2026-01',
    filer: '91350100M000100Y43',
    late: false,
    warnings: [],
    digest: sha256(payload),
    salt,
    leaf: officeLeaf(seed, commitment(salt, payload)),
    tick: { lane: 0, id: 'tick', leafIndex },
    kid: 'k',
  };
}

/** Signs the records as one tick; what is read back from its row makes their receipts. */
function tickOf(records: readonly FilingRecord[]): SignedTick {
  const leaves = records.map((record) => stateLeaf(record, issuer).leaf);
  const at = Date.parse('2026-11-10T08:00:00.120Z');
  const signature = signTick(signer, issuer, merkleTree(sha256, leaves), at);
  return SignedTick.fromRecord({ lane: 0, id: 'tick', at, leaves: Buffer.concat(leaves), signature }, issuer.env);
}

const textOf = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

it('every receipt of a tick verifies with code that shares nothing with it, whatever was filed', () => {
  const property = fc.property(fc.array(seeds, { minLength: 1, maxLength: 9 }), (ticks) => {
    const records = ticks.map(recordOf);
    const tick = tickOf(records);
    for (const [i, record] of records.entries()) {
      const statement = verifyReceiptText(textOf(tick.receipt(record)), jwks, ticks[i]?.payload as Uint8Array);
      expect(statement.id).toBe(`${record.office}.${record.index}`);
      expect(statement.reference).toBe(record.reference);
    }
  });
  fc.assert(property, { numRuns: 100 });
});

it('no receipt verifies after any change of one bit', () => {
  const [seed] = fc.sample(seeds, { numRuns: 1, seed: 7 }) as [Seed];
  const record = recordOf({ ...seed, reference: '票据 "7" \\' }, 2);
  const others = fc.sample(seeds, { numRuns: 4, seed: 8 }).map(recordOf);
  const tick = tickOf([others[0], others[1], record, others[2], others[3]] as FilingRecord[]);
  const text = textOf(tick.receipt(record));
  verifyReceiptText(text, jwks, seed.payload);
  const passed: number[] = [];
  for (let bit = 0; bit < text.length * 8; bit++) {
    const changed = Buffer.from(text);
    changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
    try {
      verifyReceiptText(changed, jwks, seed.payload);
      passed.push(bit);
    } catch {
      // as it should be
    }
  }
  expect(passed).toEqual([]);
});

it('a record that differs from what was signed has no receipt', () => {
  fc.assert(
    fc.property(seeds, fc.constantFrom('index', 'receivedAt', 'reference', 'leaf', 'digest'), (seed, member) => {
      const record = recordOf(seed, 0);
      const other = { index: record.index + 1, receivedAt: record.receivedAt + 1, reference: `${record.reference}x` };
      const hashes = { leaf: createHash('sha256').digest(), digest: createHash('sha256').digest() };
      const changed = { ...record, [member]: { ...other, ...hashes }[member] };
      expect(() => tickOf([record]).receipt(changed)).toThrow('broken invariant');
    }),
    { numRuns: 50 },
  );
});
