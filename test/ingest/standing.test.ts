import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { laneOf } from '../../src/domain/filing.ts';
import { submitBulk } from '../../src/ingest/bulk.ts';
import { submit } from '../../src/ingest/pipeline.ts';
import { loadPayload, type Standing, type StandingContext, standingFilings } from '../../src/ingest/standing.ts';
import type { FilingView } from '../../src/ingest/view.ts';
import { sha256 } from '../../src/std/bytes.ts';
import { splitLines } from '../../src/std/lines.ts';
import type { FilingPosition } from '../../src/storage/standing.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { flattened, lodging, type Payload, type SigningParty } from '../support/filer.ts';
import { file, GATEWAY, registration, type TestIngest, testIngest } from '../support/ingest.ts';
import { freshUscc } from '../support/parties.ts';
import { rootOfLeaves } from '../support/receipt-verifier.ts';

// Lodging registrations stand for all types: they are small, and a period of theirs is a day.

let database: TestDatabase;
let ingest: TestIngest;
let ctx: StandingContext;
let filer: SigningParty;

beforeAll(async () => {
  database = await createTestDatabase();
  ingest = await testIngest(database, { 'psb-a': 'psb', 'psb-b': 'psb', 'tax-a': 'tax' });
  ctx = { sql: database.db.sql, lanes: database.lanes, directory: ingest.directory };
});
afterAll(() => database.drop());
beforeEach(() => {
  filer = ingest.directory.addParty(freshUscc(), [{ office: 'psb-a' }, { office: 'tax-a' }]);
});

const on = (day: string, changes: Payload = {}): Payload => {
  const payload = lodging({ filer: filer.id, period: { from: day, to: day }, ...changes });
  return { ...payload, data: { ...(payload.data as object), checkIn: `${day}T00:00:10+08:00` } };
};
const stored = async (payload: Payload): Promise<FilingView> => (await file(ingest, filer, payload)).filing;
/** What stands, with what was signed. */
async function standingPayloads(asked: Parameters<typeof standingFilings>[1]): Promise<(Standing & Payload)[]> {
  const found = await standingFilings(ctx, asked);
  return await Promise.all(
    found.map(async (each) => ({ ...each, payload: await loadPayload(ctx.sql, placeOf(each)) })),
  );
}
function placeOf({ id, office }: Standing): FilingPosition {
  return { lane: laneOf(office, ctx.lanes), office, index: Number(id.slice(office.length + 1)) };
}
const query = (from: string, to: string) => ({ filer: filer.id, type: 'psb.lodging', from, to });

test('the head of each chain stands, a voided one does not, and a new original stands again', async () => {
  const first = on('2026-10-08');
  const { id } = await stored(first);
  expect((await standingFilings(ctx, query('2026-10-08', '2026-10-08'))).map((each) => each.id)).toEqual([id]);

  const correction = { ...first, kind: 'correction', supersedes: id };
  const corrected = await stored(correction);
  const [standing, ...others] = await standingPayloads(query('2026-10-01', '2026-10-31'));
  expect(others).toEqual([]);
  expect(standing).toEqual({
    id: corrected.id,
    office: 'psb-a',
    version: corrected.version,
    period: first.period,
    reference: first.reference,
    kind: 'correction',
    receivedAt: Date.parse(corrected.receivedAt),
    late: corrected.late,
    payload: correction,
  });

  const voiding = await stored({ ...first, kind: 'void', supersedes: corrected.id, data: undefined });
  expect(await standingPayloads(query('2026-10-01', '2026-10-31'))).toEqual([]);
  const again = await stored({ ...first, supersedes: voiding.id });
  expect((await standingFilings(ctx, query('2026-10-01', '2026-10-31'))).map((each) => each.id)).toEqual([again.id]);
});

test('a chain goes on after the filer has moved to an office of another lane', async () => {
  const first = on('2026-10-08');
  const { id } = await stored(first);
  ingest.directory.setParty(filer.id, {
    registrations: [
      registration({ office: 'psb-a', withdrawn: true }),
      registration({ office: 'psb-b', from: '2026-01-01' }),
    ],
  });
  const corrected = await stored({ ...first, kind: 'correction', supersedes: id });
  expect(corrected.office).toBe('psb-b');
  expect((await standingFilings(ctx, query('2026-10-01', '2026-10-31'))).map((each) => each.id)).toEqual([
    corrected.id,
  ]);
});

test('periods are inside the days asked for, newest first, and no more than asked for', async () => {
  const days = ['2026-09-30', '2026-10-01', '2026-10-15', '2026-11-01', '2026-11-02'];
  for (const day of days) await stored(on(day));
  const found = async (from: string, to: string, limit?: number): Promise<string[]> =>
    (await standingFilings(ctx, { ...query(from, to), ...(limit === undefined ? {} : { limit }) })).map(
      (each) => each.period.from,
    );
  expect(await found('2026-10-01', '2026-11-01')).toEqual(['2026-11-01', '2026-10-15', '2026-10-01']);
  expect(await found('2026-01-01', '2026-12-31')).toEqual(days.toReversed());
  expect(await found('2026-01-01', '2026-12-31', 2)).toEqual(['2026-11-02', '2026-11-01']);
});

test('another filer, another type and another document number are others', async () => {
  const mine = on('2026-10-08');
  await stored(mine);
  await stored(on('2026-10-08'));
  const range = query('2026-10-08', '2026-10-08');
  expect(await standingFilings(ctx, range)).toHaveLength(2);
  const byReference = await standingFilings(ctx, { ...range, reference: String(mine.reference) });
  expect(byReference.map((each) => each.reference)).toEqual([mine.reference]);
  expect(await standingFilings(ctx, { ...range, type: 'psb.seal' })).toEqual([]);
  const other = ingest.directory.addParty(freshUscc(), [{ office: 'psb-a' }]);
  expect(await standingFilings(ctx, { ...range, filer: other.id })).toEqual([]);
});

test('what was signed is read back from every form in which it comes', async () => {
  const [compact, flat, line] = ['一', '二', '三'].map((reference) => on('2026-10-08', { reference })) as [
    Payload,
    Payload,
    Payload,
  ];
  await stored(compact);
  const content = flattened(filer.filing(GATEWAY, flat));
  await submit(ingest.ctx, { content, form: 'flattened', receivedAt: ingest.clock.now() });
  const bytes = Buffer.from(JSON.stringify(line));
  const root = rootOfLeaves([sha256(Buffer.concat([Buffer.of(0), bytes]))]).toString('base64url');
  const upload = `${JSON.stringify(filer.filing(GATEWAY, { count: 1, root }))}\n${bytes}\n`;
  const chunks = (async function* () {
    yield Buffer.from(upload);
  })();
  const outcomes = [];
  for await (const some of submitBulk(ingest.ctx, splitLines(chunks, 65_536), () => ingest.clock.now()))
    outcomes.push(...some);
  expect(outcomes).toMatchObject([{ accepted: { kind: 'stored' } }]);
  const payloads = (await standingPayloads(query('2026-10-08', '2026-10-08'))).map((each) => each.payload);
  expect(payloads).toHaveLength(3);
  expect(payloads).toEqual(expect.arrayContaining([compact, flat, line]));
});
