import { setTimeout, setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Turns, type TurnsOptions, type Work } from '../../src/http/turns.ts';
import { systemClock } from '../../src/std/clock.ts';
import { HandClock } from '../support/identity.ts';
import { until } from '../support/until.ts';

function turnsOf(perTurn: number, options: Partial<TurnsOptions> = {}): Turns {
  return new Turns({ perTurn, hasEnough: () => false, clock: systemClock, patienceMs: 60_000, ...options });
}

function work(begin: () => unknown, giveUp: () => unknown = () => expect.fail('given up')): Work {
  return { bytes: 10, begin: () => void begin(), wait: () => {}, giveUp: () => void giveUp() };
}

/** Begins work under these names, in one turn, for the owner whose name is their first letter. */
function beginning(perTurn: number): { turns: Turns; begun: string[]; begin: (...names: string[]) => void } {
  const turns = turnsOf(perTurn);
  const begun: string[] = [];
  const begin = (...names: string[]): void => {
    for (const name of names)
      turns.begin(
        name[0],
        work(() => begun.push(name)),
      );
  };
  return { turns, begun, begin };
}

describe('turns of the event loop', () => {
  it('begin so much at once, and the rest later, with nothing lost', async () => {
    const { turns, begun, begin } = beginning(2);
    begin('a1', 'b1', 'c1', 'd1', 'e1');
    expect(begun).toEqual(['a1', 'b1']);
    expect([turns.waiting, turns.isFree]).toEqual([3, false]);
    await turn();
    expect(begun).toEqual(['a1', 'b1', 'c1', 'd1']);
    await turn();
    expect(begun).toEqual(['a1', 'b1', 'c1', 'd1', 'e1']);
    await turn();
    expect([turns.waiting, turns.isFree]).toEqual([0, true]);
  });

  it('give each owner its turn, however much another brings', async () => {
    const { turns, begun, begin } = beginning(2);
    begin('a1', 'a2', 'a3', 'a4', 'a5', 'a6', 'b1', 'c1', 'c2');
    expect(['a', 'b', 'c', 'd'].map((owner) => turns.waitingOf(owner))).toEqual([4, 1, 2, 0]);
    const perTurn: string[][] = [];
    for (let before = begun.length; turns.waiting > 0; before = begun.length) {
      await turn();
      perTurn.push(begun.slice(before));
    }
    expect(perTurn).toEqual([['a3', 'b1'], ['c1', 'a4'], ['c2', 'a5'], ['a6']]);
  });

  it('count what is begun later in the same turn', async () => {
    const { turns, begun, begin } = beginning(2);
    begin('a1', 'a2', 'a3');
    await turn();
    // One has begun in this turn already.
    begin('b1', 'b2');
    expect(begun).toEqual(['a1', 'a2', 'a3', 'b1']);
    await turn();
    expect([begun.at(-1), turns.waiting]).toEqual(['b2', 0]);
  });

  it('go on when work begins more work', async () => {
    const { turns, begun } = beginning(1);
    turns.begin(
      'a',
      work(() =>
        turns.begin(
          'b',
          work(() => begun.push('b')),
        ),
      ),
    );
    turns.begin(
      'c',
      work(() => begun.push('c')),
    );
    for (let i = 0; i < 4; i++) await turn();
    expect(begun).toEqual(['b', 'c']);
    expect(turns.waiting).toBe(0);
  });

  it('begin nothing while enough is at work, and all in the end', async () => {
    let hasEnough = true;
    const turns = turnsOf(2, { hasEnough: () => hasEnough });
    const begun: string[] = [];
    for (const name of ['a1', 'b1', 'c1', 'd1'])
      turns.begin(
        name[0],
        work(() => begun.push(name)),
      );
    await setTimeout(20);
    expect([begun, turns.waiting, turns.bytes, turns.isFree]).toEqual([[], 4, 40, false]);
    hasEnough = false;
    await until('all have begun', () => begun.length === 4);
    expect(begun).toEqual(['a1', 'b1', 'c1', 'd1']);
    expect([turns.waiting, turns.bytes]).toEqual([0, 0]);
  });

  it('stop where enough has begun', async () => {
    const begun: string[] = [];
    const turns = turnsOf(10, { hasEnough: () => begun.length >= 3 });
    for (const name of ['a1', 'b1', 'c1', 'd1', 'e1'])
      turns.begin(
        name[0],
        work(() => begun.push(name)),
      );
    await setTimeout(20);
    expect(begun).toEqual(['a1', 'b1', 'c1']);
    begun.splice(0, 1);
    await until('one more has begun', () => begun.length === 3);
    expect([begun, turns.waiting]).toEqual([['b1', 'c1', 'd1'], 1]);
  });

  it('give up what has waited for too long, and only that', async () => {
    const clock = new HandClock();
    let hasEnough = true;
    const turns = turnsOf(2, { hasEnough: () => hasEnough, clock, patienceMs: 1_000 });
    const [begun, late]: [string[], string[]] = [[], []];
    const begin = (name: string): void =>
      turns.begin(
        name[0],
        work(
          () => begun.push(name),
          () => late.push(name),
        ),
      );
    for (const name of ['a1', 'a2', 'b1']) begin(name);
    clock.pass(700);
    for (const name of ['a3', 'c1']) begin(name);
    clock.pass(700);
    await until('three are given up', () => late.length === 3);
    expect([late.sort(), turns.waiting, turns.bytes]).toEqual([['a1', 'a2', 'b1'], 2, 20]);
    hasEnough = false;
    await until('the others have begun', () => begun.length === 2);
    expect([begun.sort(), late.length]).toEqual([['a3', 'c1'], 3]);
  });

  it('let nobody begin before those who wait', async () => {
    let hasEnough = true;
    const turns = turnsOf(2, { hasEnough: () => hasEnough });
    const begun: string[] = [];
    const begin = (name: string): void =>
      turns.begin(
        name[0],
        work(() => begun.push(name)),
      );
    begin('a1');
    hasEnough = false;
    expect(turns.isFree).toBe(false);
    begin('b1');
    expect(begun).toEqual([]);
    await until('both have begun', () => begun.length === 2);
    expect(begun).toEqual(['a1', 'b1']);
  });
});
