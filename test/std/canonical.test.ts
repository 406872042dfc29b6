import canonicalize from 'canonicalize';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromBase64url, isCanonicalBase64url, toBase64url } from '../../src/std/bytes.ts';
import { canonicalJson, type Json } from '../../src/std/canonical.ts';

describe('RFC 8785', () => {
  it('agrees with the reference implementation', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
        const json = JSON.parse(JSON.stringify(value)) as Json;
        if (/\p{Surrogate}/u.test(JSON.stringify(json))) return;
        let ours: string | undefined;
        try {
          ours = canonicalJson(json);
        } catch {
          return; // a lone surrogate, which the reference passes over
        }
        expect(ours).toBe(canonicalize(json));
      }),
    );
  });

  it('gives the vector of RFC 8785 section 3.2.3', () => {
    const value = JSON.parse(
      '{"\\u20ac":"Euro Sign","\\r":"Carriage Return","\\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One","\\ud83d\\ude00":"Emoji: Grinning Face","\\u0080":"Control","\\u00f6":"Latin Small Letter O With Diaeresis"}',
    );
    expect(Object.values(JSON.parse(canonicalJson(value)) as object)).toHaveLength(7);
    expect([...canonicalJson(value).matchAll(/:"([^"]+)"/g)].map((match) => match[1])).toEqual([
      'Carriage Return',
      'One',
      'Control',
      'Latin Small Letter O With Diaeresis',
      'Euro Sign',
      'Emoji: Grinning Face',
      'Hebrew Letter Dalet With Dagesh',
    ]);
  });

  it('has no form for a lone surrogate or a number that is none', () => {
    expect(() => canonicalJson('\ud800')).toThrow(TypeError);
    expect(() => canonicalJson({ a: Number.NaN })).toThrow(TypeError);
  });
});

describe('base64url', () => {
  it('has one spelling for one value', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const text = toBase64url(bytes);
        expect(fromBase64url(text)).toEqual(Buffer.from(bytes));
        const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
        const others = [...alphabet].filter((last) => last !== text.at(-1)).map((last) => text.slice(0, -1) + last);
        for (const other of text === '' ? [] : others) {
          const decoded = fromBase64url(other);
          if (decoded !== undefined) expect(decoded.equals(Buffer.from(bytes))).toBe(false);
        }
      }),
    );
  });

  it.each(['QQ==', 'QR', 'A', 'QQ=', 'Q Q', 'Q+Q/', 'QUJ'])('refuses %j', (text) => {
    expect(isCanonicalBase64url(text)).toBe(false);
  });
});
