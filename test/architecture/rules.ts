import { functionSizes } from './functions.ts';
import { type Import, importsOf, resolveImport } from './imports.ts';
import { type Token, tokenize } from './tokens.ts';

/** Source files by path from the repository's root, with forward slashes. */
export type Sources = ReadonlyMap<string, string>;

/** One breach, as a person would want to read it. */
export type Breach = string;

const MAX_FILE_LINES = 400;
const MAX_FUNCTION_LINES = 70;

/** What a folder of src, or one file of it, may import. `types` only as types. A folder may always import itself. */
interface Row {
  readonly may: readonly string[];
  readonly types?: readonly string[];
}

const PARTS = ['std', 'domain', 'calendar', 'storage'];

/** The longest path that fits decides. */
const IMPORT_TABLE: Readonly<Record<string, Row>> = {
  std: { may: [] },
  domain: { may: ['std'] },
  calendar: { may: ['std', 'domain'] },
  'log/merkle.ts': { may: ['std'] },
  'log/checkpoint.ts': { may: ['std', 'log/merkle.ts'] },
  'log/cosignature.ts': { may: ['std', 'log/merkle.ts', 'log/checkpoint.ts'] },
  storage: { may: ['std'], types: ['domain'] },
  ops: { may: ['std'] },
  identity: { may: PARTS },
  batches: { may: [...PARTS, 'log/cosignature.ts'] },
  events: { may: PARTS },
  log: { may: PARTS },
  // Recomputed by the SDK too, in browsers.
  'trail/chain.ts': { may: ['std'] },
  trail: { may: PARTS },
  settings: { may: [...PARTS, 'identity'] },
  ingest: { may: [...PARTS, 'identity', 'settings', 'log/merkle.ts', 'log/cosignature.ts'] },
  filers: { may: [...PARTS, 'identity', 'settings', 'ingest'] },
  // Recomputes what all of them have stored.
  audit: { may: [...PARTS, 'identity', 'ingest', 'log', 'trail'] },
  // Domain does no input or output, and ops knows no domain: what brings the folder of types into force needs both.
  catalogue: { may: ['std', 'domain', 'calendar', 'ops'] },
  // One row of the table with portal: routes serve the pages, pages know no routes.
  http: {
    may: [
      'std',
      'domain',
      'calendar',
      'identity',
      'batches',
      'events',
      'log',
      'settings',
      'ingest',
      'filers',
      'catalogue',
      'trail',
      'portal',
    ],
  },
  portal: {
    may: ['std', 'domain', 'calendar', 'identity', 'batches', 'events', 'log', 'settings', 'ingest', 'filers'],
  },
  client: {
    may: ['std', 'log/merkle.ts', 'log/checkpoint.ts', 'log/cosignature.ts', 'trail/chain.ts'],
    types: ['domain'],
  },
  // A step of the project's checks that is run by hand too; not a command over the client.
  'cli/schemas-check.ts': { may: ['std', 'domain', 'calendar', 'ops'] },
  cli: { may: ['std', 'client', 'ops', 'main.ts', 'maintenance.ts'] },
  // The composition root of commands that work on the database itself.
  'maintenance.ts': { may: ['std', 'domain', 'storage', 'ops', 'identity', 'log', 'trail', 'audit'] },
  'main.ts': {
    may: [
      'std',
      'catalogue',
      'domain',
      'calendar',
      'storage',
      'ops',
      'identity',
      'batches',
      'events',
      'log',
      'settings',
      'ingest',
      'filers',
      'trail',
      'http',
      'portal',
    ],
  },
};

/** Packages that only some folders may import. */
const PACKAGE_HOMES: readonly { readonly name: RegExp; readonly homes: readonly string[] }[] = [
  { name: /^(drizzle-orm|postgres)(\/|$)/, homes: ['storage'] },
  { name: /^(hono|@hono\/[\w-]+)(\/|$)/, homes: ['http', 'portal', 'main.ts'] },
  { name: /^(pino|prom-client)(\/|$)/, homes: ['ops'] },
  { name: /^commander(\/|$)/, homes: ['cli'] },
];

const INPUT_OUTPUT =
  /^node:(fs|net|http|https|http2|tls|dgram|dns|child_process|cluster|worker_threads|readline|process)(\/|$)/;

/** Breaches of the import table, of relative paths without `.ts`, and of the homes of packages. */
export function importBreaches(sources: Sources): Breach[] {
  return eachImport(sources).flatMap(({ file, from, row, each }) => {
    const where = `${file}:${each.line}`;
    if (!each.specifier.startsWith('.')) return packageBreach(from, each).map((text) => `${where} ${text}`);
    if (!/\.tsx?$/.test(each.specifier)) return [`${where} imports ${each.specifier}: write the file's ending, .ts`];
    const target = resolveImport(file, each.specifier).replace(/^src\//, '');
    if (mayImport(from, row, target, each.typeOnly)) return [];
    return [`${where} ${topOf(from)} may not import ${target}${each.typeOnly ? ' (types)' : ''}`];
  });
}

interface Edge {
  readonly file: string;
  /** The path below src. */
  readonly from: string;
  readonly row: Row;
  readonly each: Import;
}

function eachImport(sources: Sources): Edge[] {
  return [...sources].filter(isProgram).flatMap(([file, source]) => {
    const from = file.slice('src/'.length);
    const row = rowOf(from);
    if (row === undefined) throw new Error(`${file} is in no row of the import table`);
    return importsOf(tokenize(source)).map((each) => ({ file, from, row, each }));
  });
}

function isProgram([file]: readonly [string, string]): boolean {
  return file.startsWith('src/') && /\.tsx?$/.test(file);
}

function rowOf(from: string): Row | undefined {
  return IMPORT_TABLE[from] ?? IMPORT_TABLE[topOf(from)];
}

function topOf(from: string): string {
  return from.split('/')[0] ?? from;
}

function mayImport(from: string, row: Row, target: string, typeOnly: boolean): boolean {
  const isOwn = topOf(from) === topOf(target) && IMPORT_TABLE[from] === undefined;
  const fits = (allowed: string): boolean => target === allowed || target.startsWith(`${allowed}/`);
  return isOwn || row.may.some(fits) || (typeOnly && (row.types ?? []).some(fits));
}

function packageBreach(from: string, { specifier }: Import): string[] {
  const home = PACKAGE_HOMES.find(({ name }) => name.test(specifier));
  if (home !== undefined && !home.homes.includes(topOf(from)))
    return [`imports ${specifier}: only ${home.homes.join(', ')} may`];
  if (['domain', 'calendar'].includes(topOf(from)) && INPUT_OUTPUT.test(specifier))
    return [`imports ${specifier}: ${topOf(from)} performs no I/O`];
  return [];
}

/** What must run in a browser, with all that it imports at run time. */
const BROWSER_ROOTS = /^src\/(client\/.*|log\/(merkle|checkpoint|cosignature)|trail\/chain)\.ts$/;

/** `node:` modules and Node's globals reached from what must run in a browser. */
export function browserBreaches(sources: Sources): Breach[] {
  const seen = new Set<string>();
  const queue = [...sources.keys()].filter((file) => BROWSER_ROOTS.test(file));
  const breaches: Breach[] = [];
  for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
    if (seen.has(file)) continue;
    seen.add(file);
    const tokens = tokenize(sources.get(file) ?? '');
    for (const each of importsOf(tokens).filter(({ typeOnly }) => !typeOnly)) {
      if (each.specifier.startsWith('.')) queue.push(resolveImport(file, each.specifier));
      else breaches.push(...browserPackage(file, each));
    }
    const global = tokens.find(
      ({ kind, text }, at) =>
        kind === 'word' && (text === 'Buffer' || text === 'process') && tokens[at - 1]?.text !== '.',
    );
    if (global !== undefined)
      breaches.push(`${file}:${global.line} uses ${global.text}, which a browser does not have`);
  }
  return breaches;
}

function browserPackage(file: string, { specifier, line }: Import): Breach[] {
  return specifier.startsWith('node:') ? [`${file}:${line} imports ${specifier}, which a browser does not have`] : [];
}

/** Each cycle once, as a chain of files. Types count: a cycle of types is one of meaning. */
export function cycles(sources: Sources): Breach[] {
  const edges = new Map<string, string[]>();
  for (const [file, source] of sources) {
    const targets = importsOf(tokenize(source)).filter(({ specifier }) => specifier.startsWith('.'));
    edges.set(
      file,
      targets.map(({ specifier }) => resolveImport(file, specifier)),
    );
  }
  const done = new Set<string>();
  const found: Breach[] = [];
  const visit = (file: string, trail: readonly string[]): void => {
    const at = trail.indexOf(file);
    if (at >= 0) found.push([...trail.slice(at), file].join(' -> '));
    if (at >= 0 || done.has(file)) return;
    for (const next of edges.get(file) ?? []) visit(next, [...trail, file]);
    done.add(file);
  };
  for (const file of edges.keys()) visit(file, []);
  return found;
}

/** Files that only pass on what others export. `entries` are those that the package itself exports. */
export function barrels(sources: Sources, entries: readonly string[]): Breach[] {
  return [...sources].filter(isProgram).flatMap(([file, source]) => {
    if (/\/index\.tsx?$/.test(file)) return [`${file}: name a file for what is in it`];
    const reExports = importsOf(tokenize(source)).filter(
      ({ reExport, specifier }) => reExport && specifier.startsWith('.'),
    );
    return entries.includes(file)
      ? []
      : reExports.map(({ line, specifier }) => `${file}:${line} re-exports ${specifier}`);
  });
}

/** `allowed`: file, or `file name`, to the reason why it may be longer. An entry that is not needed is a breach too. */
export function sizeBreaches(sources: Sources, allowed: Readonly<Record<string, string>>): Breach[] {
  const long = new Map<string, Breach>();
  for (const [file, source] of sources) {
    const lines = source.trimEnd().split('\n').length;
    if (lines > MAX_FILE_LINES) long.set(file, `${file}: ${lines} lines`);
    if (!file.startsWith('src/')) continue;
    for (const each of functionSizes(tokenize(source))) {
      if (each.lines > MAX_FUNCTION_LINES)
        long.set(`${file} ${each.name}`, `${file}:${each.line} ${each.name}: ${each.lines} lines`);
    }
  }
  const unneeded = Object.keys(allowed)
    .filter((key) => !long.has(key))
    .map((key) => `${key} is short enough: take it off the list`);
  return [...[...long].filter(([key]) => allowed[key] === undefined).map(([, text]) => text), ...unneeded];
}

interface Ban {
  readonly words: readonly string[];
  readonly outside: readonly string[];
  readonly say: string;
}

/** Sequences of tokens that only some folders may hold. */
const BANS: readonly Ban[] = [
  { words: ['process', '.', 'env'], outside: ['ops'], say: 'reads the environment: ops/config.ts does' },
  { words: ['Date', '.', 'now'], outside: ['std'], say: 'reads the time: take a Clock' },
  { words: ['new', 'Date', '(', ')'], outside: ['std'], say: 'reads the time: take a Clock' },
  { words: ['new', 'Date', ';'], outside: ['std'], say: 'reads the time: take a Clock' },
  { words: ['performance', '.', 'now'], outside: ['std'], say: 'reads the time: take a Clock' },
  { words: ['process', '.', 'hrtime'], outside: ['std'], say: 'reads the time: take a Clock' },
  { words: ['Math', '.', 'random'], outside: [], say: 'is not random enough: take RandomBytes' },
];

/** Clock, environment and randomness in places that get them as arguments. */
export function ambientBreaches(sources: Sources): Breach[] {
  return [...sources].filter(isProgram).flatMap(([file, source]) => {
    const tokens = tokenize(source);
    const bans = BANS.filter(({ outside }) => !outside.includes(topOf(file.slice('src/'.length))));
    return bans.flatMap(({ words, say }) =>
      occurrences(tokens, words).map(({ line }) => `${file}:${line} ${words.join('')} ${say}`),
    );
  });
}

function occurrences(tokens: readonly Token[], words: readonly string[]): Token[] {
  return tokens.filter((_, at) =>
    words.every((word, offset) => tokens[at + offset]?.text === word && tokens[at + offset]?.kind !== 'string'),
  );
}
