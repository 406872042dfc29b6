import fc from 'fast-check';
import { type Body, bodyBytes, bytesOf, type Draft, type Line, type Signed } from './draft.ts';
import { hostileHeader, hostileText, hostileTree, MARKERS } from './hostile-values.ts';
import { type Edit, edited } from './tree.ts';

/** One way to spoil a request. Plain data, so that a failure shrinks to it and is printed with it. */
export type Mutation =
  | { readonly on: 'method'; readonly method: string }
  | { readonly on: 'path'; readonly op: 'replace' | 'insert' | 'remove'; readonly at: number; readonly text: string }
  | { readonly on: 'query'; readonly op: 'set' | 'add' | 'double'; readonly at: number; readonly text: string }
  | { readonly on: 'header'; readonly op: 'set' | 'add' | 'remove'; readonly name: string; readonly value: string }
  | {
      readonly on: 'json';
      readonly part: 'payload' | 'header';
      readonly line: number;
      readonly at: number;
      readonly edit: Edit;
    }
  | {
      readonly on: 'signature';
      readonly op: 'flip' | 'cut' | 'pad' | 'dot' | 'swap';
      readonly line: number;
      readonly at: number;
    }
  | {
      readonly on: 'lines';
      readonly op: 'remove' | 'double' | 'insert' | 'returns' | 'join';
      readonly at: number;
      readonly text: string;
    }
  | {
      readonly on: 'form';
      readonly op: 'set' | 'add' | 'double' | 'remove';
      readonly at: number;
      readonly text: string;
    }
  | Cut<'body'>
  | Cut<'wire'>;

/** Bytes that come in, go, turn over or come twice; all behind a place; or all behind it cut off. */
interface Cut<On> {
  readonly on: On;
  readonly op: 'insert' | 'delete' | 'flip' | 'double' | 'cut';
  readonly at: number;
  readonly bytes: readonly number[];
}

const at = fc.nat(10_000);
const METHODS = [
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'DELETE',
  'PATCH',
  'OPTIONS',
  'TRACE',
  'BREW',
  'get',
  'PROPFIND',
  'CONNECT',
];

/** As it stands in a request line: mostly escaped, sometimes as broken escapes or bare. */
const pathText = fc.oneof(
  { weight: 6, arbitrary: hostileText.map(escaped) },
  { weight: 1, arbitrary: hostileText.map((text) => text.replace(/[\r\n]/g, '')) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      '%',
      '%zz',
      '%ff',
      '%00',
      '%2e%2e',
      '%2f',
      '%25',
      '%c0%af',
      '%ed%a0%80',
      '%u0041',
      '+',
      ';a=b',
      '@',
      '%0d%0aX:y',
    ),
  },
);

function escaped(text: string): string {
  return [...Buffer.from(text)]
    .map((byte) =>
      /[A-Za-z0-9._~-]/.test(String.fromCharCode(byte))
        ? String.fromCharCode(byte)
        : `%${byte.toString(16).padStart(2, '0')}`,
    )
    .join('');
}

const edit: fc.Arbitrary<Edit> = fc.oneof(
  { weight: 6, arbitrary: hostileTree.map((tree) => ({ op: 'replace', with: tree }) as const) },
  { weight: 2, arbitrary: hostileTree.map((tree) => ({ op: 'append', with: tree }) as const) },
  { weight: 2, arbitrary: hostileText.map((name) => ({ op: 'rename', name }) as const) },
  { weight: 3, arbitrary: fc.constantFrom('remove', 'double', 'wrap', 'empty').map((op) => ({ op }) as const) },
  { weight: 2, arbitrary: fc.integer({ min: 1, max: 20 }).map((by) => ({ op: 'swap', by }) as const) },
);

const bytes = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 8 }).map((array) => [...array]),
  fc
    .constantFrom('\u0000', '"', '{', '[', '}', '\n', '\r\n', '\r\n\r\n', '.', ',', '\\', '\\u', 'é', '\ufeff')
    .map((text) => [...Buffer.from(text)]),
);
const byteOp = fc.constantFrom<On<'wire'>['op']>('insert', 'delete', 'flip', 'double', 'cut');

type On<M extends Mutation['on']> = Extract<Mutation, { on: M }>;
type Weighted = { readonly weight: number; readonly arbitrary: fc.Arbitrary<Mutation> };

function one<M extends Mutation>(weight: number, model: { [K in keyof M]: fc.Arbitrary<M[K]> }): Weighted {
  return { weight, arbitrary: fc.record(model) as unknown as fc.Arbitrary<Mutation> };
}

const ENVELOPE: readonly Weighted[] = [
  one<On<'method'>>(1, { on: fc.constant('method'), method: fc.constantFrom(...METHODS) }),
  one<On<'path'>>(4, {
    on: fc.constant('path'),
    op: fc.constantFrom('replace', 'replace', 'replace', 'insert', 'remove'),
    at,
    text: pathText,
  }),
  one<On<'query'>>(4, {
    on: fc.constant('query'),
    op: fc.constantFrom('set', 'set', 'add', 'double'),
    at,
    text: pathText,
  }),
  {
    weight: 6,
    arbitrary: fc
      .tuple(fc.constantFrom<On<'header'>['op']>('set', 'set', 'set', 'add', 'remove'), hostileHeader)
      .map(([op, [name, value]]): Mutation => ({ on: 'header', op, name, value })),
  },
  one<On<'wire'>>(1, { on: fc.constant<'wire'>('wire'), op: byteOp, at, bytes }),
];
const JSON_EDITS = one<On<'json'>>(14, {
  on: fc.constant('json'),
  part: fc.constantFrom('payload', 'payload', 'payload', 'header'),
  line: at,
  at,
  edit,
});
const BODY_BYTES = one<On<'body'>>(4, { on: fc.constant<'body'>('body'), op: byteOp, at, bytes });
const SIGNATURE = one<On<'signature'>>(3, {
  on: fc.constant('signature'),
  op: fc.constantFrom('flip', 'cut', 'pad', 'dot', 'swap'),
  line: at,
  at,
});
const LINES = one<On<'lines'>>(4, {
  on: fc.constant('lines'),
  op: fc.constantFrom('remove', 'double', 'insert', 'returns', 'join'),
  at,
  text: hostileText,
});
const FORM = one<On<'form'>>(14, {
  on: fc.constant('form'),
  op: fc.constantFrom('set', 'set', 'add', 'double', 'remove'),
  at,
  text: hostileText,
});

const OF_BODIES: Readonly<Record<Body['kind'], readonly Weighted[]>> = {
  json: [JSON_EDITS, BODY_BYTES],
  jws: [JSON_EDITS, SIGNATURE, BODY_BYTES],
  lines: [JSON_EDITS, SIGNATURE, LINES, BODY_BYTES],
  form: [FORM, BODY_BYTES],
  bytes: [BODY_BYTES],
};

/** One to three mutations of a request with such a body. */
export function mutationsOf(body: Body['kind'] | undefined): fc.Arbitrary<readonly Mutation[]> {
  const own = body === undefined ? [] : OF_BODIES[body];
  return fc.array(fc.oneof(...ENVELOPE, ...own), { minLength: 1, maxLength: 3 });
}

/** What is sent, and what may be said of the answer. */
export interface Spoilt {
  readonly bytes: Buffer;
  readonly method: string;
  /** The bytes are no longer sure to be one request of the length that they tell. */
  readonly isUnframed: boolean;
  /** Method and path are the operation's own: its documented answers must do. */
  readonly isRouted: boolean;
  readonly markers: readonly string[];
}

export function spoil(draft: Draft, mutations: readonly Mutation[]): Spoilt {
  const mutated = mutations.reduce(applied, draft);
  let bytes = bytesOf(mutated);
  for (const mutation of mutations) if (mutation.on === 'wire') bytes = cutUp(bytes, mutation);
  const touched = (on: Mutation['on']): boolean => mutations.some((mutation) => mutation.on === on);
  return {
    bytes,
    method: mutated.method,
    isUnframed: touched('wire') || mutations.some(isFraming),
    isRouted: !touched('wire') && !touched('method') && !touched('path'),
    markers: [...new Set(JSON.stringify(mutations).match(MARKERS) ?? [])].map((mark) => mark.toLowerCase()),
  };
}

/** The headers that say where a request ends. */
const FRAMING = /^(content-length|transfer-encoding)$/i;

function isFraming(mutation: Mutation): boolean {
  return mutation.on === 'header' && FRAMING.test(mutation.name);
}

function applied(draft: Draft, mutation: Mutation): Draft {
  switch (mutation.on) {
    case 'method':
      return { ...draft, method: mutation.method };
    case 'path':
      return { ...draft, path: segments(draft.path, mutation) };
    case 'query':
      return { ...draft, query: pairs(draft.query, mutation) };
    case 'header':
      return { ...draft, headers: headers(draft.headers, mutation) };
    case 'wire':
      return draft;
    default:
      return draft.body === undefined ? draft : { ...draft, body: spoiltBody(draft.body, mutation) };
  }
}

function segments(path: readonly string[], { op, at: place, text }: Extract<Mutation, { on: 'path' }>): string[] {
  // Most ids stand at the end or one before it.
  const index = path.length === 0 ? 0 : path.length - 1 - (place % path.length);
  return op === 'insert'
    ? path.toSpliced(index, 0, text)
    : path.toSpliced(index, 1, ...(op === 'remove' ? [] : [text]));
}

type Pairs = readonly (readonly [string, string])[];

function pairs(given: Pairs, { op, at: place, text }: { op: string; at: number; text: string }): Pairs {
  const chosen = given[place % given.length];
  if (op === 'add' || chosen === undefined) return [...given, place % 2 === 0 ? [text, '1'] : ['x', text]];
  const index = given.indexOf(chosen);
  if (op === 'double') return [...given, chosen];
  return given.toSpliced(index, 1, ...(op === 'remove' ? [] : [[chosen[0], text] as const]));
}

function headers(given: Pairs, { op, name, value }: Extract<Mutation, { on: 'header' }>): Pairs {
  const others = given.filter(([each]) => each.toLowerCase() !== name.toLowerCase());
  if (op === 'remove') return others;
  return [...(op === 'set' ? others : given), [name, value]];
}

function spoiltBody(body: Body, mutation: Mutation): Body {
  if (mutation.on === 'body') return { kind: 'bytes', bytes: cutUp(bodyBytes(body), mutation) };
  if (mutation.on === 'form') return body.kind === 'form' ? { ...body, pairs: pairs(body.pairs, mutation) } : body;
  if (body.kind === 'json' || body.kind === 'jws') {
    const line = spoiltLine(body, mutation);
    return line.kind === 'text' ? { kind: 'bytes', bytes: Buffer.from(line.text) } : line;
  }
  if (body.kind !== 'lines') return body;
  if (mutation.on === 'lines') return spoiltLines(body, mutation);
  if (!('line' in mutation) || body.lines.length === 0) return body;
  const index = mutation.line % body.lines.length;
  return { ...body, lines: body.lines.with(index, spoiltLine(body.lines[index] as Line, mutation)) };
}

function spoiltLines(body: Extract<Body, { kind: 'lines' }>, mutation: Extract<Mutation, { on: 'lines' }>): Body {
  const { lines } = body;
  const index = lines.length === 0 ? 0 : mutation.at % lines.length;
  const chosen = lines.slice(index, index + 1);
  switch (mutation.op) {
    case 'remove':
      return { ...body, lines: lines.toSpliced(index, 1) };
    case 'double':
      return { ...body, lines: lines.toSpliced(index, 0, ...chosen) };
    case 'insert':
      return { ...body, lines: lines.toSpliced(index, 0, { kind: 'text', text: mutation.text }) };
    case 'returns':
      return { ...body, end: '\r\n\r\n' };
    case 'join':
      return { ...body, end: ' ' };
  }
}

function spoiltLine<L extends Line>(line: L, mutation: Mutation): L | Extract<Line, { kind: 'text' }> {
  if (line.kind === 'json' && mutation.on === 'json')
    return { ...line, tree: edited(line.tree, mutation.at, mutation.edit) };
  if (line.kind !== 'jws') return line;
  if (mutation.on === 'json')
    return { ...line, [mutation.part]: edited(line[mutation.part], mutation.at, mutation.edit) };
  if (mutation.on !== 'signature') return line;
  const text = bodyBytes(line as Signed).toString();
  return { kind: 'text', text: spoiltSignature(text, mutation) };
}

function spoiltSignature(text: string, { op, at: place }: Extract<Mutation, { on: 'signature' }>): string {
  const index = place % text.length;
  const swapped = text.split('.');
  switch (op) {
    case 'flip':
      return `${text.slice(0, index)}${text[index] === 'A' ? 'B' : 'A'}${text.slice(index + 1)}`;
    case 'cut':
      return text.slice(0, index);
    case 'pad':
      return `${text}=`;
    case 'dot':
      return `${text.slice(0, index)}.${text.slice(index)}`;
    case 'swap':
      return swapped.reverse().join('.');
  }
}

function cutUp(given: Buffer, { op, at: place, bytes: more }: Extract<Mutation, { on: 'body' | 'wire' }>): Buffer {
  const index = given.length === 0 ? 0 : place % given.length;
  const [before, after] = [given.subarray(0, index), given.subarray(index)];
  switch (op) {
    case 'insert':
      return Buffer.concat([before, Buffer.from(more), after]);
    case 'delete':
      return Buffer.concat([before, after.subarray(more.length)]);
    case 'flip':
      return Buffer.concat([before, Buffer.of((after[0] ?? 0) ^ (1 << (more.length % 8))), after.subarray(1)]);
    case 'double':
      return Buffer.concat([before, after, after]);
    case 'cut':
      return before;
  }
}
