import { type Reading, type Section, sectionsOf } from './results.ts';
import { COLUMNS, figureCells, machineText, number, verdictText } from './words.ts';

const END = '<!-- figures end -->';
/** The start names the results, so that anybody can write the same part again. */
const PART = /<!-- figures of:(.*?)-->\n[\s\S]*?<!-- figures end -->/;

/** Files that the figures of a text were taken from; undefined when the text has no place for figures. */
export function figuresSource(text: string): readonly string[] | undefined {
  const named = PART.exec(text)?.[1]?.trim();
  return named === '' ? [] : named?.split(', ');
}

/** The same text with the figures of `reading` between its marks. `files` are paths from the folder of the text. */
export function withFigures(text: string, files: readonly string[], reading: Reading): string {
  if (!PART.test(text)) throw new Error('there is no place for figures: <!-- figures of: --> and <!-- figures end -->');
  const part = [`<!-- figures of: ${files.join(', ')} -->`, '', ...figuresPart(reading), '', END].join('\n');
  return text.replace(PART, () => part);
}

/** Figures that have a goal, with the machine, the date, the versions and the commands that give them again. */
function figuresPart({ results }: Reading): string[] {
  const sections = sectionsOf(results).filter(({ figures }) => figures.some(isTold));
  const each = (of: (result: (typeof results)[number]) => string): string => [...new Set(results.map(of))].join(', ');
  const verify = results.map(({ machine }) => machine.verifyUs);
  return [
    `Measured on ${each(({ at }) => at.slice(0, 10))} at ${each(({ commit }) => `\`${commit}\``)}: ${each(({ machine }) => machineText(machine))};`,
    `load generator, gateway and PostgreSQL on the same cores. One ES256 verification took ${span(verify)} µs of CPU before the runs; *scaled* is what a`,
    `machine that takes 67 µs, for which the goals are written, would do: an estimate, not a measurement.`,
    '',
    row([...COLUMNS]),
    row(COLUMNS.map(() => '---')),
    ...sections.flatMap((section) => [
      row([
        `**${section.bench}**${section.results.length > 1 ? `, median of ${section.results.length} runs` : ''}`,
        '',
        '',
        '',
        '',
        '',
      ]),
      ...section.figures.filter(isTold).map((figure) => row([...figureCells(figure), verdictText(figure)])),
    ]),
    '',
    'To repeat:',
    '',
    '```sh',
    ...sections.map((section) => repeatLine(section)),
    '```',
  ];
}

function isTold({ goal }: Section['figures'][number]): boolean {
  return goal !== undefined;
}

function repeatLine({ command, results }: Section): string {
  return results.length > 1 ? `${command}    # ${results.length} times` : command;
}

function row(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

function span(values: readonly number[]): string {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return number(least) === number(most) ? number(least) : `${number(least)} to ${number(most)}`;
}
