import { constants, type KeyObject, sign } from 'node:crypto';
import { addKey } from '../../src/identity/add-key.ts';
import type { IdentityContext } from '../../src/identity/change.ts';
import { importJwk, type PublicJwk } from '../../src/identity/jwk.ts';
import { putOffice } from '../../src/identity/put-office.ts';
import { putParty } from '../../src/identity/put-party.ts';
import type { SignatureAlgorithm } from '../../src/identity/records.ts';
import type { Clock } from '../../src/std/clock.ts';
import { generateKeyPair } from '../../src/std/key-pair.ts';
import type { TestDatabase } from './database.ts';

export const ISSUER = 'https://gateway.test';
export const FILER = '91350100M000100Y43';
export const AGENT = '92510100MA61WJ3204';
export const OTHER = '91341000MA2N0ABGXX';
export const TAX_OFFICE = '13501000000';

/** A clock that is turned by hand. */
export class HandClock implements Clock {
  at = Date.parse('2026-11-10T08:00:00.000Z');
  since = 0;

  now(): number {
    return this.at;
  }

  monotonic(): number {
    return this.since;
  }

  pass(ms: number): void {
    this.at += ms;
    this.since += ms;
  }
}

export interface TestKey {
  readonly alg: SignatureAlgorithm;
  readonly jwk: PublicJwk;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

function generate(alg: SignatureAlgorithm): { privateKey: KeyObject; publicKey: KeyObject } {
  if (alg === 'ES256') return generateKeyPair('P-256');
  return alg === 'EdDSA' ? generateKeyPair('Ed25519') : generateKeyPair({ rsaBits: 2048 });
}

export function makeKey(alg: SignatureAlgorithm = 'ES256'): TestKey {
  const { privateKey, publicKey } = generate(alg);
  const imported = importJwk({ ...publicKey.export({ format: 'jwk' }), alg });
  if (!imported.ok) throw new Error(imported.fault.reason.en);
  return { alg, jwk: imported.jwk, privateKey, publicKey };
}

function signatureOf(key: TestKey, input: Buffer): Buffer {
  const { privateKey } = key;
  if (key.alg === 'ES256') return sign('sha256', input, { key: privateKey, dsaEncoding: 'ieee-p1363' });
  if (key.alg === 'EdDSA') return sign(null, input, privateKey);
  if (key.alg === 'RS256') return sign('sha256', input, privateKey);
  return sign('sha256', input, { key: privateKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 });
}

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A compact JWS; `header` members replace or join `alg` and `kid`. */
export function jws(key: TestKey, claims: object, header: object = {}): string {
  const input = `${encode({ alg: key.alg, kid: key.jwk.kid, ...header })}.${encode(claims)}`;
  return `${input}.${signatureOf(key, Buffer.from(input)).toString('base64url')}`;
}

export function proof(key: TestKey, sub: string, clock: Clock): string {
  return jws(key, { sub, aud: ISSUER, iat: Math.floor(clock.now() / 1000) });
}

export function identityContext(database: TestDatabase, clock: Clock = new HandClock()): IdentityContext {
  return { db: database.db, clock, issuer: ISSUER };
}

/** A tax office, and a party with a key. */
export async function registerParty(
  ctx: IdentityContext,
  id: string,
  kind: 'filer' | 'agent' | 'office' | 'operator',
  key = makeKey(),
): Promise<TestKey> {
  await putOffice(ctx, { office: TAX_OFFICE, agency: 'tax', region: '350100', name: { zh: '税务局', en: 'Tax' } });
  await putParty(ctx, { id, kind, name: '示范' });
  await addKey(ctx, { party: id, jwk: key.jwk, proof: proof(key, id, ctx.clock) });
  return key;
}

/** The code of what was thrown, and the pointers of its findings. */
export async function refusal(promise: Promise<unknown>): Promise<{ code: string; pointers: string[] }> {
  try {
    await promise;
  } catch (error) {
    const { code, details } = error as { code: string; details?: { errors?: { pointer: string }[] } };
    return { code, pointers: (details?.errors ?? []).map((violation) => violation.pointer) };
  }
  throw new Error('was not refused');
}
