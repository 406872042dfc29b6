import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BenchResult } from '../figure.ts';
import type { SetResult } from './results.ts';

/** Of versions whose figures are to be kept; committed. */
export const RESULTS = fileURLToPath(new URL('../results/', import.meta.url));

/** `<date>-<commit><suffix>.json`, with a number when there is one already: runs in a row are kept one by one. */
export function resultFile({ at, commit }: Pick<BenchResult, 'at' | 'commit'>, suffix = '', folder = RESULTS): string {
  const name = `${at.slice(0, 10)}-${commit}${suffix}`;
  const file = (n: number): string => path.join(folder, `${name}${n === 1 ? '' : `-${n}`}.json`);
  let n = 1;
  while (existsSync(file(n))) n++;
  return file(n);
}

/** Without the options that only say where a result goes. */
export function repeatText(args: readonly string[]): string {
  const told = args.filter((arg, i) => !['--json', '--save'].includes(arg) && args[i - 1] !== '--json');
  return `npm run bench -- ${told.map((arg) => (/\s/.test(arg) ? JSON.stringify(arg) : arg)).join(' ')}`;
}

/** JSON to be read, with each point of a plot on one line. */
export function resultText(result: BenchResult | SetResult): string {
  const text = JSON.stringify(result, undefined, 2);
  return `${text.replaceAll(/\[\s+(-?[\d.e+-]+),\s+(-?[\d.e+-]+)\s+\]/g, '[$1, $2]')}\n`;
}

export async function writeText(file: string, text: string): Promise<void> {
  await mkdir(path.dirname(path.resolve(file)), { recursive: true });
  await writeFile(file, text);
}
