import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Gateway, ROOT, temporaryFolder } from './support.ts';

let gateway: Gateway;

beforeAll(async () => {
  gateway = await Gateway.start();
}, 120_000);
afterAll(() => gateway?.stop());

/** A folder that looks like the checkout to the examples, with this test's gateway in it. */
function reader(): string {
  const folder = temporaryFolder();
  mkdirSync(path.join(folder, 'node_modules'));
  symlinkSync(ROOT, path.join(folder, 'node_modules', 'shenbao'));
  symlinkSync(path.join(ROOT, 'schemas'), path.join(folder, 'schemas'));
  symlinkSync(gateway.dataDir, path.join(folder, '.data'));
  return folder;
}

/** The code of a page's blocks in one language, in order. */
function blocks(page: string, language: string): string {
  const text = readFileSync(path.join(ROOT, 'docs', page), 'utf8');
  const found = [...text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map((match) => match[1]);
  expect(found.length).toBeGreaterThan(2);
  return found.join('\n').replaceAll('http://127.0.0.1:8787', gateway.url);
}

test('the examples of the SDK’s page run as they stand', () => {
  const folder = reader();
  writeFileSync(path.join(folder, 'page.mjs'), blocks('sdk.md', 'js'));
  const run = spawnSync(process.execPath, ['page.mjs'], { cwd: folder, encoding: 'utf8', timeout: 240_000 });
  expect(run).toMatchObject({ status: 0, stderr: '' });
  expect(run.stdout).toMatch(/13501000000\.0 (had been )?filed/);
  expect(run.stdout).not.toMatch(/✗/);
}, 300_000);

test('the examples of the command line’s page run as they stand', () => {
  const folder = reader();
  const npx = `npx() { shift; "${process.execPath}" "${path.join(ROOT, 'dist', 'cli', 'main.js')}" "$@"; }`;
  const script = `set -eu\nexport LANG=C SHENBAO_GATEWAY=${gateway.url}\n${npx}\n${blocks('cli.md', 'sh')}`;
  const run = spawnSync('bash', ['-c', script], { cwd: folder, encoding: 'utf8', timeout: 240_000 });
  expect(run).toMatchObject({ status: 0, stderr: '' });
  expect(run.stdout).toMatch(/13501000000\.0: the receipt is valid/);
  expect(run.stdout).toMatch(/none missing/);
  expect(run.stdout).toMatch(/1 lines imported, 0 refused/);
}, 300_000);
