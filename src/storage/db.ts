import { drizzle, type PostgresJsDatabase } from 'drizzle-orm/postgres-js';
import postgres, { type Sql } from 'postgres';

/** For the parts that are handed a connection; only this folder imports the driver. */
export type { Sql, TransactionSql } from 'postgres';

/** Where a PostgreSQL listens. */
export interface DatabaseAddress {
  /** `postgres://user:password@host:port/database` */
  readonly url: string;
  /** Folder of its Unix socket, when it is on this machine: twice as many one-row statements a second as TCP. */
  readonly socketDir?: string;
}

export interface DatabaseOptions {
  /** Connections of the hot client (commit, feed, lookups). */
  readonly connections?: number;
  /** No statement of a request may take longer; 0 for none. */
  readonly statementTimeoutMs?: number;
}

/** An open database. Two clients, because drizzle replaces the serializers of the one that it is given. */
export interface Database {
  /** Visible SQL on the hot path. Dates and timestamps are text, bigints are numbers. */
  readonly sql: Sql;
  /** Everything else. */
  readonly orm: PostgresJsDatabase;
  close(): Promise<void>;
}

export function openDatabase(address: DatabaseAddress, options: DatabaseOptions = {}): Database {
  const sql = connect(address, {
    max: options.connections ?? 8,
    statementTimeoutMs: options.statementTimeoutMs ?? 4_000,
  });
  const ormClient = connect(address, { max: 4, statementTimeoutMs: options.statementTimeoutMs ?? 4_000 });
  const orm = drizzle(ormClient);
  return {
    sql,
    orm,
    close: async () => {
      await Promise.all([sql.end({ timeout: 5 }), ormClient.end({ timeout: 5 })]);
    },
  };
}

/** A client of its own, for work with other bounds than a request's: migrations, LISTEN, long exports. */
export function connect(address: DatabaseAddress, options: { max: number; statementTimeoutMs: number }): Sql {
  const url = new URL(address.url);
  return postgres(address.url, {
    max: options.max,
    connect_timeout: 4,
    idle_timeout: 0,
    max_lifetime: null,
    onnotice: () => {},
    ...(address.socketDir === undefined ? {} : { path: `${address.socketDir}/.s.PGSQL.${url.port || '5432'}` }),
    connection: {
      application_name: 'shenbao',
      TimeZone: 'UTC',
      statement_timeout: options.statementTimeoutMs,
    },
    types: {
      bigint: { to: 20, from: [20], parse: Number, serialize: String },
      date: {
        to: 1184,
        from: [1082, 1083, 1114, 1184],
        parse: (text: string) => text,
        serialize: (text: string) => text,
      },
    },
  }) as unknown as Sql;
}
