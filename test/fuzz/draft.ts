import { flattened, type SigningParty } from '../support/filer.ts';
import { type Tree, textOf } from './tree.ts';

/** A request before it is bytes: what a grammar makes, and what mutations work on. */
export interface Draft {
  readonly method: string;
  /** Segments as they stand in the request line. */
  readonly path: readonly string[];
  readonly query: readonly (readonly [name: string, value: string])[];
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body?: Body;
}

export type Body =
  | { readonly kind: 'json'; readonly tree: Tree }
  | Signed
  | { readonly kind: 'lines'; readonly lines: readonly Line[]; readonly end: string }
  | { readonly kind: 'form'; readonly pairs: readonly (readonly [name: string, value: string])[] }
  | { readonly kind: 'bytes'; readonly bytes: Buffer };

/** Signed when it is rendered, so that a mutation of what is signed is signed too. */
export interface Signed {
  readonly kind: 'jws';
  readonly by: SigningParty;
  readonly header: Tree;
  readonly payload: Tree;
  readonly isFlattened: boolean;
}

export type Line = { readonly kind: 'json'; readonly tree: Tree } | Signed | { readonly kind: 'text'; text: string };

export function bodyBytes(body: Body): Buffer {
  switch (body.kind) {
    case 'json':
      return Buffer.from(textOf(body.tree));
    case 'jws':
      return Buffer.from(jwsText(body));
    case 'lines':
      return Buffer.from(body.lines.map(lineText).join(body.end));
    case 'form':
      return Buffer.from(
        new URLSearchParams(body.pairs.map(([name, value]): [string, string] => [name, value])).toString(),
      );
    case 'bytes':
      return body.bytes;
  }
}

function jwsText(signed: Signed): string {
  const compact = signed.by.signed(textOf(signed.payload), textOf(signed.header));
  return signed.isFlattened ? flattened(compact) : compact;
}

function lineText(line: Line): string {
  if (line.kind === 'text') return line.text;
  if (line.kind === 'json') return textOf(line.tree);
  return line.isFlattened ? jwsText(line) : JSON.stringify(jwsText(line));
}

/** The request line's target. */
function targetOf({ path, query }: Draft): string {
  const asked = query.map(([name, value]) => `${name}=${value}`).join('&');
  return `/${path.join('/')}${asked === '' ? '' : `?${asked}`}`;
}

/** The request as it goes over the wire. A header that the draft names itself is not added. */
export function bytesOf(draft: Draft): Buffer {
  const body = draft.body === undefined ? undefined : bodyBytes(draft.body);
  const has = (wanted: string): boolean => draft.headers.some(([name]) => name.toLowerCase() === wanted);
  const added: [string, string][] = [];
  if (!has('host')) added.push(['Host', 'gateway']);
  if (body !== undefined && !has('content-length') && !has('transfer-encoding'))
    added.push(['Content-Length', String(body.length)]);
  const lines = [...added, ...draft.headers].map(([name, value]) => `${name}: ${value}\r\n`);
  const head = `${draft.method} ${targetOf(draft)} HTTP/1.1\r\n${lines.join('')}\r\n`;
  return Buffer.concat([Buffer.from(head), body ?? Buffer.alloc(0)]);
}
