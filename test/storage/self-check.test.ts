import { afterAll, expect, test } from 'vitest';
import { StartError } from '../../src/std/start-error.ts';
import { connect } from '../../src/storage/db.ts';
import { checkDatabase } from '../../src/storage/self-check.ts';
import { createTestDatabase } from '../support/database.ts';

// The shared test server runs with all three settings off.
const { address, drop } = await createTestDatabase();
afterAll(drop);

test('a database that may lose commits is refused; each setting is named, with how to mend it', async () => {
  const check = checkDatabase(address);
  await expect(check).rejects.toBeInstanceOf(StartError);
  for (const name of ['fsync', 'full_page_writes', 'synchronous_commit']) {
    await expect(check).rejects.toThrow(`${name} = off`);
    await expect(check).rejects.toThrow(`-c ${name}=on`);
  }
});

test('tests may use it all the same', async () => {
  await expect(checkDatabase(address, 'accepted')).resolves.toBeUndefined();
});

test('one setting is enough, and the remedy fits where it was set', async () => {
  const sql = connect(address, { max: 1, statementTimeoutMs: 0 });
  const name = new URL(address.url).pathname.slice(1);
  await sql.unsafe(`ALTER DATABASE ${name} SET synchronous_commit = 'off'`);
  await sql.end();
  await expect(checkDatabase(address)).rejects.toThrow('ALTER DATABASE <name> RESET synchronous_commit');
});
