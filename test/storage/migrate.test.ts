import { afterAll, expect, test } from 'vitest';
import { StartError } from '../../src/std/start-error.ts';
import { connect } from '../../src/storage/db.ts';
import { migrateDatabase } from '../../src/storage/migrate.ts';
import { createEmptyDatabase, dropDatabase } from '../support/database.ts';

const address = await createEmptyDatabase();
afterAll(() => dropDatabase(address));

const tables = async (): Promise<string[]> => {
  const sql = connect(address, { max: 1, statementTimeoutMs: 0 });
  const rows = await sql<
    { name: string }[]
  >`SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' ORDER BY 1`;
  await sql.end();
  return rows.map(({ name }) => name);
};

test('four gateways that start at once on an empty database make it once and agree on its facts', async () => {
  const wanted = [64, 32, 16, 8].map((lanes) => migrateDatabase(address, { env: 'sandbox', lanes }));
  const facts = await Promise.all(wanted);
  expect(new Set(facts.map((each) => JSON.stringify(each))).size).toBe(1);
  expect(facts[0]?.env).toBe('sandbox');
  expect([64, 32, 16, 8]).toContain(facts[0]?.lanes);
  expect(facts[0]?.id).toMatch(/^[0-9a-f-]{36}$/);
  expect(await tables()).toContain('filing');
});

test('a later start changes nothing and keeps the number of lanes', async () => {
  const before = await migrateDatabase(address, { env: 'sandbox', lanes: 64 });
  expect(await migrateDatabase(address, { env: 'sandbox', lanes: 7 })).toEqual(before);
});

test('a database of another environment is refused, naming both', async () => {
  const start = migrateDatabase(address, { env: 'production', lanes: 64 });
  await expect(start).rejects.toBeInstanceOf(StartError);
  await expect(start).rejects.toMatchObject({
    exitCode: 2,
    message: expect.stringMatching(/sandbox[\s\S]*SHENBAO_ENV[\s\S]*production/),
  });
});

test('a fact that is missing is not made up again', async () => {
  const sql = connect(address, { max: 1, statementTimeoutMs: 0 });
  await sql`DELETE FROM meta WHERE name = 'lanes'`;
  await sql.end();
  await expect(migrateDatabase(address, { env: 'sandbox', lanes: 64 })).rejects.toThrow(/meta/);
});
