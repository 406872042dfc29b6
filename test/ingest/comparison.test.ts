import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Catalogue } from '../../src/domain/filing-type.ts';
import { type Comparison, type ComparisonContext, restMs, startComparison } from '../../src/ingest/comparison.ts';
import { dryRun, dryRunUnsigned } from '../../src/ingest/dry-run.ts';
import { entityTag, type FollowedFiling, getFiling, type ReadContext } from '../../src/ingest/read.ts';
import type { FilingView } from '../../src/ingest/view.ts';
import { systemClock } from '../../src/std/clock.ts';
import type { Violation } from '../../src/std/errors.ts';
import { openDatabase } from '../../src/storage/db.ts';
import { testSigner } from '../support/commit.ts';
import { CARRIED_FEN, CARRIED_RULE, vatReturn } from '../support/compared.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { lodging, type Payload, type SigningParty } from '../support/filer.ts';
import { file, GATEWAY, type TestIngest, testIngest } from '../support/ingest.ts';
import { silentLogger } from '../support/logger.ts';
import { freshUscc } from '../support/parties.ts';
import { until } from '../support/until.ts';

const OFFICES = { 'tax-a': 'tax', 'tax-b': 'tax', 'psb-a': 'psb' } as const;

let database: TestDatabase;
let ingest: TestIngest;
let reading: ReadContext;
let filer: SigningParty;
const started: Comparison[] = [];
const counted = new Map<string, number>();

beforeAll(async () => {
  database = await createTestDatabase();
  ingest = await testIngest(database, OFFICES);
  const { directory, clock, ctx } = ingest;
  const { db, lanes, catalogue } = ctx;
  reading = { db, catalogue, lanes, directory, clock, env: 'sandbox', signer: testSigner() };
  for (const [code, agency] of Object.entries(OFFICES))
    await db.sql`
      INSERT INTO office (code, agency, region, name_zh, name_en, lane)
      VALUES (${code}, ${agency}, '350100', '机关', 'Office', 0)`;
});
beforeEach(() => {
  filer = ingest.directory.addParty(freshUscc(), [{ office: 'tax-a' }, { office: 'psb-a' }]);
  counted.clear();
});
afterEach(async () => {
  await Promise.all(started.splice(0).map((each) => each.stop()));
});
afterAll(() => database.drop());

function follow(changes: Partial<ComparisonContext> = {}): Comparison {
  const { directory, ctx } = ingest;
  const comparison = startComparison(
    {
      db: ctx.db,
      lanes: ctx.lanes,
      directory,
      catalogue: ctx.catalogue,
      settings: ctx.settings,
      clock: systemClock,
      log: silentLogger,
      metrics: {
        count: (name, _labels, by = 1) => void counted.set(name, (counted.get(name) ?? 0) + by),
        observe: () => {},
        gauge: () => {},
      },
      inside: () => 0,
      ...changes,
    },
    20,
  );
  started.push(comparison);
  return comparison;
}

const september = (): Payload => vatReturn(filer.id, '2026-09', 0);
const october = (openingFen: number): Payload => vatReturn(filer.id, '2026-10', openingFen);
const stored = async (payload: Payload): Promise<FilingView> => (await file(ingest, filer, payload)).filing;
const read = (id: string): Promise<FollowedFiling> => getFiling(reading, { role: 'filer', party: filer.id }, id);
const compared = (id: string): Promise<FollowedFiling> =>
  until(`${id} is compared`, async () => {
    const filing = await read(id);
    return filing.compared && filing;
  });
const found = (warnings: readonly Violation[]): Violation[] => warnings.filter((each) => each.rule === CARRIED_RULE);

async function rows(): Promise<number> {
  const [row] = await database.db
    .sql`SELECT count(*)::int AS n FROM filing_finding WHERE findings::text LIKE ${`%${CARRIED_RULE}%`}`;
  return row?.n as number;
}

async function isDone(): Promise<boolean> {
  const waiting = await database.db.sql`
    SELECT FROM office_head h LEFT JOIN office_comparison c USING (lane, office)
    WHERE h.size > coalesce(c.size, 0) AND office LIKE 'tax-%'`;
  return waiting.length === 0;
}

describe('a filing beside the one of the period before', () => {
  it('is found to differ after acceptance, and the answer to its submission stays as it was', async () => {
    const [previous, filing] = [september(), october(1)];
    await stored(previous);
    const answer = await stored(filing);
    const before = await read(answer.id);
    expect(before.compared).toBe(false);
    expect(before.warnings).toEqual(answer.warnings);

    follow();
    const after = await compared(answer.id);
    expect(after.warnings.slice(0, answer.warnings.length)).toEqual(answer.warnings);
    expect(found(after.warnings)).toEqual([
      {
        pointer: '/data/lines/13/generalMonth',
        code: 'rule',
        rule: CARRIED_RULE,
        line: '13',
        severity: 'warning',
        message: { zh: expect.stringContaining('第13栏'), en: expect.stringContaining('Line 13') },
      },
    ]);
    expect(entityTag(after)).not.toBe(entityTag(before));

    const again = await file(ingest, filer, filing);
    expect(again.kind).toBe('replayed');
    expect(JSON.stringify(again.filing)).toBe(JSON.stringify(answer));
  });

  it('that goes on from it has nothing found', async () => {
    const [previous, filing] = [september(), october(CARRIED_FEN)];
    await stored(previous);
    const { id } = await stored(filing);
    follow();
    expect(found((await compared(id)).warnings)).toEqual([]);
  });

  it('is found to differ when that one comes later, or is corrected later', async () => {
    const wrong = { previous: september(), filing: october(1) };
    follow();
    const { id } = await stored(wrong.filing);
    expect(found((await compared(id)).warnings)).toEqual([]);
    const first = await stored(wrong.previous);
    await until('the filing for September is seen', async () => found((await read(id)).warnings).length === 1);
    const voiding = { ...wrong.previous, kind: 'void', supersedes: first.id, data: undefined };
    await stored(voiding);
    await until('its voiding is seen', async () => found((await read(id)).warnings).length === 0);
  });

  it('shows how the filer explains the difference', async () => {
    const [previous, filing] = [september(), october(1)];
    await stored(previous);
    const explanations = [{ rule: CARRIED_RULE, text: '上期留抵税额经主管税务机关核减' }];
    const { id } = await stored({ ...filing, explanations });
    follow();
    expect(found((await compared(id)).warnings)[0]?.explanation).toBe('上期留抵税额经主管税务机关核减');
  });

  it('is compared in a trial run, but not for somebody who has not signed', async () => {
    const [previous, filing] = [september(), october(1)];
    await stored(previous);
    const content = filer.filing(GATEWAY, filing);
    const receivedAt = ingest.clock.now();
    const signed = await dryRun(ingest.ctx, { content, form: 'compact', receivedAt });
    expect(signed.valid).toBe(true);
    expect(found(signed.warnings)).toHaveLength(1);
    const unsigned = await dryRunUnsigned(ingest.ctx, Buffer.from(JSON.stringify(filing)), receivedAt);
    expect(unsigned.valid).toBe(true);
    expect(found(unsigned.warnings)).toEqual([]);
  });
});

describe('following the logs', () => {
  it('several at the same time find each difference once', async () => {
    follow();
    await until('what others have filed is compared', isDone);
    await Promise.all(started.splice(0).map((each) => each.stop()));
    counted.clear();
    const before = await rows();
    const ids: string[] = [];
    for (let i = 0; i < 12; i++) {
      const office = i % 2 === 0 ? 'tax-a' : 'tax-b';
      filer = ingest.directory.addParty(freshUscc(), [{ office }]);
      const [previous, filing] = [september(), october(1)];
      for (const payload of [previous, filing]) ids.push((await stored(payload)).id);
    }
    for (let i = 0; i < 4; i++) follow();
    await until('all are compared', isDone);
    await Promise.all(started.splice(0).map((each) => each.stop()));
    // What is counted is what was found: a part that two had done would count twice.
    expect(await rows()).toBe(before + ids.length / 2);
    const total = await database.db.sql`
      SELECT sum(jsonb_array_length(findings))::int AS n FROM filing_finding WHERE office || '.' || idx = ANY(${ids})`;
    expect(counted.get('comparison_findings')).toBe(total[0]?.n);
  });

  it('passes over a filing that cannot be compared, and says which', async () => {
    const lines: object[] = [];
    const [previous, filing] = [september(), october(1)];
    await stored(previous);
    const broken = await stored(filing);
    filer = ingest.directory.addParty(freshUscc(), [{ office: 'tax-a' }]);
    await stored(september());
    const { id } = await stored(october(1));
    const type = 'tax.vat.general';
    const types = new Map(ingest.ctx.catalogue().types);
    const vat = types.get(type);
    if (vat === undefined) throw new Error('no VAT');
    const resolve: typeof vat.resolve = (version, period) => {
      const found = vat.resolve(version, period);
      return (
        found && {
          ...found,
          compare: (payload, others, figures) => {
            if (payload.filer === broken.filer) throw new Error('a fault');
            return found.compare(payload, others, figures);
          },
        }
      );
    };
    const catalogue: Catalogue = { types: types.set(type, { ...vat, resolve }) };
    follow({
      catalogue: () => catalogue,
      log: { ...silentLogger, error: (fields) => void lines.push(fields) },
    });
    expect(found((await compared(id)).warnings)).toHaveLength(1);
    expect(lines).toContainEqual(expect.objectContaining({ filing: broken.id }));
    expect(JSON.stringify(lines)).not.toContain(broken.filer);
    const [row] = await database.db.sql`
      SELECT size::int AS size FROM office_comparison WHERE office = 'tax-a'`;
    expect(row?.size).toBeGreaterThan(broken.index);
  });

  it('does not look at the logs of agencies whose types are not compared', async () => {
    const { id } = await stored(lodging({ filer: filer.id }));
    expect((await read(id)).compared).toBe(true);
    follow();
    const [previous, filing] = [september(), october(CARRIED_FEN)];
    await stored(previous);
    await compared((await stored(filing)).id);
    expect(await database.db.sql`SELECT FROM office_comparison WHERE office = 'psb-a'`).toHaveLength(0);
  });

  it('takes half of a core when nothing comes, a fifth while filings come, and a twentieth while they wait', () => {
    const share = (inside: number, sinceCommitMs: number): number => 10 / (10 + restMs(10, inside, sinceCommitMs));
    expect(share(0, Number.POSITIVE_INFINITY)).toBe(1 / 2);
    expect([share(0, 999), share(1, 5_000), share(63, 0)]).toEqual([1 / 5, 1 / 5, 1 / 5]);
    expect([share(64, 0), share(4_096, 5_000)]).toEqual([1 / 20, 1 / 20]);
    expect([restMs(4_000, 64, 0), restMs(4_000, 0, 5_000)]).toEqual([15_000, 4_000]);
  });

  it('waits for a database that is not there, and stops when it is told to', async () => {
    const url = new URL(database.address.url);
    url.port = '9';
    const db = openDatabase({ url: url.href });
    const lines: object[] = [];
    const comparison = follow({ db, log: { ...silentLogger, error: (fields) => void lines.push(fields) } });
    await until('the failure is logged', () => lines.length > 0);
    await comparison.stop();
    await db.close();
  });
});
