import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { manyPersons, manyWithheld } from '../../bench/validate/many.ts';
import { benchValidate, type ValidateResult } from '../../bench/validate.ts';
import { buildCatalogue } from '../../src/domain/catalogue.ts';
import type { FilingPayload } from '../../src/domain/filing.ts';
import { readSchemaFiles } from '../../src/ops/schemas.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const PATIENCE_MS = 180_000;

const files = await readSchemaFiles();
const { catalogue } = buildCatalogue(files, { alreadyChecked: true });

function bench(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const program = ['--import', 'tsx', path.join('bench', 'main.ts'), ...args];
    execFile(process.execPath, program, { cwd: root }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

test('every version of every type is weighed, and the report has a line for each', {
  timeout: PATIENCE_MS,
}, async () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'shenbao-bench-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = path.join(folder, 'validate.json');
  const ran = await bench('validate', '--rounds', '1', '--seconds', '1', '--lines', '40', '--json', file);
  expect([ran.code, ran.stderr.includes('Error')]).toEqual([0, false]);
  const result = JSON.parse(readFileSync(file, 'utf8')) as ValidateResult;
  const versions = [...(catalogue?.types.values() ?? [])].flatMap(({ metadata }) =>
    metadata.versions.map(({ version }) => `${metadata.type} ${version}`),
  );
  expect(versions.length).toBeGreaterThan(17);
  const firsts = result.cases.filter(({ filing }) => filing === 'first example');
  expect(firsts.map(({ type, version }) => `${type} ${version}`).sort()).toEqual(versions.sort());
  const others = result.cases.filter((one) => !firsts.includes(one)).map(({ type, filing }) => `${type}: ${filing}`);
  expect(others).toEqual([
    'tax.vat.general: every line, no schedules',
    'tax.vat.general: every line, all schedules',
    'si.contribution: 40 persons',
    'tax.iit.withholding: 40 lines of income tax',
  ]);
  for (const { costs } of result.cases) {
    for (const cost of [costs.parse, costs.check]) {
      expect(cost?.median).toBeGreaterThan(0);
      expect(cost?.scaled).toBeCloseTo(((cost?.median ?? 0) * 67) / result.verifyUs.median, 6);
    }
  }
  for (const version of versions) expect(ran.stdout).toMatch(new RegExp(version.replace(' ', ' +')));
  expect(ran.stdout).toContain('a full VAT return, all rules');
  // A goal for 10,000 lines says nothing about 40.
  expect(ran.stdout).not.toContain('10,000 lines of income tax');
});

test('a filing that does not pass is not weighed', { timeout: PATIENCE_MS }, async () => {
  await expect(benchValidate({ rounds: 1, seconds: 1, lines: 20_000 }, () => {})).rejects.toThrow(
    /^si.contribution 20000 persons: .*10000/,
  );
});

test('a bench that does not exist, or an option of another, is a mistake in the use', {
  timeout: PATIENCE_MS,
}, async () => {
  expect(await bench('speed')).toMatchObject({ code: 2, stderr: expect.stringMatching(/called single, .*validate/) });
  expect(await bench('validate', '--only', 'tax.poll')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('no type tax.poll'),
  });
  expect(await bench('validate', '--connections', '5')).toMatchObject({ code: 2 });
  expect(await bench('validate', '--rounds', 'few')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--rounds'),
  });
});

test.each([
  ['si.contribution', 'si/contribution/2026-01/examples/valid-one-person.json', manyPersons],
  ['tax.iit.withholding', 'tax/iit-withholding/2022-01/examples/valid-month-4.json', manyWithheld],
] as const)('a long list of %s is accepted without a word, and has nobody twice', (type, file, many) => {
  const payload = many(JSON.parse(files.get(file) ?? 'null') as FilingPayload, 2_500);
  const { persons } = payload.data as { persons: readonly { idNumber: string }[] };
  expect(new Set(persons.map(({ idNumber }) => idNumber)).size).toBe(2_500);
  const version = catalogue?.types.get(type)?.resolve(undefined, payload.period);
  expect(version?.check(payload)).toEqual({ errors: [], warnings: [], more: 0 });
});
