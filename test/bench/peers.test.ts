import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { getTableColumns } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type CorpusOptions, enterprise, usccOf, vatReturn } from '../../bench/corpus.ts';
import { BENCH_ISSUER } from '../../bench/gateway.ts';
import { filerSigner, publicHalf, signPayload } from '../../bench/keys.ts';
import { rowsOf } from '../../bench/peers/rows.ts';
import { Textbook } from '../../bench/peers/textbook.ts';
import { filing } from '../../src/storage/tables/filings.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

const CORPUS: CorpusOptions = { seed: 'peers', filers: 3, offices: 2, shape: 'usual' };

function signed(filer: number, back: number, issuer = BENCH_ISSUER): string {
  const payload = vatReturn(CORPUS, usccOf(CORPUS.seed, filer), filer, back);
  return signPayload(filerSigner(enterprise(CORPUS, filer).key, issuer), JSON.stringify(payload));
}

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

describe('the textbook stack', () => {
  let textbook: Textbook;
  beforeAll(async () => {
    const parties = [0, 1]
      .map((i) => enterprise(CORPUS, i))
      .map(({ uscc, key }) => ({ id: uscc, jwk: publicHalf(key) }));
    textbook = await Textbook.open(database.address, parties);
  });
  afterAll(() => textbook.close());

  test('stores what is signed and well formed, once', async () => {
    const jws = signed(0, 1);
    expect((await textbook.submit(jws)).status).toBe(201);
    expect((await textbook.submit(jws)).status).toBe(409);
    const [row] = await database.db.sql<{ count: number }[]>`SELECT count(*)::int AS count FROM declaration`;
    expect(row?.count).toBe(1);
  });

  test('checks what it says that it checks', async () => {
    const [header, payload, signature] = signed(0, 2).split('.') as [string, string, string];
    const statuses: Record<string, number> = {};
    const ask = async (name: string, jws: string): Promise<void> => {
      statuses[name] = (await textbook.submit(jws)).status;
    };
    await ask(
      'flipped signature',
      `${header}.${payload}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`,
    );
    await ask('unknown key', signed(2, 2));
    await ask('other audience', signed(0, 2, 'http://elsewhere.example'));
    const someoneElse = JSON.stringify(vatReturn(CORPUS, usccOf(CORPUS.seed, 1), 1, 2));
    await ask("someone else's", signPayload(filerSigner(enterprise(CORPUS, 0).key, BENCH_ISSUER), someoneElse));
    const formless = JSON.stringify({
      ...JSON.parse(Buffer.from(payload, 'base64url').toString()),
      data: { lines: 1 },
    });
    await ask('no form', signPayload(filerSigner(enterprise(CORPUS, 0).key, BENCH_ISSUER), formless));
    expect(statuses).toEqual({
      'flipped signature': 401,
      'unknown key': 401,
      'other audience': 401,
      "someone else's": 403,
      'no form': 422,
    });
  });
});

describe('rows that are inserted without checking', () => {
  test('are rows of the gateway’s table, all columns of it', async () => {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'shenbao-rows-'));
    try {
      const file = path.join(folder, 'a.jws');
      writeFileSync(file, `${signed(0, 0)}\n${signed(1, 0)}\n`);
      const rows = [...rowsOf(file)];
      const columns = Object.values(getTableColumns(filing)).map(({ name }) => name);
      expect(Object.keys(rows[0] ?? {}).sort()).toEqual(columns.sort());
      await database.db.sql`INSERT INTO filing ${database.db.sql(rows)}`;
      const [row] = await database.db.sql<{ count: number }[]>`SELECT count(*)::int AS count FROM filing`;
      expect(row?.count).toBe(2);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
