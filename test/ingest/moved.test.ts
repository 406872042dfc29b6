import { afterAll, beforeAll, expect, test } from 'vitest';
import { putOffice } from '../../src/identity/put-office.ts';
import { putParty } from '../../src/identity/put-party.ts';
import { putRegistrations } from '../../src/identity/put-registrations.ts';
import { commitTick } from '../../src/ingest/commit.ts';
import type { GatewayError } from '../../src/std/errors.ts';
import { selectIdentityHead } from '../../src/storage/identity-feed.ts';
import { checkedFiling, commitContext } from '../support/commit.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { FILER, identityContext, OTHER } from '../support/identity.ts';

// A filer moves from one office of an agency to another; one process has heard of it, another has not yet.

const [OLD, NEW, TAX] = ['4350100', '4350200', '1350100'] as const;
let database: TestDatabase;
/** The newest identity change before the move, and after it. */
let before: number;
let after: number;

beforeAll(async () => {
  database = await createTestDatabase();
  const ctx = identityContext(database);
  for (const [office, agency] of [
    [OLD, 'psb'],
    [NEW, 'psb'],
    [TAX, 'tax'],
  ] as const)
    await putOffice(ctx, { office, agency, region: '350100', name: { zh: '机关', en: 'Office' } });
  const register = async (filer: string, offices: readonly string[]) => {
    await putParty(ctx, { id: filer, kind: 'filer', name: '甲' });
    const registrations = offices.map((office) => ({ office, from: '2020-01-01' }));
    await putRegistrations(ctx, { filer, registrations, pointer: '' });
  };
  await register(FILER, [OLD]);
  await register(OTHER, [OLD]);
  before = await selectIdentityHead(database.db.sql);
  await register(FILER, [NEW, TAX]);
  after = await selectIdentityHead(database.db.sql);
});
afterAll(() => database.drop());

const filing = (changes: object) => checkedFiling({ filer: FILER, ...changes });
const stale = { office: OLD, candidates: [OLD], asOf: undefined };
const informed = () => ({ office: NEW, candidates: [OLD, NEW], asOf: after });

async function commit(...filings: readonly ReturnType<typeof filing>[]): Promise<string[]> {
  const outcomes = await commitTick(commitContext(database), filings);
  return outcomes.map((each) => (each.kind === 'failed' ? (each.error as GatewayError).code : each.kind));
}

async function places(key: Buffer): Promise<string[]> {
  const rows = await database.db.sql<{ office: string }[]>`SELECT office FROM filing WHERE key = ${key}`;
  return rows.map(({ office }) => office);
}

/** What the process that stays behind can say of how much it has heard. */
const HEARD: readonly (readonly [string, () => number | undefined])[] = [
  ['before', () => before],
  ['unknown', () => undefined],
];

test.each(HEARD)(
  'what one process stored at the new office, another that knows of the old one only (%s) never stores again',
  async (_, asOf) => {
    const first = filing(informed());
    expect(await commit(first)).toEqual(['stored']);
    expect(await commit({ ...first, ...stale, asOf: asOf() })).toEqual(['unavailable']);
    expect(await places(first.key)).toEqual([NEW]);
    // It comes again when the change has been heard.
    expect(await commit({ ...first, ...informed() })).toEqual(['standing']);
  },
);

test('what was stored at the old office is found from the new one', async () => {
  const first = filing({ ...informed(), office: OLD });
  expect(await commit(first)).toEqual(['stored']);
  expect(await commit({ ...first, ...informed() })).toEqual(['standing']);
  expect(await commit({ ...first, ...stale })).toEqual(['standing']);
});

test('others of the tick are stored; a registration with another agency matters to nobody', async () => {
  const neighbour = checkedFiling({ filer: OTHER, office: OLD, candidates: [OLD], asOf: before });
  expect(await commit(filing({ ...stale, asOf: before }), neighbour, filing(informed()))).toEqual([
    'unavailable',
    'stored',
    'stored',
  ]);
});
