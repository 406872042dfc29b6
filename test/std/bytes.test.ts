import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fromBase64url, toBase64url } from '../../src/std/bytes.ts';

test('base64url of a part of larger bytes is that of the part alone', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(200), fc.nat(200), (bytes, a, b) => {
      const part = bytes.subarray(Math.min(a, b), Math.max(a, b));
      const expected = Buffer.from([...part]).toString('base64url');
      expect(toBase64url(part)).toBe(expected);
      expect(toBase64url(Buffer.from(part.buffer, part.byteOffset, part.length))).toBe(expected);
      expect(fromBase64url(expected)).toEqual(Buffer.from([...part]));
    }),
  );
});
