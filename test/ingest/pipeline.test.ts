import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { admit, type IngestContext, submit } from '../../src/ingest/pipeline.ts';
import type { Place } from '../../src/ingest/pool.ts';
import type { FilingView } from '../../src/ingest/view.ts';
import type { GatewayError } from '../../src/std/errors.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { example, lodging, newParty, type Payload, type SigningParty } from '../support/filer.ts';
import { AGENT, FILER } from '../support/identity.ts';
import { file, GATEWAY, registration, type TestIngest, testIngest } from '../support/ingest.ts';

const OFFICES = { 'psb-a': 'psb', 'psb-b': 'psb', 'tax-a': 'tax' } as const;
const DAY_MS = 86_400_000;

let database: TestDatabase;
let ingest: TestIngest;
let filer: SigningParty;
let agent: SigningParty;

beforeAll(async () => {
  database = await createTestDatabase();
  ingest = await testIngest(database, OFFICES);
  agent = ingest.directory.addParty(AGENT, [], { kind: 'agent' });
});
afterAll(() => database.drop());

/** Each test begins with the same filer, registered with two offices, and a new key. */
function freshFiler(office = 'psb-a'): SigningParty {
  filer = ingest.directory.addParty(FILER, [{ office }, { office: 'tax-a' }]);
  ingest.directory.setParty(FILER, { status: 'active' });
  ingest.directory.mandateList.length = 0;
  return filer;
}

async function stored(payload: Payload | string, signer = filer): Promise<FilingView> {
  const accepted = await file(ingest, signer, payload);
  expect(accepted.kind).toBe('stored');
  return accepted.filing;
}

async function codeOf(payload: Payload | string, signer = filer): Promise<string> {
  const error = await file(ingest, signer, payload).then(
    ({ kind }) => ({ code: kind, details: undefined }),
    (thrown: { code: string }) => thrown,
  );
  return error.code;
}

/** The same bytes again, signed anew: the whole answer is the same text. */
async function expectReplay(payload: Payload | string, original: FilingView, signer = filer): Promise<void> {
  const again = await file(ingest, signer, payload);
  expect(again.kind).toBe('replayed');
  expect(JSON.stringify(again.filing)).toBe(JSON.stringify(original));
}

describe('a replay gives the original answer, byte for byte,', () => {
  it('with warnings', async () => {
    freshFiler();
    // A VAT return whose figures keep the rules but make one of them wonder.
    const valid = example('tax/vat-general');
    const payload = { ...valid, filer: FILER, kind: 'original' };
    const warned = await stored(await withWarning(payload));
    expect(warned.warnings.length).toBeGreaterThan(0);
    await expectReplay(await withWarning(payload), warned);
  });

  it('after the filer has moved to another office', async () => {
    freshFiler();
    const payload = lodging({ filer: FILER });
    const original = await stored(payload);
    ingest.directory.setParty(FILER, {
      registrations: [
        registration({ office: 'psb-a', withdrawn: true }),
        registration({ office: 'psb-b', from: '2026-01-01' }),
      ],
    });
    await expectReplay(payload, original);
    expect((await stored(lodging({ filer: FILER }))).office).toBe('psb-b');
  });

  it('after the filer has left every office', async () => {
    freshFiler();
    const payload = lodging({ filer: FILER });
    const original = await stored(payload);
    ingest.directory.setParty(FILER, { registrations: [registration({ office: 'psb-a', to: '2026-01-01' })] });
    await expectReplay(payload, original);
    expect(await codeOf(lodging({ filer: FILER }))).toBe('not-registered');
  });

  it("after the agent's mandate has ended", async () => {
    freshFiler();
    const mandate = { id: 'm', agent: AGENT, filer: FILER, types: ['psb.*'], from: '2020-01-01' };
    ingest.directory.mandateList.push(mandate);
    const payload = lodging({ filer: FILER });
    const original = await stored(payload, agent);
    ingest.directory.mandateList.length = 0;
    await expectReplay(payload, original, agent);
    expect(await codeOf(lodging({ filer: FILER }), agent)).toBe('no-mandate');
  });

  it('after the signing key has been rotated away or revoked', async () => {
    for (const dates of [{ notAfter: ingest.clock.now() - 1 }, { revokedAt: ingest.clock.now() }]) {
      const signer = freshFiler();
      const payload = lodging({ filer: FILER });
      const original = await stored(payload);
      ingest.directory.addKey(signer, dates);
      await expectReplay(payload, original);
      expect(await codeOf(lodging({ filer: FILER }))).toMatch(/^key-(revoked|not-in-force)$/);
    }
  });

  it('after the filer has been suspended', async () => {
    freshFiler();
    const payload = lodging({ filer: FILER });
    const original = await stored(payload);
    ingest.directory.setParty(FILER, { status: 'suspended' });
    await expectReplay(payload, original);
    expect(await codeOf(lodging({ filer: FILER }))).toBe('party-suspended');
    ingest.directory.setParty(FILER, { status: 'active' });
  });

  it('after the type was withdrawn', async () => {
    freshFiler();
    const payload = lodging({ filer: FILER });
    const original = await stored(payload);
    const ctx = { ...ingest.ctx, catalogue: () => ({ types: new Map() }) };
    const again = await file({ ...ingest, ctx }, filer, payload);
    expect(JSON.stringify(again)).toBe(JSON.stringify({ kind: 'replayed', filing: original }));
  });
});

describe('what is over is over, for whoever did not file it', () => {
  it('a revoked key shows nobody what another key has filed', async () => {
    freshFiler();
    const payload = lodging({ filer: FILER });
    await stored(payload);
    const stranger = newParty(AGENT);
    ingest.directory.addKey(stranger, { revokedAt: 1 });
    expect(await codeOf(payload, stranger)).toBe('key-revoked');
    const former = newParty(FILER);
    ingest.directory.addKey(former, { revokedAt: 1 });
    expect(await codeOf(payload, former)).toBe('key-revoked');
  });

  it('other content under a standing key is refused as before', async () => {
    const signer = freshFiler();
    const payload = lodging({ filer: FILER });
    await stored(payload);
    expect(await codeOf({ ...payload, data: { ...(payload.data as object), room: '807' } })).toBe('filing-conflict');
    ingest.directory.addKey(signer, { revokedAt: 1 });
    expect(await codeOf({ ...payload, data: { ...(payload.data as object), room: '807' } })).toBe('key-revoked');
  });
});

describe('a chain', () => {
  it('goes on over corrections, a voiding, a new original and a move, and each link has one successor', async () => {
    freshFiler();
    const first = lodging({ filer: FILER });
    const link = (supersedes: string, kind: string): Payload =>
      kind === 'void' ? { ...first, data: undefined, kind, supersedes } : { ...first, kind, supersedes };
    const original = await stored(first);
    const correction = await stored(link(original.id, 'correction'));
    const second = await stored(link(correction.id, 'correction'));
    ingest.directory.setParty(FILER, {
      registrations: [registration({ office: 'psb-a', to: '2026-01-01' }), registration({ office: 'psb-b' })],
    });
    const voided = await stored(link(second.id, 'void'));
    expect([second.office, voided.office]).toEqual(['psb-a', 'psb-b']);
    const anew = await stored(link(voided.id, 'original'));
    const error = await file(ingest, filer, link(original.id, 'void')).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'superseded', details: { members: { head: anew.id } } });
    expect(await codeOf(link(anew.id, 'original'))).toBe('invalid-filing');
    expect(await codeOf(link(voided.id, 'correction'))).toBe('invalid-filing');
    expect(await codeOf(link(`psb-b.${anew.index + 1}`, 'correction'))).toBe('invalid-filing');
  });

  it('takes one of two corrections that come at once', async () => {
    freshFiler();
    const first = lodging({ filer: FILER });
    const { id } = await stored(first);
    const corrections = ['1', '2', '3', '4'].map((room) =>
      codeOf({ ...first, kind: 'correction', supersedes: id, data: { ...(first.data as object), room } }),
    );
    expect((await Promise.all(corrections)).sort()).toEqual(['stored', 'superseded', 'superseded', 'superseded']);
  });
});

describe('time', () => {
  it('a filing is late from the first instant after its deadline, in China', async () => {
    freshFiler();
    const payload = (reference: string): Payload => {
      const at = '2026-11-09T23:00:00+08:00';
      const data = { ...(lodging().data as object), checkIn: at };
      return { ...lodging({ filer: FILER }), reference, data, period: { from: '2026-11-09', to: '2026-11-09' } };
    };
    // Three hours from the end of the day of the event.
    ingest.clock.at = Date.parse('2026-11-10T03:00:00+08:00') - 1;
    expect((await stored(payload('in-time'))).late).toBe(false);
    ingest.clock.at += 1;
    expect((await stored(payload('late'))).late).toBe(true);
    ingest.clock.at += DAY_MS;
  });
});

/** The first valid example that the rules wonder about. */
async function withWarning(payload: Payload): Promise<string> {
  const types = ingest.ctx.catalogue().types;
  const version = types.get(payload.type as string)?.resolve(undefined, payload.period as never);
  const text = JSON.stringify(payload);
  const numbers = [...text.matchAll(/:(\d+)(?=[,}])/g)];
  for (const { index, 0: found } of numbers) {
    for (const changed of ['1', '100000000', '5']) {
      const candidate = `${text.slice(0, index)}:${changed}${text.slice(index + found.length)}`;
      const verdict = version?.check(JSON.parse(candidate));
      if (verdict?.errors.length === 0 && verdict.warnings.length > 0) return candidate;
    }
  }
  throw new Error('no example has a warning');
}

describe('whoever is refused because of whose filings they are', () => {
  const filing = (): string => filer.filing(GATEWAY, lodging());
  const send = async (ctx: IngestContext, content: string): Promise<string> => {
    const submission = { content, form: 'compact', receivedAt: ingest.clock.now() } as const;
    return await submit(ctx, submission).then(
      ({ kind }) => kind,
      (error: GatewayError) => error.code,
    );
  };
  const deferred = ({ kid }: SigningParty): string | undefined => ingest.ctx.deferrals.of(kid)?.code;

  it('is known for a moment, over its limit', async () => {
    freshFiler();
    const content = filing();
    expect(await send(ingest.ctx, content)).toBe('stored');
    expect(deferred(filer)).toBeUndefined();
    const limits = { blocked: () => 2, take: () => {} };
    expect(await send({ ...ingest.ctx, limits }, content)).toBe('rate-limited');
    expect(deferred(filer)).toBe('rate-limited');
    expect(deferred(agent)).toBeUndefined();
  });

  it('is known for a moment, with its share of the room', async () => {
    freshFiler();
    const places: Place[] = [];
    for (;;) {
      const place = admit(ingest.ctx, 1);
      places.push(place);
      if (!place.claim(FILER)) break;
    }
    const content = filing();
    expect(await send(ingest.ctx, content)).toBe('overloaded');
    expect(deferred(filer)).toBe('overloaded');
    for (const place of places) place.leave();
    expect(await send(ingest.ctx, content)).toBe('stored');
  });
});
