import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { leavesOf, type SubmittedValue } from './submitted-values.ts';

/** A submitted value in what a program has printed. */
export interface Leak {
  readonly file: string;
  readonly line: number;
  readonly field: string;
}

export interface Scan {
  readonly values: number;
  readonly characters: number;
  readonly leaks: readonly Leak[];
}

/**
 * Searches everything that a run has kept for everything that was submitted in it, and for the values of the shipped
 * examples. What is found is named by its place and its member: the value itself is not repeated here either.
 */
export function scanOutput(folder: string): Scan {
  const names = readdirSync(folder).sort();
  const registered = names.filter((name) => name.endsWith('.submitted')).flatMap((name) => linesOf(folder, name));
  const index = indexed([...registered, ...exampleValues()]);
  const outputs = names.filter((name) => name.endsWith('.out'));
  let characters = 0;
  const leaks = outputs.flatMap((file) => {
    const text = plain(readFileSync(path.join(folder, file), 'utf8'));
    characters += text.length;
    return leaksIn(text, index).map(({ at, field }) => ({ file, line: lineAt(text, at), field }));
  });
  return { values: index.count, characters, leaks };
}

function linesOf(folder: string, name: string): SubmittedValue[] {
  const lines = readFileSync(path.join(folder, name), 'utf8').split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as SubmittedValue);
}

const SCHEMAS = fileURLToPath(new URL('../../schemas', import.meta.url));

/** What the command line, the SDK and the documentation's own programs submit. */
function exampleValues(): SubmittedValue[] {
  const files = readdirSync(SCHEMAS, { recursive: true, encoding: 'utf8' });
  const examples = files.filter((file) => /examples[\\/][^\\/]+\.json$/.test(file));
  return examples.flatMap((file) => leavesOf(JSON.parse(readFileSync(path.join(SCHEMAS, file), 'utf8'))));
}

/** Without colours, and without what Prometheus counts: a sample is the gateway's own number. */
function plain(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what a colour begins with
  return text.replace(/\u001b\[[0-9;]*m/g, '').replace(/^(shenbao_|process_|nodejs_)(\S*(?:\{.*\})?) \S+$/gm, '$1$2');
}

const KEY_LENGTH = 3;

interface Index {
  readonly count: number;
  /** Values by their first characters. */
  readonly byStart: ReadonlyMap<string, readonly SubmittedValue[]>;
}

function indexed(values: readonly SubmittedValue[]): Index {
  const distinct = new Map(values.map((value) => [value.value, value]));
  const byStart = new Map<string, SubmittedValue[]>();
  for (const value of distinct.values()) {
    const start = value.value.slice(0, KEY_LENGTH);
    const same = byStart.get(start);
    if (same === undefined) byStart.set(start, [value]);
    else same.push(value);
  }
  return { count: distinct.size, byStart };
}

function leaksIn(text: string, { byStart }: Index): { readonly at: number; readonly field: string }[] {
  const found: { at: number; field: string }[] = [];
  for (let at = 0; at + KEY_LENGTH <= text.length; at++)
    for (const { value, field } of byStart.get(text.slice(at, at + KEY_LENGTH)) ?? [])
      if (text.startsWith(value, at) && isWhole(text, at, value)) found.push({ at, field });
  return found;
}

/** A number inside of another word, id or number is none. */
function isWhole(text: string, at: number, value: string): boolean {
  if (!/^[\w.+-]+$/.test(value)) return true;
  return !/[\w.-]/.test(text[at - 1] ?? ' ') && !/\w/.test(text[at + value.length] ?? ' ');
}

function lineAt(text: string, at: number): number {
  return text.slice(0, at).split('\n').length;
}
