import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TrailChain, type TrailEntry } from '../../src/client/trail.ts';
import { sha256 } from '../../src/std/bytes.ts';
import { jsonLines, type Run, run, temporaryFolder } from '../cli/support.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { freshUscc, operate } from '../support/parties.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway();
  for (let i = 0; i < 10; i++)
    await operate(gateway, 'PUT', `/v1/parties/${freshUscc()}`, { kind: 'filer', name: '甲' });
}, 120_000);
afterAll(() => gateway.remove());

const trail = (...args: string[]): Promise<Run> =>
  run('trail', '--gateway', gateway.url, '--key', path.join(gateway.dataDir, 'operator.jwk'), ...args);

const rowsIn = (file: string): TrailEntry[] =>
  readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as TrailEntry);

function expectChain(file: string): number {
  const chain = new TrailChain(sha256);
  for (const row of rowsIn(file)) chain.add(row);
  return chain.last.n;
}

test('lists rows, newest first, as a table and as JSON', async () => {
  const found = await trail('--action', 'putParty', '--result', 'done', '--max', '3', '--json');
  expect(found.code).toBe(0);
  const rows = jsonLines(found);
  expect(rows.map(({ action, result }) => `${action} ${result}`)).toEqual(Array(3).fill('putParty 201'));
  const table = await trail('--max', '4', '--lang', 'en');
  expect(table.stdout).toMatch(
    /^n +at +who +action +target +result\n\d+ +2\d{3}-.*operator operator +listTrail +- +200\n/,
  );
  expect((await trail('--party', 'nobody', '--lang', 'zh')).stdout).toBe('没有符合条件的记录\n');
});

test('exports, checks the chain, and goes on where the file ends', async () => {
  const file = path.join(temporaryFolder(), 'trail.ndjson');
  const first = await trail('--export', file, '--json');
  expect(first).toMatchObject({ code: 0 });
  const n = expectChain(file);
  expect(jsonLines(first)).toEqual([{ file, added: n, n, hash: rowsIn(file).at(-1)?.hash }]);
  // A crash in the middle of a line.
  appendFileSync(file, '{"n":');
  const second = await trail('--export', file, '--lang', 'en');
  expect(second.stdout).toMatch(/: [1-9]\d* rows added, up to row \d+; the chain holds/);
  expect(expectChain(file)).toBeGreaterThan(n);
});

test('stops at what was altered, in the file or at the gateway, and names it', async () => {
  const file = path.join(temporaryFolder(), 'trail.ndjson');
  await trail('--export', file);
  const kept = readFileSync(file, 'utf8');
  writeFileSync(file, kept.replace('"putParty"', '"getParty"'));
  const inFile = await trail('--export', file);
  expect([inFile.code, inFile.stdout]).toEqual([1, expect.stringMatching(/row \d+ does not follow/)]);
  writeFileSync(file, '{"a":1}\n');
  expect((await trail('--export', file)).code).toBe(2);

  const sql = await gateway.sql();
  const victim = 9;
  await sql`UPDATE trail SET target = 'elsewhere' WHERE n = ${victim}`;
  const fresh = path.join(temporaryFolder(), 'fresh.ndjson');
  const atGateway = await trail('--export', fresh);
  expect([atGateway.code, atGateway.stdout]).toEqual([1, expect.stringContaining(`row ${victim} does not follow`)]);
  expect(expectChain(fresh)).toBe(victim - 1);
});
