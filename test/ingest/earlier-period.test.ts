import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { buildCatalogue } from '../../src/domain/catalogue.ts';
import type { Catalogue } from '../../src/domain/filing-type.ts';
import { compareFiling } from '../../src/ingest/compare-filing.ts';
import { dryRunUnsigned } from '../../src/ingest/dry-run.ts';
import type { FilingView } from '../../src/ingest/view.ts';
import { readSchemaFiles } from '../../src/ops/schemas.ts';
import type { GatewayError, Violation } from '../../src/std/errors.ts';
import { vatReturn } from '../support/compared.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { example, type Payload, type SigningParty } from '../support/filer.ts';
import { file, registration, type TestIngest, testIngest } from '../support/ingest.ts';
import { freshUscc } from '../support/parties.ts';

let database: TestDatabase;
let insisting: TestIngest;
let warning: TestIngest;
let filer: SigningParty;

/** The shipped types, but these two say that about the period before. */
async function catalogueWith(earlierPeriod: 'warning' | 'refusal'): Promise<Catalogue> {
  const files = new Map(await readSchemaFiles());
  for (const name of ['tax/vat-general/type.json', 'tax/vat-small/type.json'])
    files.set(name, JSON.stringify({ ...JSON.parse(files.get(name) ?? ''), earlierPeriod }));
  const { catalogue, problems } = buildCatalogue(files, { alreadyChecked: true });
  if (catalogue === undefined) throw new Error(JSON.stringify(problems));
  return catalogue;
}

beforeAll(async () => {
  database = await createTestDatabase();
  const ingest = await testIngest(database, { 'tax-a': 'tax', 'tax-b': 'tax', 'psb-a': 'psb' });
  const withTypes = (catalogue: Catalogue): TestIngest => ({
    ...ingest,
    ctx: { ...ingest.ctx, catalogue: () => catalogue },
  });
  insisting = withTypes(await catalogueWith('refusal'));
  warning = withTypes(await catalogueWith('warning'));
}, 120_000);
beforeEach(() => {
  filer = insisting.directory.addParty(freshUscc(), [{ office: 'tax-a' }]);
});
afterAll(() => database.drop());

const vat = (month: string, changes: Payload = {}): Payload => vatReturn(filer.id, month, 0, changes);
const stored = async (payload: Payload, ingest = warning): Promise<FilingView> =>
  (await file(ingest, filer, payload)).filing;

async function refusal(payload: Payload): Promise<readonly Violation[]> {
  const error = await file(insisting, filer, payload).then(
    () => undefined,
    (thrown: GatewayError) => thrown,
  );
  return error?.details.errors?.filter((each) => each.severity === 'error') ?? [];
}

const found = async (payload: Payload): Promise<readonly Violation[]> => {
  const { ctx } = warning;
  const comparand = { payload: payload as never, version: undefined, region: undefined };
  const findings = await compareFiling({ ...ctx, sql: ctx.db.sql }, comparand);
  return findings.filter((each) => each.code === 'earlier-period');
};

const small = (from: string, to: string): Payload => {
  const { version: _, ...rest } = example('tax/vat-small', 'valid-zero-month.json');
  return { ...rest, filer: filer.id, period: { from, to } };
};

describe('a type that insists on the period before', () => {
  it('refuses a filing until that one stands, and says which is missing', async () => {
    expect(await refusal(vat('2026-10'))).toEqual([
      {
        pointer: '/period',
        code: 'earlier-period',
        severity: 'error',
        message: {
          zh: '往期未申报：没有找到2026-09-01至2026-09-30所属期的申报；请先申报往期，无须申报的请说明',
          en: 'The period before has not been filed: nothing stands for 2026-09-01 to 2026-09-30; file it first, or explain why nothing was due',
        },
      },
    ]);
    const { id } = await stored(vat('2026-09'));
    const voiding = { ...vat('2026-09'), kind: 'void', supersedes: id, data: undefined };
    const voided = await stored(voiding, insisting);
    expect(await refusal(vat('2026-10'))).toHaveLength(1);
    await stored(vat('2026-09', { supersedes: voided.id }));
    const october = await stored(vat('2026-10'), insisting);
    expect(october.period.from).toBe('2026-10-01');
  });

  it('lets corrections and voidings of what it has accepted pass', async () => {
    const before = await stored(vat('2026-09'));
    const { id } = await stored(vat('2026-10'), insisting);
    await stored({ ...vat('2026-09'), kind: 'void', supersedes: before.id, data: undefined });
    const corrected = await stored(vat('2026-10', { kind: 'correction', supersedes: id }), insisting);
    await stored({ ...vat('2026-10'), kind: 'void', supersedes: corrected.id, data: undefined }, insisting);
  });

  it('still replays what it has accepted', async () => {
    const payload = vat('2026-10');
    const accepted = await file(warning, filer, payload);
    const again = await file(insisting, filer, payload);
    expect(again).toEqual({ kind: 'replayed', filing: accepted.filing });
  });

  it('says nothing of it to somebody who has not signed', async () => {
    const bytes = Buffer.from(JSON.stringify(vat('2026-10')));
    expect((await dryRunUnsigned(insisting.ctx, bytes, insisting.clock.now())).valid).toBe(true);
  });
});

describe('a type that warns of it', () => {
  it('accepts the filing', async () => {
    const findings = await found(vat('2026-10'));
    expect(findings.map((each) => [each.pointer, each.severity])).toEqual([['/period', 'warning']]);
    await stored(vat('2026-10'));
    expect(await found(vat('2026-11'))).toEqual([]);
  });

  it('knows whether it was owed: registered then, with an office of the agency', async () => {
    const owes = async (...registrations: Parameters<typeof registration>[0][]): Promise<boolean> => {
      warning.directory.setParty(filer.id, { registrations: registrations.map(registration) });
      return (await found(vat('2026-10'))).length > 0;
    };
    expect(await owes({ office: 'tax-a', from: '2026-09-30' })).toBe(true);
    expect(await owes({ office: 'tax-a', from: '2026-10-01' })).toBe(false);
    expect(await owes({ office: 'tax-b', to: '2026-09-01' }, { office: 'tax-a', from: '2026-10-01' })).toBe(true);
    expect(await owes({ office: 'tax-b', to: '2026-08-31' }, { office: 'tax-a', from: '2026-10-01' })).toBe(false);
    expect(await owes({ office: 'psb-a' }, { office: 'tax-a', from: '2026-10-01' })).toBe(false);
    expect(await owes({ office: 'tax-b', withdrawn: true }, { office: 'tax-a', from: '2026-10-01' })).toBe(false);
  });

  it('knows that no form was in force before the first', async () => {
    expect(await found(vat('2021-08'))).toEqual([]);
    expect(await found(vat('2021-09'))).toHaveLength(1);
  });

  it('takes a quarter for its months and three months for a quarter', async () => {
    await stored(small('2026-04-01', '2026-06-30'));
    expect(await found(small('2026-07-01', '2026-07-31'))).toEqual([]);
    await stored(small('2026-07-01', '2026-07-31'));
    await stored(small('2026-08-01', '2026-08-31'));
    expect(await found(small('2026-10-01', '2026-12-31'))).toHaveLength(1);
    await stored(small('2026-09-01', '2026-09-30'));
    expect(await found(small('2026-10-01', '2026-12-31'))).toEqual([]);
  });
});
