import type { Sql } from '../../src/storage/db.ts';

/** A client that keeps the text of every statement that goes through it, of its transactions too. */
export function counting(sql: Sql): { readonly sql: Sql; readonly texts: string[] } {
  const texts: string[] = [];
  return { sql: watched(sql, texts), texts };
}

function watched<T extends object>(target: T, texts: string[]): T {
  return new Proxy(target, {
    apply(inner, self, args: unknown[]) {
      const [text] = args;
      if (Array.isArray(text) && 'raw' in text) texts.push(text.join('?').replace(/\s+/g, ' ').trim());
      return Reflect.apply(inner as never, self, args);
    },
    get(inner, name) {
      const member = Reflect.get(inner, name) as unknown;
      if (typeof member !== 'function') return member;
      return (...args: unknown[]) => {
        if (name === 'unsafe') texts.push(String(args[0]));
        return Reflect.apply(member, inner, name === 'begin' ? begun(args, texts) : args) as unknown;
      };
    },
  });
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
