import type { Sql, TransactionSql } from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connect } from '../../src/storage/db.ts';
import { transaction } from '../../src/storage/transaction.ts';
import { collect } from '../support/collected.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

let database: TestDatabase;
let killer: Sql;
beforeAll(async () => {
  database = await createTestDatabase();
  killer = connect(database.address, { max: 1, statementTimeoutMs: 0 });
});
afterAll(async () => {
  await killer.end();
  await database.drop();
});

const insert = (tx: TransactionSql, name: string): Promise<unknown> => tx`INSERT INTO meta VALUES (${name}, 'x')`;
const stored = async (prefix: string): Promise<number> => {
  const rows = await killer<{ n: number }[]>`SELECT count(*)::int AS n FROM meta WHERE name LIKE ${`${prefix}%`}`;
  return rows[0]?.n ?? -1;
};
/** With `waitMs` 0 the loss is noticed by the next statement, otherwise while the callback waits for the killer. */
const killBackend = async (tx: TransactionSql, waitMs: number): Promise<void> => {
  const rows = await tx<{ pid: number }[]>`SELECT pg_backend_pid() AS pid`;
  await killer`SELECT pg_terminate_backend(${rows[0]?.pid ?? 0}, ${waitMs})`;
};

test('a transaction commits, and a thrown error rolls it back', async () => {
  await transaction(database.db.sql, (tx) => insert(tx, 'plain'));
  const failing = transaction(database.db.sql, async (tx) => {
    await insert(tx, 'plain-2');
    throw new Error('no');
  });
  await expect(failing).rejects.toThrow('no');
  expect(await stored('plain')).toBe(1);
});

test('nothing that a transaction worked on is kept after it', async () => {
  const worked: WeakRef<object>[] = [];
  const work = async (): Promise<void> => {
    const filings = { of: 'a tick' };
    worked.push(new WeakRef(filings));
    await transaction(database.db.sql, async (tx) => void (await tx`SELECT ${filings.of}::text`));
  };
  for (let i = 0; i < 20; i++) await work();
  const kept = (): number => {
    collect();
    return worked.filter((each) => each.deref() !== undefined).length;
  };
  await expect.poll(kept).toBe(0);
});

for (const { waiting, waitMs } of [
  { waiting: 0, waitMs: 0 },
  { waiting: 20, waitMs: 0 },
  { waiting: 0, waitMs: 500 },
  { waiting: 20, waitMs: 500 },
]) {
  test(`when the connection dies, nothing is written: ${waiting} queries waiting, noticed within ${waitMs} ms`, async () => {
    for (let round = 0; round < 4; round++) {
      const others = Array.from({ length: waiting }, () =>
        database.db.sql`SELECT pg_sleep(0.02)`.catch(() => undefined),
      );
      const running = transaction(database.db.sql, async (tx) => {
        await insert(tx, `killed-${round}-a`);
        await killBackend(tx, waitMs);
        // One that goes on after a failed statement is the worst case; the first throw would end most callbacks.
        await insert(tx, `killed-${round}-b`).catch(() => undefined);
        await insert(tx, `killed-${round}-c`).catch(() => undefined);
        await tx.savepoint((nested) => insert(nested, `killed-${round}-d`));
      });
      await expect(running).rejects.toThrow();
      await Promise.all(others);
    }
    await database.db.sql`SELECT pg_sleep(0.3)`;
    expect(await stored('killed-')).toBe(0);
  });
}

test('a statement that fails by itself is no loss: the callback may catch it in a savepoint and go on', async () => {
  await transaction(database.db.sql, async (tx) => {
    await insert(tx, 'savepoint-a');
    await tx.savepoint((nested) => insert(nested, 'savepoint-a')).catch(() => undefined);
    await insert(tx, 'savepoint-b');
  });
  expect(await stored('savepoint-')).toBe(2);
});

test('a callback that swallows the loss does not make the transaction succeed', async () => {
  const running = transaction(database.db.sql, async (tx) => {
    await insert(tx, 'swallowed-a');
    await killBackend(tx, 500);
    await new Promise((resolve) => setTimeout(resolve, 50));
    return 'done';
  });
  await expect(running).rejects.toThrow();
  expect(await stored('swallowed-')).toBe(0);
});

test('the pool serves the next transaction after a loss', async () => {
  await transaction(database.db.sql, (tx) => insert(tx, 'afterwards'));
  expect(await stored('afterwards')).toBe(1);
});
