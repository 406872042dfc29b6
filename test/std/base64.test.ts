import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { base64With } from '../../src/std/base64.ts';
import { fromBase64url, writeBase64url } from '../../src/std/bytes.ts';

const bytes = fc.uint8Array({ maxLength: 100 });

// With Node's codec and as a browser has it.
describe.each([
  ['with Buffer', base64With(Buffer)],
  ['without', base64With(undefined)],
])('%s', (_, { encodeBase64, encodeBase64url, decodeBase64, decodeBase64url }) => {
  test('bytes of every length come back from either alphabet', () => {
    fc.assert(
      fc.property(bytes, (data) => {
        const buffer = Buffer.from(data);
        expect(encodeBase64(data)).toBe(buffer.toString('base64'));
        expect(encodeBase64url(data)).toBe(buffer.toString('base64url'));
        expect(decodeBase64(encodeBase64(data))).toEqual(data);
        expect(decodeBase64url(encodeBase64url(data))).toEqual(data);
      }),
    );
  });

  test('only the one canonical spelling is read: any other text, with any one character changed, is the same as for the other reader', () => {
    const characters = [...'ABYZabyz0189-_+/=. \n\u00e9\u4e2d\u{1f600}'];
    fc.assert(
      fc.property(bytes, fc.nat(), fc.constantFrom(...characters), fc.nat(3), (data, place, character, cut) => {
        const text = encodeBase64url(data);
        const at = place % (text.length + 1);
        for (const changed of [text.slice(0, at) + character + text.slice(at + 1), text.slice(0, text.length - cut)]) {
          const expected = fromBase64url(changed);
          expect(decodeBase64url(changed)).toEqual(expected && new Uint8Array(expected));
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test('what is asked for last does not change what was given before', () => {
    fc.assert(
      fc.property(bytes, bytes, (one, other) => {
        const first = decodeBase64url(encodeBase64url(one));
        decodeBase64url(encodeBase64url(other));
        expect(first).toEqual(one);
      }),
    );
  });
});

test('bytes are written in place, and nothing beside them', () => {
  fc.assert(
    fc.property(bytes, fc.nat(20), (data, at) => {
      const target = Buffer.alloc(200, 0x2e);
      const end = writeBase64url(data, target, at);
      const text = Buffer.from(data).toString('base64url');
      expect(end).toBe(at + text.length);
      expect(target.toString('latin1')).toBe('.'.repeat(at) + text + '.'.repeat(200 - end));
    }),
  );
});
