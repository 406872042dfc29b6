import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { table } from '../src/cli/text.ts';
import { type OnProgress, UsageError } from './command.ts';
import { RESULTS, resultFile, resultText, writeText } from './report/files.ts';
import { reportPage } from './report/page.ts';
import { figuresSource, withFigures } from './report/readme.ts';
import { type Reading, readResults, sectionsOf } from './report/results.ts';
import { COLUMNS, figureCells, machineText, number, verdictText } from './report/words.ts';
import { runSet, SHORT, STANDARD } from './set.ts';

/** Of sets that are not for keeping. */
const CACHE = fileURLToPath(new URL('../.cache/bench/', import.meta.url));
const README = fileURLToPath(new URL('../README.md', import.meta.url));

export const SET_USAGE = `npm run bench [-- options]

The standard set: every bench whose goals can be shown within minutes, each in a process of its own. Prints one table of figures
beside their goals, and writes a JSON file and an HTML page with plots. A run with wrong results prints no figures, hides no other, and
makes the exit code 1; slow ones do not. Build first: npm run build

  --short              two minutes of it: shows that results are right, not how fast they come; kept in .cache/bench
  --only LIST          only these benches, with commas between them; kept in .cache/bench
  --out FOLDER         write the files there (bench/results)

npm run bench -- report FILE... --out FILE.html    the same page from results that were kept before
npm run bench -- readme FILE...                    figures of kept results into the README
`;

export const SET_OPTIONS = {
  short: { type: 'boolean', default: false },
  only: { type: 'string' },
  out: { type: 'string' },
  help: { type: 'boolean', default: false },
} as const;

interface SetValues {
  readonly short?: boolean | undefined;
  readonly only?: string | undefined;
  readonly out?: string | undefined;
}

interface SetOutcome {
  readonly failed: boolean;
  readonly lines: readonly string[];
}

/** Runs a set. The last line counts runs as the tests' last line counts tests. */
export async function runSetCommand({ short, only, out }: SetValues, onProgress: OnProgress): Promise<SetOutcome> {
  const set = short === true ? SHORT : STANDARD;
  const names = only?.split(',') ?? [];
  const unknown = names.find((name) => !set.some(({ bench }) => bench === name));
  if (unknown !== undefined)
    throw new UsageError(`the set has ${[...new Set(set.map(({ bench }) => bench))].join(', ')}, not ${unknown}`);
  const runs = only === undefined ? set : set.filter(({ bench }) => names.includes(bench));
  const result = await runSet(short === true ? 'short' : 'standard', runs, onProgress);
  const isWhole = short !== true && only === undefined;
  const file = isWhole ? resultFile(result, '', out ?? RESULTS) : path.join(out ?? CACHE, `${result.bench}.json`);
  const page = file.replace(/json$/, 'html');
  await writeText(file, resultText(result));
  await writeText(page, reportPage(result));
  const counts = `${result.results.length} passed, ${result.failures.length} failed`;
  return { failed: result.failures.length > 0, lines: [...tableLines(result), '', file, page, '', counts] };
}

export async function reportCommand(files: readonly string[], out: string | undefined): Promise<void> {
  if (files.length === 0 || out === undefined) throw new UsageError('report takes the files of results, and --out');
  await writeText(out, reportPage(await readResults(files)));
}

/** With no file, the same files as last time: what the README says follows its results. */
export async function readmeCommand(files: readonly string[], readme = README): Promise<void> {
  const text = await readFile(readme, 'utf8');
  const folder = path.dirname(readme);
  const wanted = files.length > 0 ? files : (figuresSource(text) ?? []).map((file) => path.join(folder, file));
  if (wanted.length === 0) throw new UsageError('readme takes the files of results');
  const named = wanted.map((file) => path.relative(folder, path.resolve(file)).replaceAll(path.sep, '/'));
  await writeText(readme, withFigures(text, named, await readResults(wanted)));
}

/** One table of everything. */
function tableLines({ results, failures }: Reading): string[] {
  const rows = sectionsOf(results).flatMap(({ bench, results: runs, figures }) => [
    [runs.length === 1 ? bench : `${bench}, median of ${runs.length} runs`, '', '', '', '', ''],
    ...figures.map((figure) => {
      const [name, ...cells] = figureCells(figure);
      return [`  ${name}`, ...cells, verdictText(figure)];
    }),
  ]);
  const verify = results.map(({ machine }) => machine.verifyUs);
  return [
    ...table([['', ...COLUMNS.slice(1)], ...rows]).map((line) => line.trimEnd()),
    '',
    ...[...new Set(results.map(({ machine }) => machineText(machine)))],
    ...(verify.length === 0
      ? []
      : [
          `one ES256 verification before each run: ${number(Math.min(...verify))} to ${number(Math.max(...verify))} µs of CPU;`,
          'scaled: on a machine that takes 67 µs, which the goals are written for; a help, not a measurement',
        ]),
    ...failures.flatMap(({ command, text }) => ['', `FAILED ${command}`, text]),
  ];
}
