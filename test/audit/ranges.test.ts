import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Finding } from '../../src/audit/findings.ts';
import { GatewayKeySet } from '../../src/audit/gateway-keys.ts';
import { OfficeAudit, type OfficeState } from '../../src/audit/office.ts';
import { auditRange, type RangeResult, type RangeTask } from '../../src/audit/range.ts';
import { readLogFacts, readSnapshot } from '../../src/storage/audit.ts';
import { type AuditWorld, createAuditWorld, MAIN } from './world.ts';

const RANGE = 256;

let world: AuditWorld;
beforeAll(async () => {
  world = await createAuditWorld();
});
afterAll(() => world?.drop());

/** The ranges of an office as threads may bring them, whichever needs longest. */
async function auditInOrder(order: (ranges: number) => readonly number[]) {
  const { database } = world;
  return await readSnapshot(database.address, undefined, async (tx) => {
    const findings: Finding[] = [];
    const states: OfficeState[] = [];
    const report = (found: Finding): void => void findings.push(found);
    const facts = (await readLogFacts(tx)).find(({ office }) => office === MAIN);
    if (facts === undefined) throw new Error('no such office');
    const keys = await GatewayKeySet.read(tx, report);
    const onState = (_: string, state: OfficeState): void => void states.push(state);
    const office = new OfficeAudit({ tx, keys, report, lanes: database.lanes, onState, rangeFilings: RANGE }, facts);
    const done: { task: RangeTask; result: RangeResult }[] = [];
    const ctx = { tx, env: 'sandbox', lanes: database.lanes, signatures: false, report, onRows: () => {} };
    for await (const task of office.tasks()) done.push({ task, result: await auditRange(ctx, task) });
    const accepted = order(done.length).map(async (i) => {
      const { task, result } = done[i] as (typeof done)[number];
      await office.accept(task, result);
    });
    await Promise.all(accepted);
    return { findings, states, ranges: done.map(({ task }) => task) };
  });
}

test.each([
  { name: 'one after the other', order: (ranges: number) => Array.from({ length: ranges }, (_, i) => i) },
  { name: 'the last one first', order: (ranges: number) => Array.from({ length: ranges }, (_, i) => ranges - 1 - i) },
])('ranges of a log are put together in their order when they come $name', async ({ order }) => {
  const { findings, states, ranges } = await auditInOrder(order);
  expect(ranges.length).toBeGreaterThan(1);
  expect(findings).toEqual([]);
  expect(states.map(({ next }) => next)).toEqual(ranges.map(({ to }) => to));
  expect(states.map(({ isDone }) => isDone)).toEqual(ranges.map((_, i) => i === ranges.length - 1));
});
