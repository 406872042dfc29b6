import { expect, test } from 'vitest';
import { Bearable } from '../../src/ingest/bearable.ts';
import { HandClock } from '../support/identity.ts';

const WAIT_MS = 2_000;
const MOST = 10_000;

/** `seconds` in which `perSecond` leave at even distances, while `inside` remain. */
function pass(bearable: Bearable, clock: HandClock, seconds: number, perSecond: number, inside: number): void {
  for (let i = 0; i < seconds * perSecond; i++) {
    clock.pass(1_000 / perSecond);
    bearable.leave(inside);
  }
}

function begin() {
  const clock = new HandClock();
  return { clock, bearable: new Bearable({ clock, waitMs: WAIT_MS, most: MOST }) };
}

test('what leaves while there is much to do tells how many can be borne', () => {
  const { bearable, clock } = begin();
  expect(bearable.limit).toBe(MOST);
  pass(bearable, clock, 3, 1_000, 5_000);
  expect(bearable.limit).toBe((1_000 * WAIT_MS) / 1_000);
  pass(bearable, clock, 3, 2_000, 5_000);
  expect(bearable.limit).toBe((2_000 * WAIT_MS) / 1_000);
});

test('one bad window halves it at most, and the next good one mends that', () => {
  const { bearable, clock } = begin();
  pass(bearable, clock, 1, 100, 5_000);
  expect(bearable.limit).toBe(MOST / 2);
  pass(bearable, clock, 1, 100, 5_000);
  expect(bearable.limit).toBe(MOST / 4);
  pass(bearable, clock, 1, 4_000, 5_000);
  expect(bearable.limit).toBe((4_000 * WAIT_MS) / 1_000);
});

test('in quieter times what was learned stands', () => {
  const { bearable, clock } = begin();
  pass(bearable, clock, 3, 1_000, 5_000);
  const learned = bearable.limit;
  pass(bearable, clock, 5, 10, 3);
  clock.pass(60_000);
  pass(bearable, clock, 1, 1, 0);
  expect(bearable.limit).toBe(learned);
});

test('between what fills the ticks and what the pool can hold', () => {
  const { bearable, clock } = begin();
  pass(bearable, clock, 6, 2, 5_000);
  expect(bearable.limit).toBe(512);
  pass(bearable, clock, 3, 8_000, 5_000);
  expect(bearable.limit).toBe(MOST);
  expect(new Bearable({ clock, waitMs: WAIT_MS, most: 3 }).limit).toBe(3);
});
