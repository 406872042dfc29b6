import { describe, expect, test } from 'vitest';
import type { Agency } from '../../src/domain/filing.ts';
import { covers, isTypePattern } from '../../src/identity/mandates.ts';
import type { Mandate, Office, Registration } from '../../src/identity/records.ts';
import { isRegisteredAt, officeFor } from '../../src/identity/registrations.ts';

const mandate = (types: readonly string[], to?: string): Mandate => ({
  id: 'm',
  agent: 'a',
  filer: 'f',
  types,
  from: '2026-01-01',
  ...(to === undefined ? {} : { to }),
});

describe('a mandate', () => {
  test.each<[string, string, boolean]>([
    ['tax.vat.general', 'tax.vat.general', true],
    ['tax.vat.general', 'tax.vat', false],
    ['tax.*', 'tax.vat.general', true],
    ['tax.*', 'taxi.vat', false],
    ['tax.vat.*', 'tax.vat.general', true],
    ['tax.vat.*', 'tax.vat', false],
    ['tax.vat.*', 'tax.vatx.general', false],
    ['*', 'psb.lodging', true],
  ])('for %s covers %s: %s', (pattern, type, covered) => {
    expect(covers(mandate([pattern]), type, '2026-06-01')).toBe(covered);
  });

  test('holds on its first and last day, not before and not after', () => {
    const bounded = mandate(['tax.*'], '2026-03-31');
    const days = ['2025-12-31', '2026-01-01', '2026-03-31', '2026-04-01'];
    expect(days.map((day) => covers(bounded, 'tax.vat.general', day))).toEqual([false, true, true, false]);
    expect(covers(mandate(['tax.*']), 'tax.vat.general', '2999-12-31')).toBe(true);
  });

  test.each(['tax.*', '*', 'tax.vat.general', 'si.contribution', 'amr.recall'])('may name %s', (pattern) => {
    expect(isTypePattern(pattern)).toBe(true);
  });
  test.each(['', 'tax', 'vat.*', 'TAX.*', 'tax.*.general', 'tax..vat', 'tax.', '**', 'tax.vat*', 'tax.*\n'])(
    'may not name %j',
    (pattern) => {
      expect(isTypePattern(pattern)).toBe(false);
    },
  );
});

const office = (code: string, agency: Agency): [string, Office] => [
  code,
  { code, agency, region: '350100', name: { zh: '', en: '' }, lane: 0 },
];
const OFFICES = new Map([office('T1', 'tax'), office('T2', 'tax'), office('S1', 'si')]);
const registration = (code: string, from: string, to?: string, withdrawn = false): Registration => ({
  office: code,
  from,
  ...(to === undefined ? {} : { to }),
  withdrawn,
});

describe('the office of a filing that names none', () => {
  const moved = [
    registration('T1', '2020-01-01', '2026-06-30'),
    registration('T2', '2026-07-01'),
    registration('S1', '2021-01-01'),
  ];
  test.each<[Agency, string, string | undefined]>([
    ['tax', '2019-12-31', undefined],
    ['tax', '2026-06-30', 'T1'],
    ['tax', '2026-07-01', 'T2'],
    ['si', '2026-07-01', 'S1'],
    ['psb', '2026-07-01', undefined],
  ])('%s on %s: %s', (agency, date, expected) => {
    expect(officeFor(moved, OFFICES, agency, date)?.code).toBe(expected);
    expect(officeFor(moved, (code) => OFFICES.get(code), agency, date)?.code).toBe(expected);
  });

  test('of several in force the one that began last, then the smaller code', () => {
    const both = [registration('T2', '2020-01-01'), registration('T1', '2024-01-01')];
    expect(officeFor(both, OFFICES, 'tax', '2026-01-01')?.code).toBe('T1');
    const same = [registration('T2', '2020-01-01'), registration('T1', '2020-01-01')];
    expect(officeFor(same, OFFICES, 'tax', '2026-01-01')?.code).toBe('T1');
  });

  test('a withdrawn registration counts for nothing new', () => {
    const withdrawn = [registration('T1', '2020-01-01', undefined, true)];
    expect(officeFor(withdrawn, OFFICES, 'tax', '2026-01-01')).toBeUndefined();
    expect(isRegisteredAt(withdrawn, 'T1', '2026-01-01')).toBe(false);
    expect(isRegisteredAt(moved, 'T1', '2026-06-30')).toBe(true);
    expect(isRegisteredAt(moved, 'T1', '2026-07-01')).toBe(false);
  });
});
