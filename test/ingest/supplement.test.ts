import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { dryRun } from '../../src/ingest/dry-run.ts';
import type { FilingView } from '../../src/ingest/view.ts';
import type { GatewayError, Violation } from '../../src/std/errors.ts';
import { vatReturn } from '../support/compared.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { example, lodging, type Payload, type SigningParty } from '../support/filer.ts';
import { file, GATEWAY, type TestIngest, testIngest } from '../support/ingest.ts';
import { freshUscc } from '../support/parties.ts';

let database: TestDatabase;
let ingest: TestIngest;
let filer: SigningParty;

beforeAll(async () => {
  database = await createTestDatabase();
  ingest = await testIngest(database, { 'si-a': 'si', 'tax-a': 'tax', 'psb-a': 'psb' });
});
beforeEach(() => {
  filer = ingest.directory.addParty(freshUscc(), [{ office: 'si-a' }, { office: 'tax-a' }, { office: 'psb-a' }]);
});
afterAll(() => database.drop());

const stored = async (payload: Payload): Promise<FilingView> => {
  const { kind, filing } = await file(ingest, filer, payload);
  expect(kind).toBe('stored');
  return filing;
};

async function refusal(payload: Payload): Promise<readonly Violation[]> {
  const error = await file(ingest, filer, payload).then(
    () => undefined,
    (thrown: GatewayError) => thrown,
  );
  expect(error?.code).toBe('invalid-filing');
  return error?.details.errors ?? [];
}

interface Person {
  readonly idNumber: string;
  readonly wage: number;
}

/** Joiners of a month: the filing that grows most often. */
const personnel = (joiners: readonly Person[]): Payload => {
  const { version: _, ...rest } = example('si/personnel', PERSONNEL);
  const { leavers: _leavers, wageChanges: _changes, ...data } = rest.data as Record<string, unknown>;
  const [first] = data.joiners as object[];
  const joined = joiners.map((joiner) => ({ ...first, ...joiner }));
  const headcountAfter = Number(data.headcountBefore) + joined.length;
  return { ...rest, filer: filer.id, data: { ...data, headcountAfter, joiners: joined } };
};
const PERSONNEL = 'valid-joiner-leaver-wage.json';

const A = { idNumber: '350102199604181252', wage: 500_000 };
const B = { idNumber: '350105200107092464', wage: 600_000 };

describe('a supplement', () => {
  it('replaces what it adds to, and may be added to, corrected and voided', async () => {
    const original = await stored(personnel([A]));
    const added = { ...personnel([A, B]), kind: 'supplement', supersedes: original.id };
    const supplement = await stored(added);
    expect([supplement.kind, supplement.supersedes]).toEqual(['supplement', original.id]);
    expect(supplement.receipt.statement.kind).toBe('supplement');

    const again = await file(ingest, filer, added);
    expect(JSON.stringify(again)).toBe(JSON.stringify({ kind: 'replayed', filing: supplement }));

    const second = await stored({
      ...personnel([{ ...A, wage: 500_001 }, B]),
      kind: 'supplement',
      supersedes: supplement.id,
    });
    const correction = await stored({ ...personnel([B]), kind: 'correction', supersedes: second.id });
    const voided = await stored({ ...personnel([]), kind: 'void', supersedes: correction.id, data: undefined });
    const errors = await refusal({ ...added, supersedes: voided.id });
    expect(errors.map((each) => `${each.pointer} ${each.code}`)).toEqual(['/supersedes supersedes']);
  });

  it('that lowers or leaves out something is refused, and says where without the values', async () => {
    const { id } = await stored(personnel([A, B]));
    const lowered = { ...personnel([{ ...B, wage: 599_999 }]), kind: 'supplement', supersedes: id };
    const errors = await refusal(lowered);
    expect(errors.map((each) => `${each.pointer} ${each.code}`)).toEqual([
      '/data/joiners supplement',
      '/data/joiners/0/wage supplement',
    ]);
    expect(JSON.stringify(errors)).not.toMatch(new RegExp(`${A.idNumber}|${B.idNumber}|599999|600000`));
    const content = filer.filing(GATEWAY, lowered);
    const trial = await dryRun(ingest.ctx, { content, form: 'compact', receivedAt: ingest.clock.now() });
    expect([trial.valid, trial.errors]).toEqual([false, errors]);
  });

  it('of what is superseded already is refused with the head', async () => {
    const { id } = await stored(personnel([A]));
    const head = await stored({ ...personnel([A, B]), kind: 'supplement', supersedes: id });
    const late = file(ingest, filer, { ...personnel([A, { ...B, wage: 1 }]), kind: 'supplement', supersedes: id });
    await expect(late).rejects.toMatchObject({ code: 'superseded', details: { members: { head: head.id } } });
  });

  it('is refused where the type has none, and without what it adds to', async () => {
    const first = lodging({ filer: filer.id });
    const { id } = await stored(first);
    const errors = await refusal({ ...first, kind: 'supplement', supersedes: id });
    expect(errors.map((each) => `${each.pointer} ${each.code}`)).toEqual(['/kind kind']);
    const alone = await refusal({ ...personnel([A]), kind: 'supplement' });
    expect(alone.map((each) => each.pointer)).toEqual(['/supersedes']);
  });
});

describe('explanations', () => {
  const wondered = (changes: Payload = {}): Payload => {
    const payload = vatReturn(filer.id, '2026-10', 50_000, changes);
    const { lines } = payload.data as { lines: Record<string, Record<string, number>> };
    return { ...payload, data: { lines: { ...lines, 2: { ...lines['2'], generalMonth: 10_000_001 } } } };
  };

  it('are shown with the warnings that they explain, also in the replay', async () => {
    const payload = wondered({ explanations: [{ rule: 'VAT-1', text: '含视同销售，已单独列明' }] });
    const answer = await stored(payload);
    const explained = answer.warnings.filter((each) => each.rule === 'VAT-1');
    expect(explained.map((each) => each.explanation)).toEqual(['含视同销售，已单独列明']);
    const again = await file(ingest, filer, payload);
    expect(JSON.stringify(again.filing)).toBe(JSON.stringify(answer));
  });

  it('of rules that the form does not have are refused', async () => {
    const text = '不应出现在错误里';
    const errors = await refusal(
      wondered({
        explanations: [
          { rule: 'VAT-1', text },
          { rule: 'CIT-1', text },
        ],
      }),
    );
    const [error] = errors.filter((each) => each.severity === 'error');
    expect([error?.pointer, error?.code]).toEqual(['/explanations/1/rule', 'explanation']);
    expect(JSON.stringify(errors)).not.toContain(text);
  });
});
