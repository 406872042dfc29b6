import canonicalize from 'canonicalize';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { officeLeaf } from '../../src/client/leaf.ts';
import { sha256 } from '../../src/client/sha256.ts';
import { b64u, hash, leafOf } from './office-fixture.ts';

const bytes = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length });
// Around the size up to which the inputs are put together in place.
const long = fc
  .tuple(fc.nat(255), fc.constantFrom(16_367, 16_368, 16_369, 40_000))
  .map(([byte, length]) => new Uint8Array(length).fill(byte));
const payload = fc.oneof(fc.uint8Array({ maxLength: 100 }), long);
const text = fc.oneof(fc.string({ unit: 'grapheme' }), fc.constantFrom('', '申'.repeat(5_500), 'a'.repeat(17_000)));

test('a leaf is the hash of its canonical face, however long salt, payload and texts are', () => {
  fc.assert(
    fc.property(bytes(16), payload, text, fc.nat(), (salt, data, id, index) => {
      const [office, receivedAt] = ['13501000000', '2026-11-01T00:00:00.000Z'];
      const commit = b64u(hash(salt, data));
      const face = canonicalize({ v: 1, id, office, index, receivedAt, commit }) as string;
      expect(b64u(officeLeaf(sha256, { id, office, index, receivedAt, salt, payload: data }))).toBe(b64u(leafOf(face)));
    }),
    { numRuns: 60 },
  );
});
