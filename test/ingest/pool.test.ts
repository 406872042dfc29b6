import { describe, expect, it } from 'vitest';
import { type Gather, Pool, type PoolOptions } from '../../src/ingest/pool.ts';
import { systemClock } from '../../src/std/clock.ts';
import { GatewayError } from '../../src/std/errors.ts';
import { HandClock } from '../support/identity.ts';
import { until } from '../support/until.ts';

type Options = PoolOptions<number, string>;

/** A pool whose flushes are ended by hand. */
function pool(overrides: Partial<Options> = {}) {
  const ticks: {
    items: readonly number[];
    end: (outcomes?: readonly string[]) => void;
    fail: (error: unknown) => void;
  }[] = [];
  const made = new Pool<number, string>({
    flush: (items) =>
      new Promise((resolve, reject) => {
        ticks.push({
          items,
          end: (outcomes = items.map((item) => `stored ${item}`)) => resolve(outcomes),
          fail: reject,
        });
      }),
    clock: systemClock,
    maxItems: 100,
    maxBytes: 10_000,
    maxTickItems: 10,
    maxTickBytes: 1_000,
    maxWaitMs: 60_000,
    ...overrides,
  });
  return { pool: made, ticks };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('the pool', () => {
  it('commits the first at once and collects the others until that tick has ended', async () => {
    const { pool: p, ticks } = pool();
    const outcomes = [1, 2, 3].map((item) => p.submit(item, 1));
    expect(ticks.map((tick) => tick.items)).toEqual([[1]]);
    ticks[0]?.end();
    await turn();
    expect(ticks.map((tick) => tick.items)).toEqual([[1], [2, 3]]);
    ticks[1]?.end();
    expect(await Promise.all(outcomes)).toEqual(['stored 1', 'stored 2', 'stored 3']);
  });

  it('bounds a tick by count and by bytes', async () => {
    const { pool: p, ticks } = pool();
    const sizes = [1, ...Array.from({ length: 12 }, () => 1), 900, 900, 5_000, 1];
    const outcomes = sizes.map((bytes, i) => p.submit(i, bytes));
    while (ticks.reduce((sum, tick) => sum + tick.items.length, 0) < sizes.length) {
      ticks[ticks.length - 1]?.end();
      await turn();
    }
    ticks[ticks.length - 1]?.end();
    await Promise.all(outcomes);
    expect(ticks.map((tick) => tick.items.length)).toEqual([1, 10, 3, 1, 1, 1]);
  });

  it('gives each waiter its own outcome, in order', async () => {
    const { pool: p, ticks } = pool();
    const first = p.submit(0, 1);
    const rest = [7, 8, 9].map((item) => p.submit(item, 1));
    ticks[0]?.end();
    await first;
    await turn();
    ticks[1]?.end(['a', 'b', 'c']);
    expect(await Promise.all(rest)).toEqual(['a', 'b', 'c']);
  });

  it('fails a tick whose flush returns the wrong number of outcomes, and goes on', async () => {
    const { pool: p, ticks } = pool();
    const broken = p.submit(1, 1);
    ticks[0]?.end([]);
    await expect(broken).rejects.toThrow('broken invariant');
    const next = p.submit(2, 1);
    await turn();
    ticks[1]?.end();
    expect(await next).toBe('stored 2');
  });

  it('is full by count and by bytes, takes one of any size when empty, and has room again when a place is left', () => {
    const { pool: p } = pool({ maxItems: 2, maxBytes: 100 });
    const huge = p.tryEnter(1_000);
    expect(huge).toBeDefined();
    expect(p.tryEnter(1)).toBeUndefined();
    huge?.leave();
    huge?.leave(); // leaving twice gives back once
    const a = p.tryEnter(60);
    expect(p.tryEnter(60)).toBeUndefined();
    const b = p.tryEnter(40);
    expect(p.tryEnter(0)).toBeUndefined();
    a?.leave();
    b?.leave();
    expect(p.size).toBe(0);
  });

  it('lets one owner have a quarter as many places as are free, and everybody one', () => {
    const { pool: p } = pool({ maxItems: 30 });
    const claims = (owner: string, count: number) =>
      Array.from({ length: count }, () => {
        const place = p.tryEnter(1);
        const claimed = place?.claim(owner) ?? false;
        if (!claimed) place?.leave();
        return claimed ? place : undefined;
      }).filter((place) => place !== undefined);
    const first = claims('a', 30);
    expect(first).toHaveLength(6);
    expect(claims('b', 30)).toHaveLength(5);
    expect(p.size).toBe(11);
    for (let i = 0; i < 19; i++) expect(claims(`other ${i}`, 1)).toHaveLength(1);
    expect(p.isFull(0)).toBe(true);
    for (const place of first) place.leave();
    expect(claims('a', 30)).toHaveLength(2);
  });

  it('takes nobody for a flood who has a few places, though the room is nearly full', () => {
    const { pool: p } = pool({ maxItems: 320, smallShare: 10 });
    for (let owner = 0; owner < 32; owner++)
      for (let i = 0; i < 10; i++) expect(p.tryEnter(1)?.claim(`owner ${owner}`)).toBe(true);
    expect(p.isFull(1)).toBe(true);
  });

  it('admits no more than it can bear', () => {
    const clock = new HandClock();
    const { pool: p } = pool({ maxItems: 2_000, bearableMs: 1_000, clock });
    const places = Array.from({ length: 2_000 }, () => p.tryEnter(1));
    expect(p.tryEnter(1)).toBeUndefined();
    // 1,000 in a second, of which the last leave 1,000 others behind.
    for (const place of places.slice(0, 1_000)) {
      clock.pass(1);
      place?.leave();
    }
    expect(p.isFull(1)).toBe(true);
    places[1_000]?.leave();
    expect(p.isFull(1)).toBe(false);
  });

  it('has enough when so many are inside whose owners are known, unless nothing moves', async () => {
    const clock = new HandClock();
    const { pool: p, ticks } = pool({ clock, enough: 2 });
    const upload = Array.from({ length: 10 }, () => p.tryEnter(1));
    void p.submit(0, 1);
    expect(p.hasEnough).toBe(false);
    const [a, b] = [p.tryEnter(1), p.tryEnter(1)];
    a?.claim('a');
    expect(p.hasEnough).toBe(false);
    b?.claim('b');
    expect(p.hasEnough).toBe(true);
    // The tick that has begun does not end.
    clock.pass(600);
    expect(p.hasEnough).toBe(false);
    ticks[0]?.end();
    await turn();
    void p.submit(1, 1);
    expect(p.hasEnough).toBe(true);
    a?.leave();
    a?.leave();
    expect(p.hasEnough).toBe(false);
    for (const place of upload) place?.leave();
  });

  it('learns what it can bear while others wait outside, since it has enough', () => {
    const clock = new HandClock();
    const { pool: p } = pool({ clock, maxItems: 4_096, bearableMs: 1_000, enough: 384 });
    const places = Array.from({ length: 384 }, () => p.tryEnter(1));
    // 600 leave in a second, in ticks of 192, and others take their places.
    for (let second = 0; second < 5; second++) {
      for (let tick = 0; tick < 3; tick++) {
        clock.pass(334);
        for (const place of places.splice(0, 192)) place?.leave();
        for (let i = 0; i < 192; i++) places.push(p.tryEnter(1));
      }
    }
    expect(p.room + p.size).toBeLessThan(700);
    expect(p.room + p.size).toBeGreaterThan(500);
  });

  it('lets uploads wait for a place', async () => {
    const { pool: p } = pool({ maxItems: 1 });
    const first = p.tryEnter(1);
    const order: string[] = [];
    const waiting = p.enter(1).then((place) => {
      order.push('entered');
      return place;
    });
    await turn();
    order.push('left');
    first?.leave();
    (await waiting).leave();
    expect(order).toEqual(['left', 'entered']);
  });

  it('answers what waits too long: never begun is unavailable, begun is of unknown outcome', async () => {
    const { pool: p, ticks } = pool({ maxWaitMs: 30 });
    const begun = p.submit(1, 1).catch((error: unknown) => error);
    const waiting = p.submit(2, 1).catch((error: unknown) => error);
    expect((await waiting) as GatewayError).toMatchObject({ code: 'unavailable' });
    expect((await begun) as GatewayError).toMatchObject({ code: 'outcome-unknown' });
    expect(await begun).toBeInstanceOf(GatewayError);
    ticks[0]?.end();
    await p.drained();
    expect(ticks).toHaveLength(1);
  });

  it('drains once nothing waits and nothing is being committed', async () => {
    const { pool: p, ticks } = pool();
    await p.drained();
    void p.submit(1, 1);
    void p.submit(2, 1);
    let drained = false;
    const done = p.drained().then(() => {
      drained = true;
    });
    ticks[0]?.end();
    await turn();
    expect(drained).toBe(false);
    ticks[1]?.end();
    await done;
  });
});

describe('a tick that gathers', () => {
  /** Longer than any test: who sees a tick begin knows that it was not for the time. */
  const PATIENT = { msEach: 60_000, maxMs: 60_000, items: 5 };

  /** A pool with so many inside, of whom the first has just been committed. */
  async function busy(inside: number, gather: Gather) {
    const { pool: p, ticks } = pool({ gather });
    const places = Array.from({ length: inside }, () => p.tryEnter(1));
    const first = p.submit(0, 1);
    expect(ticks).toHaveLength(1);
    ticks[0]?.end();
    await first;
    places.shift()?.leave();
    await turn();
    return { pool: p, ticks, places };
  }

  it('waits for those on the way, and no longer than until the last of them has come', async () => {
    const { pool: p, ticks } = await busy(4, PATIENT);
    void p.submit(1, 1);
    void p.submit(2, 1);
    await turn();
    expect(ticks).toHaveLength(1);
    void p.submit(3, 1);
    expect(ticks.map((tick) => tick.items)).toEqual([[0], [1, 2, 3]]);
  });

  it('waits for nobody who has left', async () => {
    const { pool: p, ticks, places } = await busy(3, PATIENT);
    void p.submit(1, 1);
    await turn();
    expect(ticks).toHaveLength(1);
    places[1]?.leave();
    expect(ticks.map((tick) => tick.items)).toEqual([[0], [1]]);
  });

  it('begins when enough have come, also those that came while the last one was committed', async () => {
    const { pool: p, ticks } = await busy(20, PATIENT);
    for (let item = 1; item < 5; item++) void p.submit(item, 1);
    await turn();
    expect(ticks).toHaveLength(1);
    for (let item = 5; item < 12; item++) void p.submit(item, 1);
    expect(ticks[1]?.items).toEqual([1, 2, 3, 4, 5]);
    ticks[1]?.end();
    await turn();
    expect(ticks[2]?.items).toEqual([6, 7, 8, 9, 10, 11]);
  });

  it('begins after a time that grows with those inside, up to a bound', async () => {
    for (const gather of [
      { msEach: 10, maxMs: 60_000, items: 100 },
      { msEach: 60_000, maxMs: 30, items: 100 },
    ]) {
      const { pool: p, ticks } = await busy(4, gather);
      void p.submit(1, 1);
      await turn();
      expect(ticks).toHaveLength(1);
      await until('the tick begins', () => ticks.length === 2);
      expect(ticks[1]?.items).toEqual([1]);
    }
  });

  it('waits for nobody when it was asked by a single sender', async () => {
    const { pool: p, ticks } = await busy(2, PATIENT);
    void p.submit(1, 1);
    expect(ticks.map((tick) => tick.items)).toEqual([[0], [1]]);
  });
});
