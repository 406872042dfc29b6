import { expect, it } from 'vitest';
import { type Expiring, Sweep } from '../../src/http/sweep.ts';
import { grownOld } from '../support/collected.ts';

class Item implements Expiring {
  newer: Expiring | undefined;
  older: Expiring | undefined;
  readonly content = Array.from({ length: 100 }, (_, i) => i + 0.5);
  expired = 0;
  readonly #onExpiry: () => void;

  constructor(onExpiry = (): void => {}) {
    this.#onExpiry = onExpiry;
  }

  expire(): void {
    this.expired++;
    this.#onExpiry();
  }
}

const clock = { now: () => 0, monotonic: () => performance.now() };

it('tells all that is watched the time, also when some go at that', async () => {
  const sweep = new Sweep(clock);
  const items: Item[] = [];
  // Each second one goes when it is told, and one has gone before.
  for (let i = 0; i < 9; i++) items.push(new Item(i % 2 === 1 ? () => sweep.delete(items[i] as Item) : undefined));
  for (const item of items) sweep.add(item);
  sweep.delete(items[4] as Item);
  sweep.delete(items[4] as Item);
  expect(sweep.size).toBe(8);
  for (const i of [0, 8]) expect(() => sweep.add(items[i] as Item)).toThrow('added once');
  await expect.poll(() => items.map(({ expired }) => Math.min(expired, 2))).toEqual([2, 1, 2, 1, 0, 1, 2, 1, 2]);
  expect(sweep.size).toBe(4);
  for (const item of items) sweep.delete(item);
  expect(sweep.size).toBe(0);
});

it('takes back what it had watched before', () => {
  const sweep = new Sweep(clock);
  const [a, b] = [new Item(), new Item()];
  sweep.add(a);
  sweep.delete(a);
  sweep.add(b);
  sweep.add(a);
  sweep.delete(b);
  expect(sweep.size).toBe(1);
  sweep.delete(a);
  expect([sweep.size, a.newer, a.older, b.newer, b.older]).toEqual([0, undefined, undefined, undefined, undefined]);
});

it('keeps nothing of what has gone, however long it runs', () => {
  const sweep = new Sweep(clock);
  const watched: Item[] = [];
  const grown = grownOld(20, () => {
    for (let i = 0; i < 500; i++) {
      const item = new Item();
      sweep.add(item);
      watched.push(item);
      if (watched.length > 64) sweep.delete(watched.shift() as Item);
    }
  });
  for (const item of watched) sweep.delete(item);
  // A Set in its place keeps 10 MB of these 10,000 items of 1 kB.
  expect(grown).toBeLessThan(2_500_000);
});
