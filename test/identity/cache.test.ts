import { describe, expect, test } from 'vitest';
import { BatchedCache, type CacheOptions } from '../../src/identity/cache.ts';

interface Row {
  readonly version: number;
}

/** A table that counts its queries and answers when told. */
function harness(options: Partial<CacheOptions<Row>> = {}) {
  const table = new Map<string, Row>();
  const queries: string[][] = [];
  const clock = { ms: 0 };
  const trust = { is: true };
  let gate: Promise<void> = Promise.resolve();
  let open = (): void => {};
  const cache = new BatchedCache<Row>({
    size: 100,
    trusted: () => trust.is,
    now: () => clock.ms,
    load: async (keys) => {
      queries.push([...keys]);
      const found = new Map([...table].filter(([key]) => keys.includes(key)));
      await gate;
      return found;
    },
    ...options,
  });
  return {
    table,
    queries,
    clock,
    trust,
    cache,
    hold: () => {
      gate = new Promise((resolve) => {
        open = resolve;
      });
    },
    release: () => {
      open();
      gate = Promise.resolve();
    },
  };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

describe('a batched cache', () => {
  test('asks for all misses of a turn in one query, each key once', async () => {
    const { table, queries, cache } = harness();
    for (let i = 0; i < 300; i++) table.set(`k${i}`, { version: i });
    const values = await Promise.all([...table.keys(), ...table.keys()].map((key) => cache.get(key)));
    expect(values.map((value) => value?.version)).toEqual([...Array(300).keys(), ...Array(300).keys()]);
    expect(queries.length).toBe(1);
    expect(queries[0]?.length).toBe(300);
  });

  test('splits what is more than one query takes', async () => {
    const { table, queries, cache } = harness({ batch: 100, size: 1_000 });
    for (let i = 0; i < 250; i++) table.set(`k${i}`, { version: i });
    await Promise.all([...table.keys()].map((key) => cache.get(key)));
    expect(queries.map((keys) => keys.length)).toEqual([100, 100, 50]);
  });

  test('remembers, without waiting, and within its bound', async () => {
    const { table, queries, cache } = harness({ size: 10 });
    for (let i = 0; i < 50; i++) table.set(`k${i}`, { version: i });
    await Promise.all([...table.keys()].map((key) => cache.get(key)));
    expect(cache.size).toBe(10);
    expect(cache.peek('k49')).toEqual({ version: 49 });
    expect(cache.peek('k0')).toBeUndefined();
    await cache.get('k49');
    expect(queries.length).toBe(1);
  });

  test('believes in absence for a short time only', async () => {
    const { table, queries, clock, cache } = harness({ absentMs: 1_000 });
    expect(await cache.get('x')).toBeUndefined();
    table.set('x', { version: 1 });
    clock.ms = 999;
    expect(await cache.get('x')).toBeUndefined();
    expect(queries.length).toBe(1);
    clock.ms = 1_001;
    expect(await cache.get('x')).toEqual({ version: 1 });
  });

  test('forgets what was invalidated, and absence too', async () => {
    const { table, cache } = harness();
    table.set('x', { version: 1 });
    await Promise.all([cache.get('x'), cache.get('y')]);
    table.set('x', { version: 2 }).set('y', { version: 2 });
    cache.invalidate('x');
    cache.invalidate('y');
    expect(await cache.get('x')).toEqual({ version: 2 });
    expect(await cache.get('y')).toEqual({ version: 2 });
  });

  test('keeps nothing that was read before an invalidation, and lets nobody new wait for it', async () => {
    const { table, queries, cache, hold, release } = harness();
    table.set('x', { version: 1 });
    hold();
    const early = cache.get('x');
    await turn();
    expect(queries.length).toBe(1);
    table.set('x', { version: 2 });
    cache.invalidate('x');
    const late = cache.get('x');
    release();
    expect(await early).toEqual({ version: 1 });
    expect(await late).toEqual({ version: 2 });
    expect(cache.peek('x')).toEqual({ version: 2 });
  });

  test('keeps nothing that was read before an invalidation when nobody asks again meanwhile', async () => {
    const { table, cache, hold, release } = harness();
    table.set('x', { version: 1 });
    hold();
    const early = cache.get('x');
    await turn();
    table.set('x', { version: 2 });
    cache.invalidate('x');
    release();
    expect(await early).toEqual({ version: 1 });
    expect(cache.peek('x')).toBeUndefined();
    expect(await cache.get('x')).toEqual({ version: 2 });
  });

  test('primes only what is not older than the last invalidation', () => {
    const { cache } = harness();
    const mark = cache.mark();
    cache.prime('x', { version: 1 }, mark);
    expect(cache.peek('x')).toEqual({ version: 1 });
    const old = cache.mark();
    cache.invalidate('z');
    cache.prime('y', { version: 1 }, old);
    expect(cache.peek('y')).toBeUndefined();
  });

  test('does not use its entries while it cannot be trusted', async () => {
    const { table, trust, cache } = harness();
    table.set('x', { version: 1 });
    await cache.get('x');
    table.set('x', { version: 2 });
    trust.is = false;
    expect(cache.peek('x')).toBeUndefined();
    expect(await cache.get('x')).toEqual({ version: 2 });
  });

  test('gives a failure to all who waited for that query, and asks again afterwards', async () => {
    let fails = true;
    const { cache } = harness({
      load: () => (fails ? Promise.reject(new Error('down')) : Promise.resolve(new Map([['x', { version: 1 }]]))),
    });
    const results = await Promise.allSettled([cache.get('x'), cache.get('y')]);
    expect(results.map((result) => result.status)).toEqual(['rejected', 'rejected']);
    fails = false;
    expect(await cache.get('x')).toEqual({ version: 1 });
  });

  test('refuses more waiters than it may have', async () => {
    const { cache, hold, release } = harness({ waiting: 2 });
    hold();
    const waiting = [cache.get('a'), cache.get('b')];
    await expect(cache.get('c')).rejects.toMatchObject({ code: 'overloaded' });
    release();
    expect(await Promise.all(waiting)).toEqual([undefined, undefined]);
  });
});
