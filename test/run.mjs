// What `npm test` runs: types, lint, unused code, schemas, then all tests. Every step runs whatever the others say; the
// last line counts tests, and counts each other step that failed as one failure more. Arguments go to vitest.
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const inRoot = (...parts) => path.join(root, ...parts);

/** Runs one step with its output shown; true when it succeeded. */
function run(name, args) {
  console.log(`\n— ${name}`);
  const { status, signal, error } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
  if (status === 0) return true;
  console.error(`${name}: ${error?.message ?? signal ?? `exit code ${status}`}`);
  return false;
}

/** The program that a package declares, run by this Node: `node_modules/.bin` differs by platform. */
function program(packageName, name = packageName) {
  const { bin } = JSON.parse(fs.readFileSync(inRoot('node_modules', packageName, 'package.json'), 'utf8'));
  return inRoot('node_modules', packageName, typeof bin === 'string' ? bin : bin[name]);
}

/** Steps beside the tests: a name and how to run it. */
function checks() {
  const { scripts } = JSON.parse(fs.readFileSync(inRoot('package.json'), 'utf8'));
  const list = [
    ['types', () => run('types', [program('typescript', 'tsc'), '--noEmit'])],
    ['lint', () => run('lint', [program('@biomejs/biome', 'biome'), 'check', '.'])],
    ['unused code', () => run('unused code', [program('knip')])],
  ];
  if (scripts['schemas:check'] !== undefined) {
    const npm = process.env.npm_execpath;
    if (npm === undefined) throw new Error('run this through npm: npm test');
    list.push(['schemas', () => run('schemas', [npm, 'run', '--silent', 'schemas:check'])]);
  }
  return list;
}

const DRAIN_MS = 5_000;

/** The same, with what it prints kept in a file too. */
async function runKept(name, args, file) {
  console.log(`\n— ${name}`);
  const kept = fs.createWriteStream(file);
  // Through a pipe, vitest would leave the colours out.
  const colours = process.stdout.isTTY ? { FORCE_COLOR: '1' } : {};
  const env = { ...process.env, ...colours, TEST_OUTPUT_DIR: path.dirname(file) };
  const child = spawn(process.execPath, args, { cwd: root, env, stdio: ['inherit', 'pipe', 'pipe'] });
  for (const [stream, shown] of [
    [child.stdout, process.stdout],
    [child.stderr, process.stderr],
  ])
    stream.on('data', (chunk) => {
      shown.write(chunk);
      kept.write(chunk);
    });
  const closed = new Promise((resolve) => child.once('close', resolve));
  const [status, signal] = await new Promise((resolve) => child.once('exit', (...ended) => resolve(ended)));
  // What was started and never ended would hold the pipe open for ever.
  await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, DRAIN_MS).unref())]);
  await new Promise((resolve) => kept.end(resolve));
  if (status !== 0) console.error(`${name}: ${signal ?? `exit code ${status}`}`);
  return status === 0;
}

/** Runs all tests. What vitest's report does not show as a failed test, but its exit code does, is a failure too. */
async function runTests() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'shenbao-report-'));
  const report = path.join(folder, 'report.json');
  try {
    const args = [
      program('vitest'),
      'run',
      '--config',
      inRoot('test', 'vitest.config.ts'),
      '--reporter=default',
      '--reporter=json',
    ];
    const all = [...args, `--outputFile.json=${report}`, ...process.argv.slice(2)];
    const succeeded = await runKept('tests', all, path.join(folder, 'vitest.out'));
    // A test that fails shows values; it has failed already.
    if (!succeeded) fs.rmSync(path.join(folder, 'vitest.out'));
    const scan = ['--import', 'tsx', inRoot('test', 'support', 'output-scan-program.ts'), folder];
    if (!run('values in output', scan)) failedChecks.push('values in output');
    const found = fs.existsSync(report) ? JSON.parse(fs.readFileSync(report, 'utf8')) : undefined;
    tellFailures(found);
    return count(found, succeeded);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

/** Once more at the end, where whoever reads the last lines of a long log finds them. */
function tellFailures(report) {
  for (const { name, message, assertionResults } of report?.testResults ?? []) {
    const failed = assertionResults.filter((each) => each.status === 'failed');
    const where = path.relative(root, name);
    if (failed.length === 0 && message) console.error(`\nFAILED ${where}\n${message}`);
    for (const { fullName, failureMessages } of failed)
      console.error(`\nFAILED ${where}: ${fullName}\n${failureMessages.join('\n').slice(0, MAX_FAILURE_TEXT)}`);
  }
}

const MAX_FAILURE_TEXT = 2_000;

function count(report, succeeded) {
  if (report === undefined) return { passed: 0, failed: 1, skipped: 0 };
  const brokenFiles = report.testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && !assertionResults.some((each) => each.status === 'failed'),
  ).length;
  const failed = report.numFailedTests + brokenFiles;
  const isSilentFailure = failed === 0 && (!succeeded || !report.success || report.numPassedTests === 0);
  return {
    passed: report.numPassedTests,
    failed: isSilentFailure ? 1 : failed,
    skipped: report.numPendingTests + report.numTodoTests,
  };
}

const failedChecks = checks()
  .filter(([, check]) => !check())
  .map(([name]) => name);
const { passed, failed, skipped } = await runTests();
if (failedChecks.length > 0) console.error(`\nfailed: ${failedChecks.join(', ')}`);
const total = failed + failedChecks.length;
console.log(`\n${passed} passed, ${total} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
process.exitCode = total === 0 ? 0 : 1;
