import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePort } from '../support/gateway.ts';
import { keepOutput } from '../support/output.ts';
import { PackageCopy } from '../support/package-copy.ts';

const PATIENCE_MS = 240_000;

let copy: PackageCopy;
let environment: Record<string, string>;
let url: string;
let gateway: ChildProcess | undefined;

beforeAll(async () => {
  copy = new PackageCopy();
  const port = String(await freePort());
  url = `http://127.0.0.1:${port}`;
  const { PATH = '', HOME = '' } = process.env;
  environment = { PATH, HOME, LANG: 'C', PORT: port, SHENBAO_GATEWAY: url };
});

afterAll(async () => {
  if (gateway?.pid !== undefined && gateway.exitCode === null) {
    const ended = new Promise((resolve) => gateway?.once('exit', resolve));
    gateway.kill('SIGTERM');
    await ended;
  }
  copy?.remove();
});

/** The shell blocks of the page, in order. */
function blocks(): string[] {
  const text = readFileSync(copy.path('docs', 'filing-types.md'), 'utf8');
  return [...text.matchAll(/^```sh\n(.*?)^```/gms)].map((match) =>
    (match[1] ?? '').replaceAll('http://127.0.0.1:8787', url),
  );
}

/** What a reader's terminal shows of one block. `npx` here is the program that npm would find. */
function run(block: string): string {
  const npx = `npx() { shift; "${process.execPath}" "${copy.path('dist', 'cli', 'main.js')}" "$@"; }`;
  const result = spawnSync('bash', ['-c', `set -eu\n${npx}\n${block}`], {
    cwd: copy.folder,
    env: environment,
    encoding: 'utf8',
    timeout: PATIENCE_MS,
  });
  expect(result.status, `${block}\n${result.stdout}${result.stderr}`).toBe(0);
  return result.stdout;
}

/** `npm start` in the reader's other terminal. */
async function start(command: string): Promise<void> {
  // In place of the shell, so that it is the process that the test stops.
  const child = spawn('bash', ['-c', `exec ${command}`], { cwd: copy.folder, env: environment, stdio: 'pipe' });
  gateway = child;
  keepOutput('gateway', child.stdout, child.stderr);
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  const deadline = performance.now() + PATIENCE_MS;
  while (performance.now() < deadline) {
    if (child.exitCode !== null) throw new Error(`${command} ended: ${output}`);
    const answer = await fetch(`${url}/readyz`).catch(() => undefined);
    await answer?.body?.cancel();
    if (answer?.ok === true) return;
    await sleep(100);
  }
  throw new Error(`${command} did not get ready: ${output}`);
}

test('the page is followed literally: a type is added, filed, changed and reloaded', {
  timeout: 1_200_000,
}, async () => {
  const shown: string[] = [];
  for (const block of blocks()) {
    if (block === 'npm start\n') await start('npm start');
    else shown.push(run(block));
  }
  const [, checked = '', filed = '', ...later] = shown;
  const reloaded = later.at(-1) ?? '';
  expect(checked).toContain('city.waste 2026-01: ');
  expect(filed).toContain('53501000000.0: the receipt is valid');
  expect(filed).toContain('accepted');
  expect(readdirSync(copy.path('pulled')).some((name) => name.endsWith('.ndjson'))).toBe(true);
  expect(readFileSync(copy.path('rules.html'), 'utf8')).toContain('id="WASTE-FEE"');
  expect(later.join('')).toContain('city.waste 2026-07: ');
  const rules = JSON.parse(readFileSync(copy.path('rules.json'), 'utf8')) as {
    constants: { feePerTonne: { value: number } };
  };
  expect(rules.constants.feePerTonne.value).toBe(13_000);
  expect(reloaded).toContain('53501000000.1');
  expect(reloaded).toContain('nothing has changed');
});
