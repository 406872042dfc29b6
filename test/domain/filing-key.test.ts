import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FilingKeyParts } from '../../src/domain/filing.ts';
import { filerPrefix, filingKey, monthNumber } from '../../src/domain/filing-key.ts';

// Short texts of few characters, digits and colons among them, so that a careless encoding would mix fields up.
const text = fc.string({ unit: fc.constantFrom('1', '2', ':', 'a', 'é'), maxLength: 4 });
const day = fc
  .date({ min: new Date('1900-01-01T00:00:00Z'), max: new Date('2999-12-31T00:00:00Z'), noInvalidDate: true })
  .map((date) => date.toISOString().slice(0, 10));
const parts: fc.Arbitrary<FilingKeyParts> = fc.record({
  filer: text,
  type: text,
  period: fc.record({ from: day, to: day }),
  reference: fc.option(
    text.filter((value) => value !== ''),
    { nil: undefined },
  ),
  supersedes: fc.option(
    text.filter((value) => value !== ''),
    { nil: undefined },
  ),
});

describe('a filing key', () => {
  it('is the same for the same tuple and another for any other', () => {
    const small = fc.constantFrom('2026-10-01', '2026-10-31');
    const close = fc.tuple(parts, small, small).map(([each, from, to]) => ({ ...each, period: { from, to } }));
    fc.assert(
      fc.property(close, close, (a, b) => {
        const tuple = (each: FilingKeyParts): string =>
          JSON.stringify([each.filer, each.type, each.period, each.reference ?? null, each.supersedes ?? null]);
        expect(filingKey(a).equals(filingKey(b))).toBe(tuple(a) === tuple(b));
        expect(filingKey({ ...a })).toEqual(filingKey(a));
      }),
      { numRuns: 2_000 },
    );
  });

  it('does not run fields together', () => {
    const period = { from: '2026-10-01', to: '2026-10-31' };
    const keys = [
      { filer: 'a', type: 'b', period, reference: '1:x' },
      { filer: 'a', type: 'b', period, supersedes: '1:x' },
      { filer: 'a', type: 'b1:x', period },
      { filer: 'a1:b', type: '', period, reference: '1:x' },
    ].map((each) => filingKey(each).toString('hex'));
    expect(new Set(keys).size).toBe(keys.length);
  });

  it('begins with what its filer’s keys of the month begin with', () => {
    fc.assert(
      fc.property(parts, (each) => {
        const prefix = filerPrefix(each.filer, monthNumber(each.period.to));
        const key = filingKey(each);
        expect(key.subarray(0, prefix.length)).toEqual(prefix);
        expect(key.length).toBe(40);
      }),
    );
  });

  it('sorts by the month in which the period ends', () => {
    fc.assert(
      fc.property(parts, parts, (a, b) => {
        const months = a.period.to.slice(0, 7).localeCompare(b.period.to.slice(0, 7));
        if (months !== 0) expect(Math.sign(Buffer.compare(filingKey(a), filingKey(b)))).toBe(Math.sign(months));
      }),
    );
  });
});
