import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { addMonths, periodContaining } from '../../src/domain/period-kinds.ts';
import { expectProblem, filingOf } from '../support/expect.ts';
import { chinaDay, type Payload, type SigningParty } from '../support/filer.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { OFFICE, operate, register, submit } from '../support/parties.ts';

let gateway: Gateway;

beforeAll(async () => {
  gateway = await startGateway();
}, 120_000);
afterAll(() => gateway?.remove());

interface Item {
  readonly type: string;
  readonly period: { readonly from: string; readonly to: string };
  readonly due: string;
  readonly state: string;
  readonly filing?: string;
  readonly lateDays?: number;
  readonly amountDue?: number;
  readonly surchargeEstimate?: number;
}

/** The month that lies so many before this one. */
const monthsAgo = (count: number) => periodContaining('month', addMonths(chinaDay(), -count));
const days = (from: string, to: string): number => (Date.parse(to) - Date.parse(from)) / 86_400_000;

/** A general VAT return of which this is due. */
function vat(period: object, dueFen: number): Payload {
  const cell = { generalMonth: dueFen };
  const lines = { '11': cell, '19': cell, '24': cell, '32': cell, '34': cell };
  return { type: 'tax.vat.general', period, kind: 'original', data: { lines } };
}

async function owed(filer: SigningParty, as: Parameters<Gateway['ask']>[2], query = ''): Promise<Item[]> {
  const answer = await gateway.ask('GET', `/v1/filers/${filer.id}/obligations${query}`, as);
  expect(answer.status, answer.text).toBe(200);
  return (answer.json() as { items: Item[] }).items;
}

/** A filer that owes nothing of the time before a month. */
function registerSince(period: { readonly from: string }): Promise<SigningParty> {
  return register(gateway, { registrations: [{ office: OFFICE.tax, from: period.from }] });
}

describe('obligations over sockets', () => {
  test('what was filed late, what is overdue and what is open, with days and surcharge as of today', async () => {
    const [late, overdue, open] = [monthsAgo(4), monthsAgo(3), monthsAgo(0)];
    const filer = await registerSince(late);
    const { id } = filingOf(await submit(gateway, filer, { ...vat(late, 1_000_000), filer: filer.id }), 201);
    const from = addMonths(chinaDay(), -4);
    const all = await owed(filer, { as: filer }, `?from=${from}&to=${addMonths(chinaDay(), 3)}`);
    const items = all.filter(({ type }) => type === 'tax.vat.general');
    const of = (period: object): Item | undefined =>
      items.find((item) => item.period.from === (period as Item['period']).from);
    // The day may have turned since it was filed.
    const due = of(late)?.due ?? '';
    const filedDays = of(late)?.lateDays ?? 0;
    expect(of(late)).toMatchObject({ state: 'filed', filing: id, amountDue: 1_000_000 });
    expect([days(due, chinaDay()), days(due, chinaDay()) - 1]).toContain(filedDays);
    expect(of(late)?.surchargeEstimate).toBe(filedDays * 500);
    expect(of(overdue)).toMatchObject({ state: 'overdue', late: true });
    expect(of(overdue)?.lateDays).toBeGreaterThan(28);
    expect(of(open)).toMatchObject({ state: 'open' });
  });

  test('an extension by the operator moves the due date, and what is overdue with it', async () => {
    const period = monthsAgo(2);
    const filer = await registerSince(period);
    const range = `?from=${addMonths(chinaDay(), -3)}&to=${addMonths(chinaDay(), 9)}`;
    const find = async (): Promise<Item | undefined> =>
      (await owed(filer, { as: filer }, range)).find(
        (item) => item.type === 'tax.vat.general' && item.period.from === period.from,
      );
    const dueDate = addMonths(chinaDay(), 6);
    await operate(gateway, 'PUT', '/v1/calendar/deadlines/extension', {
      types: ['tax.vat.general'],
      periods: period,
      dueDate,
      reason: { zh: '延期', en: 'extended' },
    });
    await vi.waitFor(async () => expect(await find()).toMatchObject({ due: dueDate, state: 'open' }), {
      timeout: 30_000,
      interval: 200,
    });
    await gateway.ask('DELETE', '/v1/calendar/deadlines/extension', { as: 'operator' });
  });

  test('each role sees what is its own', async () => {
    const filer = gateway.party('filer');
    const typesSeenBy = async (as: Parameters<Gateway['ask']>[2]): Promise<Set<string>> =>
      new Set((await owed(filer, as)).map(({ type }) => type.split('.')[0] as string));
    // In early summer the annual report is there too.
    expect([...(await typesSeenBy({ as: 'filer' }))]).toEqual(expect.arrayContaining(['tax', 'si']));
    expect(await typesSeenBy({ as: 'tax' })).toEqual(new Set(['tax']));
    expect(await typesSeenBy({ as: 'si' })).toEqual(new Set(['si']));
    const path = `/v1/filers/${filer.id}/obligations`;
    expectProblem(await gateway.ask('GET', path, { as: 'operator' }), 404, 'not-found');
    expectProblem(await gateway.ask('GET', path, { as: await register(gateway) }), 404, 'not-found');
    expectProblem(await gateway.ask('GET', path, { as: await register(gateway, { kind: 'agent' }) }), 404, 'not-found');
    expectProblem(await gateway.ask('GET', `${path}?from=2026-02-30`, { as: 'filer' }), 400, 'invalid-parameter');
  });
});

describe('prefill over sockets', () => {
  test('a month that is begun, filled in and filed has no finding beside the month before', async () => {
    const [before, period] = [monthsAgo(3), monthsAgo(2)];
    const filer = await registerSince(before);
    const lines = {
      '11': { generalMonth: 1_000, generalYear: 1_000 },
      '12': { generalMonth: 5_000 },
      '17': { generalMonth: 5_000 },
      '18': { generalMonth: 1_000, generalYear: 1_000 },
      '20': { generalMonth: 4_000 },
      '34': { generalMonth: 0 },
    };
    const payload = { ...vat(before, 0), filer: filer.id, data: { lines } };
    filingOf(await submit(gateway, filer, payload), 201);
    const target = `/v1/filers/${filer.id}/prefill?type=tax.vat.general&period=${period.from.slice(0, 7)}`;
    const answer = await gateway.ask('GET', target, { as: filer });
    expect(answer.status, answer.text).toBe(200);
    const begun = answer.json() as { payload: Payload & { data: { lines: Record<string, object> } } };
    expect(begun.payload.data.lines['13']).toEqual({ generalMonth: 4_000 });
    const filled = {
      ...begun.payload,
      data: {
        lines: {
          ...begun.payload.data.lines,
          '11': { ...begun.payload.data.lines['11'], generalMonth: 0 },
          '14': { generalMonth: 500, generalYear: 500 },
          '17': { generalMonth: 3_500 },
          '20': { generalMonth: 3_500 },
        },
      },
    };
    const { id } = filingOf(await submit(gateway, filer, filled), 201);
    await vi.waitFor(
      async () => {
        const filing = (await gateway.ask('GET', `/v1/filings/${id}`, { as: filer })).json();
        expect(filing).toMatchObject({ compared: true, warnings: [] });
      },
      { timeout: 30_000, interval: 200 },
    );
  });

  test('only for who may file it', async () => {
    const { id } = gateway.party('filer');
    const target = `/v1/filers/${id}/prefill?type=tax.vat.general&period=2026-10`;
    for (const as of ['filer', 'agent'] as const) expect((await gateway.ask('GET', target, { as })).status).toBe(200);
    for (const as of ['tax', 'operator', await register(gateway)] as const)
      expectProblem(await gateway.ask('GET', target, { as }), 404, 'not-found');
    expectProblem(
      await gateway.ask('GET', target.replace('2026-10', '2026-W3'), { as: 'filer' }),
      400,
      'invalid-parameter',
    );
    expectProblem(
      await gateway.ask('GET', target.replace('vat.general', 'nothing'), { as: 'filer' }),
      400,
      'invalid-parameter',
    );
  });
});
