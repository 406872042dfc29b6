import type { Token } from './tokens.ts';

export interface FunctionSize {
  readonly name: string;
  readonly line: number;
  readonly lines: number;
}

const OPENING: Readonly<Record<string, string>> = { '(': ')', '[': ']', '{': '}' };
const CLOSING = new Set(Object.values(OPENING));
/** Words before a bracket that is not a list of parameters. */
const CONTROL = ['if', 'for', 'while', 'switch', 'catch', 'with', 'return', 'await', 'of', 'in'];
/** Tokens after which a type is not finished: a brace that follows opens an object type. */
const UNFINISHED = [
  ':',
  '|',
  '&',
  '=>',
  '<',
  ',',
  '?',
  'is',
  'keyof',
  'typeof',
  'readonly',
  'extends',
  'asserts',
  'infer',
];

/** Every function, method and arrow function with its lines, from its name or parameters to its last brace. */
export function functionSizes(tokens: readonly Token[]): FunctionSize[] {
  const partner = matchBrackets(tokens);
  const sizes: FunctionSize[] = [];
  for (const [at, token] of tokens.entries()) {
    if (token.kind !== 'punctuation') continue;
    const found =
      token.text === '=>' ? arrow(tokens, partner, at) : token.text === '(' ? declared(tokens, partner, at) : undefined;
    if (found !== undefined) sizes.push(found);
  }
  return sizes;
}

/** For each bracket, the index of the other one of its pair. */
function matchBrackets(tokens: readonly Token[]): Map<number, number> {
  const partner = new Map<number, number>();
  const open: number[] = [];
  for (const [at, { kind, text }] of tokens.entries()) {
    if (kind !== 'punctuation') continue;
    if (text in OPENING) open.push(at);
    else if (CLOSING.has(text)) {
      const from = open.pop();
      if (from === undefined) continue;
      partner.set(from, at);
      partner.set(at, from);
    }
  }
  return partner;
}

function arrow(tokens: readonly Token[], partner: Map<number, number>, at: number): FunctionSize | undefined {
  const before = tokens[at - 1];
  const start = before?.text === ')' ? (partner.get(at - 1) ?? at - 1) : at - 1;
  const end = isPunctuation(tokens[at + 1], '{') ? partner.get(at + 1) : endOfExpression(tokens, partner, at + 1);
  return size('=>', tokens[start], end === undefined ? undefined : tokens[end]);
}

/** The last token before the comma, semicolon or bracket that ends an arrow function without braces. */
function endOfExpression(tokens: readonly Token[], partner: Map<number, number>, start: number): number {
  for (let at = start; at < tokens.length; at++) {
    const token = tokens[at];
    if (token?.kind !== 'punctuation') continue;
    if (token.text === ',' || token.text === ';' || CLOSING.has(token.text)) return at - 1;
    if (token.text in OPENING) at = partner.get(at) ?? at;
  }
  return tokens.length - 1;
}

/** `name(...) {`, with or without a return type. */
function declared(tokens: readonly Token[], partner: Map<number, number>, open: number): FunctionSize | undefined {
  const name = tokens[open - 1];
  const isNamed =
    (name?.kind === 'word' && !CONTROL.includes(name.text)) || isPunctuation(name, '>') || isPunctuation(name, ']');
  const close = partner.get(open);
  if (!isNamed || close === undefined) return undefined;
  const body = isPunctuation(tokens[close + 1], '{') ? close + 1 : bodyAfterType(tokens, partner, close + 1);
  const end = body === undefined ? undefined : partner.get(body);
  return size(name?.text ?? '', name, end === undefined ? undefined : tokens[end]);
}

/** Where the body begins after `: <return type>`; undefined when no body follows. */
function bodyAfterType(tokens: readonly Token[], partner: Map<number, number>, colon: number): number | undefined {
  if (!isPunctuation(tokens[colon], ':')) return undefined;
  for (let at = colon + 1; at < tokens.length; at++) {
    const token = tokens[at];
    if (token?.kind !== 'punctuation') continue;
    if (token.text === '{' && !UNFINISHED.includes(tokens[at - 1]?.text ?? '')) return at;
    if (token.text === ';' || token.text === '=' || CLOSING.has(token.text)) return undefined;
    if (token.text in OPENING) at = partner.get(at) ?? at;
  }
  return undefined;
}

function isPunctuation(token: Token | undefined, text: string): boolean {
  return token?.kind === 'punctuation' && token.text === text;
}

function size(name: string, start: Token | undefined, end: Token | undefined): FunctionSize | undefined {
  if (start === undefined || end === undefined) return undefined;
  return { name, line: start.line, lines: end.line - start.line + 1 };
}
