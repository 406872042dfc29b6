import { afterAll, beforeAll, expect, test } from 'vitest';
import { type AuditWorld, auditWorld, createAuditWorld, placesOf } from './world.ts';

let world: AuditWorld;
beforeAll(async () => {
  world = await createAuditWorld();
});
afterAll(() => world?.drop());

test('a sound database audits clean, with every form of filing, and with the filers’ signatures', async () => {
  for (const signatures of [false, true]) {
    const { findings, filings, isWhole } = await auditWorld(world, { signatures });
    expect(findings).toEqual([]);
    expect(placesOf(findings)).toEqual([]);
    expect({ filings, isWhole }).toEqual({ filings: world.filings, isWhole: true });
  }
});
