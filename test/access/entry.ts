import type { CallerName, Role, World } from './world.ts';

/** A request, but for its method, which is the operation's, and its token. */
export interface Ask {
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** One thing that an operation can be asked for, and to whom it exists. */
export interface Case {
  readonly of: string;
  /** Callers, of those that the operation is for, who are answered with success. */
  readonly known: readonly CallerName[];
  /** Asking for it. Must change nothing where it is refused, and is asked by everybody who is. */
  readonly ask: (world: World) => Ask;
  /** For those who may, where the call changes or uses up what it is about: a thing of its own. */
  readonly fresh?: (world: World, caller: CallerName) => Promise<Ask>;
  /** The same asked of things that do not exist. All the others get the same answer as to these, byte for byte. */
  readonly nothing?: readonly ((world: World) => Ask)[];
  /** What the others get: 404, and for lists that one may ask for of anything, an empty one. */
  readonly others?: 404 | 200 | 400;
  /** What stands in the answers to those who may, and in no other: the proof that it is the thing itself. */
  readonly secret?: (world: World) => string;
}

/** One operation: for whom it is, said independently of the route table, and what can be asked of it. */
export interface Entry {
  readonly access: 'public' | readonly Role[];
  readonly cases: readonly Case[];
}

export const JSON_TYPE = { 'Content-Type': 'application/json' };
export const JOSE = { 'Content-Type': 'application/jose' };

export function json(path: string, body: unknown): Ask {
  return { path, headers: JSON_TYPE, body: JSON.stringify(body) };
}

export const get =
  (path: string): ((world: World) => Ask) =>
  () => ({ path });
