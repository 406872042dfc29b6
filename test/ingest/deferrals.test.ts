import { beforeEach, describe, expect, it } from 'vitest';
import { Deferrals } from '../../src/ingest/deferrals.ts';
import { GatewayError } from '../../src/std/errors.ts';
import { HandClock } from '../support/identity.ts';

const overloaded = new GatewayError('overloaded');
const limited = new GatewayError('rate-limited', { retryAfterSeconds: 1 });

describe('deferrals', () => {
  let clock: HandClock;
  let deferrals: Deferrals;
  beforeEach(() => {
    clock = new HandClock();
    deferrals = new Deferrals(clock);
  });

  it('tell for a moment why filings of a key are refused, and those of no other', () => {
    expect([deferrals.any, deferrals.of('a')]).toEqual([false, undefined]);
    deferrals.defer('a', overloaded);
    clock.pass(50);
    deferrals.defer('b', limited);
    expect(['a', 'b', 'c'].map((kid) => deferrals.of(kid))).toEqual([overloaded, limited, undefined]);
    clock.pass(50);
    expect(['a', 'b'].map((kid) => deferrals.of(kid))).toEqual([undefined, limited]);
    expect(deferrals.any).toBe(true);
    clock.pass(50);
    expect([deferrals.any, deferrals.of('b')]).toEqual([false, undefined]);
  });

  it('begin anew with each refusal', () => {
    deferrals.defer('a', overloaded);
    clock.pass(60);
    deferrals.defer('a', limited);
    clock.pass(60);
    expect(deferrals.of('a')).toBe(limited);
  });

  it('remember a bounded number of keys, the latest', () => {
    for (let i = 0; i < 1_500; i++) deferrals.defer(`key ${i}`, overloaded);
    expect([0, 499, 500, 1_499].map((i) => deferrals.of(`key ${i}`))).toEqual([
      undefined,
      undefined,
      overloaded,
      overloaded,
    ]);
  });
});
