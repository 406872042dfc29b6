import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Catalogue, FilingTypeVersion } from '../../src/domain/filing-type.ts';
import { type Comparison, type ComparisonContext, startComparison } from '../../src/ingest/comparison.ts';
import { systemClock } from '../../src/std/clock.ts';
import { CARRIED_FEN, CARRIED_RULE, vatReturn } from '../support/compared.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { registration, type TestIngest, testIngest } from '../support/ingest.ts';
import { silentLogger } from '../support/logger.ts';
import { freshUscc } from '../support/parties.ts';
import { storeUnchecked } from '../support/stored.ts';
import { until } from '../support/until.ts';

// One filing among many with which something goes wrong: the others are compared all the same.

const TYPE = 'tax.vat.general';
const FILERS = 40;
const BAD = 17;

let database: TestDatabase;
let ingest: TestIngest;
let comparison: Comparison | undefined;
let minute = 0;

beforeAll(async () => {
  database = await createTestDatabase();
  ingest = await testIngest(database, { 'tax-a': 'tax' });
  await database.db.sql`
    INSERT INTO office (code, agency, region, name_zh, name_en, lane) VALUES ('tax-a', 'tax', '350100', '机关', 'Office', 0)`;
});
afterEach(() => comparison?.stop());
afterAll(() => database.drop());

/** Returns that do not go on from those of the period before, each of another filer. */
let filings: { readonly filer: string; readonly id: string }[];
beforeEach(async () => {
  filings = [];
  for (let i = 0; i < FILERS; i++) {
    const filer = freshUscc();
    ingest.directory.setParty(filer, { registrations: [registration({ office: 'tax-a' })] });
    await stored(vatReturn(filer, '2026-09', 0));
    filings.push({ filer, id: await stored(vatReturn(filer, '2026-10', CARRIED_FEN + 1)) });
  }
});

async function stored(payload: Record<string, unknown>): Promise<string> {
  const id = await storeUnchecked(ingest.commit, 'tax-a', { version: '2026-02', ...payload }, ++minute);
  if (id === undefined) throw new Error('something stands there');
  return id;
}

interface Line {
  readonly filing?: string;
  readonly attempts?: number;
}

/** Follows the log to its end; what was logged as errors. */
async function follow(changes: Partial<ComparisonContext> = {}): Promise<Line[]> {
  const lines: Line[] = [];
  const { db, lanes, catalogue, settings } = ingest.ctx;
  const context = {
    ...{ db, lanes, catalogue, settings, clock: systemClock, inside: () => 0 },
    directory: ingest.directory,
    log: { ...silentLogger, error: (fields: object) => void lines.push(fields) },
    metrics: { count: () => {}, observe: () => {}, gauge: () => {} },
  };
  comparison = startComparison({ ...context, ...changes }, 20);
  await until('all are compared', async () => {
    const waiting = await db.sql`
      SELECT FROM office_head h LEFT JOIN office_comparison c USING (lane, office) WHERE h.size > coalesce(c.size, 0)`;
    return waiting.length === 0;
  });
  await comparison.stop();
  return lines;
}

/** The filings of which the difference was found, by their number. */
async function found(): Promise<number[]> {
  const rows = await database.db.sql<{ id: string }[]>`
    SELECT office || '.' || idx AS id FROM filing_finding WHERE findings::text LIKE ${`%${CARRIED_RULE}%`}`;
  const ids = new Set(rows.map(({ id }) => id));
  return filings.flatMap(({ id }, i) => (ids.has(id) ? [i] : []));
}

/** The rules of the type, which do something else for the filer at fault. */
function catalogueWith(compare: (form: FilingTypeVersion) => FilingTypeVersion['compare']): Catalogue {
  const { types } = ingest.ctx.catalogue();
  const vat = types.get(TYPE);
  if (vat === undefined) throw new Error('no VAT');
  const resolve: typeof vat.resolve = (...asked) => {
    const form = vat.resolve(...asked);
    const isBad = (filer: string): boolean => filer === filings[BAD]?.filer;
    return (
      form && {
        ...form,
        compare: (payload, ...rest) => (isBad(payload.filer) ? compare(form) : form.compare)(payload, ...rest),
      }
    );
  };
  return { types: new Map(types).set(TYPE, { ...vat, resolve }) };
}

const ALL = Array.from({ length: FILERS }, (_, i) => i);
const OTHERS = ALL.filter((i) => i !== BAD);
const idOfBad = (): string => filings[BAD]?.id ?? '';

describe('one filing among many', () => {
  test('whose rules cannot be evaluated is passed over and named, and costs the others nothing', async () => {
    const catalogue = catalogueWith(() => () => {
      throw new Error('a fault');
    });
    const lines = await follow({ catalogue: () => catalogue });
    expect(await found()).toEqual(OTHERS);
    expect(lines).toContainEqual(expect.objectContaining({ filing: idOfBad() }));
    expect(lines.every((line) => line.filing !== undefined)).toBe(true);
  });

  test('whose content cannot be read is passed over and named', async () => {
    await database.db.sql`UPDATE filing SET content = 'e30.e30x.e30' WHERE office || '.' || idx = ${idOfBad()}`;
    const lines = await follow();
    expect(await found()).toEqual(OTHERS);
    expect(lines.flatMap(({ filing }) => filing ?? [])).toEqual([idOfBad()]);
  });

  test('whose findings the database refuses is passed over and named', async () => {
    const message = { zh: '\u0000', en: '\u0000' };
    const finding = { pointer: '', code: 'rule', severity: 'warning', message } as const;
    const catalogue = catalogueWith(() => (payload) => (payload.period.from === '2026-10-01' ? [finding] : []));
    const lines = await follow({ catalogue: () => catalogue });
    expect(await found()).toEqual(OTHERS);
    expect(lines.flatMap(({ filing, attempts }) => (filing === undefined ? [] : [[filing, attempts]]))).toEqual([
      [idOfBad(), 1],
    ]);
  });

  test('with which the database fails again and again is tried five times', async () => {
    const lone = freshUscc();
    ingest.directory.setParty(lone, { registrations: [registration({ office: 'tax-a' })] });
    const id = await stored(vatReturn(lone, '2026-10', 0));
    const later = await stored(vatReturn(filings[BAD]?.filer ?? '', '2026-11', 0));
    const lines = await follow({ directory: failingFor(lone, Number.POSITIVE_INFINITY) });
    expect(await found()).toEqual(ALL);
    expect(lines.flatMap(({ filing, attempts }) => (filing === undefined ? [] : [[filing, attempts]]))).toEqual(
      [1, 2, 3, 4, 5].map((attempt) => [id, attempt]),
    );
    const [row] = await database.db.sql`SELECT FROM filing_finding WHERE office || '.' || idx = ${later}`;
    expect(row).toBeDefined();
  });

  test('with which the database fails for a while is compared in the end', async () => {
    await follow({ directory: failingFor(filings[BAD]?.filer ?? '', 3) });
    expect(await found()).toEqual(ALL);
  });
});

/** What is known of parties, but that looking for one of them fails so often as a statement that takes too long does. */
function failingFor(filer: string, times: number): ComparisonContext['directory'] {
  const { office, party } = ingest.directory;
  let left = times;
  const failed = (): Promise<never> => Promise.reject(Object.assign(new Error('canceled'), { code: '57014' }));
  return { office, party: (id) => (id === filer && left-- > 0 ? failed() : party(id)) };
}
