import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { makeUscc } from '../../src/domain/identifiers.ts';
import type { IdentityContext } from '../../src/identity/change.ts';
import { DatabaseDirectory } from '../../src/identity/directory.ts';
import { putMandate } from '../../src/identity/put-mandate.ts';
import { putOffice } from '../../src/identity/put-office.ts';
import { putParty } from '../../src/identity/put-party.ts';
import { putRegistrations } from '../../src/identity/put-registrations.ts';
import { revokeKey } from '../../src/identity/revoke-key.ts';
import { systemClock } from '../../src/std/clock.ts';
import { openDatabase } from '../../src/storage/db.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { AGENT, FILER, HandClock, identityContext, makeKey, registerParty, TAX_OFFICE } from '../support/identity.ts';
import { silentLogger } from '../support/logger.ts';

let database: TestDatabase;
let ctx: IdentityContext;
const started: DatabaseDirectory[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  ctx = identityContext(database, systemClock);
});
afterEach(async () => {
  await Promise.all(started.splice(0).map((directory) => directory.stop()));
});
afterAll(() => database.drop());

async function start(
  options: Partial<ConstructorParameters<typeof DatabaseDirectory>[0]> = {},
): Promise<DatabaseDirectory> {
  const directory = new DatabaseDirectory({ db: database.db, clock: systemClock, log: silentLogger, ...options });
  await directory.start();
  started.push(directory);
  return directory;
}

/** Milliseconds until `holds`; fails after five seconds, which is what the contract allows. */
async function within5s(holds: () => Promise<boolean>): Promise<number> {
  const since = performance.now();
  while (performance.now() - since < 5_000) {
    if (await holds()) return performance.now() - since;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('not seen within 5 s');
}

describe('the directory', () => {
  test('has heard of what changed nothing too: ticks need not ask again for ever', async () => {
    const directory = await start({ pollMs: 20 });
    const office = { office: '13501009999', agency: 'city', region: '350100', name: { zh: '甲', en: 'A' } } as const;
    for (let times = 0; times < 2; times++) await putOffice(ctx, office);
    const [head] = await database.db.sql<{ n: number }[]>`SELECT n FROM identity_head`;
    await expect.poll(() => directory.heard()).toBe(head?.n);
  });

  test('knows keys, parties with registrations, offices and mandates', async () => {
    const key = await registerParty(ctx, FILER, 'filer');
    await putParty(ctx, { id: AGENT, kind: 'agent', name: '代理' });
    await putRegistrations(ctx, {
      filer: FILER,
      registrations: [{ office: TAX_OFFICE, from: '2020-01-01' }],
      pointer: '',
    });
    const mandate = { id: 'm', agent: AGENT, filer: FILER, types: ['tax.*'], from: '2026-01-01' };
    await putMandate(ctx, mandate);
    const directory = await start();
    expect(directory.peekKey(key.jwk.kid)).toBeUndefined();
    const found = await directory.key(key.jwk.kid);
    expect(found).toMatchObject({ kid: key.jwk.kid, party: FILER, alg: 'ES256' });
    expect(found?.publicKey.equals(key.publicKey)).toBe(true);
    // The party came with the key, in the same query.
    expect(directory.peekParty(FILER)).toEqual({
      id: FILER,
      kind: 'filer',
      name: '示范',
      status: 'active',
      registrations: [{ office: TAX_OFFICE, from: '2020-01-01', withdrawn: false }],
    });
    expect(directory.peekKey(key.jwk.kid)).toBe(found);
    expect(await directory.office(TAX_OFFICE)).toMatchObject({ code: TAX_OFFICE, agency: 'tax' });
    expect(await directory.offices('tax')).toHaveLength(1);
    expect(await directory.offices('psb')).toEqual([]);
    expect(await directory.mandates(AGENT, FILER)).toEqual([mandate]);
    expect(await directory.mandates(FILER, AGENT)).toEqual([]);
    expect(await directory.filersOf(AGENT, '2026-05-01')).toEqual([FILER]);
    expect(await directory.filersOf(AGENT, '2025-05-01')).toEqual([]);
  });

  test('answers undefined for what nobody could have stored, and for what nobody has', async () => {
    const directory = await start();
    const odd = ['', 'a\u0000b', "x' OR '1'='1", 'ü', 'x'.repeat(500), '\ud800', '../../etc'];
    const known = await Promise.all([
      directory.party(FILER),
      ...odd.map((id) => directory.party(id)),
      ...odd.map((kid) => directory.key(kid)),
    ]);
    expect(known[0]?.id).toBe(FILER);
    expect(known.slice(1).every((value) => value === undefined)).toBe(true);
    expect(await directory.mandates('\u0000', 'b')).toEqual([]);
  });

  test('loads 3,000 cold keys in a handful of queries', async () => {
    const parties = Array.from({ length: 60 }, (_, i) => makeUscc(200_000 + i));
    const kids: string[] = [];
    for (const party of parties.slice(0, 30)) {
      const key = await registerParty(ctx, party, 'filer', makeKey('EdDSA'));
      kids.push(key.jwk.kid);
    }
    const directory = await start();
    const asked = Array.from({ length: 3_000 }, (_, i) => kids[i % kids.length] as string);
    const found = await Promise.all(asked.map((kid) => directory.key(kid)));
    expect(found.every((key, i) => key?.kid === asked[i])).toBe(true);
  });
});

describe('two processes on one database', () => {
  test('each sees within 5 s what the other changes: revocation, suspension, registrations, mandates, offices', async () => {
    const id = makeUscc(300_001);
    const key = await registerParty(ctx, id, 'filer');
    // A second gateway has its own connections.
    const otherDb = openDatabase(database.address);
    const [here, there] = [await start(), await start({ db: otherDb })];
    for (const directory of [here, there]) {
      expect((await directory.key(key.jwk.kid))?.revokedAt).toBeUndefined();
      expect((await directory.party(id))?.status).toBe('active');
      expect(await directory.mandates(AGENT, id)).toEqual([]);
      expect(await directory.office('LATE')).toBeUndefined();
      expect((await directory.offices('emg')).length).toBe(0);
    }
    await revokeKey(ctx, { kid: key.jwk.kid, reason: 'lost' });
    await putRegistrations(ctx, {
      filer: id,
      registrations: [{ office: TAX_OFFICE, from: '2020-01-01' }],
      pointer: '',
    });
    await putParty(ctx, { id, kind: 'filer', name: '示范', status: 'suspended' });
    await putMandate(ctx, { id: 'm2', agent: AGENT, filer: id, types: ['tax.*'], from: '2026-01-01' });
    await putOffice(ctx, { office: 'LATE', agency: 'emg', region: '350100', name: { zh: '晚', en: 'Late' } });
    for (const directory of [here, there]) {
      await within5s(async () => (await directory.key(key.jwk.kid))?.revokedAt !== undefined);
      await within5s(async () => (await directory.party(id))?.status === 'suspended');
      await within5s(async () => (await directory.party(id))?.registrations.length === 1);
      await within5s(async () => (await directory.mandates(AGENT, id)).length === 1);
      await within5s(async () => (await directory.office('LATE')) !== undefined);
      await within5s(async () => (await directory.offices('emg')).length === 1);
    }
    await there.stop();
    await otherDb.close();
  });

  test('the process that writes sees its own change at once', async () => {
    const directory = await start({ pollMs: 60_000 });
    const own = { ...ctx, changed: (subjects: readonly string[]) => directory.forget(subjects) };
    const id = makeUscc(300_002);
    expect(await directory.party(id)).toBeUndefined();
    const key = await registerParty(own, id, 'filer');
    expect((await directory.party(id))?.status).toBe('active');
    expect(await directory.key(key.jwk.kid)).toBeDefined();
    await revokeKey(own, { kid: key.jwk.kid, reason: 'lost' });
    expect((await directory.key(key.jwk.kid))?.revokedAt).toBeDefined();
  });
});

describe('without polls', () => {
  test('after 4 s the cache is not believed, and what it would have said is asked for again', async () => {
    const clock = new HandClock();
    const directory = await start({ clock, pollMs: 3_600_000 });
    const id = makeUscc(300_003);
    const key = await registerParty(ctx, id, 'filer');
    await directory.key(key.jwk.kid);
    await revokeKey(ctx, { kid: key.jwk.kid, reason: 'lost' });
    clock.pass(3_900);
    expect(directory.peekKey(key.jwk.kid)?.revokedAt).toBeUndefined();
    clock.pass(200);
    expect(directory.peekKey(key.jwk.kid)).toBeUndefined();
    expect((await directory.key(key.jwk.kid))?.revokedAt).toBeDefined();
  });

  test('a directory that was never started relies on nothing', async () => {
    const directory = new DatabaseDirectory({ db: database.db, clock: systemClock, log: silentLogger });
    await directory.party(FILER);
    expect(directory.peekParty(FILER)).toBeUndefined();
  });
});

test('more changes than one poll reads are not missed', async () => {
  const id = makeUscc(300_004);
  const key = await registerParty(ctx, id, 'filer');
  const directory = await start({ pollMs: 300 });
  await directory.key(key.jwk.kid);
  await database.db.sql`
    WITH head AS (UPDATE identity_head SET n = n + 700 WHERE one = 1 RETURNING n)
    INSERT INTO identity_change (n, at, subjects) SELECT n - 699 + i, now(), ARRAY['party:x'] FROM head, generate_series(0, 699) i`;
  await revokeKey(ctx, { kid: key.jwk.kid, reason: 'lost' });
  await within5s(async () => (await directory.key(key.jwk.kid))?.revokedAt !== undefined);
});
