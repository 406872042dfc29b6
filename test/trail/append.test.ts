import { afterAll, beforeAll, expect, test } from 'vitest';
import { TrailChain } from '../../src/client/trail.ts';
import { Pool } from '../../src/ingest/pool.ts';
import { sha256, toBase64url } from '../../src/std/bytes.ts';
import { systemClock } from '../../src/std/clock.ts';
import { GatewayError } from '../../src/std/errors.ts';
import { type Database, openDatabase } from '../../src/storage/db.ts';
import { readTrailHead, readTrailRows } from '../../src/storage/trail.ts';
import type { TrailEvent } from '../../src/trail/chain.ts';
import { exportTrail, firstRowSince, listTrail } from '../../src/trail/query.ts';
import { appendToTrail, Recorder, recordAct } from '../../src/trail/record.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { HandClock } from '../support/identity.ts';

let database: TestDatabase;
let other: Database;
beforeAll(async () => {
  database = await createTestDatabase();
  other = openDatabase(database.address);
});
afterAll(async () => {
  await other.close();
  await database.drop();
});

let serial = 0;
const event = (more: Partial<TrailEvent> = {}): TrailEvent => ({
  role: 'operator',
  party: 'operator',
  action: 'putParty',
  target: `t${++serial}`,
  result: '200',
  request: `r${serial}`,
  ...more,
});

/** All rows, which must be one chain. */
async function chain(db = database) {
  const rows = await readTrailRows(db.db.sql, 0, Number.MAX_SAFE_INTEGER, 100_000);
  const checked = new TrailChain(sha256);
  for (const { hash, ...row } of rows) checked.add({ ...row, hash: toBase64url(hash) });
  const head = await readTrailHead(db.db.sql);
  expect(checked.last).toEqual({ n: head?.n ?? 0, hash: toBase64url(head?.hash ?? Buffer.alloc(32)) });
  return rows;
}

function recorderOn(db: Pick<Database, 'sql'>, maxItems = 4_096) {
  let transactions = 0;
  const pool = new Pool({
    flush: async (events: readonly TrailEvent[]) => {
      transactions++;
      await appendToTrail({ sql: db.sql, clock: systemClock }, events);
      return events;
    },
    clock: systemClock,
    maxItems,
    maxBytes: 1024 * 1024 * 1024,
    maxTickItems: 1_024,
    maxTickBytes: 1024 * 1024,
    maxWaitMs: 20_000,
  });
  return { recorder: new Recorder(pool), transactions: () => transactions };
}

test('many at once, of two processes, are one chain without gaps, in few transactions', async () => {
  const mine = recorderOn(database.db);
  const theirs = recorderOn(other);
  const rounds = Array.from({ length: 400 }, (_, i) => (i % 2 === 0 ? mine : theirs).recorder.record(event()));
  await Promise.all(rounds);
  const rows = await chain();
  expect(rows.length).toBe(400);
  expect(new Set(rows.map(({ target }) => target)).size).toBe(400);
  expect(mine.transactions() + theirs.transactions()).toBeLessThan(100);
});

test('times never run backwards, whatever the clock does', async () => {
  const clock = new HandClock();
  const own = await createTestDatabase();
  try {
    for (const ms of [0, 5_000, -3_600_000, 10, 3_600_000]) {
      clock.pass(ms);
      await appendToTrail({ sql: own.db.sql, clock }, [event(), event()]);
    }
    const times = (await chain(own)).map(({ at }) => at);
    expect(times).toEqual([...times].sort());
    expect(new Set(times).size).toBe(3);
  } finally {
    await own.drop();
  }
});

test('the first row since an instant', async () => {
  const times = [10, 20, 20, 20, 35, 50];
  for (const [at, expected] of [
    [0, 1],
    [10, 1],
    [11, 2],
    [20, 2],
    [21, 5],
    [36, 6],
    [50, 6],
    [51, 7],
  ] as const) {
    expect(await firstRowSince(async (n) => times[n - 1], times.length, at)).toBe(expected);
  }
  expect(await firstRowSince(async () => undefined, 0, 5)).toBe(1);
});

test('a full queue and a database that refuses are told apart, and nothing is recorded', async () => {
  const { recorder } = recorderOn(database.db, 10);
  const before = (await chain()).length;
  const results = await Promise.allSettled(Array.from({ length: 50 }, () => recorder.record(event())));
  const refused = results.flatMap((each) => (each.status === 'rejected' ? [(each.reason as GatewayError).code] : []));
  expect(new Set(refused)).toEqual(new Set(['overloaded']));
  expect((await chain()).length).toBe(before + 50 - refused.length);

  await database.db.sql`ALTER TABLE trail ADD CONSTRAINT closed CHECK (false) NOT VALID`;
  await expect(recorder.record(event())).rejects.toMatchObject({ code: 'unavailable' });
  await database.db.sql`ALTER TABLE trail DROP CONSTRAINT closed`;
  expect((await chain()).length).toBe(before + 50 - refused.length);
});

test('an act of a command stands between two rows, and is not done without the first', async () => {
  const ctx = { sql: database.db.sql, clock: systemClock, operator: 'operator', request: 'command-1' };
  const act = { action: 'recover', target: 'here', details: { logs: 2 } };
  const seen: string[] = [];
  const newest = async () =>
    (await listTrail({ sql: ctx.sql }, { limit: 2, target: 'here' })).items.map((row) => row.result);
  await recordAct(ctx, act, async () => void seen.push(...(await newest())));
  expect(seen).toEqual(['begun']);
  expect(await newest()).toEqual(['done', 'begun']);
  await expect(recordAct(ctx, act, () => Promise.reject(new GatewayError('conflict')))).rejects.toThrow('conflict');
  expect(await newest()).toEqual(['failed conflict', 'begun']);
  await database.db.sql`ALTER TABLE trail ADD CONSTRAINT closed CHECK (false) NOT VALID`;
  let isDone = false;
  const work = async () => {
    isDone = true;
  };
  await expect(recordAct(ctx, act, work)).rejects.toThrow();
  await database.db.sql`ALTER TABLE trail DROP CONSTRAINT closed`;
  expect(isDone).toBe(false);
});

test('rows are found by party, action, target, class of result and time, page by page', async () => {
  const own = await createTestDatabase();
  const clock = new HandClock();
  const { sql } = own.db;
  const results = [
    'begun',
    '200',
    '304',
    '403 forbidden',
    '503 unavailable',
    '200 cut-short',
    'done',
    'failed',
    '404 not-found',
  ];
  try {
    for (let i = 0; i < 90; i++) {
      clock.pass(1_000);
      const more = { party: `p${i % 3}`, action: `a${i % 2}`, target: `t${i % 5}`, result: results[i % 9] as string };
      await appendToTrail({ sql, clock }, [event(more)]);
    }
    const all = await chain(own);
    const expected = (keep: (row: (typeof all)[number]) => boolean) =>
      all
        .filter(keep)
        .map(({ n }) => n)
        .reverse();
    const found = async (query: object, limit = 7) => {
      const seen: number[] = [];
      for (let before: number | undefined; ; ) {
        const page = await listTrail({ sql }, { ...query, before, limit });
        seen.push(...page.items.map(({ n }) => n));
        if (page.next === undefined) return seen;
        before = page.next;
      }
    };
    expect(await found({})).toEqual(expected(() => true));
    expect(await found({ party: 'p1' })).toEqual(expected(({ party }) => party === 'p1'));
    expect(await found({ action: 'a1', target: 't3' })).toEqual(
      expected(({ action, target }) => action === 'a1' && target === 't3'),
    );
    const classes = {
      begun: ['begun'],
      done: ['200', '304', 'done'],
      refused: ['403 forbidden', '404 not-found'],
      failed: ['503 unavailable', 'failed'],
      'cut-short': ['200 cut-short'],
    };
    for (const [result, of] of Object.entries(classes))
      expect(await found({ result, party: 'p2' })).toEqual(
        expected((row) => row.party === 'p2' && of.includes(row.result)),
      );
    const [fromMs, toMs] = [Date.parse(all[9]?.at ?? ''), Date.parse(all[19]?.at ?? '')];
    expect(await found({ fromMs, toMs })).toEqual(expected(({ n }) => n >= 10 && n < 20));
    const exported: number[] = [];
    for await (const rows of await exportTrail({ sql }, 33)) exported.push(...rows.map(({ n }) => n));
    expect(exported).toEqual(Array.from({ length: 57 }, (_, i) => i + 34));
  } finally {
    await own.drop();
  }
});
