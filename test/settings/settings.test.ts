import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import type { FilingTypeMetadata } from '../../src/domain/filing-type.ts';
import { deleteCalendarYear, putCalendarYear, readCalendarYear } from '../../src/settings/calendar-years.ts';
import { deleteDeadline, putDeadline } from '../../src/settings/deadlines.ts';
import { putFigures } from '../../src/settings/region-figures.ts';
import { DatabaseSettings } from '../../src/settings/settings.ts';
import type { Sql } from '../../src/storage/db.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { silentLogger } from '../support/logger.ts';
import { PATIENCE, type Process, startProcess } from './support.ts';

const NEVER_POLLS = 3_600_000;
const reason = { zh: '由省确定', en: 'fixed by the province' };
const CONTRIBUTION = {
  type: 'si.contribution',
  deadline: { rule: 'after-period', months: 1, day: 25, roll: true },
} as unknown as FilingTypeMetadata;
const OCTOBER = { from: '2026-10-01', to: '2026-10-31' };

let database: TestDatabase;
let started: Process[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
});
afterEach(async () => {
  await Promise.all(started.map((process) => process.stop()));
  started = [];
  await database.db.sql`DELETE FROM setting`;
});
afterAll(() => database.drop());

async function start(pollMs = 100): Promise<Process> {
  const process = await startProcess(database, pollMs);
  started.push(process);
  return process;
}

const due = ({ settings }: Process, region = '350102') => settings.due(CONTRIBUTION, region, OCTOBER)?.date;
const province = { id: 'fj', types: ['si.*'], region: '350000', reason };
const the20th = { rule: { rule: 'after-period', months: 1, day: 20 } } as const;

test('what one process sets is in force there at once, in others soon, and after a start', async () => {
  const [here, there] = [await start(NEVER_POLLS), await start()];
  expect([due(here), due(there)]).toEqual(['2026-11-25', '2026-11-25']);
  await putDeadline(here.ctx, { ...province, ...the20th });
  expect([due(here), due(here, '110101')]).toEqual(['2026-11-20', '2026-11-25']);
  await vi.waitFor(() => expect(due(there)).toBe('2026-11-20'), PATIENCE);
  expect(due(await start())).toBe('2026-11-20');
  await deleteDeadline(here.ctx, 'fj');
  expect(due(here)).toBe('2026-11-25');
  await vi.waitFor(() => expect(due(there)).toBe('2026-11-25'), PATIENCE);
});

test('a loaded year goes before the shipped one, and gives what was an estimate', async () => {
  const [here, there] = [await start(), await start()];
  const december = { from: '2026-12-01', to: '2026-12-31' };
  const vat = { type: 'tax.vat.general', deadline: { rule: 'tax-month' } } as unknown as FilingTypeMetadata;
  expect(here.settings.due(vat, '350102', december)).toEqual({ date: '2027-01-15', estimated: true });
  const year = { year: 2027, off: ['01-01/01-03'], work: [], notice: '国办发明电', verified: true };
  await putCalendarYear(here.ctx, year);
  for (const { settings } of [here, there])
    await vi.waitFor(
      () => expect(settings.due(vat, '350102', december)).toEqual({ date: '2027-01-20', estimated: false }),
      PATIENCE,
    );
  await putCalendarYear(here.ctx, { ...year, verified: false });
  expect(here.settings.due(vat, '350102', december)).toEqual({ date: '2027-01-20', estimated: true });
  // In place of a shipped year, whose own list of tax deadlines goes with it.
  const november = { from: '2026-10-01', to: '2026-10-31' };
  await putCalendarYear(here.ctx, { ...year, year: 2026, off: ['11-01/11-04'] });
  expect(here.settings.due(vat, '350102', november)?.date).toBe('2026-11-19');
  expect(readCalendarYear(here.ctx, 2026)).toMatchObject({ shipped: false, off: ['11-01/11-04'] });
  await deleteCalendarYear(here.ctx, 2026);
  expect(here.settings.due(vat, '350102', november)?.date).toBe('2026-11-16');
  expect(readCalendarYear(here.ctx, 2026)).toMatchObject({ shipped: true, taxDue: expect.arrayContaining(['11-16']) });
});

test('figures are read in every process, and an emptied list gives way to the region above', async () => {
  const [here, there] = [await start(), await start()];
  const figure = { name: 'pensionFloor', from: '2026-01-01', value: 400_000, source: '闽人社' };
  await putFigures(here.ctx, { region: '350000', figures: [figure] });
  await putFigures(here.ctx, { region: '350100', figures: [{ ...figure, value: 500_000 }] });
  const floor = (process: Process) => process.settings.figures('350102', '2026-10-31')?.('pensionFloor');
  expect(floor(here)).toBe(500_000);
  await vi.waitFor(() => expect(floor(there)).toBe(500_000), PATIENCE);
  await putFigures(there.ctx, { region: '350100', figures: [] });
  expect(floor(there)).toBe(400_000);
  await vi.waitFor(() => expect(floor(here)).toBe(400_000), PATIENCE);
});

test('many changes at once, from both sides, end alike everywhere', async () => {
  const [here, there] = [await start(), await start()];
  const days = Array.from({ length: 20 }, (_, i) => i + 1);
  await Promise.all(
    days.map((day) =>
      putDeadline((day % 2 === 0 ? here : there).ctx, {
        ...province,
        id: `d${day}`,
        region: `35${String(day).padStart(2, '0')}00`,
        rule: { rule: 'after-period', months: 1, day },
      }),
    ),
  );
  const expected = days.map((day) => `2026-11-${String(day).padStart(2, '0')}`);
  for (const process of [here, there])
    await vi.waitFor(
      () => expect(days.map((day) => due(process, `35${String(day).padStart(2, '0')}01`))).toEqual(expected),
      PATIENCE,
    );
});

test('an answer that comes late does not undo a newer one', async () => {
  const here = await start(NEVER_POLLS);
  await putDeadline(here.ctx, { ...province, ...the20th });
  const gate = new Gate();
  const settings = new DatabaseSettings({ sql: gate.before(here.db.sql), log: silentLogger });
  await settings.start();
  gate.shut();
  settings.heard(['setting:deadline:fj']);
  // It has read that it is the 20th, and does not know it yet.
  await gate.reached;
  await here.db.sql`UPDATE setting SET value = jsonb_set(value, '{rule,day}', '21')`;
  settings.heard(['setting:deadline:fj']);
  // Long enough for a second reading, were it not to wait for the first.
  for (let i = 0; i < 400; i++) await here.db.sql`SELECT 1`;
  gate.open();
  await settings.settled();
  await here.db.sql`SELECT 1`;
  expect(settings.due(CONTRIBUTION, '350102', OCTOBER)?.date).toBe('2026-11-21');
  await settings.stop();
});

/** Holds back the rows of the first query after it was shut, and of no other. */
class Gate {
  readonly reached: Promise<void>;
  #tellReached = (): void => {};
  #release = (): void => {};
  #held: Promise<void> | undefined;

  constructor() {
    this.reached = new Promise((resolve) => {
      this.#tellReached = resolve;
    });
  }

  shut(): void {
    this.#held = new Promise((resolve) => {
      this.#release = resolve;
    });
  }

  open(): void {
    this.#release();
  }

  before(sql: Sql): Sql {
    const wait = async (): Promise<void> => {
      const held = this.#held;
      this.#held = undefined;
      if (held === undefined) return;
      this.#tellReached();
      await held;
    };
    return new Proxy(sql, {
      apply(target, self, args) {
        const query = Reflect.apply(target as never, self, args) as Promise<unknown>;
        // Parts of other queries are made in the same way, and never awaited.
        const then = query.then.bind(query);
        const late = async (rows: unknown): Promise<unknown> => {
          await wait();
          return rows;
        };
        // biome-ignore lint/suspicious/noThenProperty: rows are to come later than they were read
        query.then = ((done: never, failed: never) => then(late).then(done, failed)) as typeof query.then;
        return query;
      },
    });
  }
}

test('while the table cannot be read the last values stay, and as soon as it can the new ones come', async () => {
  const [here, there] = [await start(), await start()];
  await putDeadline(here.ctx, { ...province, ...the20th });
  await vi.waitFor(() => expect(due(there)).toBe('2026-11-20'), PATIENCE);
  await database.db.sql`ALTER TABLE setting RENAME TO setting_away`;
  // Heard of, but not to be read.
  there.settings.heard(['setting:deadline:fj', '*']);
  await there.settings.settled();
  expect(due(there)).toBe('2026-11-20');
  await database.db.sql`UPDATE setting_away SET value = jsonb_set(value, '{rule,day}', '21')`;
  await database.db.sql`ALTER TABLE setting_away RENAME TO setting`;
  await vi.waitFor(() => expect(due(there)).toBe('2026-11-21'), PATIENCE);
});

test('a start without the table fails, rather than run with nothing', async () => {
  await database.db.sql`ALTER TABLE setting RENAME TO setting_away`;
  try {
    await expect(startProcess(database, NEVER_POLLS)).rejects.toThrow('setting');
  } finally {
    await database.db.sql`ALTER TABLE setting_away RENAME TO setting`;
  }
});
