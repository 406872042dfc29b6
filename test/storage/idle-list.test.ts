import { afterAll, beforeAll, expect, test } from 'vitest';
import { connect, type Sql } from '../../src/storage/db.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

const CONNECTIONS = 3;
const USES = 2_000;

let database: TestDatabase;
let sql: Sql;
beforeAll(async () => {
  database = await createTestDatabase();
  sql = connect(database.address, { max: CONNECTIONS, statementTimeoutMs: 10_000 });
});
afterAll(async () => {
  await sql.end();
  await database.drop();
});

/** The longest list that the driver searches for a connection during one statement. */
async function longestSearch(): Promise<number> {
  const { indexOf } = Array.prototype;
  let longest = 0;
  const spy = function (this: unknown[], ...args: [unknown, number?]): number {
    longest = Math.max(longest, this.length);
    return Reflect.apply(indexOf, this, args);
  };
  Object.defineProperty(Array.prototype, 'indexOf', { value: spy, configurable: true, writable: true });
  try {
    await sql`SELECT 1`;
  } finally {
    Object.defineProperty(Array.prototype, 'indexOf', { value: indexOf, configurable: true, writable: true });
  }
  return longest;
}

test('however often connections were used, the driver searches a short list for them', async () => {
  await Promise.all(Array.from({ length: CONNECTIONS }, () => sql`SELECT pg_sleep(0.2)`));
  for (let i = 0; i < USES; i++) await sql`SELECT 1`;
  await expect.poll(longestSearch, { interval: 100 }).toBeLessThan(USES / 4);
  const rows = await sql<{ n: number }[]>`
    SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database()`;
  expect(rows[0]?.n).toBe(CONNECTIONS);
});
