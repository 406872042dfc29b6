import { beforeEach, describe, expect, it } from 'vitest';
import { Deferrals } from '../../src/ingest/deferrals.ts';
import { parseCompactJws } from '../../src/ingest/jws.ts';
import { GatewayError } from '../../src/std/errors.ts';
import { HandClock } from '../support/identity.ts';

const overloaded = new GatewayError('overloaded');
const limited = new GatewayError('rate-limited', { retryAfterSeconds: 1 });

function opening(kid: string, isKnown = true): Buffer {
  const header = { alg: 'ES256', kid, typ: 'filing+jws', aud: 'https://gateway.test' };
  const text = [JSON.stringify(header), '{}', 's'].map((part) => Buffer.from(part).toString('base64url')).join('.');
  if (isKnown) parseCompactJws(text);
  return Buffer.from(text);
}

describe('deferrals', () => {
  let clock: HandClock;
  let deferrals: Deferrals;
  beforeEach(() => {
    clock = new HandClock();
    deferrals = new Deferrals(clock);
  });

  it('tell for a moment why filings of a key are refused, and those of no other', () => {
    expect([deferrals.any, deferrals.of(opening('a'))]).toEqual([false, undefined]);
    deferrals.defer('a', overloaded);
    clock.pass(50);
    deferrals.defer('b', limited);
    expect(['a', 'b', 'c'].map((kid) => deferrals.of(opening(kid)))).toEqual([overloaded, limited, undefined]);
    clock.pass(50);
    expect(['a', 'b'].map((kid) => deferrals.of(opening(kid)))).toEqual([undefined, limited]);
    expect(deferrals.any).toBe(true);
    clock.pass(50);
    expect([deferrals.any, deferrals.of(opening('b'))]).toEqual([false, undefined]);
  });

  it('begin anew with each refusal', () => {
    deferrals.defer('a', overloaded);
    clock.pass(60);
    deferrals.defer('a', limited);
    clock.pass(60);
    expect(deferrals.of(opening('a'))).toBe(limited);
  });

  it('know only headers that were accepted before, in compact form', () => {
    deferrals.defer('never accepted', overloaded);
    const unknown = opening('never accepted', false);
    expect(deferrals.of(unknown)).toBeUndefined();
    deferrals.defer('accepted', overloaded);
    const known = opening('accepted');
    const end = known.indexOf('.');
    expect(deferrals.of(known.subarray(0, end + 1))).toBe(overloaded);
    for (const begun of [known.subarray(0, end), Buffer.of(), Buffer.from('.'), Buffer.from('{"payload":"x"}')])
      expect(deferrals.of(begun)).toBeUndefined();
  });

  it('remember a bounded number of keys, the latest', () => {
    for (let i = 0; i < 1_500; i++) deferrals.defer(`key ${i}`, overloaded);
    expect([0, 499, 500, 1_499].map((i) => deferrals.of(opening(`key ${i}`)))).toEqual([
      undefined,
      undefined,
      overloaded,
      overloaded,
    ]);
  });
});
