import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { submit } from '../../src/ingest/pipeline.ts';
import {
  type FilingQuery,
  findFilings,
  getContent,
  getFiling,
  type ReadContext,
  type Reader,
} from '../../src/ingest/read.ts';
import { loadFiling } from '../../src/storage/filing-lookup.ts';
import { testSigner } from '../support/commit.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { flattened, lodging, type SigningParty } from '../support/filer.ts';
import { AGENT, FILER, OTHER } from '../support/identity.ts';
import { file, GATEWAY, registration, type TestIngest, testIngest } from '../support/ingest.ts';

// Offices in different lanes, so that a list is put together from several.
const OFFICES = { 'read-a': 'psb', 'read-b': 'psb', 'read-c': 'psb' } as const;

let database: TestDatabase;
let ingest: TestIngest;
let ctx: ReadContext;
let filer: SigningParty;

beforeAll(async () => {
  database = await createTestDatabase();
  ingest = await testIngest(database, OFFICES);
  const { directory, clock } = ingest;
  const { catalogue } = ingest.ctx;
  ctx = { db: database.db, catalogue, lanes: database.lanes, directory, clock, env: 'sandbox', signer: testSigner() };
  filer = directory.addParty(FILER, []);
  directory.addParty(AGENT, [], { kind: 'agent' });
  directory.addParty(OTHER, [{ office: 'read-a' }]);
  for (const [i, office] of ['read-a', 'read-b', 'read-c', 'read-a', 'read-b', 'read-c', 'read-a'].entries()) {
    moveTo(office);
    await file(ingest, filer, lodging({ filer: FILER }, 20 * i));
  }
});
afterAll(() => database.drop());

function moveTo(office: string): void {
  const others = Object.keys(OFFICES).map((code) => registration({ office: code, withdrawn: true }));
  ingest.directory.setParty(FILER, { registrations: [...others, registration({ office })] });
}

const own: Reader = { role: 'filer', party: FILER };

async function page(reader: Reader, query: Partial<FilingQuery>): Promise<{ ids: string[]; next: string | null }> {
  const { items, next } = await findFilings(ctx, reader, { limit: 50, ...query });
  return { ids: items.map((item) => item.id), next };
}

async function walk(reader: Reader, query: Partial<FilingQuery>): Promise<string[]> {
  const ids: string[] = [];
  let cursor: string | undefined;
  do {
    const found = await page(reader, { ...query, cursor });
    ids.push(...found.ids);
    cursor = found.next ?? undefined;
  } while (cursor !== undefined);
  return ids;
}

describe('a list of filings', () => {
  it('has each filing once, newest month first, at every size of page and over several offices', async () => {
    const all = (await page(own, {})).ids;
    expect(new Set(all).size).toBe(7);
    for (const limit of [1, 2, 3, 7]) expect(await walk(own, { limit })).toEqual(all);
  });

  it('misses nothing that stood before, whatever is filed meanwhile', async () => {
    const before = (await page(own, {})).ids;
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const found = await page(own, { limit: 2, cursor });
      seen.push(...found.ids);
      cursor = found.next ?? undefined;
      await file(ingest, filer, lodging({ filer: FILER }, 20 * (seen.length % 7)));
    } while (cursor !== undefined);
    expect(before.filter((id) => !seen.includes(id))).toEqual([]);
    expect(new Set(seen).size).toBe(seen.length);
  });

  it('tells others neither filings nor how many there are', async () => {
    const nothing = { ids: [], next: null };
    ingest.directory.mandateList.push({ id: 'm', agent: AGENT, filer: FILER, types: ['tax.*'], from: '2020-01-01' });
    for (const reader of [
      { role: 'filer', party: OTHER },
      { role: 'agent', party: AGENT },
      { role: 'office', party: 'read-d' },
      { role: 'operator', party: 'root' },
    ] as const)
      expect(await page(reader, { filer: FILER, limit: 1 }), reader.role).toEqual(nothing);
  });

  it('shows an agent whole pages of what its mandates name', async () => {
    for (const types of [['psb.*'], ['*'], ['tax.*', 'psb.lodging']]) {
      ingest.directory.mandateList.splice(0, 9, { id: 'm', agent: AGENT, filer: FILER, types, from: '2020-01-01' });
      const { ids, next } = await page({ role: 'agent', party: AGENT }, { filer: FILER, limit: 3 });
      expect([ids.length, next === null]).toEqual([3, false]);
    }
  });

  it('can be asked for any period that can be written', async () => {
    for (const period of [
      { from: '2999-01-01', to: '2999-12-31' },
      { from: '1900-01-01', to: '1900-12-31' },
    ])
      expect(await page(own, { period })).toEqual({ ids: [], next: null });
    const everything = await page(own, { period: { from: '1900-01-01', to: '2999-12-31' } });
    expect(everything).toEqual(await page(own, {}));
  });
});

describe('the content', () => {
  it('is told by its form, also when a flattened JWS begins with blanks', async () => {
    const content = `\n  ${flattened(filer.filing(GATEWAY, lodging({ filer: FILER })))}\n`;
    const { filing } = await submit(ingest.ctx, { content, form: 'flattened', receivedAt: ingest.clock.now() });
    expect(await getContent(ctx, own, filing.id)).toEqual({ form: 'flattened', text: content });
  });

  it('is read only when it is asked for: a list must not load fifty filings of 16 MiB', async () => {
    const { filing } = await file(ingest, filer, lodging({ filer: FILER }));
    const [lane] = await database.db.sql<{ lane: number }[]>`
      SELECT lane FROM filing WHERE office = ${filing.office} AND idx = ${filing.index}`;
    const found = await loadFiling(database.db.sql, lane?.lane ?? -1, filing.office, filing.index);
    expect(JSON.stringify(found)).not.toContain('eyJ0eXBlIjoi');
    expect(Object.keys(found?.record ?? {})).not.toContain('content');
  });
});

describe('the status', () => {
  it('follows the successor, also into another office', async () => {
    moveTo('read-a');
    const payload = lodging({ filer: FILER });
    const { filing } = await file(ingest, filer, payload);
    moveTo('read-b');
    const successor = await file(ingest, filer, { ...payload, kind: 'void', data: undefined, supersedes: filing.id });
    const followed = await getFiling(ctx, own, filing.id);
    expect(followed.status).toBe('voided');
    expect(followed.history.at(-1)).toMatchObject({ status: 'voided', by: successor.filing.id });
  });
});
