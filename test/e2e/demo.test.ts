import { spawn } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Gateway, startGateway } from '../support/gateway.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const PATIENCE_MS = 240_000;
const FEW = 12;

let gateway: Gateway;

beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(() => gateway.remove());

/** Runs the demo as `npm run demo` does. */
function demo(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, ['--import', 'tsx', path.join('bench', 'demo.ts'), ...args], { cwd: root });
  const written = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (text: string) => {
      written[name] += text;
    });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, ...written }));
  });
}

const there = (): string[] => ['--gateway', gateway.url, '--operator-key', path.join(gateway.dataDir, 'operator.jwk')];

interface TypeList {
  readonly items: readonly { readonly type: string; readonly agency: string }[];
}

test('the demo files three of every type, and everything comes out as it must', { timeout: PATIENCE_MS }, async () => {
  const ran = await demo(...there(), '--enterprises', String(FEW));
  expect(ran).toMatchObject({ code: 0, stderr: '' });
  const { items } = (await gateway.ask('GET', '/v1/filing-types')).json() as TypeList;
  expect(items.length).toBeGreaterThanOrEqual(17);
  for (const { type } of items) {
    const accepted = Number(new RegExp(`^${type} .*?  +(\\d+) `, 'm').exec(ran.stdout)?.[1]);
    expect(accepted, type).toBeGreaterThanOrEqual(3);
  }
  const samples = items.length * 3;
  expect(ran.stdout).toMatch(new RegExp(`the example of each type, by three enterprises +${samples} × accepted`));
  expect(ran.stdout).toMatch(new RegExp(`^ +${samples} +.*samples were compared`, 'm'));
  expect(ran.stdout).toContain('VAT-13-CARRIED ×3');
  expect(ran.stdout).toContain('every root equal, every receipt verified');
  // Twelve enterprises, two samples in each of three districts; every agency of the types has an office in each.
  expect(ran.stdout).toMatch(new RegExp(`^ +${FEW + 6} +企业`, 'm'));
  const offices = 3 * new Set(items.map(({ agency }) => agency)).size;
  expect(ran.stdout).toMatch(new RegExp(`^ +${offices} +机关`, 'm'));
  expect(ran.stdout.match(/[\w-]{12}… ✓$/gm)).toHaveLength(offices);
  const [{ filings } = { filings: 0 }] = await (await gateway.sql())<{ filings: number }[]>`
    SELECT count(*)::int AS filings FROM filing WHERE office LIKE '_350102%' OR office LIKE '_350103%' OR office LIKE '_350104%'`;
  expect(ran.stdout).toMatch(new RegExp(`^ +${filings} +受理`, 'm'));
});

test('a demo without a gateway or a key says what is missing', { timeout: PATIENCE_MS }, async () => {
  const nobody = await demo('--gateway', 'http://127.0.0.1:9', ...there().slice(2), '--enterprises', '1');
  expect([nobody.code, nobody.stdout]).toEqual([1, '']);
  expect(nobody.stderr).toContain('run npm start first');
  const keyless = await demo('--gateway', gateway.url, '--operator-key', '/nowhere/operator.jwk');
  expect(keyless).toMatchObject({ code: 1, stderr: expect.stringContaining('--operator-key') });
  expect(await demo('--enterprises', 'many')).toMatchObject({
    code: 2,
    stdout: expect.stringContaining('--enterprises N'),
  });
});
