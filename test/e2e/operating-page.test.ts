import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Gateway, startGateway } from '../support/gateway.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
let gateway: Gateway;

beforeAll(async () => {
  gateway = await startGateway();
}, 120_000);
afterAll(() => gateway?.remove());

test('the examples of what the operator sets run as they stand', async () => {
  const page = readFileSync(path.join(root, 'docs/operating.md'), 'utf8');
  const section = page.slice(page.indexOf('## Calendar, extensions'), page.indexOf('## Backup'));
  const blocks = [...section.matchAll(/^```sh\n(.*?)^```/gms)].map((match) => match[1]);
  expect(blocks).toHaveLength(4);
  const script = `set -eu\n${blocks.join('\n').replaceAll('http://127.0.0.1:8787', gateway.url)}`;
  const folder = mkdtempSync(path.join(os.tmpdir(), 'shenbao-page-'));
  try {
    symlinkSync(path.join(root, 'node_modules'), path.join(folder, 'node_modules'));
    symlinkSync(gateway.dataDir, path.join(folder, '.data'));
    const run = spawnSync('bash', ['-c', script], { cwd: folder, encoding: 'utf8', timeout: 60_000 });
    expect(run).toMatchObject({ status: 0, stderr: '' });
    expect(run.stdout).toContain('"verified":false,"off":["01-01/01-03"');
    const read = async (target: string): Promise<unknown> => (await gateway.ask('GET', target)).json();
    expect(await read('/v1/calendar/deadlines')).toMatchObject({ items: [{ id: 'si-fujian', region: '350000' }] });
    expect(await read('/v1/regions/350000/figures')).toEqual([]);
    expect((await gateway.ask('GET', '/v1/calendar/years/2027')).status).toBe(404);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
