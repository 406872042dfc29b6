import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { SeededRandom } from '../../bench/random.ts';
import { laneOf } from '../../src/domain/filing.ts';
import { compareFiling, isCompared, takeWithin } from '../../src/ingest/compare-filing.ts';
import { type ComparedPart, comparePart, type PartContext } from '../../src/ingest/compare-part.ts';
import { loadPayload } from '../../src/ingest/standing.ts';
import { systemClock } from '../../src/std/clock.ts';
import type { Violation } from '../../src/std/errors.ts';
import type { TransactionSql } from '../../src/storage/db.ts';
import { readComparable } from '../../src/storage/findings.ts';
import { CARRIED_FEN, CARRIED_RULE, vatReturn } from '../support/compared.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import type { Payload } from '../support/filer.ts';
import { gate } from '../support/gate.ts';
import { MemoryDirectory, registration, type TestIngest, testIngest } from '../support/ingest.ts';
import { freshUscc } from '../support/parties.ts';
import { comparedExamples, storeUnchecked } from '../support/stored.ts';

const OFFICES = {
  'tax-a': 'tax',
  'tax-b': 'tax',
  'si-a': 'si',
  'amr-a': 'amr',
  'city-a': 'city',
  'emg-a': 'emg',
} as const;
type OfficeName = keyof typeof OFFICES;
const MANY = { filings: 32, bytes: 8 * 1024 * 1024 };

/** A database, and how far each log in it has been compared. */
interface World {
  readonly database: TestDatabase;
  readonly ingest: TestIngest;
  readonly done: Map<string, number>;
}

const directory = new MemoryDirectory();
const worlds: World[] = [];
let world: World;

async function createWorld(): Promise<World> {
  const database = await createTestDatabase();
  const made = { database, ingest: await testIngest(database, OFFICES), done: new Map<string, number>() };
  worlds.push(made);
  return made;
}

beforeAll(async () => {
  for (const [office, agency] of Object.entries(OFFICES)) directory.addOffice(office, agency);
  world = await createWorld();
});
afterEach(() => Promise.all(OFFICE_NAMES.map((office) => compare(office))));
afterAll(() => Promise.all(worlds.map(({ database }) => database.drop())));

const OFFICE_NAMES = Object.keys(OFFICES) as OfficeName[];

function freshFiler(): string {
  const id = freshUscc();
  directory.setParty(id, { registrations: OFFICE_NAMES.map((office) => registration({ office })) });
  return id;
}

function contextOf({ ingest }: World, tx: TransactionSql, changes: Partial<PartContext> = {}): PartContext {
  const { catalogue, settings, lanes } = ingest.ctx;
  return { sql: tx, lanes, directory, catalogue, settings, clock: systemClock, ...changes };
}

interface CompareOptions {
  readonly filings?: number;
  readonly bytes?: number;
  readonly context?: Partial<PartContext>;
  readonly wrap?: (tx: TransactionSql) => TransactionSql;
  readonly in?: World;
}

/** One part of a log after the other until its end. */
async function compare(office: OfficeName, options: CompareOptions = {}): Promise<ComparedPart[]> {
  const { filings = MANY.filings, bytes = MANY.bytes, context, wrap = (tx) => tx, in: where = world } = options;
  const types = [...where.ingest.ctx.catalogue().types.values()].filter(isCompared).map((each) => each.metadata.type);
  const log = { lane: laneOf(office, where.database.lanes), office };
  const parts: ComparedPart[] = [];
  for (;;) {
    const isEnd = await where.database.db.sql.begin(async (tx) => {
      const range = { from: where.done.get(office) ?? 0, to: 1_000_000, types, limit: filings };
      const entries = await readComparable(tx, log, range);
      if (entries.length === 0) return true;
      const part = await comparePart(contextOf(where, wrap(tx), context), entries, { region: '350100', bytes });
      where.done.set(office, (entries[part.taken - 1]?.index ?? 0) + 1);
      parts.push(part);
      return false;
    });
    if (isEnd) return parts;
  }
}

let minute = 0;
async function stored(office: OfficeName, payload: Payload, where = world): Promise<string> {
  const id = await storeUnchecked(where.ingest.commit, office, { version: '2026-02', ...payload }, ++minute);
  if (id === undefined) throw new Error('something stands there');
  return id;
}

/** What is stored for each filing for which something was found. */
async function findings({ database } = world): Promise<Map<string, readonly Violation[]>> {
  const rows = await database.db.sql<{ id: string; findings: Violation[] }[]>`
    SELECT office || '.' || idx AS id, findings FROM filing_finding WHERE findings <> '[]' ORDER BY lane, office, idx`;
  return new Map(rows.map((row) => [row.id, row.findings]));
}
const differs = async (id: string): Promise<boolean> =>
  (await findings()).get(id)?.some(({ rule }) => rule === CARRIED_RULE) ?? false;

/** Counts the statements that a transaction sends: a piece of one is never waited for. */
function counting(statements: string[]): (tx: TransactionSql) => TransactionSql {
  return (tx) =>
    new Proxy(tx, {
      apply(target, self, args) {
        const query = Reflect.apply(target as never, self, args) as Promise<unknown>;
        const wait = Reflect.get(query, 'handle') as () => unknown;
        let isSent = false;
        return Object.assign(query, {
          handle: () => {
            if (!isSent) statements.push(String((args[0] as readonly string[])[0]));
            isSent = true;
            return Reflect.apply(wait, query, []);
          },
        });
      },
    });
}

/** Filings of the examples for several filers, now and then with a figure changed, corrected or voided, in any order. */
async function fillMixed(each: readonly World[], random: SeededRandom, rounds: number): Promise<void> {
  const filers = Array.from({ length: 4 }, freshFiler);
  const waiting = filers.flatMap((filer) => comparedExamples().map((payload): Payload => ({ ...payload, filer })));
  const standing: { id: string; office: OfficeName; payload: Payload }[] = [];
  const perRound = Math.ceil(waiting.length / rounds);
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < perRound && waiting.length > 0; i++) {
      const old = random.chance(0.25) && standing.length > 0 ? random.integer(0, standing.length - 1) : undefined;
      const target = old === undefined ? undefined : standing.splice(old, 1)[0];
      const original = target?.payload ?? (waiting.splice(random.integer(0, waiting.length - 1), 1)[0] as Payload);
      const isVoid = target !== undefined && random.chance(0.3);
      const offices = OFFICE_NAMES.filter((name) => String(original.type).startsWith(`${OFFICES[name]}.`));
      const office = random.pick(offices);
      const data = JSON.parse(JSON.stringify(original.data), (_name, value) =>
        Number.isInteger(value) && random.chance(0.05) ? value + 1 : value,
      );
      const kind = isVoid ? 'void' : target === undefined ? 'original' : 'correction';
      const { data: _, ...frame } = original;
      const payload = { ...frame, kind, ...(isVoid ? {} : { data }), ...(target && { supersedes: target.id }) };
      minute++;
      const ids = new Set<string | undefined>();
      for (const { ingest } of each) ids.add(await storeUnchecked(ingest.commit, office, payload, minute));
      expect(ids.size).toBe(1);
      const [id] = ids;
      if (id !== undefined && !isVoid) standing.push({ id, office, payload: { ...original, data } });
    }
    for (const office of OFFICE_NAMES)
      for (const [n, where] of each.entries()) await compare(office, SIZES[n]?.(where));
  }
}

const SIZES: readonly ((where: World) => CompareOptions)[] = [
  (where) => ({ in: where, filings: 1 }),
  (where) => ({ in: where }),
  (where) => ({ in: where, filings: 64, bytes: 30_000 }),
];

describe('many filings at once', () => {
  test.each([1, 2, 3])('have the findings that they have one at a time (%i)', async (seed) => {
    const each = [await createWorld(), await createWorld(), await createWorld()] as const;
    await fillMixed(each, new SeededRandom(seed, 7), 5);
    const [alone, together, bounded] = await Promise.all(each.map(findings));
    expect(alone?.size).toBeGreaterThan(30);
    expect(together).toEqual(alone);
    expect(bounded).toEqual(alone);

    // Who looks back at the period before alone was compared with what stands there in the end.
    const ctx = { ...contextOf(each[1], each[1].database.db.sql as never) };
    const returns = await each[1].database.db.sql<{ lane: number; office: string; index: number; version: string }[]>`
      SELECT lane, office, idx AS index, version FROM filing AS f WHERE type = 'tax.vat.general' AND kind <> 'void'
      AND NOT EXISTS (SELECT FROM filing AS s WHERE s.supersedes = f.office || '.' || f.idx)`;
    expect(returns.length).toBeGreaterThan(10);
    for (const { version, ...position } of returns) {
      const payload = await loadPayload(ctx.sql, position);
      const expected = await compareFiling(ctx, { payload, version, region: '350100' });
      expect(together?.get(`${position.office}.${position.index}`) ?? []).toEqual(expected);
    }
  });

  test('take as many statements as two do', async () => {
    const sent = async (count: number): Promise<string[]> => {
      const filers = Array.from({ length: count }, freshFiler);
      for (const filer of filers) await stored('tax-b', vatReturn(filer, '2026-11', 0));
      await compare('tax-b');
      for (const filer of filers)
        for (const month of ['2026-09', '2026-10']) await stored('tax-a', vatReturn(filer, month, 1));
      const statements: string[] = [];
      const parts = await compare('tax-a', { wrap: counting(statements), filings: 64 });
      expect(parts.map(({ taken }) => taken)).toEqual([count * 2]);
      return statements;
    };
    const two = await sent(2);
    // What follows, locks, contents, what stands, what stood before, contents of the others, findings anew, findings.
    expect(two).toHaveLength(8);
    expect(await sent(32)).toEqual(two);
  });

  test('are as many in a part as come to so many bytes, and one that comes to more is alone', async () => {
    const filer = freshFiler();
    const long = { note: '长'.repeat(20_000) };
    const months = ['2026-04', '2026-05', '2026-06', '2026-07'];
    for (const month of months) await stored('tax-a', vatReturn(filer, month, 0, month === '2026-06' ? long : {}));
    const taken = async (bytes: number): Promise<number[]> => {
      world.done.set('tax-a', start);
      return (await compare('tax-a', { bytes })).map((part) => part.taken);
    };
    const start =
      Number((await world.database.db.sql`SELECT size FROM office_head WHERE office = 'tax-a'`)[0]?.size) - 4;
    expect(await taken(1_000_000)).toEqual([4]);
    // July is small, but it is compared with June.
    expect(await taken(40_000)).toEqual([2, 1, 1]);
    expect(await taken(1)).toEqual([1, 1, 1, 1]);
  });
});

test('a list is cut where it comes to more than allowed, but never before its first', () => {
  const cut = (weights: readonly number[], limit: number): number[] => takeWithin(weights, limit, (weight) => weight);
  expect(cut([3, 3, 3], 6)).toEqual([3, 3]);
  expect(cut([3, 3, 3], 9)).toEqual([3, 3, 3]);
  expect(cut([7, 1], 6)).toEqual([7]);
  expect(cut([1, 7, 1], 6)).toEqual([1]);
  expect(cut([], 6)).toEqual([]);
});

describe('what was filed for the period after', () => {
  /** The catalogue, which notes of which months returns are looked at by rules. */
  function noting(months: string[]): Partial<PartContext> {
    const { types } = world.ingest.ctx.catalogue();
    const vat = types.get('tax.vat.general');
    if (vat === undefined) throw new Error('no VAT');
    const resolve: typeof vat.resolve = (...asked) => {
      const form = vat.resolve(...asked);
      return (
        form && {
          ...form,
          compare: (payload, ...rest) => {
            months.push(payload.period.from.slice(5, 7));
            return form.compare(payload, ...rest);
          },
        }
      );
    };
    const changed = { types: new Map(types).set('tax.vat.general', { ...vat, resolve }) };
    return { catalogue: () => changed };
  }

  test.each(['09', '10'])('in the same part is looked at once, be it before or after (%s first)', async (first) => {
    const filer = freshFiler();
    const returns = { '09': vatReturn(filer, '2026-09', 0), '10': vatReturn(filer, '2026-10', 1) };
    const months = first === '09' ? (['09', '10'] as const) : (['10', '09'] as const);
    const ids = { '09': '', '10': '' };
    for (const month of months) ids[month] = await stored('tax-a', returns[month]);
    const looked: string[] = [];
    await compare('tax-a', { context: noting(looked) });
    expect(looked.sort()).toEqual(['09', '10']);
    expect(await differs(ids['10'])).toBe(true);
  });

  test('in a part that was done before is looked at again', async () => {
    const filer = freshFiler();
    const october = await stored('tax-a', vatReturn(filer, '2026-10', CARRIED_FEN));
    await compare('tax-a');
    await stored('tax-a', vatReturn(filer, '2026-09', 1));
    const looked: string[] = [];
    await compare('tax-a', { context: noting(looked) });
    expect(looked.sort()).toEqual(['09', '10']);
    expect(await differs(october)).toBe(true);
  });

  test('keeps what was found last when two processes are at it, though the first stores it last', async () => {
    const filer = freshFiler();
    const october = await stored('tax-b', vatReturn(filer, '2026-10', CARRIED_FEN + 1));
    await compare('tax-b');
    const september = await stored('tax-a', vatReturn(filer, '2026-09', 0));
    const [mayStore, hasRead] = [gate(), gate()];
    const waiting = (tx: TransactionSql): TransactionSql =>
      new Proxy(tx, {
        apply(target, self, args) {
          const query = Reflect.apply(target as never, self, args);
          if (!String(args[0]).includes('SET findings = excluded')) return query;
          hasRead.open();
          return mayStore.opened.then(() => query);
        },
      });
    const first = compare('tax-a', { wrap: waiting });
    await hasRead.opened;
    const corrected = vatReturn(filer, '2026-09', 1, { kind: 'correction', supersedes: september });
    await stored('tax-b', corrected);
    const second = compare('tax-b');
    await new Promise((resolve) => setTimeout(resolve, 300));
    mayStore.open();
    await Promise.all([first, second]);
    expect(await differs(october)).toBe(false);
  });

  test('gets no findings from a part that took up its place only', async () => {
    const filers = [freshFiler(), freshFiler()];
    const october: string[] = [];
    for (const filer of filers) {
      await stored('tax-b', vatReturn(filer, '2026-08', 0, { note: '长'.repeat(20_000) }));
      october.push(await stored('tax-b', vatReturn(filer, '2026-10', 1)));
    }
    for (const filer of filers) await stored('tax-a', vatReturn(filer, '2026-09', 0));
    const log = { lane: laneOf('tax-a', world.database.lanes), office: 'tax-a' };
    const range = { from: world.done.get('tax-a') ?? 0, to: 1_000_000, types: ['tax.vat.general'], limit: 32 };
    const taken = await world.database.db.sql.begin(async (tx) => {
      const entries = await readComparable(tx, log, range);
      const part = await comparePart(contextOf(world, tx), entries, { region: '350100', bytes: 60_000 });
      world.done.set('tax-a', (entries[part.taken - 1]?.index ?? 0) + 1);
      return part.taken;
    });
    // Both of September would be small enough, but not with both of August.
    expect(taken).toBe(1);
    const rows = await world.database.db.sql`
      SELECT office || '.' || idx AS id FROM filing_finding WHERE office || '.' || idx = ANY(${october})`;
    expect(rows.map(({ id }) => id)).toEqual([october[0]]);
    await compare('tax-b');
    expect(await Promise.all(october.map(differs))).toEqual([true, true]);
  });
});
