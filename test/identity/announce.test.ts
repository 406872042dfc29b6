import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { makeUscc } from '../../src/domain/identifiers.ts';
import { announce, announced } from '../../src/identity/announce.ts';
import { DatabaseDirectory } from '../../src/identity/directory.ts';
import { putParty } from '../../src/identity/put-party.ts';
import { ANYTHING, subjectOf } from '../../src/identity/subjects.ts';
import { systemClock } from '../../src/std/clock.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { identityContext } from '../support/identity.ts';
import { silentLogger } from '../support/logger.ts';

const PATIENCE = { timeout: 20_000, interval: 50 };
const RELOAD = subjectOf.catalogue('reload');

let database: TestDatabase;
const started: DatabaseDirectory[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
});
afterEach(async () => {
  await Promise.all(started.splice(0).map((directory) => directory.stop()));
});
afterAll(() => database.drop());

/** A process: its directory, what it was told, and its way to tell. */
async function listener(pollMs: number) {
  const heard: string[] = [];
  const directory = new DatabaseDirectory({
    db: database.db,
    clock: systemClock,
    log: silentLogger,
    pollMs,
    onSubjects: (subjects) => heard.push(...subjects),
  });
  await directory.start();
  started.push(directory);
  const ctx = {
    ...identityContext(database, systemClock),
    changed: (subjects: readonly string[]) => directory.forget(subjects),
  };
  return { heard, ctx };
}

test('what one process announces is heard by itself at once and by another through the feed', async () => {
  const [here, there] = [await listener(3_600_000), await listener(100)];
  expect([here.heard, there.heard]).toEqual([[ANYTHING], [ANYTHING]]);
  await announce(here.ctx, [RELOAD]);
  expect(here.heard).toEqual([ANYTHING, RELOAD]);
  await vi.waitFor(() => expect(there.heard).toEqual([ANYTHING, RELOAD]), PATIENCE);
});

test('changes of identity are heard too', async () => {
  const there = await listener(100);
  const id = makeUscc(400_001);
  await putParty(identityContext(database, systemClock), { id, kind: 'filer', name: '示范' });
  await vi.waitFor(() => expect(there.heard).toContain(subjectOf.party(id)), PATIENCE);
});

test('more changes than one poll reads are heard as a gap', async () => {
  const there = await listener(500);
  await database.db.sql`
    WITH head AS (UPDATE identity_head SET n = n + 700 WHERE one = 1 RETURNING n)
    INSERT INTO identity_change (n, at, subjects)
    SELECT n - 699 + i, now(), ARRAY[${RELOAD}] FROM head, generate_series(0, 699) i`;
  await vi.waitFor(() => expect(there.heard).toEqual([ANYTHING, ANYTHING]), PATIENCE);
});

test('a change that fails is announced to nobody, and one that changes nothing neither', async () => {
  const here = await listener(100);
  const failing = announced(here.ctx, async () => {
    throw new Error('on purpose');
  });
  await expect(failing).rejects.toThrow('on purpose');
  expect(await announced(here.ctx, async () => ({ result: 1, subjects: [] }))).toBe(1);
  await announce(here.ctx, [RELOAD]);
  await vi.waitFor(() => expect(here.heard).toEqual([ANYTHING, RELOAD, RELOAD]), PATIENCE);
});
