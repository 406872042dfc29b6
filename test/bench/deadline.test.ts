import { describe, expect, test } from 'vitest';
import { arrivals, arrivalTimes } from '../../bench/deadline/arrivals.ts';

describe('arrivals of a deadline night', () => {
  test('come in order, all before the deadline, more and more of them', () => {
    const seconds = 100;
    const times = [...arrivalTimes(10_000, seconds)];
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(times[0]).toBeGreaterThanOrEqual(0);
    expect(times.at(-1)).toBeLessThan(seconds * 1_000);
    const within = (from: number, to: number): number =>
      times.filter((ms) => ms >= from * 1_000 && ms < to * 1_000).length;
    expect(within(50, 100)).toBeGreaterThan(within(0, 50) * 1.3);
    // The afternoon's hump is the busiest tenth, and has more than one and a half times its share.
    expect(within(66, 76)).toBeGreaterThan(1_500);
    expect(within(66, 76)).toBeGreaterThan(within(88, 98));
  });

  test('everybody comes once, and all clients of an agent at one moment', () => {
    const plan = { filers: 1_000, agents: 7, clients: 30, seconds: 10 };
    const { order, dueMs } = arrivals(plan);
    expect(order.length).toBe(1_210);
    expect(new Set(order).size).toBe(1_210);
    const due = [...order].map((number) => dueMs[number] as number);
    expect(due).toEqual(due.toSorted((a, b) => a - b));
    for (let agent = 0; agent < plan.agents; agent++) {
      const first = plan.filers + agent * plan.clients;
      expect(new Set(dueMs.slice(first, first + plan.clients)).size).toBe(1);
    }
  });
});
