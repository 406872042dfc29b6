import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Obligation, type Obligations, obligations } from '../../src/filers/obligations.ts';
import type { Reader } from '../../src/ingest/read.ts';
import { GatewayError } from '../../src/std/errors.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import type { SigningParty } from '../support/filer.ts';
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

const own = (filer: SigningParty): Reader => ({ role: 'filer', party: filer.id });

/** What the filer is told, on a day. */
async function owed(
  filer: SigningParty,
  day: string,
  range: { from?: string; to?: string } = {},
  reader: Reader = own(filer),
): Promise<Obligations> {
  world.setDay(day);
  return obligations(world.ctx, reader, { filer: filer.id, ...range });
}

const of = ({ items }: Obligations, type: string): readonly Obligation[] => items.filter((item) => item.type === type);
const short = ({ period, state, due }: Obligation): string => `${period.from.slice(0, 7)} ${state} ${due}`;

describe('a general VAT taxpayer in November', () => {
  let filer: SigningParty;
  let result: Obligations;
  beforeAll(async () => {
    filer = world.filer(['filers-tax']);
    // August was due on 15 September: ten days late, of 12,345.67 yuan.
    await world.fileAt('2026-09-25', filer, vat('2026-08', 1_234_567));
    await world.fileAt('2026-10-20', filer, vat('2026-09', 500));
    result = await owed(filer, '2026-11-10', { from: '2026-08-01', to: '2026-12-31' });
  });

  test('sees what is overdue, filed late, filed and open, by due date', () => {
    expect(of(result, 'tax.vat.general').map(short)).toEqual([
      '2026-07 overdue 2026-08-17',
      '2026-08 filed 2026-09-15',
      '2026-09 filed 2026-10-26',
      '2026-10 open 2026-11-16',
      '2026-11 open 2026-12-15',
    ]);
    const dues = result.items.map(({ due }) => due);
    expect(dues).toEqual([...dues].sort());
    expect(result).toMatchObject({ filer: filer.id, asOf: '2026-11-10', from: '2026-08-01', to: '2026-12-31' });
  });

  test('late days, what is payable, and the surcharge of domain.md: 12,345.67 over ten days is 61.73', () => {
    const [july, august, september, october] = of(result, 'tax.vat.general');
    expect(july).toMatchObject({ late: true, lateDays: 85 });
    expect(july).not.toHaveProperty('amountDue');
    expect(august).toMatchObject({
      late: true,
      lateDays: 10,
      amountDue: 1_234_567,
      surchargeEstimate: 6_173,
      estimated: false,
      required: true,
      office: 'filers-tax',
    });
    expect(august?.filing).toMatch(/^filers-tax\.\d+$/);
    expect(september).toMatchObject({ late: false });
    expect(september).not.toHaveProperty('surchargeEstimate');
    expect(october).not.toHaveProperty('late');
  });

  test('what is missing: the overdue, and what is due this month', () => {
    const missing = result.missing.filter(({ type }) => type === 'tax.vat.general');
    expect(missing.map(({ period, state }) => `${period.from} ${state}`)).toEqual([
      '2026-07-01 overdue',
      '2026-10-01 open',
    ]);
  });

  test('by default what is due from last month to next month', async () => {
    const usual = await owed(filer, '2026-11-10');
    expect([usual.from, usual.to]).toEqual(['2026-10-01', '2026-12-31']);
    expect(of(usual, 'tax.vat.general')).toHaveLength(3);
  });

  test('owes the forms of its kind and of its agencies, and no events', () => {
    expect(new Set(result.items.map(({ type }) => type))).toEqual(
      new Set(['tax.vat.general', 'tax.cit.prepay', 'tax.iit.withholding', 'tax.stamp', 'tax.fs']),
    );
  });

  test('a due date in a year without an arrangement is an estimate', async () => {
    const later = await owed(filer, '2026-11-10', { from: '2031-01-01', to: '2031-01-31' });
    expect(of(later, 'tax.vat.general')).toMatchObject([{ estimated: true, state: 'open' }]);
  });
});

describe('what is filed', () => {
  test('the newest of a chain; nothing after a voiding; the new original after it', async () => {
    const filer = world.filer(['filers-tax']);
    const first = await world.fileAt('2026-10-20', filer, vat('2026-09', 100));
    const second = await world.fileAt('2026-10-21', filer, {
      ...vat('2026-09', 200),
      kind: 'correction',
      supersedes: first.filing.id,
    });
    const september = async (): Promise<Obligation | undefined> =>
      of(await owed(filer, '2026-11-10'), 'tax.vat.general').find(({ period }) => period.from === '2026-09-01');
    expect(await september()).toMatchObject({ state: 'filed', filing: second.filing.id, late: false });
    const voided = await world.fileAt('2026-10-22', filer, {
      type: 'tax.vat.general',
      period: month('2026-09'),
      kind: 'void',
      supersedes: second.filing.id,
    });
    expect(await september()).toMatchObject({ state: 'overdue', late: true, lateDays: 15 });
    const again = await world.fileAt('2026-10-28', filer, { ...vat('2026-09', 300), supersedes: voided.filing.id });
    expect(await september()).toMatchObject({ state: 'filed', filing: again.filing.id, late: true, lateDays: 2 });
  });

  test('a correction after the deadline adds a surcharge on what it raises the amount by', async () => {
    const filer = world.filer(['filers-tax-c']);
    const first = await world.fileAt('2026-10-20', filer, vat('2026-09', 1_000_000));
    const second = await world.fileAt('2026-11-05', filer, {
      ...vat('2026-09', 3_000_000),
      kind: 'correction',
      supersedes: first.filing.id,
    });
    const [september] = of(
      await owed(filer, '2026-11-10', { from: '2026-10-01', to: '2026-10-31' }),
      'tax.vat.general',
    );
    expect(september).toMatchObject({
      filing: second.filing.id,
      late: false,
      amountDue: 3_000_000,
      // Ten days of 20,000 yuan.
      surchargeEstimate: 10_000,
    });
  });

  test('a filing at an office that the filer has left counts, and is shown there', async () => {
    const filer = world.filer(['filers-tax-b']);
    const { filing } = await world.fileAt('2026-10-20', filer, vat('2026-09', 100));
    world.ingest.directory.setParty(filer.id, {
      registrations: [
        registration({ office: 'filers-tax-b', to: '2026-10-31' }),
        registration({ office: 'filers-tax', from: '2026-11-01' }),
      ],
    });
    const [september, october] = of(await owed(filer, '2026-11-10'), 'tax.vat.general');
    expect(september).toMatchObject({ state: 'filed', filing: filing.id, office: 'filers-tax-b' });
    expect(october).toMatchObject({ state: 'open', office: 'filers-tax' });
  });
});

describe('who owes what', () => {
  test('a small taxpayer owes by quarter, or by month when that is how it files', async () => {
    const small = { type: 'tax.vat.small', data: { filerKind: 'enterprise', lines: { due: { goodsPeriod: 0 } } } };
    const quarterly = world.filer(['filers-tax'], { taxpayerKind: 'small' });
    const range = { from: '2026-10-01', to: '2027-01-31' };
    expect(of(await owed(quarterly, '2026-11-10', range), 'tax.vat.small').map(({ period }) => period)).toEqual([
      { from: '2026-07-01', to: '2026-09-30' },
      { from: '2026-10-01', to: '2026-12-31' },
    ]);
    const monthly = world.filer(['filers-tax'], { taxpayerKind: 'small' });
    await world.fileAt('2026-08-10', monthly, { ...small, period: month('2026-07') });
    const owedMonthly = of(await owed(monthly, '2026-11-10', range), 'tax.vat.small');
    expect(owedMonthly.map(short)).toEqual([
      '2026-09 overdue 2026-10-26',
      '2026-10 open 2026-11-16',
      '2026-11 open 2026-12-15',
      expect.stringMatching(/^2026-12 open 2027-01-/),
    ]);
  });

  test('the annual report once a year, contributions each month, by the agencies it is registered with', async () => {
    const filer = world.filer(['filers-si', 'filers-amr', 'filers-psb']);
    const { items } = await owed(filer, '2026-06-10', { from: '2026-06-01', to: '2026-06-30' });
    expect(items.map(({ type, due }) => `${type} ${due}`)).toEqual([
      'si.contribution 2026-06-15',
      'amr.annual 2026-06-30',
    ]);
  });

  test('nothing before its registration, and nothing with an agency that it has left', async () => {
    const fresh = world.filer([], {
      registrations: [
        registration({ office: 'filers-tax', from: '2026-10-08' }),
        registration({ office: 'filers-si', to: '2026-10-31' }),
      ],
    });
    const { items } = await owed(fresh, '2026-11-10', { from: '2026-01-01', to: '2026-11-30' });
    expect(items.map(({ type, period }) => `${type} ${period.from}`)).toEqual([
      'tax.iit.withholding 2026-10-01',
      'tax.vat.general 2026-10-01',
    ]);
  });

  test('what is owed only when there is something is never overdue, and never missing', async () => {
    const filer = world.filer(['filers-tax']);
    const result = await owed(filer, '2026-11-10');
    expect(of(result, 'tax.stamp')).toMatchObject([{ required: false, state: 'open', due: '2026-10-26' }]);
    expect(of(result, 'tax.stamp')[0]).not.toHaveProperty('late');
    expect(result.missing.some(({ type }) => type === 'tax.stamp')).toBe(false);
  });
});

describe('who may see it', () => {
  let filer: SigningParty;
  const types = (result: Obligations): string[] => [...new Set(result.items.map(({ type }) => type))].sort();
  const refused = async (reader: Reader): Promise<string> => {
    const error: unknown = await owed(filer, '2026-11-10', {}, reader).catch((thrown: unknown) => thrown);
    return error instanceof GatewayError ? error.code : 'answered';
  };
  beforeAll(() => {
    filer = world.filer(['filers-tax', 'filers-si']);
  });

  test('an agent sees the types of its mandates that are in force', async () => {
    const mandate = { agent: AGENT, filer: filer.id, from: '2026-01-01' };
    const agent: Reader = { role: 'agent', party: AGENT };
    expect(await refused(agent)).toBe('not-found');
    world.ingest.directory.mandateList.push({ ...mandate, id: 'over', types: ['*'], to: '2026-10-31' });
    expect(await refused(agent)).toBe('not-found');
    world.ingest.directory.mandateList.push({ ...mandate, id: 'm', types: ['tax.vat.*', 'si.*'] });
    expect(types(await owed(filer, '2026-11-10', {}, agent))).toEqual(['si.contribution', 'tax.vat.general']);
  });

  test('an office sees what is filed with it', async () => {
    const office: Reader = { role: 'office', party: 'filers-si' };
    expect(types(await owed(filer, '2026-11-10', {}, office))).toEqual(['si.contribution']);
    expect(await refused({ role: 'office', party: 'filers-amr' })).toBe('not-found');
  });

  test('for anyone else there is no such filer', async () => {
    const other = world.filer(['filers-tax']);
    expect(await refused(own(other))).toBe('not-found');
    expect(await refused({ role: 'operator', party: 'operator' })).toBe('not-found');
    await expect(
      owed({ id: AGENT } as SigningParty, '2026-11-10', {}, own({ id: AGENT } as SigningParty)),
    ).rejects.toThrow('not-found');
  });

  test('a range that ends before it begins, or is longer than 400 days, is refused', async () => {
    for (const range of [
      { from: '2026-11-02', to: '2026-11-01' },
      { from: '2025-01-01', to: '2026-02-06' },
    ])
      await expect(owed(filer, '2026-11-10', range)).rejects.toThrow(/400/);
  });
});
