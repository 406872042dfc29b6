import path from 'node:path';
import type { Token } from './tokens.ts';

export interface Import {
  /** As written. */
  readonly specifier: string;
  /** Nothing of it is left when the program runs. */
  readonly typeOnly: boolean;
  /** `export ... from`. */
  readonly reExport: boolean;
  readonly line: number;
}

/** All static and dynamic imports, and re-exports. */
export function importsOf(tokens: readonly Token[]): Import[] {
  const imports: Import[] = [];
  for (const [at, token] of tokens.entries()) {
    if (token.kind !== 'word' || (token.text !== 'import' && token.text !== 'export') || isMember(tokens, at)) continue;
    const found = token.text === 'import' ? importAt(tokens, at) : reExportAt(tokens, at);
    if (found !== undefined) imports.push(found);
  }
  return imports;
}

function isMember(tokens: readonly Token[], at: number): boolean {
  return ['.', '?.'].includes(tokens[at - 1]?.text ?? '') || tokens[at + 1]?.text === ':';
}

function importAt(tokens: readonly Token[], at: number): Import | undefined {
  const next = tokens[at + 1];
  if (next?.kind === 'string') return { specifier: next.text, typeOnly: false, reExport: false, line: next.line };
  if (next?.text === '(') {
    const argument = tokens[at + 2];
    return argument?.kind === 'string'
      ? { specifier: argument.text, typeOnly: false, reExport: false, line: argument.line }
      : undefined;
  }
  return clauseAt(tokens, at, false);
}

function reExportAt(tokens: readonly Token[], at: number): Import | undefined {
  const start = tokens[at + 1]?.text === 'type' ? at + 2 : at + 1;
  const opener = tokens[start]?.text;
  return opener === '{' || opener === '*' ? clauseAt(tokens, at, true) : undefined;
}

/** Up to `from '...'`; the clause holds no semicolon. */
function clauseAt(tokens: readonly Token[], at: number, reExport: boolean): Import | undefined {
  for (let end = at + 1; end < tokens.length && tokens[end]?.text !== ';'; end++) {
    const source = tokens[end + 1];
    if (tokens[end]?.text !== 'from' || source?.kind !== 'string') continue;
    return { specifier: source.text, typeOnly: isTypeClause(tokens.slice(at + 1, end)), reExport, line: source.line };
  }
  return undefined;
}

function isTypeClause(clause: readonly Token[]): boolean {
  if (clause[0]?.text === 'type' && clause.length > 1) return true;
  if (clause[0]?.text !== '{') return false;
  const names = clause.filter((token, at) => token.kind === 'word' && ['{', ','].includes(clause[at - 1]?.text ?? ''));
  return names.length > 0 && names.every(({ text }) => text === 'type');
}

/** The file that a relative import names, from the same root as `file`. */
export function resolveImport(file: string, specifier: string): string {
  return path.posix.normalize(path.posix.join(path.posix.dirname(file), specifier));
}
