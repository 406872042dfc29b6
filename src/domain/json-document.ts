/** A JSON file of `schemas/`, with the line on which each value begins, so that a finding can name its place. */
export interface JsonDocument {
  readonly file: string;
  readonly value: unknown;
  /** Line, from 1, of the value at an RFC 6901 pointer, or of its nearest ancestor that is there. */
  lineOf(pointer: string): number;
}

export class JsonSyntaxError extends Error {
  readonly line: number;

  constructor(line: number, message: string) {
    super(message);
    this.name = 'JsonSyntaxError';
    this.line = line;
  }
}

/** Parses strictly (RFC 8259, no duplicate members). Throws {@link JsonSyntaxError}. */
export function parseJsonDocument(file: string, text: string): JsonDocument {
  const reader = new Reader(text);
  const value = reader.document();
  return {
    file,
    value,
    lineOf(pointer) {
      for (let at = pointer; at !== ''; at = at.slice(0, at.lastIndexOf('/'))) {
        const line = reader.lines.get(at);
        if (line !== undefined) return line;
      }
      return 1;
    },
  };
}

export function escapePointer(name: string): string {
  return name.includes('~') || name.includes('/') ? name.replaceAll('~', '~0').replaceAll('/', '~1') : name;
}

/** The decoded segments of an RFC 6901 pointer. */
export function pointerSegments(pointer: string): string[] {
  if (pointer === '') return [];
  return pointer
    .slice(1)
    .split('/')
    .map((segment) => segment.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** The value at a pointer, or undefined. Own members only. */
export function valueAt(root: unknown, pointer: string): unknown {
  let value = root;
  for (const segment of pointerSegments(pointer)) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, segment)) return undefined;
    value = (value as Record<string, unknown>)[segment];
  }
  return value;
}

const TOKEN =
  /[\t\n\r ]*(?:("(?:[^"\\\n\r]|\\.)*")|(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)|(true|false|null)|([{}[\],:]))/y;

/** Recursive descent over the files of the package; depth is theirs, and theirs is small. */
class Reader {
  readonly lines = new Map<string, number>();
  readonly #text: string;
  #at = 0;
  #line = 1;
  #start = 0;

  constructor(text: string) {
    this.#text = text;
  }

  document(): unknown {
    const value = this.#value(this.#next(), '');
    if (this.#text.slice(this.#at).trim() !== '') throw this.#fault('text after the end of the value');
    return value;
  }

  #next(): string {
    TOKEN.lastIndex = this.#at;
    const match = TOKEN.exec(this.#text);
    if (match === null) {
      this.#advance(this.#at + (/^[\t\n\r ]*/.exec(this.#text.slice(this.#at))?.[0].length ?? 0));
      throw this.#fault(this.#start >= this.#text.length ? 'unexpected end' : 'not JSON');
    }
    const token = match[1] ?? match[2] ?? match[3] ?? match[4] ?? '';
    this.#advance(TOKEN.lastIndex - token.length);
    this.#at = TOKEN.lastIndex;
    return token;
  }

  /** Moves the line counter to `start`, the place of the token in hand. */
  #advance(start: number): void {
    for (let i = this.#start; i < start; i++) if (this.#text.charCodeAt(i) === 0x0a) this.#line++;
    this.#start = start;
  }

  #value(token: string, pointer: string): unknown {
    this.lines.set(pointer, this.#line);
    if (token === '{') return this.#object(pointer);
    if (token === '[') return this.#array(pointer);
    if ('}],:'.includes(token)) throw this.#fault(`unexpected ${token}`);
    return this.#scalar(token);
  }

  /** JSON.parse knows what the token pattern lets through: control characters and wrong escapes. */
  #scalar(token: string): unknown {
    try {
      return JSON.parse(token);
    } catch {
      throw this.#fault('a string with a control character or a wrong escape');
    }
  }

  #object(pointer: string): Record<string, unknown> {
    const result: Record<string, unknown> = {};
    let token = this.#next();
    if (token === '}') return result;
    while (true) {
      if (!token.startsWith('"')) throw this.#fault('expected a member name');
      const name = String(this.#scalar(token));
      if (Object.hasOwn(result, name) || name === '__proto__') throw this.#fault(`member ${token} twice or reserved`);
      if (this.#next() !== ':') throw this.#fault('expected :');
      result[name] = this.#value(this.#next(), `${pointer}/${escapePointer(name)}`);
      const after = this.#next();
      if (after === '}') return result;
      if (after !== ',') throw this.#fault('expected , or }');
      token = this.#next();
    }
  }

  #array(pointer: string): unknown[] {
    const result: unknown[] = [];
    let token = this.#next();
    if (token === ']') return result;
    while (true) {
      result.push(this.#value(token, `${pointer}/${result.length}`));
      const after = this.#next();
      if (after === ']') return result;
      if (after !== ',') throw this.#fault('expected , or ]');
      token = this.#next();
    }
  }

  #fault(message: string): JsonSyntaxError {
    return new JsonSyntaxError(this.#line, message);
  }
}
