import { setTimeout, setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Turns } from '../../src/http/turns.ts';
import { until } from '../support/until.ts';

/** Begins work under these names, in one turn, for the owner whose name is their first letter. */
function beginning(perTurn: number): { turns: Turns; begun: string[]; begin: (...names: string[]) => void } {
  const turns = new Turns(perTurn);
  const begun: string[] = [];
  const begin = (...names: string[]): void => {
    for (const name of names) turns.begin(name[0], () => begun.push(name));
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
    turns.begin('a', () => turns.begin('b', () => begun.push('b')));
    turns.begin('c', () => begun.push('c'));
    for (let i = 0; i < 4; i++) await turn();
    expect(begun).toEqual(['b', 'c']);
    expect(turns.waiting).toBe(0);
  });

  it('begin nothing while enough is at work, and all in the end', async () => {
    let hasEnough = true;
    const turns = new Turns(2, () => hasEnough);
    const begun: string[] = [];
    for (const name of ['a1', 'b1', 'c1', 'd1']) turns.begin(name[0], () => begun.push(name));
    await setTimeout(20);
    expect([begun, turns.waiting, turns.isFree]).toEqual([[], 4, false]);
    hasEnough = false;
    await until('all have begun', () => begun.length === 4);
    expect(begun).toEqual(['a1', 'b1', 'c1', 'd1']);
    expect(turns.waiting).toBe(0);
  });

  it('stop where enough has begun', async () => {
    const begun: string[] = [];
    const turns = new Turns(10, () => begun.length >= 3);
    for (const name of ['a1', 'b1', 'c1', 'd1', 'e1']) turns.begin(name[0], () => begun.push(name));
    await setTimeout(20);
    expect(begun).toEqual(['a1', 'b1', 'c1']);
    begun.splice(0, 1);
    await until('one more has begun', () => begun.length === 3);
    expect([begun, turns.waiting]).toEqual([['b1', 'c1', 'd1'], 1]);
  });
});
