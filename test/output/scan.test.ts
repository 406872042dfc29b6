import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { example, lodging } from '../support/filer.ts';
import { scanOutput } from '../support/output-scan.ts';
import { leavesOf } from '../support/submitted-values.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'shenbao-output-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const print = (name: string, text: string): void => writeFileSync(path.join(folder, name), text);
const submit = (document: unknown): void =>
  print(
    '1.submitted',
    leavesOf(document)
      .map((leaf) => `${JSON.stringify(leaf)}\n`)
      .join(''),
  );

describe('what must never be printed', () => {
  test('names, numbers, references and amounts of a filing count; ids, codes and days do not', () => {
    const fields = new Map(leavesOf(lodging()).map(({ field, value }) => [field, value]));
    expect([...fields.keys()]).toEqual(expect.arrayContaining(['reference', 'data.guest.idNumber', 'data.guest.name']));
    for (const field of fields.keys()) expect(field).not.toMatch(/^(filer|type|version|period|kind|office)/);
    const amounts = leavesOf(example('tax/vat-general')).filter(({ value }) => /^\d+$/.test(value));
    expect(amounts.length).toBeGreaterThan(5);
  });

  test.each([
    ['a name in a log', '{"level":30,"msg":"filed by 王小示例"}\n', { data: { name: '王小示例' } }, 'data.name'],
    ['an amount in a log', '{"level":30,"amount":7312345}\n', { data: { due: 7_312_345 } }, 'data.due'],
    ['a reference in colours', '\u001b[31mR-2026-\u001b[0m00777 failed\n', { reference: 'R-2026-00777' }, 'reference'],
    ['a name as a label of a metric', 'shenbao_x{who="A. N. Other"} 1\n', { name: 'A. N. Other' }, 'name'],
  ])('%s is found, by file, line and member', (_, text, document, field) => {
    submit(document);
    print('gateway-1.out', `started\n${text}`);
    print('gateway-2.out', 'started\n');
    expect(scanOutput(folder).leaks).toEqual([{ file: 'gateway-1.out', line: 2, field }]);
  });

  test('a value of an example that is shipped needs no one to register it', () => {
    const { guest } = lodging().data as { guest: { idNumber: string } };
    print('cli-1.out', `${guest.idNumber}\n`);
    expect(scanOutput(folder).leaks).toMatchObject([{ line: 1 }]);
  });

  test('a number within another one, or counted by the gateway itself, is none', () => {
    submit({ data: { due: 7_312_345 } });
    print('gateway-1.out', 'x-7312345 97312345 7312345e1 a7312345\nprocess_resident_memory_bytes 7312345\n');
    expect(scanOutput(folder).leaks).toEqual([]);
  });
});

test('the program of the test command fails by naming the place, not the value, and when nothing was kept', () => {
  const run = () =>
    spawnSync(process.execPath, ['--import', 'tsx', 'test/support/output-scan-program.ts', folder], {
      encoding: 'utf8',
    });
  expect(run().status).toBe(1);
  print('gateway-1.out', 'started\n');
  expect(run()).toMatchObject({ status: 0, stderr: '' });
  submit({ data: { address: '鼓楼区示例路 1 号' } });
  print('gateway-1.out', 'started\n鼓楼区示例路 1 号\n');
  const { status, stdout, stderr } = run();
  expect([status, stderr.trim()]).toEqual([1, 'gateway-1.out:2 prints what was submitted as data.address']);
  expect(stdout).not.toContain('鼓楼区');
});
