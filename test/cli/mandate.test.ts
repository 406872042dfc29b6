import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Gateway, jsonLines, run, start, temporaryFolder } from './support.ts';

let gateway: Gateway;

beforeAll(async () => {
  gateway = await Gateway.start();
}, 120_000);
afterAll(() => gateway?.stop());

const cli = (name: string, ...args: readonly string[]) =>
  start(['mandate', ...args, '--key', gateway.keyFile(name), '--gateway', gateway.url]).result;
const terms = (...more: readonly string[]): string[] => [
  '--agent',
  gateway.key('agent').sub ?? '',
  '--types',
  'tax.*, si.contribution',
  ...more,
];

test('a filer signs a mandate, its agent sends it, both see it, the filer takes it back', async () => {
  const file = path.join(temporaryFolder(), 'mandate.jws');
  const signed = await cli('filer', 'sign', 'books', ...terms('--from', '2026-01-01', '--out', file));
  expect(signed).toMatchObject({ code: 0, stdout: `${file}\n` });
  expect(await cli('filer', 'sign', 'books', ...terms('--out', file))).toMatchObject({ code: 2 });
  const sent = await start(['mandate', 'send', file, '--gateway', gateway.url]).result;
  expect(sent).toMatchObject({ code: 0, stdout: expect.stringMatching(/^books: \w{18} → \w{18}$/m) });
  const [shown] = jsonLines(await cli('agent', 'show', 'books', '--json'));
  expect(shown).toMatchObject({ types: ['tax.*', 'si.contribution'], jws: readFileSync(file, 'utf8') });
  expect((await cli('office-tax', 'show', 'books')).code).toBe(1);
  const [ended] = jsonLines(await cli('filer', 'end', 'books', '--json'));
  expect(ended).toMatchObject({ from: '2026-01-01', to: expect.stringMatching(/^20\d\d-\d\d-\d\d$/) });
  expect((await cli('filer', 'send', file)).code).toBe(1);
});

test('a mandate in one step, taken back at once; without an id it gets one', async () => {
  const given = await cli('filer', 'give', ...terms('--lang', 'zh'));
  expect(given).toMatchObject({ code: 0, stdout: expect.stringMatching(/申报人签名于/) });
  const id = given.stdout.split(':')[0] ?? '';
  expect(id).toMatch(/^[0-9a-f-]{36}$/);
  const [ended] = jsonLines(await cli('filer', 'end', id, '--json'));
  expect(ended?.from).toBe(ended?.to);
});

test('usage', async () => {
  expect(await run('mandate', 'steal', 'x')).toMatchObject({ code: 2, stderr: expect.stringMatching(/is one of/) });
  expect(await run('mandate', 'show', 'x')).toMatchObject({ code: 2, stderr: expect.stringMatching(/needs --key/) });
  expect(await cli('filer', 'give')).toMatchObject({ code: 2, stderr: expect.stringMatching(/needs --agent/) });
  expect(await cli('filer', 'show')).toMatchObject({ code: 2, stderr: expect.stringMatching(/which mandate/) });
  expect(await cli('filer', 'send')).toMatchObject({ code: 2, stderr: expect.stringMatching(/which file/) });
});
