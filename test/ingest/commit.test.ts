import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { laneOf } from '../../src/domain/filing.ts';
import { type CommitOutcome, commitTick } from '../../src/ingest/commit.ts';
import { SignedTick } from '../../src/ingest/receipt.ts';
import { loadContent, loadFiling } from '../../src/storage/filing-lookup.ts';
import { checkedFiling, commitContext, createOffices } from '../support/commit.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
  await createOffices(database, ['13501000000', '13502000000', '13503000000', 'clocks', 'rows']);
});
afterAll(() => database.drop());

function indexesOf(outcomes: readonly CommitOutcome[]): (number | string)[] {
  return outcomes.map((outcome) => (outcome.kind === 'stored' ? outcome.record.index : outcome.kind));
}

describe('a tick', () => {
  it('gives dense indexes per office, in order, across ticks', async () => {
    const ctx = commitContext(database);
    const offices = ['13502000000', '13503000000', '13502000000', '13502000000', '13503000000'];
    expect(
      indexesOf(
        await commitTick(
          ctx,
          offices.map((office) => checkedFiling({ office })),
        ),
      ),
    ).toEqual([0, 0, 1, 2, 1]);
    expect(
      indexesOf(
        await commitTick(
          ctx,
          offices.map((office) => checkedFiling({ office })),
        ),
      ),
    ).toEqual([3, 2, 4, 5, 3]);
  });

  it('stores one of equal filings and lets the others stand, within a tick and across ticks', async () => {
    const ctx = commitContext(database);
    const filing = checkedFiling();
    const other = { ...filing, digest: Buffer.alloc(32, 1) };
    const [first, second, third] = await commitTick(ctx, [filing, filing, other]);
    expect([first?.kind, second?.kind, third?.kind]).toEqual(['stored', 'standing', 'standing']);
    const again = (await commitTick(ctx, [other]))[0];
    if (first?.kind !== 'stored' || again?.kind !== 'standing') throw new Error('unexpected outcome');
    expect(again.filing).toMatchObject({ office: filing.office, index: first.record.index, digest: filing.digest });
  });

  it('rebuilds the same receipt from the rows', async () => {
    const ctx = commitContext(database);
    const outcomes = await commitTick(
      ctx,
      Array.from({ length: 11 }, () => checkedFiling({ reference: '票据-1 "x"', period: randomDay() })),
    );
    for (const outcome of outcomes) {
      if (outcome.kind !== 'stored') throw new Error('unexpected outcome');
      const { record } = outcome;
      const found = await loadFiling(database.db.sql, record.lane, record.office, record.index);
      if (found === undefined) throw new Error('not found');
      const content = await loadContent(database.db.sql, record.lane, record.office, record.index);
      // Whether it is urgent is for the office's list of what is new; no answer about the filing tells it.
      expect({ ...found.record, content, urgent: false }).toEqual(record);
      expect(JSON.stringify(SignedTick.fromRecord(found.tick, 'sandbox').receipt(found.record))).toBe(
        JSON.stringify(outcome.tick.receipt(record)),
      );
    }
  });

  it('never lets receivedAt run backwards in an office, whatever the clock does', async () => {
    const ctx = commitContext(database);
    const hour = 3_600_000;
    const now = ctx.clock.now();
    const times: number[] = [];
    for (const receivedAt of [now, now + hour, now, now - hour, now + 2 * hour]) {
      const [outcome] = await commitTick(ctx, [checkedFiling({ office: 'clocks', receivedAt })]);
      if (outcome?.kind === 'stored') times.push(outcome.record.receivedAt);
    }
    expect(times).toEqual([now, now + hour, now + hour, now + hour, now + 2 * hour]);
  });

  it('fails only the filing that the database refuses', async () => {
    const ctx = commitContext(database);
    const bad = checkedFiling({ office: 'rows', period: { from: '2026-02-30', to: '2026-02-30' } });
    const outcomes = await commitTick(ctx, [
      checkedFiling({ office: 'rows' }),
      checkedFiling({ office: 'rows' }),
      bad,
      checkedFiling({ office: 'rows' }),
    ]);
    expect(indexesOf(outcomes)).toEqual([0, 1, 'failed', 2]);
  });

  it('keeps one key in one place when two gateways race for it at two offices of the filer', async () => {
    const ctx = commitContext(database);
    const candidates = ['13502000000', '13503000000'];
    for (let round = 0; round < 20; round++) {
      const filing = checkedFiling({ candidates, office: '13502000000' });
      const twin = { ...filing, office: '13503000000' };
      const outcomes = (await Promise.all([commitTick(ctx, [filing]), commitTick(ctx, [twin])])).flat();
      expect(outcomes.map((outcome) => outcome.kind).sort()).toEqual(['standing', 'stored']);
    }
  });

  it('writes ticks of any size as dense rows', async () => {
    const ctx = commitContext(database);
    for (const size of [1, 3, 64, 255, 300])
      await commitTick(
        ctx,
        Array.from({ length: size }, () => checkedFiling({ office: 'rows' })),
      );
    const [row] = await database.db.sql`
      SELECT count(*)::int AS n, max(idx)::int AS top, (SELECT size::int FROM office_head WHERE office = 'rows') AS size
      FROM filing WHERE lane = ${laneOf('rows', database.lanes)} AND office = 'rows'`;
    expect(row).toEqual({ n: 626, top: 625, size: 626 });
  });
});

function randomDay(): { from: string; to: string } {
  const day = `2026-0${1 + Math.floor(Date.now() % 9)}-${String(1 + (dayCount++ % 28)).padStart(2, '0')}`;
  return { from: day, to: day };
}
let dayCount = 0;
