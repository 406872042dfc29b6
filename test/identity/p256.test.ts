import { createPublicKey } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { makeKey } from '../../bench/keys.ts';
import { isP256Point } from '../../src/identity/p256.ts';

const FIELD = 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n;

function bytes(number: bigint): Buffer {
  return Buffer.from(number.toString(16).padStart(64, '0'), 'hex');
}

function opensslTakes(x: Buffer, y: Buffer): boolean {
  const key = { kty: 'EC', crv: 'P-256', x: x.toString('base64url'), y: y.toString('base64url') };
  try {
    createPublicKey({ key, format: 'jwk' });
    return true;
  } catch {
    return false;
  }
}

const key = fc.nat(1_000_000).map((index) => {
  const { x, y } = makeKey('p256', index);
  return { x: Buffer.from(x, 'base64url'), y: Buffer.from(y, 'base64url') };
});

describe('a point of P-256', () => {
  test('is one where OpenSSL says so: keys, their negatives, and keys with a bit turned over', () => {
    fc.assert(
      fc.property(key, fc.nat(511), ({ x, y }, bit) => {
        const negative = bytes(FIELD - BigInt(`0x${y.toString('hex')}`));
        expect([isP256Point(x, y), isP256Point(x, negative)]).toEqual([true, true]);
        expect([opensslTakes(x, y), opensslTakes(x, negative)]).toEqual([true, true]);
        const turned = Buffer.concat([x, y]);
        const at = bit >> 3;
        turned[at] = (turned[at] as number) ^ (1 << (bit & 7));
        const [otherX, otherY] = [turned.subarray(0, 32), turned.subarray(32)];
        expect(isP256Point(otherX, otherY)).toBe(opensslTakes(otherX, otherY));
      }),
      { numRuns: 50 },
    );
  });

  test('has coordinates below the prime, and is never the origin', () => {
    // The point with x = 0: the same coordinate again, plus the prime, is the same number and another spelling.
    const y = bytes(0x66485c780e2f83d72433bd5d84a06bb6541c2af31dae871728bf856a174f93f4n);
    expect([isP256Point(bytes(0n), y), opensslTakes(bytes(0n), y)]).toEqual([true, true]);
    expect([isP256Point(bytes(FIELD), y), opensslTakes(bytes(FIELD), y)]).toEqual([false, false]);
    expect(isP256Point(bytes(0n), bytes(0n))).toBe(false);
  });
});
