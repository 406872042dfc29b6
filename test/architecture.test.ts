import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { functionSizes } from './architecture/functions.ts';
import {
  ambientBreaches,
  barrels,
  browserBreaches,
  cycles,
  importBreaches,
  type Sources,
  sizeBreaches,
} from './architecture/rules.ts';
import { tokenize } from './architecture/tokens.ts';

/** Longer than the limits, and why. */
const LONGER: Readonly<Record<string, string>> = {
  'test/http/problems.test.ts': 'every layer that can refuse, against one server, in one table',
  'test/identity/routes.test.ts': 'every route of identity, against one server with the same parties',
};

/** What package.json exports: the one place where re-exports are the point. */
const PACKAGE_ENTRIES = ['src/client/client.ts'];

const root = fileURLToPath(new URL('..', import.meta.url));

function readSources(...folders: readonly string[]): Sources {
  const files = folders.flatMap((folder) =>
    readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.(ts|tsx|mjs)$/.test(name))
      .map((name) => path.join(folder, name).replaceAll(path.sep, '/')),
  );
  return new Map(files.map((file) => [file, readFileSync(path.join(root, file), 'utf8')]));
}

const made = (files: Readonly<Record<string, string>>): Sources => new Map(Object.entries(files));

describe('the project', () => {
  const src = readSources('src');

  test('imports only what the import table allows', () => expect(importBreaches(src)).toEqual([]));
  test('runs in a browser where it must', () => expect(browserBreaches(src)).toEqual([]));
  test('has no import cycles', () => expect(cycles(src)).toEqual([]));
  test('has no barrels', () => expect(barrels(src, PACKAGE_ENTRIES)).toEqual([]));
  test('keeps files and functions short', () =>
    expect(sizeBreaches(readSources('src', 'test', 'bench'), LONGER)).toEqual([]));
  test('takes time, randomness and environment as arguments', () => expect(ambientBreaches(src)).toEqual([]));
});

describe('the import rule', () => {
  const breaks = (file: string, code: string): number => importBreaches(made({ [file]: code })).length;

  test.each([
    ['src/std/a.ts', "import { x } from '../domain/b.ts';"],
    ['src/domain/a.ts', "import { x } from '../storage/b.ts';"],
    ['src/http/routes/a.ts', "import type { X } from '../../storage/b.ts';"],
    ['src/http/a.ts', "const x = await import('../storage/b.ts');"],
    ['src/http/a.ts', "export { x } from '../storage/b.ts';"],
    ['src/storage/a.ts', "import { x } from '../domain/b.ts';"],
    ['src/storage/a.ts', "import { type X, y } from '../domain/b.ts';"],
    ['src/client/a.ts', "import { x } from '../log/proof.ts';"],
    ['src/log/merkle.ts', "import { x } from './proof.ts';"],
    ['src/ingest/a.ts', "import { x } from '../log/proof.ts';"],
    ['src/identity/a.ts', "import postgres from 'postgres';"],
    ['src/ingest/a.ts', "import { sql } from 'drizzle-orm';"],
    ['src/ingest/a.ts', "import { pgTable } from 'drizzle-orm/pg-core';"],
    ['src/domain/a.ts', "import { readFileSync } from 'node:fs';"],
    ['src/calendar/a.ts', "import net from 'node:net';"],
    ['src/std/a.ts', "import { x } from './b.js';"],
    ['src/std/a.ts', "import { x } from './b';"],
  ])('refuses in %s: %s', (file, code) => expect(breaks(file, code)).toBe(1));

  test.each([
    ['src/domain/a.ts', "import { createHash } from 'node:crypto';\nimport { x } from '../std/b.ts';"],
    ['src/storage/a.ts', "import type { X } from '../domain/b.ts';\nimport postgres from 'postgres';"],
    ['src/storage/a.ts', "import { type X, type Y } from '../domain/b.ts';"],
    ['src/client/a.ts', "import { x } from '../log/merkle.ts';"],
    ['src/http/a.ts', "// import { x } from '../storage/b.ts';\nconst text = \"import { x } from '../storage/b.ts'\";"],
  ])('accepts in %s: %s', (file, code) => expect(breaks(file, code)).toBe(0));

  test('knows every folder', () =>
    expect(() => importBreaches(made({ 'src/new/a.ts': "import 'x';" }))).toThrow('import table'));
});

describe('the other rules', () => {
  test('what runs in a browser reaches no node: module, not even through another file', () => {
    const direct = made({ 'src/client/a.ts': "import { x } from 'node:fs';" });
    const indirect = made({
      'src/client/a.ts': "import { x } from '../std/b.ts';",
      'src/std/b.ts': "import { hash } from 'node:crypto';",
    });
    const typesOnly = made({
      'src/client/a.ts': "import type { x } from '../std/b.ts';",
      'src/std/b.ts': "import 'node:crypto';",
    });
    expect([direct, indirect, typesOnly].map((sources) => browserBreaches(sources).length)).toEqual([1, 1, 0]);
    expect(browserBreaches(made({ 'src/log/merkle.ts': 'const x = Buffer.alloc(1);' }))).toHaveLength(1);
  });

  test('a cycle is found, of types too, and told as a chain', () => {
    const files = {
      'src/std/a.ts': "import './b.ts';",
      'src/std/b.ts': "import type { C } from './c.ts';",
      'src/std/c.ts': "import { a } from './a.ts';",
    };
    expect(cycles(made(files))).toEqual(['src/std/a.ts -> src/std/b.ts -> src/std/c.ts -> src/std/a.ts']);
    expect(cycles(made({ ...files, 'src/std/c.ts': '' }))).toEqual([]);
  });

  test('index.ts and re-exports are barrels, the entry of the package is not', () => {
    expect(barrels(made({ 'src/std/index.ts': 'export const x = 1;' }), [])).toHaveLength(1);
    const passesOn = made({
      'src/std/a.ts': "export * from './b.ts';\nexport type { C } from './c.ts';\nexport const own = 1;",
    });
    expect(barrels(passesOn, [])).toHaveLength(2);
    expect(barrels(passesOn, ['src/std/a.ts'])).toEqual([]);
  });

  test.each([
    'const x = process.env.HOME;',
    'const x = Date.now();',
    'const x = new Date();',
    'const x = new Date;',
    'const x = performance.now();',
    'const x = process.hrtime.bigint();',
    'const x = Math.random();',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a template inside the made-up source
    'const x = `${Date.now()}`;',
  ])('ambient state is refused: %s', (code) =>
    expect(ambientBreaches(made({ 'src/ingest/a.ts': code }))).toHaveLength(1),
  );

  test('conversions and comments are not ambient state, and std/ops have their own', () => {
    const code = "const x = new Date(1); // Date.now()\nconst y = 'Math.random()';";
    expect(ambientBreaches(made({ 'src/ingest/a.ts': code }))).toEqual([]);
    expect(ambientBreaches(made({ 'src/std/a.ts': 'Date.now();', 'src/ops/a.ts': 'process.env;' }))).toEqual([]);
  });

  test('long files and functions are refused, unless listed; the list holds nothing else', () => {
    const long = made({
      'src/std/a.ts': `${'\n'.repeat(400)}x;`,
      'src/std/b.ts': `function f() {\n${'x;\n'.repeat(70)}}`,
    });
    expect(sizeBreaches(long, {})).toEqual(['src/std/a.ts: 401 lines', 'src/std/b.ts:1 f: 72 lines']);
    expect(sizeBreaches(long, { 'src/std/a.ts': 'a table', 'src/std/b.ts f': 'a table' })).toEqual([]);
    expect(sizeBreaches(made({}), { 'src/std/gone.ts': 'a table' })).toHaveLength(1);
  });
});

describe('the scanner', () => {
  const sizes = (code: string): string[] =>
    functionSizes(tokenize(code)).map(({ name, line, lines }) => `${name}@${line}+${lines}`);

  test.each([
    ['function f(a: { b: number }): { c: 1 } | undefined {\n\n}', ['f@1+3']],
    [
      'class A {\n  get x(): number {\n    return 1;\n  }\n  async m<T>(\n    t: T,\n  ): Promise<Map<string, { t: T }>> {\n  }\n}',
      ['x@2+3', '>@5+4'],
    ],
    ['const f = (a) => {\n};', ['=>@1+2']],
    ['const f = (\n  a,\n) =>\n  g(a, {\n  });', ['=>@1+5']],
    ['if (x) {\n}\nfor (const y of z()) {\n}\nwhile (true) {\n}', []],
    ['const x = a ? f(b) : { c: 1 };\nreturn;', []],
    ['interface I {\n  f(a: number): { b: 1 };\n  g(): void;\n}', []],
  ])('measures %j', (code, expected) => expect(sizes(code)).toEqual(expected));

  test('is not misled by brackets in text, comments, regular expressions and templates', () => {
    const template = '`}$' + '{g({ d: `}` })}{`';
    const code = `function f() {\n  // }\n  /* } */\n  const a = '}', b = /[}/]\\/}/g, c = ${template};\n  return a / b / c;\n}`;
    expect(sizes(code)).toEqual(['f@1+6']);
  });
});
