import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { listCalendarYears, putCalendarYear, readCalendarYear } from '../../src/settings/calendar-years.ts';
import { deleteDeadline, listDeadlines, putDeadline, readDeadline } from '../../src/settings/deadlines.ts';
import type { DeadlineOverride, LoadedFigure } from '../../src/settings/records.ts';
import { putFigures, readFigures } from '../../src/settings/region-figures.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { refusal } from '../support/identity.ts';
import { CATALOGUE, type Process, startProcess } from './support.ts';

const NEVER_POLLS = 3_600_000;
const reason = { zh: '台风', en: 'typhoon' };
const periods = { from: '2026-10-01', to: '2026-10-31' };
const extension = { types: ['tax.*'], periods, dueDate: '2026-11-30', reason };

let database: TestDatabase;
let process: Process;

beforeAll(async () => {
  database = await createTestDatabase();
  process = await startProcess(database, NEVER_POLLS);
});
afterEach(async () => {
  await database.db.sql`DELETE FROM setting`;
  process.settings.heard(['*']);
  await process.settings.settled();
});
afterAll(async () => {
  await process.stop();
  await database.drop();
});

async function changes(): Promise<number> {
  const rows = await database.db.sql<{ n: number }[]>`SELECT count(*)::int AS n FROM identity_change`;
  return rows[0]?.n ?? 0;
}

describe('setting', () => {
  test('is said once: the same again changes nothing and tells nobody', async () => {
    const first = await putDeadline(process.ctx, { id: 'typhoon', ...extension });
    expect(first).toMatchObject({ created: true, resource: { id: 'typhoon', ...extension } });
    const before = await changes();
    // The same members in another order.
    const again = await putDeadline(process.ctx, {
      reason,
      id: 'typhoon',
      dueDate: '2026-11-30',
      periods,
      types: ['tax.*'],
    });
    expect(again).toEqual({ created: false, resource: first.resource });
    expect(await changes()).toBe(before);
    const later = await putDeadline(process.ctx, { id: 'typhoon', ...extension, dueDate: '2026-12-01' });
    expect(later.created).toBe(false);
    expect(later.resource.setAt > first.resource.setAt).toBe(true);
    expect(await changes()).toBe(before + 1);
    expect(readDeadline(process.ctx, 'typhoon')).toEqual(later.resource);
  });

  test('is taken back once, and taking back nothing tells nobody', async () => {
    await putDeadline(process.ctx, { id: 'typhoon', ...extension });
    const before = await changes();
    await deleteDeadline(process.ctx, 'typhoon');
    await deleteDeadline(process.ctx, 'typhoon');
    expect(await changes()).toBe(before + 1);
    expect(() => readDeadline(process.ctx, 'typhoon')).toThrow('no such deadline');
  });

  test('deadlines have a bound, and those that are there can still be changed', async () => {
    await database.db.sql`
      INSERT INTO setting (kind, id, value, set_at)
      SELECT 'deadline', 'n' || i, ${JSON.stringify(extension)}::text::jsonb, now() FROM generate_series(1, 1000) i`;
    expect(await refusal(putDeadline(process.ctx, { id: 'one-more', ...extension }))).toMatchObject({
      code: 'conflict',
    });
    const changed = putDeadline(process.ctx, { id: 'n7', ...extension, dueDate: '2026-12-01' });
    expect((await changed).created).toBe(false);
  });
});

describe('lists', () => {
  test('deadlines page in the order of ids', async () => {
    const ids = ['a', 'A', 'b.1', 'b-1', '0', 'z'];
    for (const id of ids) await putDeadline(process.ctx, { id, ...extension });
    const read: string[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const page: ReturnType<typeof listDeadlines> = listDeadlines(process.ctx, { cursor, limit: 2 });
      read.push(...page.items.map(({ id }) => id));
      cursor = page.next;
    }
    expect(read).toEqual([...ids].sort());
  });

  test('years come in order, shipped and loaded ones, each once', async () => {
    const year = { off: [], work: [], notice: 'x', verified: true };
    await putCalendarYear(process.ctx, { year: 2027, ...year });
    await putCalendarYear(process.ctx, { year: 2025, ...year });
    expect(
      listCalendarYears(process.ctx).map(({ year, shipped, setAt }) => [year, shipped, setAt !== undefined]),
    ).toEqual([
      [2024, true, false],
      [2025, false, true],
      [2026, true, false],
      [2027, false, true],
    ]);
    expect(() => readCalendarYear(process.ctx, 2028)).toThrow('estimate');
  });

  test('figures are those of the region itself', async () => {
    const figures = [{ name: 'pensionFloor', from: '2026-01-01', value: 1, source: 'x' }];
    await putFigures(process.ctx, { region: '000000', figures });
    expect([readFigures(process.ctx, '000000'), readFigures(process.ctx, '350100')]).toEqual([figures, []]);
  });
});

describe('what is refused', () => {
  const { dueDate: _, periods: __, ...bare } = extension;
  const none = undefined as never;
  const afterEvent = { rule: 'after-event', hours: 3 } as const;

  test.each<[string, Partial<DeadlineOverride>, string[]]>([
    ['a type that is not there', { types: ['tax.*', 'tax.vat.special'] }, ['/types/1']],
    ['a group without types', { types: ['emg.*'] }, ['/types/0']],
    ['a region of no province', { region: '990000' }, ['/region']],
    ['the whole country as a region', { region: '000000' }, ['/region']],
    ['both a rule and a date', { rule: { rule: 'tax-month' } }, ['']],
    ['neither', { dueDate: none }, ['']],
    ['a date without periods', { periods: none }, ['/dueDate']],
    ['a date that is none', { dueDate: '2026-02-30' }, ['/dueDate']],
    ['a date before the periods', { dueDate: '2025-11-30' }, ['/dueDate']],
    ['periods that end before they begin', { periods: { from: '2026-10-31', to: '2026-10-01' } }, ['/periods/to']],
    ['hours after a month', { ...bare, periods: none, dueDate: none, rule: afterEvent }, ['/rule']],
    ['two times after an event', { types: ['psb.*'], dueDate: none, rule: { ...afterEvent, days: 1 } }, ['/rule']],
  ])('%s', async (_name, change, pointers) => {
    const found = await refusal(putDeadline(process.ctx, { id: 'x', ...extension, ...change }));
    expect(found).toEqual({ code: 'invalid-resource', pointers });
  });

  test('a deadline that is wrong in several ways is told all of them', async () => {
    const wrong = { ...bare, id: 'x', types: ['tax.none'], region: '990000' };
    expect((await refusal(putDeadline(process.ctx, wrong))).pointers).toEqual(['/types/0', '/region', '']);
  });

  test('hours after an event are for types of events', async () => {
    const rule = { ...bare, id: 'x', types: ['psb.*'], rule: afterEvent };
    expect((await putDeadline(process.ctx, rule)).created).toBe(true);
  });

  const figure = { name: 'pensionFloor', from: '2026-01-01', to: '2026-06-30', value: 1, source: 'x' };
  test.each<[string, string, LoadedFigure[], string[]]>([
    ['a region of no province', '990000', [figure], ['/region']],
    ['a name that no rule reads', '350000', [figure, { ...figure, name: 'pension' }], ['/1/name']],
    ['an end before the beginning', '350000', [{ ...figure, to: '2025-12-31' }], ['/0/to']],
    ['a date that is none', '350000', [{ ...figure, from: '2026-02-30' }], ['/0/from']],
    ['two of one name on one day', '350000', [figure, { ...figure, from: '2026-06-30', to: '2026-12-31' }], ['/1']],
    [
      'two without an end',
      '350000',
      [
        { ...figure, to: none },
        { ...figure, from: '2027-01-01', to: none },
      ],
      ['/1'],
    ],
    [
      'one inside another',
      '350000',
      [
        { ...figure, to: none },
        { ...figure, from: '2026-03-01' },
      ],
      ['/1'],
    ],
  ])('figures: %s', async (_name, region, figures, pointers) => {
    const found = await refusal(putFigures(process.ctx, { region, figures }));
    expect(found).toEqual({ code: 'invalid-resource', pointers });
  });

  test('the names that can be loaded are told', async () => {
    const wrong = putFigures(process.ctx, { region: '350000', figures: [{ ...figure, name: 'x' }] });
    await expect(wrong).rejects.toMatchObject({
      details: { errors: [{ message: { en: 'is none of: pensionFloor, pensionRate' } }] },
    });
    expect([...CATALOGUE.types.keys()]).toContain('si.contribution');
  });

  test('figures that follow one another, and two names on the same days, are not', async () => {
    const figures = [figure, { ...figure, from: '2026-07-01', to: none }, { ...figure, name: 'pensionRate' }];
    const kept = figures.map((each) => JSON.parse(JSON.stringify(each)) as LoadedFigure);
    expect((await putFigures(process.ctx, { region: '350000', figures: kept })).created).toBe(true);
  });

  test('a year that is wrong, with the place', async () => {
    const year = { year: 2027, off: ['02-30'], work: ['01-04'], notice: 'x', verified: true };
    expect(await refusal(putCalendarYear(process.ctx, year))).toEqual({
      code: 'invalid-resource',
      pointers: ['/off/0', '/work/0'],
    });
  });
});
