import * as jose from 'jose';
import { describe, expect, test } from 'vitest';
import {
  type Algorithm,
  generateKey,
  importSigningKey,
  parseJws,
  payloadBytes,
  payloadDigest,
  publicJwk,
  signFiling,
  signManifest,
  thumbprint,
  verifyJws,
} from '../../src/client/client.ts';
import { signedPayload } from './support.ts';

const ISSUER = 'https://gateway.example';
const ALGORITHMS: readonly Algorithm[] = ['ES256', 'EdDSA', 'PS256', 'RS256'];

describe.each(ALGORITHMS)('%s', (alg) => {
  test('what we sign jose verifies, with the header of the contract', async () => {
    const jwk = await generateKey(alg, '91350100M000100Y43');
    const jws = await signFiling(signedPayload, await importSigningKey(jwk), ISSUER);
    const key = await jose.importJWK(publicJwk(jwk) as jose.JWK, alg);
    const { payload, protectedHeader } = await jose.compactVerify(jws, key, { algorithms: [alg] });
    expect(protectedHeader).toEqual({ alg, kid: jwk.kid, typ: 'filing+jws', aud: ISSUER });
    expect(Buffer.from(payload).toString()).toBe(JSON.stringify(signedPayload));
  });

  test('what jose signs we verify, compact and flattened, and no altered byte of it', async () => {
    const { privateKey, publicKey } = await jose.generateKeyPair(alg, { extractable: true });
    const jwk = { ...(await jose.exportJWK(publicKey)), alg } as { kty: string; alg: string };
    const kid = await jose.calculateJwkThumbprint(jwk);
    expect(thumbprint(jwk)).toBe(kid);
    const jwks = { keys: [{ ...jwk, kid }] };
    const bytes = payloadBytes(signedPayload);
    const jws = await new jose.CompactSign(bytes).setProtectedHeader({ alg, kid }).sign(privateKey);
    const flattened = await new jose.FlattenedSign(bytes).setProtectedHeader({ alg, kid }).sign(privateKey);
    expect(await verifyJws(parseJws(jws), jwks)).toBe('ok');
    expect(await verifyJws(parseJws(flattened as never), jwks)).toBe('ok');

    const [header, payload, signature] = jws.split('.') as [string, string, string];
    const swap = (part: string): string => `${part.startsWith('A') ? 'B' : 'A'}${part.slice(1)}`;
    expect(await verifyJws(parseJws(`${header}.${swap(payload)}.${signature}`), jwks)).toBe('bad-signature');
    expect(await verifyJws(parseJws(`${header}.${payload}.${swap(signature)}`), jwks)).toBe('bad-signature');
    expect(await verifyJws(parseJws(jws), { keys: [] })).toBe('unknown-key');
  });

  test('an imported key signs as the same key', async () => {
    const jwk = await generateKey(alg, 'someone');
    const key = await importSigningKey(jwk);
    expect(key.kid).toBe(await jose.calculateJwkThumbprint(publicJwk(jwk) as jose.JWK));
    expect(key.sub).toBe('someone');
    expect(Object.keys(publicJwk(jwk))).not.toContain('d');
  });
});

describe('what verification refuses', () => {
  test('an algorithm that is not the key’s own, crit, and forms that are not JWS', async () => {
    const jwk = await generateKey('ES256');
    const other = { ...publicJwk(await generateKey('EdDSA')), kid: jwk.kid as string };
    const jws = await signFiling(signedPayload, await importSigningKey(jwk), ISSUER);
    expect(await verifyJws(parseJws(jws), { keys: [other] })).toBe('bad-signature');
    const [, payload, signature] = jws.split('.');
    const header = Buffer.from(JSON.stringify({ alg: 'ES256', kid: jwk.kid, crit: ['x'] })).toString('base64url');
    const jwks = { keys: [publicJwk(jwk)] };
    expect(await verifyJws(parseJws(`${header}.${payload}.${signature}`), jwks)).toBe('malformed');
    for (const text of ['', 'a.b', 'a.b.c.d', `${jws}=`, `${jws}.`, jws.replaceAll('.', '')]) {
      expect(await verifyJws(parseJws(text), jwks)).toBe('malformed');
    }
  });

  test('keys that cannot sign filings', () => {
    expect(() => thumbprint({ kty: 'oct' })).toThrow(TypeError);
    expect(() => thumbprint({ kty: 'EC', alg: 'RS256' })).toThrow(TypeError);
  });
});

describe('payloads', () => {
  test('the same object gives the same bytes and the digest of those bytes', async () => {
    const bytes = payloadBytes(signedPayload);
    expect(payloadBytes(structuredClone(signedPayload))).toEqual(bytes);
    const digest = await crypto.subtle.digest('SHA-256', new Uint8Array(bytes));
    expect(payloadDigest(bytes)).toBe(Buffer.from(digest).toString('base64url'));
  });

  test('a manifest states the count and the RFC 6962 root of its lines', async () => {
    const lines = ['{"a":1}', '{"b":2}', '{"c":3}'].map((line) => new TextEncoder().encode(line));
    const jws = await signManifest(lines, await importSigningKey(await generateKey('EdDSA')), ISSUER);
    const hash = async (...parts: Uint8Array[]): Promise<Uint8Array> =>
      new Uint8Array(await crypto.subtle.digest('SHA-256', Buffer.concat(parts)));
    const leaf = (i: number): Promise<Uint8Array> => hash(new Uint8Array([0]), lines[i] as Uint8Array);
    const node = new Uint8Array([1]);
    const root = await hash(node, await hash(node, await leaf(0), await leaf(1)), await leaf(2));
    expect(JSON.parse(Buffer.from(jws.split('.')[1] as string, 'base64url').toString())).toEqual({
      count: 3,
      root: Buffer.from(root).toString('base64url'),
    });
  });
});
