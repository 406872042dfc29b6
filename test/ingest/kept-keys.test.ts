import { beforeEach, describe, expect, it } from 'vitest';
import { KeptKeys } from '../../src/ingest/kept-keys.ts';
import { generateKeyPair } from '../../src/std/key-pair.ts';

const { publicKey } = generateKeyPair('Ed25519');
const MAX = 100;

describe('kept keys', () => {
  let imported: string[];
  let keys: KeptKeys;
  beforeEach(() => {
    imported = [];
    keys = new KeptKeys(MAX, (text) => {
      imported.push(text);
      return publicKey;
    });
  });
  const ask = (prefix: string, count: number): number => {
    const before = imported.length;
    for (let i = 0; i < count; i++) expect(keys.get(`${prefix}${i}`)).toBe(publicKey);
    return imported.length - before;
  };

  it('are imported once while there are places', () => {
    expect(ask('a', MAX)).toBe(MAX);
    expect(ask('a', MAX)).toBe(0);
  });

  it('keep their places while many come once', () => {
    ask('a', MAX);
    ask('once', 10 * MAX);
    // One in 32 of a thousand got a place.
    expect(ask('a', MAX)).toBeLessThan(MAX / 2);
  });

  it('give way to those who come often', () => {
    ask('a', MAX);
    for (let round = 0; round < 200; round++) ask('often', 10);
    expect(ask('often', 10)).toBe(0);
  });
});
