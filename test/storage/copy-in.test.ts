import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { CopyWriter, copyInto } from '../../src/storage/copy-in.ts';
import { connect } from '../../src/storage/db.ts';
import { transaction } from '../../src/storage/transaction.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { until } from '../support/until.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
  await database.db.sql`
    CREATE TABLE copied (
      n int PRIMARY KEY, small smallint, big bigint, flag boolean, at timestamptz(3), day date, name text, raw bytea,
      id uuid, list jsonb)`;
});
afterAll(() => database.drop());
beforeEach(async () => {
  await database.db.sql`TRUNCATE copied`;
});

const COPY = 'COPY copied FROM STDIN (FORMAT binary)';
const COPY_NAMES = 'COPY copied (n, name) FROM STDIN (FORMAT binary)';

function names(rows: readonly (readonly [number, string])[]): Buffer {
  const writer = new CopyWriter(0);
  for (const [n, name] of rows) {
    writer.row(2);
    writer.int32(n);
    writer.text(name);
  }
  return writer.end();
}

const count = async (): Promise<number> =>
  (await database.db.sql<{ n: number }[]>`SELECT count(*)::int AS n FROM copied`)[0]?.n ?? -1;

test('every kind of value comes back as it was written', async () => {
  const [raw, id] = [randomBytes(300), randomUUID()];
  const texts = ['', 'plain', '发票 𠮷 é\n\t\\N', 'x'.repeat(100_000)];
  const writer = new CopyWriter(16);
  texts.forEach((text, n) => {
    writer.row(10);
    writer.int32(n);
    writer.int16(-n);
    writer.int64(n % 2 === 0 ? Number.MAX_SAFE_INTEGER - n : -n - 2 ** 40);
    writer.boolean(n % 2 === 0);
    writer.instant(Date.UTC(n % 2 === 0 ? 2026 : 1969, 1, 28, 23, 59, 59, 999));
    writer.date(n % 2 === 0 ? '2024-02-29' : '1969-12-31');
    writer.text(text);
    writer.bytes(raw);
    writer.uuid(id);
    writer.jsonb([{ zh: text.slice(0, 20) }]);
  });
  await transaction(database.db.sql, (tx) => copyInto(tx, COPY, writer.end()));
  const rows = await database.db.sql`SELECT * FROM copied ORDER BY n`;
  expect([...rows]).toEqual(
    texts.map((name, n) => ({
      n,
      small: n === 0 ? 0 : -n,
      big: n % 2 === 0 ? Number.MAX_SAFE_INTEGER - n : -n - 2 ** 40,
      flag: n % 2 === 0,
      at: `${n % 2 === 0 ? 2026 : 1969}-02-28 23:59:59.999+00`,
      day: n % 2 === 0 ? '2024-02-29' : '1969-12-31',
      name,
      raw,
      id,
      list: [{ zh: name.slice(0, 20) }],
    })),
  );
});

test('what is absent is NULL', async () => {
  const writer = new CopyWriter(16);
  writer.row(5);
  writer.int32(1);
  writer.null();
  writer.int32(undefined);
  writer.text(undefined);
  writer.uuid(undefined);
  await transaction(database.db.sql, (tx) =>
    copyInto(tx, 'COPY copied (n, flag, small, name, id) FROM STDIN (FORMAT binary)', writer.end()),
  );
  const [row] = await database.db.sql`SELECT num_nulls(flag, small, name, id) AS nulls FROM copied`;
  expect(row).toEqual({ nulls: 4 });
});

test('a day that no calendar has is not written', () => {
  for (const day of ['2026-02-30', '2026-13-01', '20260101', 'today', ''])
    expect(() => new CopyWriter(16).date(day), day).toThrow('calendar');
});

test('rows of many megabytes arrive whole, and an empty set is one', async () => {
  const name = 'y'.repeat(700_000);
  await transaction(database.db.sql, async (tx) => {
    await copyInto(tx, COPY_NAMES, names(Array.from({ length: 9 }, (_, n) => [n, name] as const)));
    await copyInto(tx, COPY_NAMES, names([]));
  });
  const [row] = await database.db.sql`SELECT count(*)::int AS n, min(length(name)) AS least FROM copied`;
  expect(row).toEqual({ n: 9, least: name.length });
});

test('what the server says of the rows comes back as its error, and the connection goes on', async () => {
  const sql = connect(database.address, { max: 1, statementTimeoutMs: 4_000 });
  try {
    const twice = names([
      [1, 'a'],
      [1, 'b'],
    ]);
    const long = names([...Array.from({ length: 5_000 }, () => [7, 'z'.repeat(500)] as const)]);
    for (const rows of [twice, long, twice])
      await expect(transaction(sql, (tx) => copyInto(tx, COPY_NAMES, rows))).rejects.toMatchObject({ code: '23505' });
    await expect(transaction(sql, (tx) => copyInto(tx, COPY_NAMES, names([[1, 'nul\0']])))).rejects.toMatchObject({
      code: '22021',
    });
    const none = 'COPY nowhere (n, name) FROM STDIN (FORMAT binary)';
    await expect(transaction(sql, (tx) => copyInto(tx, none, names([[1, 'a']])))).rejects.toMatchObject({
      code: '42P01',
    });
    await transaction(sql, (tx) => copyInto(tx, COPY_NAMES, names([[1, 'a']])));
    expect(await count()).toBe(1);
  } finally {
    await sql.end({ timeout: 5 });
  }
});

test('a session that is ended amid the rows rejects, nothing is stored, and the client goes on', async () => {
  const sql = connect(database.address, { max: 1, statementTimeoutMs: 4_000 });
  const serves = () =>
    sql`SELECT 1`.then(
      () => true,
      () => undefined,
    );
  try {
    for (let round = 0; round < 5; round++) {
      await until('the client serves', serves); // the driver may say once more of a new session how the one before it ended
      const lost = transaction(sql, async (tx) => {
        const [own] = await tx<{ pid: number }[]>`SELECT pg_backend_pid() AS pid`;
        const rows = names(Array.from({ length: 20 }, (_, n) => [n, 'w'.repeat(300_000)] as const));
        const ended = database.db.sql`SELECT pg_terminate_backend(${own?.pid ?? 0})`;
        await Promise.all([copyInto(tx, COPY_NAMES, rows), ended]);
        await tx`SELECT 1`;
      });
      await expect(lost).rejects.toThrow();
      expect(await count()).toBe(0);
    }
    await until('the client serves', serves);
    await transaction(sql, (tx) => copyInto(tx, COPY_NAMES, names([[1, 'a']])));
    expect(await count()).toBe(1);
  } finally {
    await sql.end({ timeout: 5 });
  }
});
