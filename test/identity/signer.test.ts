import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { compactVerify, createLocalJWKSet } from 'jose';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { AGENCIES } from '../../src/domain/filing.ts';
import { checkUscc } from '../../src/domain/identifiers.ts';
import { DEMO_AGENT, DEMO_FILER, DEMO_OFFICES, demoKeyPath, ensureDemo } from '../../src/identity/demo.ts';
import { GatewayKeys } from '../../src/identity/gateway-keys.ts';
import { ensureOperator, type OwnPartiesContext } from '../../src/identity/own-parties.ts';
import { putParty } from '../../src/identity/put-party.ts';
import { readKey, readMandate, readParty, readRegistrations } from '../../src/identity/read.ts';
import { revokeKey } from '../../src/identity/revoke-key.ts';
import { openSigner } from '../../src/identity/signer.ts';
import { systemClock } from '../../src/std/clock.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { ISSUER } from '../support/identity.ts';
import { silentLogger } from '../support/logger.ts';

let database: TestDatabase;
let dataDir: string;
let ctx: OwnPartiesContext;
const operator = { role: 'operator', party: 'operator' } as const;

beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());
beforeEach(async () => {
  dataDir = await mkdtemp(path.join(os.tmpdir(), 'shenbao-keys-'));
  ctx = { db: database.db, clock: systemClock, random: randomBytes, dataDir, issuer: ISSUER, log: silentLogger };
});
afterEach(() => rm(dataDir, { recursive: true }));

const modeOf = async (file: string): Promise<number> => (await stat(file)).mode & 0o777;

describe('the signer', () => {
  test('makes its key once; jose verifies what it signs with the published keys', async () => {
    const signer = await openSigner(ctx);
    expect((await openSigner(ctx)).kid).toBe(signer.kid);
    expect(await modeOf(path.join(dataDir, 'signing.jwk'))).toBe(0o600);
    const compact = signer.signCompact({ typ: 'receipt+jws' }, '{"汉":1}');
    const keys = await new GatewayKeys(database.db, systemClock).list();
    const verified = await compactVerify(compact, createLocalJWKSet({ keys: keys.map((jwk) => ({ ...jwk })) }));
    expect(verified.protectedHeader).toEqual({ alg: 'EdDSA', kid: signer.kid, typ: 'receipt+jws' });
    expect(Buffer.from(verified.payload).toString()).toBe('{"汉":1}');
    expect(signer.sign(Buffer.from('x')).length).toBe(64);
  });

  test('another file is a rotation: both public keys stay known', async () => {
    const old = await openSigner(ctx);
    await rm(path.join(dataDir, 'signing.jwk'));
    const next = await openSigner(ctx);
    expect(next.kid).not.toBe(old.kid);
    const gatewayKeys = new GatewayKeys(database.db, systemClock);
    const kids = (await gatewayKeys.list()).map((jwk) => jwk.kid);
    expect(kids).toEqual(expect.arrayContaining([old.kid, next.kid]));
    expect(await gatewayKeys.find(old.kid)).toBeDefined();
    expect(await gatewayKeys.find('none')).toBeUndefined();
  });

  test('ten starts at once get one key', async () => {
    const signers = await Promise.all(Array.from({ length: 10 }, () => openSigner(ctx)));
    expect(new Set(signers.map((signer) => signer.kid)).size).toBe(1);
    expect(await readdir(dataDir)).toEqual(['signing.jwk']);
  });

  test.each<[string, (file: string) => Promise<void>]>([
    ['not JSON', (file) => writeFile(file, '{')],
    ['no key', (file) => writeFile(file, '{}')],
    [
      'a public key',
      async (file) => {
        const { d: _, ...rest } = JSON.parse(await readFile(file, 'utf8')) as { d: string };
        await writeFile(file, JSON.stringify(rest));
      },
    ],
    [
      'an x that is not of d',
      async (file) => {
        const jwk = JSON.parse(await readFile(file, 'utf8')) as { x: string; kid?: string };
        jwk.x = 'A4TPS0wZQxlvzgRMZ0_DYBhC4jkxyHJhwuUSt3bzoZw';
        jwk.kid = undefined as never;
        await writeFile(file, JSON.stringify(jwk));
      },
    ],
  ])('a file with %s stops the start, and the message names the file', async (_name, spoil) => {
    await openSigner(ctx);
    const file = path.join(dataDir, 'signing.jwk');
    await chmod(file, 0o600);
    await spoil(file);
    await expect(openSigner(ctx)).rejects.toThrow(/signing\.jwk|broken invariant/);
  });

  test('an EC key in its file is refused: checkpoints need Ed25519', async () => {
    const { path: file } = await ensureOperator(ctx);
    await writeFile(path.join(dataDir, 'signing.jwk'), await readFile(file));
    await expect(openSigner(ctx)).rejects.toThrow(/Ed25519/);
  });
});

describe('the operator', () => {
  test('has a key file with kid, alg and sub, and is registered with it', async () => {
    const file = await ensureOperator(ctx);
    expect(await modeOf(file.path)).toBe(0o600);
    const jwk = JSON.parse(await readFile(file.path, 'utf8')) as Record<string, string>;
    expect(jwk).toMatchObject({ alg: 'ES256', sub: 'operator', kid: file.jwk.kid, kty: 'EC' });
    expect(typeof jwk.d).toBe('string');
    expect(await readKey(ctx, operator, file.jwk.kid)).toMatchObject({ party: 'operator' });
    expect(await readParty(ctx, operator, 'operator')).toMatchObject({ kind: 'operator', status: 'active' });
    expect((await readKey(ctx, operator, file.jwk.kid)).jwk).not.toHaveProperty('d');
  });

  test('whose key was revoked stays locked out by a restart', async () => {
    const file = await ensureOperator(ctx);
    await revokeKey(ctx, { kid: file.jwk.kid, reason: 'lost' });
    await ensureOperator(ctx);
    expect((await readKey(ctx, operator, file.jwk.kid)).revokedAt).toBeDefined();
  });
});

describe('the sandbox', () => {
  test('has an office of each agency, a registered filer, an agent with a mandate, and their keys', async () => {
    await Promise.all([ensureDemo(ctx), ensureDemo(ctx), ensureDemo(ctx)]);
    expect(DEMO_OFFICES.map(({ agency }) => agency)).toEqual([...AGENCIES]);
    expect(checkUscc(DEMO_FILER).ok && checkUscc(DEMO_AGENT).ok).toBe(true);
    expect((await readRegistrations(ctx, operator, DEMO_FILER)).map(({ office }) => office)).toEqual(
      DEMO_OFFICES.map(({ office }) => office),
    );
    expect(await readMandate(ctx, operator, 'demo')).toMatchObject({ agent: DEMO_AGENT, filer: DEMO_FILER });
    const names = ['filer', 'agent', ...AGENCIES.map((agency) => `office-${agency}` as const)] as const;
    for (const name of names) {
      const file = demoKeyPath(dataDir, name);
      const jwk = JSON.parse(await readFile(file, 'utf8')) as { kid: string; alg: string; sub: string; d: string };
      expect(await modeOf(file)).toBe(0o600);
      expect(jwk.alg).toBe('ES256');
      expect(await readKey(ctx, operator, jwk.kid)).toMatchObject({ party: jwk.sub });
    }
    expect((await readdir(path.join(dataDir, 'demo'))).length).toBe(names.length);
  });

  test('does not set back what an operator has changed', async () => {
    await ensureDemo(ctx);
    await putParty(ctx, { id: DEMO_FILER, kind: 'filer', name: '改名', status: 'suspended' });
    await ensureDemo(ctx);
    expect(await readParty(ctx, operator, DEMO_FILER)).toMatchObject({ name: '改名', status: 'suspended' });
  });
});
