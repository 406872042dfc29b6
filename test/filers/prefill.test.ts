import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { FilingPayload } from '../../src/domain/filing.ts';
import { type PrefilledFiling, prefill } from '../../src/filers/prefill.ts';
import { compareFiling } from '../../src/ingest/compare-filing.ts';
import type { Reader } from '../../src/ingest/read.ts';
import type { Violation } from '../../src/std/errors.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { example, type Payload, type SigningParty } from '../support/filer.ts';
import { AGENT } from '../support/identity.ts';
import { registration } from '../support/ingest.ts';
import { type FilersWorld, filersWorld, month, vat } from './support.ts';

let database: TestDatabase;
let world: FilersWorld;

beforeAll(async () => {
  database = await createTestDatabase();
  world = await filersWorld(database);
});
afterAll(() => database.drop());

/** A filer of the tax office, registered from this month on: nothing is missing before it. */
const filerSince = (from: string, taxpayerKind = 'general'): SigningParty =>
  world.filer([], { taxpayerKind, registrations: [registration({ office: 'filers-tax', from: `${from}-01` })] });

function begin(filer: SigningParty, type: string, period: { from: string; to: string }): Promise<PrefilledFiling> {
  return prefill(world.ctx, { role: 'filer', party: filer.id }, { filer: filer.id, type, period });
}

/** What comparing a filing with those before it finds. */
function findings(payload: FilingPayload): Promise<readonly Violation[]> {
  const { db, lanes, directory, catalogue, settings } = world.ctx;
  const comparand = { payload, version: payload.version, region: '350100' };
  return compareFiling({ sql: db.sql, lanes, directory, catalogue, settings }, comparand);
}

type Lines = Record<string, Record<string, number>>;
const linesOf = ({ payload }: { readonly payload: FilingPayload }): Lines =>
  (payload.data as { readonly lines: Lines }).lines;

describe('general VAT', () => {
  test('October begins with September’s credit and year; filled in, it is filed without a finding', async () => {
    const filer = filerSince('2026-09');
    const september = {
      '11': { generalMonth: 1_300_000, generalYear: 12_350_000 },
      '12': { generalMonth: 2_000_000 },
      '17': { generalMonth: 2_000_000 },
      '18': { generalMonth: 1_300_000, generalYear: 12_350_000 },
      '20': { generalMonth: 700_000 },
      '34': { generalMonth: 0 },
    };
    const { filing } = await world.fileAt('2026-10-10', filer, vat('2026-09', 0, { data: { lines: september } }));
    const begun = await begin(filer, 'tax.vat.general', month('2026-10'));
    expect(begun.payload).toMatchObject({
      type: 'tax.vat.general',
      version: '2026-02',
      filer: filer.id,
      period: month('2026-10'),
      office: 'filers-tax',
      kind: 'original',
    });
    expect(begun.carriedFrom).toEqual([{ id: filing.id, version: '2026-02', period: month('2026-09') }]);
    expect(linesOf(begun)).toMatchObject({
      '11': { generalYear: 12_350_000 },
      '13': { generalMonth: 700_000 },
      '17': { generalMonth: 700_000 },
      '20': { generalMonth: 700_000 },
    });
    expect(linesOf(begun)['11']).not.toHaveProperty('generalMonth');
    expect(begun.fill).toContainEqual({
      pointer: '/data/lines/11/generalMonth',
      title: { zh: expect.stringContaining('销项税额'), en: expect.stringContaining('Output tax') },
      line: '11',
    });
    expect(begun.fill.map(({ pointer }) => pointer)).not.toContain('/data/lines/13/generalMonth');

    const lines = {
      ...linesOf(begun),
      '11': { generalMonth: 900_000, generalYear: 13_250_000 },
      '17': { generalMonth: 700_000 },
      '18': { generalMonth: 700_000, generalYear: 13_050_000 },
      '19': { generalMonth: 200_000, generalYear: 200_000 },
      '20': { generalMonth: 0 },
      '24': { generalMonth: 200_000, generalYear: 200_000 },
      '32': { generalMonth: 200_000 },
      '34': { generalMonth: 200_000 },
    };
    const filled = { ...begun.payload, data: { lines } };
    const accepted = await world.fileAt('2026-11-10', filer, { ...filled });
    expect(accepted.filing.warnings).toEqual([]);
    expect(await findings(filled)).toEqual([]);

    const next = await begin(filer, 'tax.vat.general', month('2026-11'));
    expect(linesOf(next)).toMatchObject({ '25': { generalMonth: 200_000 }, '33': { generalMonth: 200_000 } });
    expect(next.zero).toMatchObject({
      allowed: false,
      because: [{ pointer: '/data/lines/25/generalMonth', line: '25' }],
    });
  });

  test('two months of nothing, one after the other, then a new year: filed as they begin, without a finding', async () => {
    const filer = filerSince('2026-10');
    for (const name of ['2026-10', '2026-11', '2026-12', '2027-01']) {
      const { payload, zero, standing } = await begin(filer, 'tax.vat.general', month(name));
      expect([zero.allowed, standing]).toEqual([true, undefined]);
      const { filing } = await world.fileAt('2027-02-10', filer, { ...payload });
      expect(filing.warnings).toEqual([]);
      expect(await findings(payload)).toEqual([]);
      expect((await begin(filer, 'tax.vat.general', month(name))).standing).toEqual({
        id: filing.id,
        kind: 'original',
      });
    }
  });

  test('January begins its year anew, and keeps the credit', async () => {
    const filer = filerSince('2026-12');
    const lines = {
      '12': { generalMonth: 50, generalYear: 50 },
      '17': { generalMonth: 50 },
      '20': { generalMonth: 50, generalYear: 50 },
    };
    await world.fileAt('2027-02-10', filer, vat('2026-12', 0, { data: { lines } }));
    const january = await begin(filer, 'tax.vat.general', month('2027-01'));
    expect(linesOf(january)).toMatchObject({ '13': { generalMonth: 50 }, '20': { generalMonth: 50 } });
    expect(JSON.stringify(january.payload)).not.toContain('Year');
    expect(await findings(january.payload)).toEqual([]);
  });

  test('after a voiding a new original supersedes it; what was voided carries nothing over', async () => {
    const filer = filerSince('2026-09');
    const { filing } = await world.fileAt('2027-02-10', filer, vat('2026-09', 0));
    const voided = await world.fileAt('2027-02-10', filer, {
      type: 'tax.vat.general',
      period: month('2026-09'),
      kind: 'void',
      supersedes: filing.id,
    });
    const begun = await begin(filer, 'tax.vat.general', month('2026-09'));
    expect(begun.payload.supersedes).toBe(voided.filing.id);
    expect(begun.standing).toBeUndefined();
    expect((await begin(filer, 'tax.vat.general', month('2026-10'))).carriedFrom).toEqual([]);
    await world.fileAt('2027-02-10', filer, { ...begun.payload });
  });
});

describe('income tax of employees', () => {
  test('February begins with January’s people, a month on: what it determines is what the return has', async () => {
    const filer = filerSince('2026-01');
    const first = example('tax/iit-withholding', 'valid-month-1.json');
    await world.fileAt('2027-02-10', filer, { ...first, filer: filer.id });
    const begun = await begin(filer, 'tax.iit.withholding', month('2026-02'));
    const [person] = (begun.payload.data as { persons: Payload[] }).persons;
    const [actual] = (example('tax/iit-withholding', 'valid-month-2.json').data as { persons: Payload[] }).persons;
    for (const name of ['name', 'idType', 'idNumber', 'incomeItem', 'employedMonths', 'paid'])
      expect([name, person?.[name]]).toEqual([name, actual?.[name]]);
    expect(person?.cumulative).toMatchObject({ income: 3_000_000, standardDeduction: 1_000_000 });
    expect(begun.payload.data).toMatchObject({ personCount: 1, totals: { income: 0, tax: 0, due: 0 } });
    expect(begun.fill.map(({ pointer }) => pointer)).toContain('/data/persons/{index}/income');
    expect(begun.zero).toMatchObject({ allowed: false, because: [{ pointer: '/data/persons' }] });
  });

  test('January begins the cumulative columns anew', async () => {
    const filer = filerSince('2026-12');
    const last = example('tax/iit-withholding', 'valid-month-4.json');
    await world.fileAt('2027-02-10', filer, { ...last, filer: filer.id, period: month('2026-12') });
    const begun = await begin(filer, 'tax.iit.withholding', month('2027-01'));
    const [person] = (begun.payload.data as { persons: Payload[] }).persons;
    expect(person).toMatchObject({ employedMonths: 1, cumulative: { standardDeduction: 500_000 } });
    expect(person?.cumulative).toEqual({ standardDeduction: 500_000 });
    expect(person).not.toHaveProperty('paid');
  });
});

describe('enterprise income tax and financial statements', () => {
  test('the second quarter has the year so far, and counts as paid what the first one had due', async () => {
    const filer = filerSince('2026-01');
    const q1 = example('tax/cit-prepay', 'valid-ordinary.json');
    const period = { from: '2026-01-01', to: '2026-03-31' };
    const { quarters: _, ...data } = q1.data as Record<string, unknown>;
    const lines = data.lines as Record<string, number>;
    await world.fileAt('2027-02-10', filer, { ...q1, filer: filer.id, period, data });
    const begun = await begin(filer, 'tax.cit.prepay', { from: '2026-04-01', to: '2026-06-30' });
    const begunLines = linesOf(begun) as unknown as Record<string, number>;
    expect(begunLines).toMatchObject({ revenue: lines.revenue, profit: lines.profit, rate: 2_500, due: 0 });
    expect(begunLines.paid).toBe((lines.paid ?? 0) + (lines.due ?? 0));
    expect(begun.zero.allowed).toBe(true);
    expect(await findings(begun.payload)).toEqual([]);
  });

  test('statements of a new year open with what the old one closed with', async () => {
    const filer = filerSince('2026-12');
    const statements = example('tax/fs', 'valid-dormant-month.json');
    await world.fileAt('2027-02-10', filer, { ...statements, filer: filer.id, period: month('2026-12') });
    const begun = await begin(filer, 'tax.fs', month('2027-01'));
    expect(begun.payload.data).toMatchObject({
      kind: 'periodic',
      balanceSheet: { cash: { opening: 5_000_000, closing: 5_000_000 } },
    });
    expect(begun.zero.allowed).toBe(true);
    expect(await findings(begun.payload)).toEqual([]);
    expect((await begin(filer, 'tax.fs', { from: '2026-01-01', to: '2026-12-31' })).payload.data).toMatchObject({
      kind: 'annual',
    });
  });
});

describe('a first filing', () => {
  test('of a small taxpayer: what it is has to be said before nothing can be', async () => {
    const filer = filerSince('2026-07', 'small');
    const begun = await begin(filer, 'tax.vat.small', { from: '2026-07-01', to: '2026-09-30' });
    expect(begun.carriedFrom).toEqual([]);
    expect(begun.fill[0]).toMatchObject({ pointer: '/data/filerKind' });
    expect(begun.zero).toMatchObject({ allowed: false, because: [{ pointer: '/data/filerKind' }] });
    await world.fileAt('2027-02-10', filer, { ...begun.payload });
    const next = await begin(filer, 'tax.vat.small', { from: '2026-10-01', to: '2026-12-31' });
    expect(next.zero.allowed).toBe(true);
    expect(next.fill.map(({ pointer }) => pointer)).not.toContain('/data/filerKind');
  });
});

describe('who may have it, and of what', () => {
  const refusal = async (answer: Promise<unknown>): Promise<string> =>
    answer.then(
      () => 'answered',
      (error: { code: string; message: string }) => `${error.code} ${error.message}`,
    );

  test('the filer, and an agent with a mandate for the type; nobody else', async () => {
    const filer = filerSince('2026-01');
    const query = { filer: filer.id, type: 'tax.vat.general', period: month('2026-10') };
    const as = (reader: Reader, type = query.type): Promise<string> =>
      refusal(prefill(world.ctx, reader, { ...query, type }));
    const agent: Reader = { role: 'agent', party: AGENT };
    world.ingest.directory.mandateList.push({
      id: 'm',
      agent: AGENT,
      filer: filer.id,
      types: ['tax.vat.*'],
      from: '2026-01-01',
    });
    expect(await as({ role: 'filer', party: filer.id })).toBe('answered');
    expect(await as(agent)).toBe('answered');
    expect(await as(agent, 'tax.fs')).toMatch(/^not-found/);
    expect(await as({ role: 'office', party: 'filers-tax' })).toMatch(/^not-found/);
    expect(await as({ role: 'operator', party: 'operator' })).toMatch(/^not-found/);
    expect(await as({ role: 'filer', party: filerSince('2026-01').id })).toMatch(/^not-found/);
  });

  test.each([
    ['tax.nothing', '2026-10', /^invalid-parameter There is no such/],
    ['psb.lodging', '2026-10', /^invalid-parameter The period must be/],
    ['tax.vat.small', '2026', /^invalid-parameter The period must be/],
    ['tax.vat.general', '2010-10', /^invalid-parameter No version/],
    ['amr.foodtrace', '2026-10-08', /^invalid-parameter There is nothing to prefill/],
    ['si.contribution', '2026-10', /^not-registered/],
  ])('%s for %s is refused', async (type, name, reason) => {
    const period =
      name.length === 7
        ? month(name)
        : name.length === 4
          ? { from: `${name}-01-01`, to: `${name}-12-31` }
          : { from: name, to: name };
    expect(await refusal(begin(filerSince('2026-01'), type, period))).toMatch(reason);
  });
});
