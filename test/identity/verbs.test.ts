import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { laneOf } from '../../src/domain/filing.ts';
import { makeUscc } from '../../src/domain/identifiers.ts';
import { addKey } from '../../src/identity/add-key.ts';
import type { IdentityContext } from '../../src/identity/change.ts';
import { putMandate } from '../../src/identity/put-mandate.ts';
import { putOffice } from '../../src/identity/put-office.ts';
import { putParty } from '../../src/identity/put-party.ts';
import { putRegistrations } from '../../src/identity/put-registrations.ts';
import { listKeys, readKey, readMandate, readOffice, readParty, readRegistrations } from '../../src/identity/read.ts';
import { revokeKey } from '../../src/identity/revoke-key.ts';
import { rotateKey } from '../../src/identity/rotate-key.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import {
  AGENT,
  FILER,
  HandClock,
  ISSUER,
  identityContext,
  jws,
  makeKey,
  OTHER,
  proof,
  refusal,
  registerParty,
  TAX_OFFICE,
} from '../support/identity.ts';

let database: TestDatabase;
let ctx: IdentityContext;
const clock = new HandClock();
const operator = { role: 'operator', party: 'operator' } as const;
const TAX = { office: TAX_OFFICE, agency: 'tax', region: '350100', name: { zh: '税务局', en: 'Tax' } } as const;
const iat = (): number => Math.floor(clock.now() / 1000);

beforeAll(async () => {
  database = await createTestDatabase();
  ctx = identityContext(database, clock);
  await putOffice(ctx, TAX);
});
afterAll(() => database.drop());

/** A filer of its own for each test that changes one. */
let serial = 1_000;
async function newFiler(): Promise<string> {
  const id = makeUscc(serial++);
  await putParty(ctx, { id, kind: 'filer', name: '甲公司', taxpayerKind: 'general' });
  return id;
}

describe('an office', () => {
  test('is made once, with an empty log in its lane, and renamed later', async () => {
    const input = { ...TAX, office: 'T-9' };
    expect(await putOffice(ctx, input)).toEqual({ created: true, resource: input });
    expect(await putOffice(ctx, input)).toEqual({ created: false, resource: input });
    const renamed = { ...input, name: { zh: '新名', en: 'New' } };
    expect(await putOffice(ctx, renamed)).toEqual({ created: false, resource: renamed });
    expect(await readOffice(ctx, 'T-9')).toEqual(renamed);
    const heads = await database.db.sql`SELECT lane, size FROM office_head WHERE office = 'T-9'`;
    expect([...heads]).toEqual([{ lane: laneOf('T-9', database.lanes), size: 0 }]);
  });

  test('never changes its agency', async () => {
    expect(await refusal(putOffice(ctx, { ...TAX, agency: 'si' }))).toMatchObject({ code: 'conflict' });
    expect((await readOffice(ctx, TAX_OFFICE)).agency).toBe('tax');
  });

  test('with a wrong code and region is refused with both findings', async () => {
    expect(await refusal(putOffice(ctx, { ...TAX, office: 'a b', region: '000000' }))).toEqual({
      code: 'invalid-resource',
      pointers: ['/office', '/region'],
    });
  });
});

describe('a party', () => {
  test.each([
    { id: '91350200M000000510', kind: 'filer' },
    { id: '91350128M00000019A', kind: 'agent' },
    { id: 'not a name', kind: 'operator' },
    { id: 'nowhere', kind: 'office' },
  ] as const)('$kind with a wrong id is refused', async (input) => {
    expect(await refusal(putParty(ctx, { ...input, name: '甲' }))).toEqual({
      code: 'invalid-resource',
      pointers: ['/id'],
    });
  });

  test('is made once, changed, and suspended', async () => {
    const input = { id: OTHER, kind: 'filer', name: '甲公司', taxpayerKind: 'small' } as const;
    expect(await putParty(ctx, input)).toEqual({ created: true, resource: { ...input, status: 'active' } });
    expect((await putParty(ctx, { ...input, status: 'suspended' })).created).toBe(false);
    expect(await readParty(ctx, operator, OTHER)).toEqual({ ...input, status: 'suspended' });
  });

  test('never changes its kind', async () => {
    const id = await newFiler();
    expect(await refusal(putParty(ctx, { id, kind: 'agent', name: '甲' }))).toMatchObject({ code: 'conflict' });
  });

  test('other than a filer has no taxpayer kind', async () => {
    const input = { id: makeUscc(5), kind: 'agent', name: '甲', taxpayerKind: 'small' } as const;
    expect(await refusal(putParty(ctx, input))).toEqual({ code: 'invalid-resource', pointers: ['/taxpayerKind'] });
  });

  test('is seen by itself and by operators, by nobody else', async () => {
    const id = await newFiler();
    expect((await readParty(ctx, { role: 'filer', party: id }, id)).id).toBe(id);
    for (const role of ['filer', 'agent', 'office'] as const) {
      const other = { role, party: OTHER };
      expect(await refusal(readParty(ctx, other, id))).toMatchObject({ code: 'not-found' });
      expect(await refusal(readRegistrations(ctx, other, id))).toMatchObject({ code: 'not-found' });
      expect(await refusal(listKeys(ctx, other, { party: id, cursor: '', limit: 10 }))).toMatchObject({
        code: 'not-found',
      });
    }
  });
});

describe('a key', () => {
  test('is registered with a proof of possession, once', async () => {
    const party = await newFiler();
    const key = makeKey('EdDSA');
    const input = { party, jwk: key.jwk, notAfter: '2027-01-01T00:00:00Z', proof: proof(key, party, clock) };
    const { created, resource } = await addKey(ctx, input);
    expect(created).toBe(true);
    expect(resource).toMatchObject({ kid: key.jwk.kid, party, notAfter: '2027-01-01T00:00:00.000Z' });
    clock.pass(60_000);
    expect(await addKey(ctx, input)).toEqual({ created: false, resource });
    expect(await readKey(ctx, { role: 'filer', party }, key.jwk.kid)).toEqual(resource);
    expect(await refusal(readKey(ctx, { role: 'filer', party: OTHER }, key.jwk.kid))).toMatchObject({
      code: 'not-found',
    });
  });

  test.each<[string, (key: ReturnType<typeof makeKey>, party: string) => string]>([
    ['by another key', (key, party) => jws(makeKey(), { sub: party, aud: ISSUER, iat: iat() }, { kid: key.jwk.kid })],
    ['for another party', (key) => proof(key, OTHER, clock)],
    ['for another gateway', (key, party) => jws(key, { sub: party, aud: 'https://other.test', iat: iat() })],
    ['too old', (key, party) => jws(key, { sub: party, aud: ISSUER, iat: iat() - 601 })],
    ['from the future', (key, party) => jws(key, { sub: party, aud: ISSUER, iat: iat() + 601 })],
    ['without a time', (key, party) => jws(key, { sub: party, aud: ISSUER })],
    ['with alg none', (key, party) => jws(key, { sub: party, aud: ISSUER, iat: iat() }, { alg: 'none' })],
    ['not a JWS', () => 'x'],
  ])('whose proof is %s is refused', async (_name, makeProof) => {
    const party = await newFiler();
    const key = makeKey();
    const refused = await refusal(addKey(ctx, { party, jwk: key.jwk, proof: makeProof(key, party) }));
    expect(refused).toEqual({ code: 'invalid-resource', pointers: ['/proof'] });
  });

  test('that is no public key, or has impossible dates, is refused at its place', async () => {
    const party = await newFiler();
    const key = makeKey();
    const add = (more: object) =>
      refusal(addKey(ctx, { party, jwk: key.jwk, proof: proof(key, party, clock), ...more }));
    expect(await add({ jwk: { ...key.jwk, d: 'AAAA' } })).toEqual({ code: 'invalid-resource', pointers: ['/jwk/d'] });
    expect(await add({ notBefore: 'x', notAfter: '2026-13-01T00:00:00Z' })).toMatchObject({
      pointers: ['/notBefore', '/notAfter'],
    });
    expect(await add({ notBefore: '2026-02-01T00:00:00Z', notAfter: '2026-01-01T00:00:00Z' })).toMatchObject({
      pointers: ['/notAfter'],
    });
    expect(await add({ party: makeUscc(7), proof: proof(key, makeUscc(7), clock) })).toMatchObject({
      code: 'not-found',
    });
  });

  test('belongs to one party for ever, also after it was revoked', async () => {
    const [first, second] = [await newFiler(), await newFiler()];
    const key = makeKey();
    await addKey(ctx, { party: first, jwk: key.jwk, proof: proof(key, first, clock) });
    const again = (party: string) => addKey(ctx, { party, jwk: key.jwk, proof: proof(key, party, clock) });
    expect(await refusal(again(second))).toMatchObject({ code: 'conflict' });
    const revoked = await revokeKey(ctx, { kid: key.jwk.kid, reason: '遗失' });
    expect(revoked.resource).toMatchObject({ revokedAt: new Date(clock.at).toISOString(), revokedReason: '遗失' });
    clock.pass(1_000);
    expect(await revokeKey(ctx, { kid: key.jwk.kid, reason: 'another' })).toEqual({
      created: false,
      resource: revoked.resource,
    });
    expect(await refusal(again(first))).toMatchObject({ code: 'conflict' });
    expect(await refusal(again(second))).toMatchObject({ code: 'conflict' });
    expect(await refusal(revokeKey(ctx, { kid: 'A'.repeat(43), reason: 'x' }))).toMatchObject({ code: 'not-found' });
  });

  test('is listed page by page', async () => {
    const party = await newFiler();
    const kids: string[] = [];
    for (let i = 0; i < 5; i++) {
      const key = makeKey('EdDSA');
      kids.push(key.jwk.kid);
      await addKey(ctx, { party, jwk: key.jwk, proof: proof(key, party, clock) });
    }
    const listed: string[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const page: Awaited<ReturnType<typeof listKeys>> = await listKeys(ctx, operator, { party, cursor, limit: 2 });
      listed.push(...page.items.map((key) => key.kid));
      cursor = page.next;
    }
    expect(listed).toEqual([...kids].sort());
  });
});

describe('rotation', () => {
  async function setUp() {
    const party = await newFiler();
    const old = await registerParty(ctx, party, 'filer');
    const next = makeKey('EdDSA');
    const claims = { jwk: next.jwk, proof: proof(next, party, clock), aud: ISSUER, iat: iat() };
    return { party, old, next, claims };
  }

  test('registers the new key beside the old one; sent again it is there', async () => {
    const { party, old, next, claims } = await setUp();
    const rotation = jws(old, claims);
    expect(await rotateKey(ctx, rotation)).toMatchObject({ created: true, resource: { kid: next.jwk.kid, party } });
    expect(await rotateKey(ctx, rotation)).toMatchObject({ created: false });
    expect((await readKey(ctx, operator, old.jwk.kid)).notAfter).toBeUndefined();
  });

  test('ends the old key when asked to, and never makes it last longer', async () => {
    const { old, claims } = await setUp();
    await rotateKey(ctx, jws(old, { ...claims, notAfter: '2026-11-20T00:00:00Z' }));
    expect((await readKey(ctx, operator, old.jwk.kid)).notAfter).toBe('2026-11-20T00:00:00.000Z');
    await rotateKey(ctx, jws(old, { ...claims, notAfter: '2026-12-20T00:00:00Z' }));
    expect((await readKey(ctx, operator, old.jwk.kid)).notAfter).toBe('2026-11-20T00:00:00.000Z');
  });

  test('that ends the old key at once does so from now on, and is there when it is sent again', async () => {
    const { party, old, next, claims } = await setUp();
    const rotation = jws(old, { ...claims, notAfter: '2026-01-01T00:00:00Z' });
    const now = new Date(clock.now()).toISOString();
    expect((await rotateKey(ctx, rotation)).created).toBe(true);
    expect((await readKey(ctx, operator, old.jwk.kid)).notAfter).toBe(now);
    clock.pass(1_000);
    expect(await rotateKey(ctx, rotation)).toMatchObject({ created: false, resource: { kid: next.jwk.kid } });
    expect((await readKey(ctx, operator, old.jwk.kid)).notAfter).toBe(now);
    const third = makeKey('EdDSA');
    const another = { ...claims, jwk: third.jwk, proof: proof(third, party, clock) };
    expect(await refusal(rotateKey(ctx, jws(old, another)))).toMatchObject({ code: 'key-not-in-force' });
    await revokeKey(ctx, { kid: next.jwk.kid, reason: 'lost' });
    expect(await refusal(rotateKey(ctx, rotation))).toMatchObject({ code: 'key-not-in-force' });
  });

  test('what was signed for another purpose begins nothing', async () => {
    const { party, old, next, claims } = await setUp();
    const begun: unknown[] = [];
    const bring = (text: string) => refusal(rotateKey(ctx, text, async (signatory) => void begun.push(signatory)));
    const { proof: _, ...unproven } = claims;
    for (const [foreign, header] of [
      [
        { filer: party, type: 'tax.vat', period: '2026-10' },
        { typ: 'filing+jws', aud: ISSUER },
      ],
      [{ iss: party, sub: party, aud: ISSUER, iat: iat(), exp: iat() + 60, jti: 'x' }, {}],
      [{ ...claims, aud: 'https://other.test' }, {}],
      [{ ...claims, iat: iat() - 700 }, {}],
      [unproven, {}],
      [{ ...claims, jwk: old.jwk, proof: proof(old, party, clock) }, {}],
      [{ ...claims, notAfter: 'tomorrow' }, {}],
    ] as const)
      await bring(jws(old, foreign, header));
    expect(begun).toEqual([]);
    await rotateKey(ctx, jws(old, claims), async (signatory) => void begun.push(signatory));
    expect(begun).toEqual([{ party, role: 'filer', kid: old.jwk.kid }]);
    expect((await readKey(ctx, operator, next.jwk.kid)).party).toBe(party);
  });

  test('is refused for everything that does not fit', async () => {
    const { party, old, next, claims } = await setUp();
    const rotated = (text: string) => refusal(rotateKey(ctx, text));
    expect(await rotated('x.y.z')).toMatchObject({ code: 'malformed-jws' });
    expect(await rotated(jws(next, claims))).toMatchObject({ code: 'unknown-key' });
    expect(await rotated(jws(makeKey(), claims, { kid: old.jwk.kid }))).toMatchObject({ code: 'bad-signature' });
    expect(await rotated(jws(old, { ...claims, aud: 'https://other.test' }))).toMatchObject({ code: 'wrong-audience' });
    expect(await rotated(jws(old, { ...claims, iat: iat() - 700 }))).toMatchObject({ pointers: ['/iat'] });
    expect(await rotated(jws(old, { ...claims, proof: proof(old, party, clock) }))).toMatchObject({
      pointers: ['/proof'],
    });
    expect(await rotated(jws(old, { ...claims, jwk: { kty: 'oct' } }))).toMatchObject({ pointers: ['/jwk/kty'] });
    expect(await rotated(jws(old, { ...claims, jwk: old.jwk, proof: proof(old, party, clock) }))).toMatchObject({
      pointers: ['/jwk'],
    });
    expect(await rotated(jws(old, { ...claims, notAfter: 'tomorrow' }))).toMatchObject({ pointers: ['/notAfter'] });
    await putParty(ctx, { id: party, kind: 'filer', name: '甲', status: 'suspended' });
    expect(await rotated(jws(old, claims))).toMatchObject({ code: 'party-suspended' });
    await revokeKey(ctx, { kid: old.jwk.kid, reason: 'lost' });
    expect(await rotated(jws(old, claims))).toMatchObject({ code: 'key-revoked' });
  });
});

describe('registrations', () => {
  test('are replaced; what falls out of the list is withdrawn, and can come back', async () => {
    const filer = await newFiler();
    await putOffice(ctx, { ...TAX, office: 'T2' });
    const first = [{ office: TAX_OFFICE, from: '2020-01-01' }];
    const second = [{ office: 'T2', from: '2026-01-01', to: '2026-12-31' }];
    const put = (registrations: typeof first) => putRegistrations(ctx, { filer, registrations, pointer: '' });
    expect(await put(first)).toEqual({ created: true, resource: first });
    expect(await put(first)).toEqual({ created: false, resource: first });
    expect(await put(second)).toEqual({ created: false, resource: second });
    expect(await readRegistrations(ctx, { role: 'filer', party: filer }, filer)).toEqual(second);
    const rows = await database.db
      .sql`SELECT office, withdrawn FROM registration WHERE filer = ${filer} ORDER BY valid_from`;
    expect([...rows]).toEqual([
      { office: TAX_OFFICE, withdrawn: true },
      { office: 'T2', withdrawn: false },
    ]);
    expect(await put([...first, ...second])).toEqual({ created: false, resource: [...first, ...second] });
    expect(await put([])).toEqual({ created: false, resource: [] });
  });

  test('show every mistake at its place', async () => {
    const filer = await newFiler();
    const put = (registrations: { office: string; from: string; to?: string }[], pointer: '' | '/registrations' = '') =>
      refusal(putRegistrations(ctx, { filer, registrations, pointer }));
    expect(
      await put([
        { office: TAX_OFFICE, from: '2026-02-30' },
        { office: TAX_OFFICE, from: '2026-03-01', to: '2026-01-01' },
        { office: TAX_OFFICE, from: '2026-03-01' },
      ]),
    ).toMatchObject({ pointers: ['/0/from', '/1/to', '/2'] });
    expect(await put([{ office: 'none', from: '2026-01-01' }], '/registrations')).toMatchObject({
      pointers: ['/registrations/0/office'],
    });
    const many = Array.from({ length: 101 }, () => ({ office: TAX_OFFICE, from: '2026-01-01' }));
    expect(await put(many)).toMatchObject({ pointers: [''] });
  });

  test('are for filers that exist', async () => {
    const put = (filer: string) => refusal(putRegistrations(ctx, { filer, registrations: [], pointer: '' }));
    expect(await put(makeUscc(9))).toMatchObject({ code: 'not-found' });
    await putParty(ctx, { id: makeUscc(10), kind: 'agent', name: '代理' });
    expect(await put(makeUscc(10))).toMatchObject({ code: 'invalid-resource' });
  });
});

describe('a mandate', () => {
  beforeAll(async () => {
    await putParty(ctx, { id: AGENT, kind: 'agent', name: '代理' });
    await putParty(ctx, { id: FILER, kind: 'filer', name: '甲公司' });
  });
  const input = { id: 'M-1', agent: AGENT, filer: FILER, types: ['tax.*'], from: '2026-01-01' };

  test('is made once, changed and ended; both sides read it', async () => {
    expect(await putMandate(ctx, input)).toEqual({ created: true, resource: input });
    expect(await putMandate(ctx, input)).toEqual({ created: false, resource: input });
    const ended = { ...input, types: ['tax.*', 'si.contribution'], to: '2026-06-30' };
    expect(await putMandate(ctx, ended)).toEqual({ created: false, resource: ended });
    expect(await readMandate(ctx, { role: 'agent', party: AGENT }, 'M-1')).toEqual(ended);
    expect(await readMandate(ctx, { role: 'filer', party: FILER }, 'M-1')).toEqual(ended);
    expect(await refusal(readMandate(ctx, { role: 'filer', party: OTHER }, 'M-1'))).toMatchObject({
      code: 'not-found',
    });
  });

  test('never passes to others', async () => {
    await putMandate(ctx, { ...input, id: 'M-2' });
    const filer = await newFiler();
    expect(await refusal(putMandate(ctx, { ...input, id: 'M-2', filer }))).toMatchObject({ code: 'conflict' });
  });

  test('shows every mistake at its place', async () => {
    const wrong = { ...input, id: 'M 3', types: ['tax.*', 'vat'], from: '2026-1-1', to: 'x' };
    expect(await refusal(putMandate(ctx, wrong))).toMatchObject({ pointers: ['/from', '/to', '/id', '/types/1'] });
    expect(await refusal(putMandate(ctx, { ...input, id: 'M-3', agent: FILER, filer: AGENT }))).toMatchObject({
      pointers: ['/agent', '/filer'],
    });
  });
});

test('every change is numbered in commit order, and names what it is about', async () => {
  const parties = Array.from({ length: 12 }, (_, i) => makeUscc(50_000 + i));
  await Promise.all(parties.map((id) => putParty(ctx, { id, kind: 'filer', name: '并发' })));
  const rows = await database.db.sql<
    { n: number; subjects: string[] }[]
  >`SELECT n, subjects FROM identity_change ORDER BY n`;
  const subjects = rows.flatMap((row) => row.subjects);
  for (const id of parties) expect(subjects).toContain(`party:${id}`);
  expect(new Set(rows.map((row) => row.n)).size).toBe(rows.length);
});
