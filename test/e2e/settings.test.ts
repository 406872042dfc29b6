import path from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { addMonths, periodContaining } from '../../src/domain/period-kinds.ts';
import { startEmbedded } from '../../src/storage/embedded.ts';
import { expectProblem } from '../support/expect.ts';
import { chinaDay, example, type Payload } from '../support/filer.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { silentLogger } from '../support/logger.ts';
import { operate, register, submitJws } from '../support/parties.ts';
import type { Answer } from '../support/wire.ts';

const PATIENCE = { timeout: 60_000, interval: 200 };
const reason = { zh: '由省确定', en: 'fixed by the province' };
/** Ended long ago: whatever the law's rule and today's date are, it is late. */
const PERIOD = periodContaining('month', addMonths(chinaDay(), -6));

/** Two gateways on one database, as they run on two machines whose clocks are set to other zones. */
let here: Gateway;
let there: Gateway;

beforeAll(async () => {
  here = await startGateway({ env: { TZ: 'Asia/Shanghai' } });
  const server = await startEmbedded({ dataDir: path.join(here.dataDir, 'postgres'), log: silentLogger });
  there = await startGateway({
    databaseUrl: server.url,
    env: { ISSUER: here.issuer, TZ: 'America/Los_Angeles' },
  });
  for (const [office, region] of [
    ['2350102', '350102'],
    ['2440305', '440305'],
  ])
    await operate(here, 'PUT', `/v1/offices/${office}`, {
      agency: 'si',
      region,
      name: { zh: '社保', en: 'Insurance' },
    });
}, 240_000);
afterAll(async () => {
  await there?.remove();
  await here?.remove();
});

/** Whether a contribution return of a new filer of an office is late, at that gateway. */
async function fileAt(gateway: Gateway, office: string, changes: Payload = {}): Promise<Record<string, unknown>> {
  const filer = await register(here, { registrations: [{ office, from: '2020-01-01' }] });
  const payload = {
    ...example('si/contribution', 'valid-one-person.json'),
    filer: filer.id,
    period: PERIOD,
    ...changes,
  };
  let answer: Answer | undefined;
  // The other gateway may have to hear of the filer first.
  await vi.waitFor(async () => {
    answer = await submitJws(gateway, filer.filing(here.issuer, payload));
    expect(answer.status, answer.text).toBeLessThan(300);
  }, PATIENCE);
  return (answer as Answer).json() as Record<string, unknown>;
}

const read = async (gateway: Gateway, target: string): Promise<unknown> => {
  const answer = await gateway.ask('GET', target);
  return answer.status === 200 ? answer.json() : answer.status;
};

test('a day that a province sets decides what is late there, in every process', async () => {
  expect((await fileAt(there, '2350102')).late).toBe(true);
  const rule = { rule: 'after-period', months: 8, day: 31 };
  const target = '/v1/calendar/deadlines/si-350000';
  const body = { types: ['si.contribution'], region: '350000', rule, reason };
  const put = await operate(here, 'PUT', target, body);
  expect([put.status, put.json()]).toEqual([201, { id: 'si-350000', ...body, setAt: expect.any(String) }]);
  expect((await fileAt(here, '2350102')).late).toBe(false);
  await vi.waitFor(async () => expect(await read(there, target)).toEqual(put.json()), PATIENCE);
  expect((await fileAt(there, '2350102')).late).toBe(false);
  expect((await fileAt(there, '2440305')).late).toBe(true);
  // The same again is no change; a date for some periods goes before the rule; taken back, the law's own counts.
  expect((await operate(here, 'PUT', target, body)).json()).toEqual(put.json());
  const day = { ...body, rule: undefined, periods: PERIOD, dueDate: PERIOD.to };
  await operate(here, 'PUT', `${target}-day`, day);
  expect((await fileAt(here, '2350102')).late).toBe(true);
  for (const id of ['si-350000', 'si-350000-day'])
    expect((await operate(here, 'DELETE', `/v1/calendar/deadlines/${id}`, undefined)).status).toBe(204);
  await vi.waitFor(async () => expect(await read(there, target)).toBe(404), PATIENCE);
  expect((await fileAt(there, '2350102')).late).toBe(true);
});

test('figures of a region are read by the rules of filings at its offices, in every process', async () => {
  const rulesOf = async (gateway: Gateway, office: string): Promise<unknown[]> =>
    ((await fileAt(gateway, office)).warnings as { rule?: string }[]).map(({ rule }) => rule);
  expect(await rulesOf(there, '2350102')).not.toContain('SI-BASE-FLOOR');
  const target = '/v1/regions/350000/figures';
  const figures = [{ name: 'baseFloor', from: '2020-01-01', value: 1_000_000, source: '闽人社文〔2026〕1号' }];
  await operate(here, 'PUT', target, figures);
  expect(await rulesOf(here, '2350102')).toContain('SI-BASE-FLOOR');
  await vi.waitFor(async () => expect(await read(there, target)).toEqual(figures), PATIENCE);
  expect(await rulesOf(there, '2350102')).toContain('SI-BASE-FLOOR');
  expect(await rulesOf(there, '2440305')).not.toContain('SI-BASE-FLOOR');
});

test('next year is loaded once, and shown everywhere as loaded', async () => {
  const target = '/v1/calendar/years/2027';
  expect(await read(there, target)).toBe(404);
  const body = { off: ['01-01/01-03'], work: ['01-09'], notice: '国办发明电〔2026〕X号' };
  const put = await operate(here, 'PUT', target, body);
  expect(put.json()).toEqual({ year: 2027, ...body, verified: true, shipped: false, setAt: expect.any(String) });
  await vi.waitFor(async () => expect(await read(there, target)).toEqual(put.json()), PATIENCE);
  const { items } = (await read(there, '/v1/calendar/years')) as { items: { year: number; shipped: boolean }[] };
  expect(items.map(({ year, shipped }) => [year, shipped])).toEqual([
    [2024, true],
    [2025, true],
    [2026, true],
    [2027, false],
  ]);
  await here.restart();
  expect(await read(here, target)).toEqual(put.json());
});

test.each([
  ['/v1/calendar/years/2027', { off: ['02-29'], work: [], notice: 'x' }, 422, ['/off/0']],
  ['/v1/calendar/years/1999', { off: [], work: [], notice: 'x' }, 400, ['/path/year']],
  ['/v1/calendar/years/2027', { off: [], work: [] }, 422, ['/notice']],
  ['/v1/calendar/deadlines/x', { types: ['tax.none'], rule: { rule: 'none' }, reason }, 422, ['/types/0']],
  ['/v1/calendar/deadlines/x', { types: ['*'], reason }, 422, ['']],
  ['/v1/regions/350000/figures', [{ name: 'nothing', from: '2026-01-01', value: 1, source: 'x' }], 422, ['/0/name']],
  ['/v1/regions/990000/figures', [], 422, ['/path/region']],
  ['/v1/regions/35/figures', [], 400, ['/path/region']],
])('PUT %s with %j is refused with %i at %j', async (target, body, status, pointers) => {
  const headers = { 'Content-Type': 'application/json' };
  const answer = await here.ask('PUT', target, { as: 'operator', headers, body: JSON.stringify(body) });
  const code = status === 400 ? 'invalid-parameter' : 'invalid-resource';
  const { errors } = expectProblem(answer, status, code);
  expect((errors ?? []).map(({ pointer }) => pointer)).toEqual(pointers);
});

test('nothing of what was set stands in a log', () => {
  for (const text of [here.output, there.output]) expect(text).not.toMatch(/闽人社文|由省确定/);
});
