import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MandateTerms } from '../../src/http/identity-schemas.ts';
import { compileCheck } from '../../src/http/schema.ts';
import { addKey } from '../../src/identity/add-key.ts';
import { type GiveMandateContext, giveMandate } from '../../src/identity/give-mandate.ts';
import { putMandate } from '../../src/identity/put-mandate.ts';
import { putParty } from '../../src/identity/put-party.ts';
import { readMandate } from '../../src/identity/read.ts';
import { revokeKey } from '../../src/identity/revoke-key.ts';
import type { Signatory } from '../../src/identity/rotate-key.ts';
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
  type TestKey,
} from '../support/identity.ts';

let database: TestDatabase;
let ctx: GiveMandateContext;
let key: TestKey;
const clock = new HandClock();
const begun: [Signatory, string][] = [];
const iat = (): number => Math.floor(clock.now() / 1000);
const TYP = { typ: 'mandate+jws', aud: ISSUER };

beforeAll(async () => {
  database = await createTestDatabase();
  ctx = { ...identityContext(database, clock), checkTerms: compileCheck(MandateTerms, '') };
  key = await registerParty(ctx, FILER, 'filer');
  await registerParty(ctx, AGENT, 'agent');
  await registerParty(ctx, OTHER, 'filer');
});
afterAll(() => database.drop());

let serial = 0;
const terms = (changes: object = {}): Record<string, unknown> => ({
  id: `m-${++serial}`,
  agent: AGENT,
  filer: FILER,
  types: ['tax.*'],
  from: '2026-01-01',
  iat: iat(),
  ...changes,
});
const signed = (changes: object = {}, header: object = TYP, by = key): string => jws(by, terms(changes), header);
const give = (text: string) =>
  giveMandate(ctx, {
    jws: text,
    begin: async (signatory, id) => {
      begun.push([signatory, id]);
    },
  });

describe('a mandate that its filer signs', () => {
  test('stands as it was signed, for both sides to read', async () => {
    const text = signed({ id: 'given', to: '2027-12-31' });
    const { created, resource } = await give(text);
    expect(created).toBe(true);
    const signedAt = new Date(iat() * 1000).toISOString();
    const { iat: _, ...expected } = terms({ id: 'given', to: '2027-12-31' });
    expect(resource).toEqual({ ...expected, jws: text, signedAt });
    for (const viewer of [{ role: 'agent', party: AGENT } as const, { role: 'filer', party: FILER } as const])
      expect(await readMandate(ctx, viewer, 'given')).toEqual(resource);
    expect(begun.at(-1)).toEqual([{ party: FILER, role: 'filer', kid: key.jwk.kid }, 'given']);
  });

  test('sent again is the same one', async () => {
    const text = signed({ id: 'again' });
    const first = await give(text);
    const before = begun.length;
    expect(await give(text)).toEqual({ ...first, created: false });
    expect(begun.length).toBe(before);
  });

  test('gives way to one that was signed later, never to one that was signed before', async () => {
    const at = iat();
    const older = signed({ id: 'changed', iat: at - 60, types: ['*'] });
    const newer = signed({ id: 'changed', iat: at, to: '2026-11-09' });
    await give(older);
    expect((await give(newer)).resource).toMatchObject({ types: ['tax.*'], to: '2026-11-09', jws: newer });
    expect(await refusal(give(older))).toMatchObject({ code: 'conflict' });
    expect(await refusal(give(signed({ id: 'changed', iat: at, types: ['*'] })))).toMatchObject({ code: 'conflict' });
    expect(await readMandate(ctx, { role: 'operator', party: 'o' }, 'changed')).toMatchObject({ jws: newer });
  });

  test('replaces one that an operator entered', async () => {
    await putMandate(ctx, { id: 'entered', agent: AGENT, filer: FILER, types: ['*'], from: '2026-01-01' });
    const { created, resource } = await give(signed({ id: 'entered' }));
    expect(created).toBe(false);
    expect(resource.jws).toBeDefined();
  });

  test('keeps standing when its key has been revoked since, and is answered again', async () => {
    const second = makeKey('EdDSA');
    await addKey(ctx, { party: FILER, jwk: second.jwk, proof: proof(second, FILER, clock) });
    const text = signed({ id: 'kept' }, TYP, second);
    const { resource } = await give(text);
    await revokeKey(ctx, { kid: second.jwk.kid, reason: '测试' });
    expect(await give(text)).toEqual({ created: false, resource });
    expect(await refusal(give(signed({ id: 'kept', iat: iat() + 1 }, TYP, second)))).toMatchObject({
      code: 'key-revoked',
    });
  });
});

describe('an operator', () => {
  const grant = { agent: AGENT, filer: FILER, types: ['tax.*'], from: '2026-01-01' };

  test('ends a signed mandate earlier; what was signed stays on record', async () => {
    const text = signed({ id: 'ended' });
    await give(text);
    expect((await putMandate(ctx, { id: 'ended', ...grant, to: '2026-12-31' })).resource).toMatchObject({
      to: '2026-12-31',
      jws: text,
    });
    expect((await putMandate(ctx, { id: 'ended', ...grant, to: '2026-11-30' })).resource.to).toBe('2026-11-30');
    expect((await give(text)).resource.to).toBe('2026-11-30');
  });

  test.each([
    ['ends it later', { to: '2027-12-31' }],
    ['takes its end away', {}],
    ['widens it', { types: ['*'], to: '2026-06-30' }],
    ['lets it begin earlier', { from: '2025-01-01', to: '2026-06-30' }],
  ])('never %s', async (_, changes) => {
    const id = `operator-${++serial}`;
    const text = signed({ id, to: '2026-12-31' });
    const { resource } = await give(text);
    expect(await refusal(putMandate(ctx, { id, ...grant, ...changes }))).toMatchObject({ code: 'conflict' });
    expect((await give(text)).resource).toEqual(resource);
  });
});

describe('is refused', () => {
  const other = makeKey();

  test.each([
    ['what is no JWS', () => 'x', 'malformed-jws'],
    ['a newline at the end', () => `${signed()}\n`, 'malformed-jws'],
    ['another typ', () => signed({}, { ...TYP, typ: 'filing+jws' }), 'malformed-jws'],
    ['no typ', () => signed({}, { aud: ISSUER }), 'malformed-jws'],
    ['no audience', () => signed({}, { typ: TYP.typ }), 'malformed-jws'],
    ['a list of audiences', () => signed({}, { ...TYP, aud: [ISSUER] }), 'malformed-jws'],
    ['the audience of another gateway', () => signed({}, { ...TYP, aud: 'https://other.test' }), 'wrong-audience'],
    ['an unknown key', () => signed({}, TYP, other), 'unknown-key'],
    ['a stranger under the kid', () => signed({}, { ...TYP, kid: key.jwk.kid }, other), 'bad-signature'],
    ['another algorithm', () => signed({}, { ...TYP, alg: 'EdDSA' }), 'bad-signature'],
    ['a mandate of another filer', () => signed({ filer: OTHER }), 'invalid-resource', ['/filer']],
    ['an agent that is none', () => signed({ agent: OTHER }), 'invalid-resource', ['/agent']],
    ['a member too many', () => signed({ x: 1 }), 'invalid-resource', ['']],
    ['no iat', () => signed({ iat: undefined }), 'invalid-resource', ['/iat']],
    ['an iat far ahead', () => signed({ iat: iat() + 601 }), 'invalid-resource', ['/iat']],
    ['a type that is none', () => signed({ types: ['tax'] }), 'invalid-resource', ['/types/0']],
    ['an end before its beginning', () => signed({ to: '2025-12-31' }), 'invalid-resource', ['/to']],
    ['an id with a slash', () => signed({ id: 'a/b' }), 'invalid-resource', ['/id']],
  ])('%s', async (_, make, code, pointers: string[] = []) => {
    expect(await refusal(give(make()))).toEqual({ code, pointers });
  });

  test('the id of a mandate between two others', async () => {
    await putMandate(ctx, { id: 'taken', agent: AGENT, filer: OTHER, types: ['*'], from: '2026-01-01' });
    expect(await refusal(give(signed({ id: 'taken' })))).toMatchObject({ code: 'conflict' });
  });

  test('a filer that is suspended', async () => {
    await putParty(ctx, { id: FILER, kind: 'filer', name: '甲', status: 'suspended' });
    expect(await refusal(give(signed()))).toMatchObject({ code: 'party-suspended' });
    await putParty(ctx, { id: FILER, kind: 'filer', name: '甲' });
  });
});
