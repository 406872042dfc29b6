import { calculateJwkThumbprint, exportJWK } from 'jose';
import { describe, expect, test } from 'vitest';
import { importJwk, publicKeyOf } from '../../src/identity/jwk.ts';
import { isSignedBy, parseCompactJws } from '../../src/identity/jws.ts';
import { SIGNATURE_ALGORITHMS } from '../../src/identity/records.ts';
import { generateKeyPair } from '../../src/std/key-pair.ts';
import { jws, makeKey } from '../support/identity.ts';

const ec = generateKeyPair('P-256').publicKey.export({ format: 'jwk' });
const ed = generateKeyPair('Ed25519').publicKey.export({ format: 'jwk' });
const rsa = generateKeyPair({ rsaBits: 2048 }).publicKey.export({ format: 'jwk' });

function faultIn(value: unknown): string {
  const result = importJwk(value);
  if (result.ok) throw new Error('was accepted');
  expect(result.fault.reason.zh).toMatch(/\p{Script=Han}/u);
  return result.fault.member;
}

describe('a public JWK', () => {
  test.each([
    ['ES256', ec],
    ['EdDSA', ed],
    ['PS256', rsa],
    ['RS256', rsa],
  ])('%s is taken, and its kid is the RFC 7638 thumbprint that jose computes', async (alg, jwk) => {
    const result = importJwk({ ...jwk, alg, use: 'sig', ext: true, key_ops: ['verify'] });
    if (!result.ok) throw new Error(result.fault.reason.en);
    expect(result.jwk.alg).toBe(alg);
    expect(result.jwk.kid).toBe(await calculateJwkThumbprint(await exportJWK(publicKeyOf(result.jwk))));
    expect(Object.keys(result.jwk)).not.toContain('ext');
  });

  test('has the algorithm of its kind by default, except RSA, which has two', () => {
    expect(importJwk(ec)).toMatchObject({ jwk: { alg: 'ES256' } });
    expect(importJwk(ed)).toMatchObject({ jwk: { alg: 'EdDSA' } });
    expect(importJwk({ ...ed, alg: 'Ed25519' })).toMatchObject({ jwk: { alg: 'EdDSA' } });
    expect(faultIn(rsa)).toBe('alg');
  });

  test.each<[string, string, unknown]>([
    ['private member', 'd', { ...ec, d: 'AAAA' }],
    ['symmetric key', 'k', { kty: 'oct', k: 'AAAA' }],
    ['unknown kind', 'kty', { kty: 'oct' }],
    ['no object', '', [ec]],
    ['null', '', null],
    ['wrong algorithm', 'alg', { ...ec, alg: 'HS256' }],
    ['algorithm none', 'alg', { ...ec, alg: 'none' }],
    ['RSA algorithm on EC', 'alg', { ...ec, alg: 'RS256' }],
    ['other curve', 'crv', generateKeyPair('P-384').publicKey.export({ format: 'jwk' })],
    ['X25519', 'crv', generateKeyPair('X25519').publicKey.export({ format: 'jwk' })],
    ['short RSA', 'n', { ...generateKeyPair({ rsaBits: 1024 }).publicKey.export({ format: 'jwk' }), alg: 'RS256' }],
    ['exponent 3', 'e', { ...rsa, e: 'Aw', alg: 'RS256' }],
    ['leading zeros in n', 'n', { ...rsa, n: `AAAA${rsa.n}`, alg: 'RS256' }],
    ['even n', 'n', { ...rsa, n: `${rsa.n?.slice(0, -4)}AAAA`, alg: 'RS256' }],
    ['not on the curve', 'x', { ...ec, x: ec.y, y: ec.x }],
    ['padded x', 'x', { ...ec, x: `${ec.x}=` }],
    ['short x', 'x', { ...ec, x: 'AAAA' }],
    ['kid of another key', 'kid', { ...ec, kid: 'A'.repeat(43) }],
    ['for encryption', 'use', { ...ec, use: 'enc' }],
    ['for signing only', 'key_ops', { ...ec, key_ops: ['sign'] }],
    ['point of low order', 'x', { ...ed, x: 'AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' }],
    ['point of low order, other sign', 'x', { ...ed, x: 'AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAIA' }],
  ])('%s is refused at %j', (_name, member, value) => {
    expect(faultIn(value)).toBe(member);
  });
});

describe('a compact JWS', () => {
  test.each(SIGNATURE_ALGORITHMS)('%s verifies with its key and with no other', (alg) => {
    const key = makeKey(alg);
    const parsed = parseCompactJws(jws(key, { a: 1 }));
    if (parsed === undefined) throw new Error('not parsed');
    expect(parsed.claims).toEqual({ a: 1 });
    expect(isSignedBy(parsed, key)).toBe(true);
    expect(isSignedBy(parsed, makeKey(alg))).toBe(false);
    expect(isSignedBy({ ...parsed, header: { alg: 'none' } }, key)).toBe(false);
    expect(isSignedBy({ ...parsed, header: { alg: 'HS256' } }, key)).toBe(false);
  });

  test('alg says the key’s own algorithm, or is refused although the signature would hold', () => {
    const key = makeKey('PS256');
    const parsed = parseCompactJws(jws(key, {}, { alg: 'RS256' }));
    if (parsed === undefined) throw new Error('not parsed');
    expect(isSignedBy(parsed, key)).toBe(false);
  });

  const key = makeKey();
  const good = jws(key, { a: 1 });
  const [head, body, signature] = good.split('.') as [string, string, string];
  const b64 = (text: string): string => Buffer.from(text).toString('base64url');
  test.each<[string, string]>([
    ['empty', ''],
    ['two parts', `${head}.${body}`],
    ['padding', `${head}.${body}=.${signature}`],
    ['space', `${good} `],
    ['four parts', `${good}.x`],
    ['payload no object', `${head}.${b64('[1]')}.${signature}`],
    ['duplicate member', `${head}.${b64('{"a":1,"a":2}')}.${signature}`],
    ['escaped duplicate', `${head}.${b64('{"a":1,"\\u0061":2}')}.${signature}`],
    ['header with crit', jws(key, {}, { crit: ['exp'] })],
    ['header with jwk', jws(key, {}, { jwk: key.jwk })],
    ['header with jku', jws(key, {}, { jku: 'https://example.org' })],
    ['header with b64', jws(key, {}, { b64: false })],
    ['huge', `${head}.${b64(JSON.stringify({ a: 'x'.repeat(20_000) }))}.${signature}`],
  ])('%s is refused', (_name, text) => {
    expect(parseCompactJws(text)).toBeUndefined();
  });
});
