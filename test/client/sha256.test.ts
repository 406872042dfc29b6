import { createHash, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { sha256 } from '../../src/client/sha256.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const reference = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

describe('SHA-256 of the SDK', () => {
  // FIPS 180-4 examples and the long vector of NIST's CAVP.
  test.each([
    ['', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
    ['abc', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
    [
      'abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq',
      '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1',
    ],
    ['a'.repeat(1_000_000), 'cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0'],
  ])('vector %#', (text, digest) => {
    expect(hex(sha256(new TextEncoder().encode(text)))).toBe(digest);
  });

  test('agrees with node:crypto at every length around the block borders', () => {
    for (let length = 0; length <= 260; length++) {
      const bytes = randomBytes(length);
      expect(hex(sha256(bytes))).toBe(reference(bytes));
    }
  });

  test('agrees with node:crypto on arbitrary bytes, also on views into larger buffers', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 4_096 }), fc.nat(64), (bytes, offset) => {
        const view = bytes.subarray(Math.min(offset, bytes.length));
        expect(hex(sha256(view))).toBe(reference(view));
      }),
    );
  });
});
