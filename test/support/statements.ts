import type { Sql } from '../../src/storage/db.ts';

/** A client that keeps the text of every statement that it sends, those of its transactions too. */
export function counting(sql: Sql): { readonly sql: Sql; readonly texts: string[] } {
  const texts: string[] = [];
  return { sql: watched(sql, texts), texts };
}

function watched<T extends object>(target: T, texts: string[]): T {
  return new Proxy(target, {
    apply: (inner, self, args) => kept(Reflect.apply(inner as never, self, args), args, texts),
    get(inner, name) {
      const member = Reflect.get(inner, name) as unknown;
      if (typeof member !== 'function') return member;
      return (...args: unknown[]) => {
        const made = Reflect.apply(member, inner, name === 'begin' ? begun(args, texts) : args) as unknown;
        return name === 'unsafe' ? kept(made, args, texts) : made;
      };
    },
  });
}

/** What is only a part of another statement is never handed to the driver: `handler` is how postgres.js does that. */
function kept(made: unknown, [strings]: readonly unknown[], texts: string[]): unknown {
  if (!(made instanceof Promise) || !('handler' in made) || typeof made.handler !== 'function') return made;
  const { handler } = made;
  made.handler = (query: unknown) => {
    texts.push((Array.isArray(strings) ? strings.join('?') : String(strings)).replace(/\s+/g, ' ').trim());
    return Reflect.apply(handler, undefined, [query]) as unknown;
  };
  return made;
}

function begun(args: readonly unknown[], texts: string[]): unknown[] {
  return args.map((each) => {
    if (typeof each !== 'function') return each;
    return async (tx: object) => {
      texts.push('BEGIN');
      const result = (await Reflect.apply(each, undefined, [watched(tx, texts)])) as unknown;
      texts.push('COMMIT');
      return result;
    };
  });
}
