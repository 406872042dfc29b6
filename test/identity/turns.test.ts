import { afterAll, beforeAll, expect, test } from 'vitest';
import { putParty } from '../../src/identity/put-party.ts';
import { Turns } from '../../src/identity/turns.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { FILER, identityContext, refusal } from '../support/identity.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

test('so many work and so many wait, in order; one more is refused; a failure gives its place on', async () => {
  const turns = new Turns({ atOnce: 2, mayWait: 2 });
  const begun: number[] = [];
  const open: (() => void)[] = [];
  const work = (n: number) =>
    turns.take(async () => {
      begun.push(n);
      await new Promise<void>((resolve) => open.push(resolve));
      if (n === 0) throw new Error('fault');
      return n;
    });
  const first = work(0);
  const rest = [work(1), work(2), work(3)];
  expect(begun).toEqual([0, 1]);
  expect(await refusal(work(4))).toMatchObject({ code: 'overloaded' });
  open[0]?.();
  await expect(first).rejects.toThrow('fault');
  expect(begun).toEqual([0, 1, 2]);
  for (const n of [1, 2, 3]) {
    open[n]?.();
    expect(await rest[n - 1]).toBe(n);
  }
  const again = work(5);
  open[4]?.();
  expect(await again).toBe(5);
});

test('changes that wait for one another leave the pool to others, and are all made', async () => {
  const ctx = identityContext(database);
  const { sql } = database.db;
  let changes: Promise<unknown>[] = [];
  // As long as this transaction lasts no change gets on.
  await sql.begin(async (tx) => {
    await tx`SELECT * FROM identity_head FOR UPDATE`;
    changes = Array.from({ length: 50 }, (_, i) => putParty(ctx, { id: FILER, kind: 'filer', name: `甲${i}` }));
    // Answered by another connection of the same pool.
    expect(await sql`SELECT 1 AS one`).toMatchObject([{ one: 1 }]);
  });
  expect((await Promise.all(changes)).length).toBe(50);
});
