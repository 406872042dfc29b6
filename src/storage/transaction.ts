import type { Sql, TransactionSql } from 'postgres';

/**
 * `sql.begin` that cannot write outside its transaction.
 *
 * postgres.js 3.4.9 (issues 1155, 1215) goes on with a transaction's callback on a *new* connection when the one that
 * held the transaction dies while statements wait: those statements are then committed one by one. Here the death of
 * the connection is remembered, every later statement of the callback is refused, and neither COMMIT nor ROLLBACK is
 * sent on whatever connection comes next.
 */
export function transaction<T>(sql: Sql, body: (tx: TransactionSql) => Promise<T>, options = ''): Promise<T> {
  const connection: { lost?: unknown } = {};
  const running = sql.begin(options, async (tx) => {
    try {
      const result = await body(guard(tx, connection));
      return 'lost' in connection ? await never<T>() : result;
    } catch (error) {
      // postgres.js would now send ROLLBACK; on a dead connection that goes to another session.
      if ('lost' in connection) return await never<T>();
      throw error;
    }
  });
  running.catch((error: unknown) => {
    connection.lost = error;
  });
  return running as Promise<T>;
}

function never<T>(): Promise<T> {
  return new Promise<T>(() => {});
}

function guard(tx: TransactionSql, connection: { lost?: unknown }): TransactionSql {
  const refuse = (): void => {
    if ('lost' in connection) throw connection.lost;
  };
  return new Proxy(tx, {
    apply(target, self, args) {
      refuse();
      return Reflect.apply(target as never, self, args);
    },
    get(target, name) {
      const member = Reflect.get(target, name) as unknown;
      if (typeof member !== 'function' || (name !== 'unsafe' && name !== 'file')) return member;
      return (...args: unknown[]) => {
        refuse();
        return Reflect.apply(member, target, args);
      };
    },
  });
}
