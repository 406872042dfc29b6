/** A token of TypeScript source: enough to tell code from comments and text. TypeScript 7 has no compiler API. */
export interface Token {
  readonly kind: 'word' | 'number' | 'string' | 'regex' | 'punctuation';
  /** For a string, its content without quotes; template literals without their placeholders. */
  readonly text: string;
  readonly line: number;
}

const WORD = /[\p{ID_Start}$_#@][\p{ID_Continue}$\u200c\u200d]*/uy;
const NUMBER = /\d[\w.]*/y;
const SPACE = /\s+/y;
const LINE_COMMENT = /\/\/[^\n]*/y;
const BLOCK_COMMENT = /\/\*[\s\S]*?\*\//y;
/** Ends on its own line; an apostrophe in the text of a page is a punctuation mark. */
const STRING = /'(?:[^'\\\n]|\\[\s\S])*'|"(?:[^"\\\n]|\\[\s\S])*"/y;
const REGEX = /\/(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y;
const PUNCTUATION = /=>|\?\.|\?\?=?|\.\.\.|[=!]==?|&&|\|\||[\s\S]/y;

/** After one of these a slash begins a regular expression. */
const BEFORE_REGEX = [
  'return',
  'typeof',
  'case',
  'in',
  'of',
  'void',
  'delete',
  'throw',
  'await',
  'yield',
  'else',
  'do',
];

export function tokenize(source: string): Token[] {
  return new Tokenizer(source).run();
}

class Tokenizer {
  readonly #source: string;
  readonly #tokens: Token[] = [];
  /** Open braces: true for the one of a template's placeholder. */
  readonly #braces: boolean[] = [];
  #at = 0;
  #line = 1;

  constructor(source: string) {
    this.#source = source.replace(/^#!.*/, '');
  }

  run(): Token[] {
    while (this.#at < this.#source.length) this.#next();
    return this.#tokens;
  }

  #next(): void {
    if (this.#skip(SPACE) || this.#skip(LINE_COMMENT) || this.#skip(BLOCK_COMMENT)) return;
    const character = this.#source.charAt(this.#at);
    if (character === '`' || (character === '}' && this.#braces.at(-1) === true)) {
      this.#template();
      return;
    }
    if (this.#emit('string', STRING) || this.#emit('word', WORD) || this.#emit('number', NUMBER)) return;
    if (character === '/' && this.#expectsValue() && this.#emit('regex', REGEX)) return;
    if (character === '{') this.#braces.push(false);
    if (character === '}') this.#braces.pop();
    this.#emit('punctuation', PUNCTUATION);
  }

  /** From a backtick, or from the brace that closes a placeholder, to the next placeholder or the end. */
  #template(): void {
    if (this.#source.charAt(this.#at) === '}') {
      this.#braces.pop();
      this.#tokens.push({ kind: 'punctuation', text: '}', line: this.#line });
    }
    const line = this.#line;
    let end = this.#at + 1;
    while (end < this.#source.length && this.#source[end] !== '`' && !this.#source.startsWith('${', end)) {
      end += this.#source[end] === '\\' ? 2 : 1;
    }
    const text = this.#source.slice(this.#at + 1, end);
    this.#line += text.split('\n').length - 1;
    this.#tokens.push({ kind: 'string', text, line });
    const isPlaceholder = this.#source[end] === '$';
    this.#at = end + (isPlaceholder ? 2 : 1);
    if (!isPlaceholder) return;
    this.#braces.push(true);
    this.#tokens.push({ kind: 'punctuation', text: '{', line: this.#line });
  }

  #expectsValue(): boolean {
    const last = this.#tokens.at(-1);
    if (last === undefined) return true;
    if (last.kind === 'word') return BEFORE_REGEX.includes(last.text);
    return last.kind === 'punctuation' && ![')', ']', '}'].includes(last.text);
  }

  #emit(kind: Token['kind'], pattern: RegExp): boolean {
    const line = this.#line;
    const text = this.#take(pattern);
    if (text === undefined) return false;
    this.#tokens.push({ kind, text: kind === 'string' ? text.slice(1, -1) : text, line });
    return true;
  }

  #skip(pattern: RegExp): boolean {
    return this.#take(pattern) !== undefined;
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const text = pattern.exec(this.#source)?.[0];
    if (text === undefined) return undefined;
    this.#at += text.length;
    this.#line += text.split('\n').length - 1;
    return text;
  }
}
