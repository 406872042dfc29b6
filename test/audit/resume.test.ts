import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type AuditOptions, audit } from '../../src/audit/audit.ts';
import type { Finding } from '../../src/audit/findings.ts';
import { systemClock } from '../../src/std/clock.ts';
import { StartError } from '../../src/std/start-error.ts';
import { Mender } from './damage.ts';
import { type AuditWorld, createAuditWorld, EMPTY, MAIN, placesOf, SECOND } from './world.ts';

let world: AuditWorld;
let mender: Mender;
const folder = mkdtempSync(path.join(os.tmpdir(), 'shenbao-audit-state-'));
const stateFile = path.join(folder, 'audit.state');
beforeAll(async () => {
  world = await createAuditWorld();
  mender = await Mender.of(world.database);
});
afterEach(async () => {
  rmSync(stateFile, { force: true });
  await mender.mend();
});
afterAll(async () => {
  await world?.drop();
  rmSync(folder, { recursive: true, force: true });
});

interface Run {
  readonly findings: Finding[];
  readonly resumed: unknown[];
  readonly filings: number;
  readonly isWhole: boolean;
}

async function run(changes: Partial<AuditOptions> = {}): Promise<Run> {
  const findings: Finding[] = [];
  const resumed: unknown[] = [];
  const { filings, isWhole } = await audit({
    address: world.database.address,
    clock: systemClock,
    signatures: false,
    threads: 0,
    stateFile,
    onFinding: (found) => findings.push(found),
    onProgress: () => {},
    onResume: (before) => resumed.push(before),
    ...changes,
  });
  return { findings, resumed, filings, isWhole };
}

/** An audit that is broken off when it has looked at the filings of so many offices. */
async function interrupted(offices: number): Promise<Run> {
  const abort = new AbortController();
  let ended = 0;
  // Each of the three offices is one range; progress is told at the end of each.
  return await run({ signal: abort.signal, onProgress: () => void (++ended >= offices && abort.abort()) });
}

test('an interrupted audit goes on where it was, and says what it had found', async () => {
  await mender.damage(
    `UPDATE filing SET salt = set_bit(salt, 1, 1 - get_bit(salt, 1)) WHERE office IN ('${MAIN}', '${SECOND}') AND idx = 3`,
  );
  const first = await interrupted(1);
  expect([first.isWhole, placesOf(first.findings)]).toEqual([false, [`leaf ${MAIN}.3`]]);
  expect(first.filings).toBeLessThan(world.filings);
  const second = await run();
  expect(second.resumed).toEqual([{ startedAt: expect.any(String), filings: first.filings, found: 1 }]);
  expect(placesOf(second.findings)).toEqual([`leaf ${MAIN}.3`, `leaf ${SECOND}.3`]);
  expect([second.isWhole, first.filings + second.filings]).toEqual([true, world.filings]);
  // Done: the next one begins anew.
  const third = await run();
  expect([third.resumed, third.filings]).toEqual([[], world.filings]);
});

test('a state of another database, of other options, of other data or of nothing is refused', async () => {
  await interrupted(1);
  const text = readFileSync(stateFile, 'utf8');
  const state = JSON.parse(text) as { scope: object; offices: Record<string, { lastLeaf: string }> };
  await expect(run({ signatures: true })).rejects.toThrow(StartError);
  await expect(run({ offices: [SECOND] })).rejects.toThrow(StartError);
  const wrong = [
    { ...state, scope: { ...state.scope, database: 'another' } },
    {
      ...state,
      offices: { ...state.offices, [MAIN]: { ...state.offices[MAIN], lastLeaf: Buffer.alloc(32).toString('base64') } },
    },
    { ...state, offices: { ...state.offices, gone: state.offices[MAIN] } },
    { ...state, format: 0 },
  ];
  for (const each of wrong) {
    writeFileSync(stateFile, JSON.stringify(each));
    await expect(run()).rejects.toThrow(StartError);
  }
  writeFileSync(stateFile, text.slice(0, 100));
  await expect(run()).rejects.toThrow(StartError);
  writeFileSync(stateFile, text);
  expect((await run()).isWhole).toBe(true);
});

test('only the offices that are asked for are looked at, and one that is not there is refused', async () => {
  await mender.damage(
    `UPDATE filing SET salt = set_bit(salt, 1, 1 - get_bit(salt, 1)) WHERE office IN ('${MAIN}', '${SECOND}') AND idx = 3`,
  );
  const { findings, filings } = await run({ offices: [SECOND, EMPTY] });
  expect(placesOf(findings)).toEqual([`leaf ${SECOND}.3`]);
  const [stored] = await world.database.db.sql<
    { count: number }[]
  >`SELECT count(*) AS count FROM filing WHERE office = ${SECOND}`;
  expect(filings).toBe(stored?.count);
  await expect(run({ offices: ['nowhere'] })).rejects.toThrow(StartError);
});
