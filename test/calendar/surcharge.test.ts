import fc from 'fast-check';
import { expect, test } from 'vitest';
import { daysLate, surchargeFen } from '../../src/calendar/surcharge.ts';
import { addDays } from '../../src/domain/period-kinds.ts';

test('12,345.67 yuan ten days late cost 61.73 yuan', () => {
  expect(surchargeFen(1_234_567, daysLate('2026-10-26', '2026-11-05'))).toBe(6_173);
});

test('half a fen is rounded up, less is not', () => {
  expect(surchargeFen(1_000, 1)).toBe(1);
  expect(surchargeFen(999, 1)).toBe(0);
  expect(surchargeFen(0, 400)).toBe(0);
});

test('the day of the deadline is in time, the day after is one day late', () => {
  expect(daysLate('2026-02-24', '2026-02-01')).toBe(0);
  expect(daysLate('2026-02-24', '2026-02-24')).toBe(0);
  expect(daysLate('2026-02-24', '2026-02-25')).toBe(1);
  expect(daysLate('2026-02-24', '2027-02-24')).toBe(365);
  expect(daysLate('2024-02-28', '2024-03-01')).toBe(2);
});

test('what no number can say exactly is not said', () => {
  expect(surchargeFen(Number.MAX_SAFE_INTEGER, 2_000)).toBe(Number.MAX_SAFE_INTEGER);
  expect(surchargeFen(Number.MAX_SAFE_INTEGER, 2_001)).toBeUndefined();
});

test('it is the exact product to within half a fen, and grows with days and debt', () => {
  const fen = fc.integer({ min: 0, max: 1_000_000_000_000 });
  fc.assert(
    fc.property(fen, fc.integer({ min: 0, max: 3_000 }), (unpaid, days) => {
      const surcharge = surchargeFen(unpaid, days) as number;
      const off = 10_000n * BigInt(surcharge) - 5n * BigInt(unpaid) * BigInt(days);
      expect(off > -5_000n && off <= 5_000n).toBe(true);
      expect(surchargeFen(unpaid + 1, days)).toBeGreaterThanOrEqual(surcharge);
      expect(surchargeFen(unpaid, days + 1)).toBeGreaterThanOrEqual(surcharge);
    }),
  );
});

test('days late count every day', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 5_000 }), fc.integer({ min: -50, max: 5_000 }), (start, n) => {
      const due = addDays('2020-01-01', start);
      expect(daysLate(due, addDays(due, n))).toBe(Math.max(0, n));
    }),
  );
});
