import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  BATCH_EVENTS,
  BATCH_STATES,
  LEASE_PHASES,
  nextRange,
  overlaps,
  phaseOf,
  type Range,
  TRANSITIONS,
} from '../../src/batches/state.ts';

describe('the life of a lease', () => {
  test('is a total table: every phase knows every event', () => {
    expect(Object.keys(TRANSITIONS).sort()).toEqual([...LEASE_PHASES].sort());
    for (const phase of LEASE_PHASES) expect(Object.keys(TRANSITIONS[phase]).sort()).toEqual([...BATCH_EVENTS].sort());
  });

  test('never leads back to a lease, nor out of a closed one', () => {
    for (const phase of LEASE_PHASES) {
      for (const event of BATCH_EVENTS) expect(TRANSITIONS[phase][event]).not.toBe('leased');
    }
    for (const phase of ['released', 'handed-on', 'acknowledged'] as const) {
      for (const event of BATCH_EVENTS) expect([phase, 'stale', 'never']).toContain(TRANSITIONS[phase][event]);
    }
  });

  test('hands on what expired, never what is held or acknowledged', () => {
    expect(LEASE_PHASES.filter((phase) => TRANSITIONS[phase]['hand-on'] === 'never')).toEqual([
      'leased',
      'acknowledged',
    ]);
    expect(TRANSITIONS.expired['hand-on']).toBe('handed-on');
  });

  test('expires at its last instant, and only while it is held', () => {
    for (const state of BATCH_STATES) {
      expect(phaseOf({ state, expiresAt: 1_000 }, 999)).toBe(state);
      expect(phaseOf({ state, expiresAt: 1_000 }, 1_000)).toBe(state === 'leased' ? 'expired' : state);
    }
  });
});

describe('the next range', () => {
  /** Disjoint leases in any order, above a cursor that none of them reaches below. */
  const situation = fc.record({
    cursor: fc.nat({ max: 50 }),
    steps: fc.array(fc.record({ gap: fc.nat({ max: 5 }), length: fc.integer({ min: 1, max: 6 }) }), { maxLength: 8 }),
    beyond: fc.nat({ max: 20 }),
    max: fc.integer({ min: 1, max: 12 }),
    turn: fc.nat(),
  });

  test('is the lowest that is free, and all of it up to `max`', () => {
    fc.assert(
      fc.property(situation, ({ cursor, steps, beyond, max, turn }) => {
        const live: Range[] = [];
        let at = cursor;
        for (const { gap, length } of steps) {
          live.push({ from: at + gap, to: at + gap + length });
          at += gap + length;
        }
        const end = at + beyond;
        const shuffled = [...live.slice(turn % (live.length + 1)), ...live.slice(0, turn % (live.length + 1))];
        const free = Array.from({ length: end - cursor }, (_, i) => cursor + i).filter(
          (index) => !live.some((lease) => index >= lease.from && index < lease.to),
        );
        const range = nextRange(shuffled, cursor, end, max);
        if (range === undefined) {
          expect(free).toEqual([]);
          return;
        }
        expect(live.some((lease) => overlaps(lease, range))).toBe(false);
        expect(range.from).toBe(free[0]);
        expect(range.to - range.from).toBeGreaterThan(0);
        expect(range.to - range.from).toBeLessThanOrEqual(max);
        const couldGoOn = free.includes(range.to) && range.to - range.from < max;
        expect(couldGoOn).toBe(false);
      }),
      { numRuns: 500 },
    );
  });
});
