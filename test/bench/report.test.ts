import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { BenchResult, Figure } from '../../bench/figure.ts';
import { repeatText, resultFile, resultText } from '../../bench/report/files.ts';
import { reportPage } from '../../bench/report/page.ts';
import { figuresSource, withFigures } from '../../bench/report/readme.ts';
import { readResults, type SetResult, sectionsOf } from '../../bench/report/results.ts';
import { linear, logarithmic, percentiles } from '../../bench/report/scale.ts';
import { figureCells, number, verdictText } from '../../bench/report/words.ts';
import { runSet } from '../../bench/set.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const PATIENCE_MS = 180_000;

const MACHINE = {
  cores: 2,
  cpu: 'Some <Processor>',
  memoryBytes: 24 * 1024 ** 3,
  node: 'v20.20.2',
  postgres: '18.4',
  loadBefore: 0.5,
  verifyUs: 134,
};
const RATE = { name: 'filings/s', unit: '/s', better: 'more', goal: 10_000, atLeast: 7_000 } as const;

function result(filingsPerSecond: number, p99 = 20): BenchResult {
  return {
    bench: 'single',
    commit: '0123456789',
    at: '2026-11-23T01:02:03.000Z',
    machine: MACHINE,
    command: 'npm run bench -- single --seed "<a> & b"',
    figures: [
      { ...RATE, value: filingsPerSecond, scaled: filingsPerSecond * 2 },
      { name: 'latency p99 | half', value: p99, unit: 'ms', better: 'less', goal: 25 },
      { name: 'latency p50', value: 3, unit: 'ms', better: 'less' },
    ],
    series: [
      { name: 'answers', unit: '/s', points: [0, 1, 2].map((second) => [second, filingsPerSecond + second] as const) },
      { name: 'latency p50', unit: 'ms', points: [0, 1, 2].map((second) => [second, 3] as const) },
    ],
    distributions: [{ name: 'closed loop', points: [0, 50, 99, 100].map((each) => [each, 1 + each / 10] as const) }],
    bars: [
      {
        title: 'CPU a filing',
        unit: 'µs',
        bars: [
          {
            name: 'gateway <own>',
            parts: [
              { name: 'gateway', value: 300 },
              { name: 'PostgreSQL', value: 40 },
            ],
            spread: [330, 350],
          },
        ],
      },
    ],
  };
}

const READING = { results: [result(6_000), result(8_000, 30), result(7_000)], failures: [] };

function folder(): string {
  const made = mkdtempSync(path.join(os.tmpdir(), 'shenbao-report-'));
  onTestFinished(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

describe('results', () => {
  test('of the same command are rounds of one measurement: median, smallest and largest', () => {
    const [section, ...others] = sectionsOf(READING.results);
    expect(others).toEqual([]);
    expect(section?.figures.map(({ value, spread, scaled }) => [value, spread, scaled])).toEqual([
      [7_000, [6_000, 8_000], 14_000],
      [20, [20, 30], undefined],
      [3, [3, 3], undefined],
    ]);
    expect(section?.bars[0]?.bars[0]).toMatchObject({
      parts: [{ value: 300 }, { value: 40 }],
      spread: [330, 350],
    });
  });

  test('of other commands stand by themselves, as they are', () => {
    const other = { ...result(1), command: 'npm run bench -- single' };
    expect(sectionsOf([...READING.results, other])[1]?.figures).toEqual(other.figures);
  });

  test('come back from their files as they were, of one bench and of a set', async () => {
    const files = ['one.json', 'set.json'].map((name) => path.join(folder(), name));
    const failures = [{ command: 'npm run bench -- bulk', text: 'lost' }];
    const { commit, at } = result(1);
    const set: SetResult = { bench: 'standard', commit, at, machine: MACHINE, results: READING.results, failures };
    writeFileSync(files[0] as string, resultText(result(9)));
    writeFileSync(files[1] as string, resultText(set));
    expect(await readResults(files)).toEqual({ results: [result(9), ...READING.results], failures });
    expect(readFileSync(files[0] as string, 'utf8')).toContain('[2, 11]');
  });

  test.each(['{}', 'null', '[]', '{"results":[{}],"failures":[]}'])('are not read from %s', async (text) => {
    const file = path.join(folder(), 'other.json');
    writeFileSync(file, text);
    await expect(readResults([file])).rejects.toThrow('not the result of a bench');
  });

  test('in a row are kept one by one', () => {
    const kept = folder();
    const next = (): string => resultFile(result(1), '-single', kept);
    expect(path.basename(next())).toBe('2026-11-23-0123456789-single.json');
    writeFileSync(next(), '');
    expect(path.basename(next())).toBe('2026-11-23-0123456789-single-2.json');
  });

  test('say what to type to get them again', () => {
    const args = ['single', '--seconds', '5', '--json', '/somewhere/x.json', '--save', '--seed', 'a b'];
    expect(repeatText(args)).toBe('npm run bench -- single --seconds 5 --seed "a b"');
  });
});

test.each<[Figure, string]>([
  [{ ...RATE, value: 10_000 }, 'met'],
  [{ ...RATE, value: 7_000 }, 'acceptable'],
  [{ ...RATE, value: 6_999, scaled: 9_000 }, 'missed; acceptable when scaled'],
  [{ ...RATE, value: 6_999, scaled: 6_999 }, 'missed'],
  [{ name: 'p99', value: 25, unit: 'ms', better: 'less', goal: 25 }, 'met'],
  [{ name: 'p99', value: 26, unit: 'ms', better: 'less', goal: 25 }, 'missed'],
  [{ name: 'growth', value: 1.2, unit: '×', better: 'less', goal: 1.15, atLeast: 1.25 }, 'acceptable'],
  [{ name: 'p99', value: 26, unit: 'ms', better: 'less' }, ''],
])('%o is %s', (figure, verdict) => {
  expect(verdictText(figure)).toBe(verdict);
});

test('figures are told in their unit, with what is wanted', () => {
  expect(figureCells({ ...RATE, value: 8_123.4, scaled: 9_000, spread: [8_000, 8_200] })).toEqual([
    'filings/s',
    '8,123/s',
    '8,000–8,200',
    '9,000/s',
    '10,000/s (at least 7,000/s)',
  ]);
  expect([0.123, 9.87, 12.34, 1_234.5, 67].map(number)).toEqual(['0.12', '9.87', '12.3', '1,235', '67']);
});

describe('an axis', () => {
  const size = fc.double({ min: 1e-3, max: 1e9, noNaN: true });

  test('has round steps from 0 past the largest value, and keeps order', () => {
    fc.assert(
      fc.property(size, size, (most, value) => {
        const { ticks, at } = linear(most, 0, 100);
        const last = ticks.at(-1)?.value ?? 0;
        expect(last).toBeGreaterThanOrEqual(most * (1 - 1e-9));
        expect(ticks.length).toBeGreaterThan(1);
        expect(ticks.length).toBeLessThan(8);
        expect(at(last)).toBeCloseTo(100, 6);
        expect(at(value) < at(value * 2)).toBe(true);
      }),
    );
  });

  test('of powers of ten has everything between its ends', () => {
    fc.assert(
      fc.property(size, size, (a, b) => {
        const { at } = logarithmic(Math.min(a, b), Math.max(a, b), 0, 100);
        for (const value of [a, b]) {
          expect(at(value)).toBeGreaterThanOrEqual(-1e-6);
          expect(at(value)).toBeLessThanOrEqual(100 + 1e-6);
        }
      }),
    );
  });

  test('of percentiles gives each further nine as much room', () => {
    const { at } = percentiles(0, 430);
    expect([0, 90, 99, 99.9, 99.99, 100].map((each) => Math.round(at(each)))).toEqual([0, 100, 200, 300, 400, 430]);
  });
});

describe('the page', () => {
  const failures = [{ command: 'npm run bench -- bulk', text: '1 < 2 rows' }];
  const page = reportPage({ ...READING, failures });

  test('needs nothing beside itself', () => {
    expect(page).not.toMatch(/<script|<link|<img|<iframe|\bsrc=|\bhref=|url\(|@import|https?:/i);
    expect(page).toMatch(/^<!doctype html>/);
  });

  test('tells every figure, every failure and the machine', () => {
    for (const text of [
      '7,000/s',
      '6,000–8,000',
      'acceptable',
      'latency p99 | half',
      '20 ms',
      'Node 20.20.2, PostgreSQL 18.4',
    ])
      expect(page).toContain(text);
    expect(page).toContain('1 &#60; 2 rows');
    expect(page).toContain('Some &#60;Processor&#62;');
    expect(page).not.toContain('<own>');
    expect(reportPage(READING)).not.toContain('Runs that failed');
  });

  test('draws a line for each run, and bars by their parts, inside their frames', () => {
    // Answers, latency over the seconds and by percentile; bars.
    expect(page.match(/<svg/g)).toHaveLength(4);
    expect(page.match(/class="line /g)).toHaveLength(9);
    expect(page.match(/class="bar /g)).toHaveLength(2);
    for (const [, d] of page.matchAll(/class="line [^"]*" d="([^"]*)"/g)) {
      const numbers = (d ?? '').split(/[ML ]/).filter(Boolean).map(Number);
      expect(numbers.filter((each) => !(each >= 0 && each <= 520))).toEqual([]);
    }
  });

  test('puts what has one unit in one plot when there was one run', () => {
    const one = reportPage({ results: [result(5)], failures: [] });
    expect(one.match(/class="line /g)).toHaveLength(3);
  });
});

describe('the README', () => {
  const text = 'Before.\n\n<!-- figures of: -->\nold\n<!-- figures end -->\n\nAfter.\n';
  const written = withFigures(text, ['bench/results/a.json'], READING);

  test('gets figures that have a goal, machine, date, versions and command, in their place', () => {
    expect(written).toMatch(/^Before\.\n\n<!-- figures of: bench\/results\/a\.json -->\n/);
    expect(written).toMatch(/\n<!-- figures end -->\n\nAfter\.\n$/);
    expect(written).toContain(
      '| filings/s | 7,000/s | 6,000–8,000 | 14,000/s | 10,000/s (at least 7,000/s) | acceptable; met when scaled |',
    );
    expect(written).toContain('| latency p99 \\| half | 20 ms |');
    expect(written).not.toContain('latency p50');
    expect(written).toContain(
      '2026-11-23 at `0123456789`: 2 cores, Some <Processor>, 24 GiB, Node 20.20.2, PostgreSQL 18.4',
    );
    expect(written).toContain('134 µs');
    expect(written).toContain('npm run bench -- single --seed "<a> & b"    # 3 times');
    expect(written).not.toContain('old');
  });

  test('can be written again from what it says itself', () => {
    expect(figuresSource(written)).toEqual(['bench/results/a.json']);
    expect(withFigures(written, figuresSource(written) ?? [], READING)).toBe(written);
    expect(() => withFigures('no place', [], READING)).toThrow('no place for figures');
  });

  test('says what its results say', async () => {
    const readme = readFileSync(path.join(root, 'README.md'), 'utf8');
    const files = figuresSource(readme);
    expect(files).toBeDefined();
    if (files === undefined || files.length === 0) return;
    expect(withFigures(readme, files, await readResults(files.map((file) => path.join(root, file))))).toBe(readme);
  });
});

test('a run that fails is told and hides no other', { timeout: PATIENCE_MS }, async () => {
  const small = '--rounds 1 --seconds 1 --lines 40 --only psb.lodging';
  const steps: string[] = [];
  const set = await runSet(
    'short',
    [
      { bench: 'validate', options: '--only tax.poll' },
      { bench: 'validate', options: small, times: 1 },
    ],
    (step) => steps.push(step),
  );
  const command = `npm run bench -- validate ${small}`;
  expect(set.results.map((each) => [each.bench, each.command])).toEqual([['validate', command]]);
  expect(set.failures).toEqual([
    {
      command: 'npm run bench -- validate --only tax.poll',
      text: expect.stringMatching(/no type tax.poll[\s\S]*exit code 2/),
    },
  ]);
  expect(steps).toContain('2 of 2, validate (1 of 1)');
  expect(reportPage(set)).toContain('psb.lodging');
});
