import { type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isRoot, openFolder } from '../support/embedded-checkout.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const MAIN = 'dist/cli/main.js';
const BUILD_MESSAGE = 'building';

let folder: string;
let project: string;
const at = (...parts: string[]): string => path.join(project, ...parts);
const write = (file: string, text: string): void => {
  mkdirSync(path.dirname(at(file)), { recursive: true });
  writeFileSync(at(file), text);
};

/** A project of two modules around the real `prepare.mjs`, with the real compiler. */
beforeAll(() => {
  folder = openFolder();
  project = path.join(folder, 'project');
  mkdirSync(project);
  const packages = {
    '': {},
    'node_modules/typescript': { version: '7.0.2' },
    'node_modules/other': { version: '1.0.0', optional: true },
  };
  write('package.json', '{ "name": "shenbao", "type": "module" }');
  write('package-lock.json', JSON.stringify({ packages }));
  write('tsconfig.json', readFileSync(path.join(root, 'tsconfig.json'), 'utf8').replace('["node"]', '[]'));
  write('src/tsconfig.json', readFileSync(path.join(root, 'src', 'tsconfig.json'), 'utf8'));
  write(
    'src/cli/main.ts',
    "#!/usr/bin/env node\nimport { name } from '../std/name.ts';\nexport const greeting: string = name;\n",
  );
  write('src/std/name.ts', "export const name = 'first';\n");
  cpSync(path.join(root, 'src', 'ops', 'prepare.mjs'), at('src', 'ops', 'prepare.mjs'), { recursive: true });
  mkdirSync(at('node_modules'));
  for (const name of ['typescript', '@typescript']) {
    const target = path.join(root, 'node_modules', name);
    // Copied, not linked: another user must be able to read them even when the checkout is root's alone.
    if (existsSync(target)) cpSync(target, at('node_modules', name), { recursive: true });
  }
  write(
    'node_modules/.package-lock.json',
    JSON.stringify({ packages: { 'node_modules/typescript': { version: '7.0.2' } } }),
  );
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const prepare = (...args: string[]): SpawnSyncReturns<string> =>
  spawnSync(process.execPath, [at('src', 'ops', 'prepare.mjs'), ...args], {
    cwd: '/',
    encoding: 'utf8',
    env: { PATH: process.env.PATH ?? '' },
  });

describe('preparing a checkout', () => {
  test('builds what was never built, and makes `npx shenbao` work', () => {
    const { status, stdout, stderr } = prepare();
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toContain(BUILD_MESSAGE);
    expect(readFileSync(at(MAIN), 'utf8')).toContain("'../std/name.js'");
    expect(statSync(at(MAIN)).mode & 0o111).toBe(0o111);
    expect(lstatSync(at('node_modules', '.bin', 'shenbao')).isSymbolicLink()).toBe(true);
    expect(spawnSync(at('node_modules', '.bin', 'shenbao')).status).toBe(0);
  });

  test('says and does nothing the second time, also when files only look newer', () => {
    const before = statSync(at(MAIN)).mtimeMs;
    utimesSync(at('src', 'std', 'name.ts'), 4_000_000_000, 4_000_000_000);
    const { status, stdout } = prepare();
    expect([status, stdout]).toEqual([0, '']);
    expect(statSync(at(MAIN)).mtimeMs).toBe(before);
  });

  test('builds again when a source has changed, came or went, and when told to', () => {
    write('src/std/name.ts', "export const name = 'second';\n");
    expect(prepare().stdout).toContain(BUILD_MESSAGE);
    expect(readFileSync(at('dist', 'std', 'name.js'), 'utf8')).toContain('second');
    write('src/std/more.ts', 'export const more = 1;\n');
    expect(prepare().stdout).toContain(BUILD_MESSAGE);
    rmSync(at('src', 'std', 'more.ts'));
    expect(prepare().stdout).toContain(BUILD_MESSAGE);
    expect(existsSync(at('dist', 'std', 'more.js'))).toBe(false);
    expect(prepare('--build').stdout).toContain(BUILD_MESSAGE);
  });

  test('runs the generator of the OpenAPI document after the compiler', () => {
    const lines = [
      '// @ts-nocheck: there are no types of Node here',
      "import { writeFileSync } from 'node:fs';",
      "writeFileSync(new URL('../openapi.json', import.meta.url), '{}');",
    ];
    write('src/http/openapi-build.ts', lines.join('\n'));
    expect(prepare().status).toBe(0);
    expect(readFileSync(at('dist', 'openapi.json'), 'utf8')).toBe('{}');
  });

  test('a source that does not compile stops it, and the last build stays', () => {
    write('src/std/name.ts', 'export const name: number = "wrong";\n');
    const { status, stdout, stderr } = prepare();
    expect(status).toBe(1);
    expect(stdout).toContain('name.ts');
    expect(stderr).toContain('preparation failed');
    expect(readFileSync(at('dist', 'std', 'name.js'), 'utf8')).toContain('second');
    expect(prepare().status).toBe(1);
    write('src/std/name.ts', "export const name = 'third';\n");
    expect(prepare().status).toBe(0);
  });

  test('two at once build once', async () => {
    write('src/std/name.ts', "export const name = 'fourth';\n");
    const run = (): Promise<string> =>
      new Promise((resolve) => {
        const child = spawn(process.execPath, [at('src', 'ops', 'prepare.mjs')], {
          stdio: ['ignore', 'pipe', 'inherit'],
        });
        let output = '';
        child.stdout.setEncoding('utf8').on('data', (text: string) => {
          output += text;
        });
        child.once('close', (code) => resolve(`${code} ${output}`));
      });
    const outputs = await Promise.all([run(), run()]);
    expect(outputs.filter((output) => output.startsWith('0 '))).toHaveLength(2);
    expect(outputs.filter((output) => output.includes(BUILD_MESSAGE))).toHaveLength(1);
  });

  test('the lock of a dead process does not stop it', () => {
    write('.cache/prepare.lock', '4194305');
    expect(prepare('--build').status).toBe(0);
    expect(existsSync(at('.cache', 'prepare.lock'))).toBe(false);
  });

  test('by another user than the owner: fine when all is built, a clear message when it is not', () => {
    const under = isRoot ? ['setpriv', '--reuid', 'nobody', '--regid', 'nogroup', '--clear-groups'] : [];
    const [command = '', ...args] = [...under, process.execPath, at('src', 'ops', 'prepare.mjs')];
    const readOnly = [at(), at('.cache'), at('dist')];
    for (const each of readOnly) chmodSync(each, 0o555);
    expect(spawnSync(command, args, { encoding: 'utf8' }).status).toBe(0);
    chmodSync(at('src', 'std'), 0o755);
    write('src/std/name.ts', "export const name = 'fifth';\n");
    const { status, stderr } = spawnSync(command, args, { encoding: 'utf8' });
    for (const each of readOnly) chmodSync(each, 0o755);
    expect(status).toBe(1);
    expect(stderr).toMatch(/不可写[\s\S]*is not writable/);
  });
});
