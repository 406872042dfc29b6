import { afterAll, beforeAll, expect, test } from 'vitest';
import { copyRows } from '../../src/storage/copy-binary.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

const rows = (count: number, bytes: number): string =>
  `SELECT n::bigint, repeat('x', ${bytes}) FROM generate_series(0, ${count - 1}) AS n ORDER BY n`;

test('results of every size are read whole, one after another on one connection', async () => {
  await database.db.sql.begin(async (tx) => {
    for (const [count, bytes] of [
      [0, 1],
      [1, 1],
      [40, 1_000],
      [60, 1_000],
      [3_000, 100],
      [3, 3_000_000],
      [2, 10],
    ] as const) {
      let next = 0;
      await copyRows(tx, rows(count, bytes), 2, (row) => {
        expect(row.int64(0)).toBe(next++);
        expect(row.size(1)).toBe(bytes);
      });
      expect(next).toBe(count);
    }
  });
});

test('what fails, here or there, is told, and the connection serves on', async () => {
  const { sql } = database.db;
  await expect(copyRows(sql, "SELECT 1 / 0, 'x'", 2, () => {})).rejects.toThrow('division by zero');
  const failing = copyRows(sql, rows(5_000, 100), 2, (row) => {
    if (row.int64(0) === 7) throw new Error('not this one');
  });
  await expect(failing).rejects.toThrow('not this one');
  const late = 'SELECT n::bigint, (1 / (20000 - n))::text FROM generate_series(0, 30000) AS n';
  await expect(copyRows(sql, late, 2, () => {})).rejects.toThrow('division by zero');
  await expect(sql`SELECT 1 AS one`).resolves.toMatchObject([{ one: 1 }]);
});

test('statements of others that come while all connections are copying wait for one', async () => {
  const { sql } = database.db;
  let copied = 0;
  let asked: Promise<unknown>[] = [];
  const copy = (): Promise<void> =>
    copyRows(sql, rows(10_000, 100), 2, () => {
      copied++;
      if (copied % 1_000 === 0) asked = [...asked, sql`SELECT ${copied}::int AS n`, sql.begin((tx) => tx`SELECT 1`)];
    });
  await Promise.all(Array.from({ length: 16 }, copy));
  await Promise.all(asked);
  expect([copied, asked.length]).toEqual([160_000, 320]);
});
