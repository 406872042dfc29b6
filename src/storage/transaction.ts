import type { Sql, TransactionSql } from 'postgres';

/**
 * `sql.begin` that cannot write outside its transaction.
 *
 * postgres.js 3.4.9 (issues 1155, 1215) goes on with a transaction's callback on a *new* connection when the one that
 * held the transaction dies while statements wait: those statements are then committed one by one. With nothing
 * waiting it writes to a socket that is gone, outside any promise, and the process dies. Here the death of the
 * connection is remembered at the first statement that fails of it, every later statement of the callback is refused,
 * and neither COMMIT nor ROLLBACK is sent on whatever connection comes next.
 *
 * postgres.js may also keep a callback after it has run: the first one for each statement for ever, in the trace of where the statement came from.
 * Here the callback lets go of `body` when it begins: what a tick has committed would live on with it.
 */
export function transaction<T>(sql: Sql, body: (tx: TransactionSql) => Promise<T>, options = ''): Promise<T> {
  const connection: Connection = {};
  let kept: typeof body | undefined = body;
  const running = sql.begin(options, async (tx) => {
    try {
      const run = kept as typeof body;
      kept = undefined;
      const result = await run(guard(tx, connection));
      return 'lost' in connection ? await never<T>() : result;
    } catch (error) {
      // postgres.js would now send ROLLBACK; on a dead connection that goes to another session, or kills the process.
      if ('lost' in connection) return await never<T>();
      throw error;
    }
  });
  running.catch((error: unknown) => {
    kept = undefined; // where BEGIN failed
    connection.lost ??= error;
  });
  return running as Promise<T>;
}

interface Connection {
  lost?: unknown;
}

/** `sql.begin` itself rejects when the connection closes; until then nothing may follow. */
function never<T>(): Promise<T> {
  return new Promise<T>(() => {});
}

function guard(tx: TransactionSql, connection: Connection): TransactionSql {
  const refuse = (): void => {
    if ('lost' in connection) throw connection.lost;
  };
  return new Proxy(tx, {
    apply(target, self, args) {
      refuse();
      return watch(Reflect.apply(target as never, self, args), connection);
    },
    get(target, name) {
      const member = Reflect.get(target, name) as unknown;
      if (typeof member !== 'function' || (name !== 'unsafe' && name !== 'file' && name !== 'savepoint')) return member;
      return (...args: unknown[]) => {
        refuse();
        const call = name === 'savepoint' ? args.map((each) => guardNested(each, connection)) : args;
        return watch(Reflect.apply(member, target, call), connection);
      };
    },
  });
}

/** The callback of a savepoint gets a guarded transaction too. */
function guardNested(argument: unknown, connection: Connection): unknown {
  if (typeof argument !== 'function') return argument;
  return (tx: TransactionSql) => Reflect.apply(argument, undefined, [guard(tx, connection)]);
}

/**
 * Learns of a lost connection in the moment when a statement is rejected with it. The rejection of `sql.begin` comes a
 * few microtasks later, and a callback that goes on in between is what the guard is for. A query of postgres.js runs
 * when it is first awaited, so it must not be awaited here; it keeps its `reject` as a property.
 */
function watch(result: unknown, connection: Connection): unknown {
  if (!(result instanceof Promise) || !('reject' in result) || typeof result.reject !== 'function') return result;
  const reject = result.reject;
  result.reject = (error: unknown) => {
    if (isConnectionLoss(error)) connection.lost ??= error;
    Reflect.apply(reject, result, [error]);
  };
  return result;
}

/** Not an answer of the server to one statement: the session is over (severity FATAL) or the socket failed. */
function isConnectionLoss(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  // `severity` is the untranslated one of the two that the server sends.
  if (error.name === 'PostgresError') return 'severity' in error && error.severity !== 'ERROR';
  return 'syscall' in error || ('code' in error && typeof error.code === 'string' && error.code.startsWith('CONNECT'));
}
