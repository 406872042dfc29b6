import { connect as connectSocket, type Socket } from 'node:net';
import { drizzle, type PostgresJsDatabase } from 'drizzle-orm/postgres-js';
import postgres, { type Sql } from 'postgres';
import { IdleList } from './idle-list.ts';

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

/** What a statement that has its bound may take beyond it before its connection is given up. */
const OVERDUE_MS = 2_000;
const CHECK_EVERY_MS = 500;

/** A client of its own, for work with other bounds than a request's: migrations, LISTEN, long exports. */
export function connect(address: DatabaseAddress, options: { max: number; statementTimeoutMs: number }): Sql {
  const url = new URL(address.url);
  const path = address.socketDir && `${address.socketDir}/.s.PGSQL.${url.port || '5432'}`;
  const { statementTimeoutMs } = options;
  const isBounded = statementTimeoutMs > 0;
  const idle = new IdleList(() => client);
  const client = postgres(address.url, {
    max: options.max,
    connect_timeout: 4,
    idle_timeout: 0,
    max_lifetime: null,
    // Seconds. The driver's own waits grow to 20 s, and all connections of a client count together: after a restart of the
    // database the gateway would go on refusing long after it could serve again.
    backoff: (attempts: number) => Math.min(0.02 * 2 ** attempts, 0.5),
    onnotice: () => {},
    // Seconds until a quiet connection is probed: one to a server that is gone is then found out within 20 s.
    keep_alive: 10,
    ...(path === undefined ? {} : { path }),
    ...(isBounded ? { socket: () => idle.add(watched(open(url, path), statementTimeoutMs + OVERDUE_MS)) } : {}),
    connection: {
      application_name: 'shenbao',
      TimeZone: 'UTC',
      // What walks an index for each element of an array is taken for a thousand times the work that it is, and compiling it
      // takes longer than doing it.
      jit: 'off',
      statement_timeout: statementTimeoutMs,
      // A gateway that vanished inside a transaction must not keep an office's head locked.
      ...(isBounded ? { idle_in_transaction_session_timeout: statementTimeoutMs + OVERDUE_MS } : {}),
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
  return client;
}

function open(url: URL, path: string | undefined): Socket {
  if (path !== undefined) return connectSocket(path);
  return connectSocket(Number(url.port || '5432'), url.hostname.replace(/^\[(.*)\]$/, '$1'));
}

/**
 * A socket that is destroyed when what was sent on it gets no answer. The server ends a statement that takes too long;
 * a network that swallows packets, or a server that is stopped, says nothing, and postgres.js would wait for ever: a few
 * such connections and the gateway never serves again. (Under TLS the writes go past this one; there the operating
 * system finds out.)
 */
function watched(socket: Socket, limitMs: number): Socket {
  let isOwed = false;
  let readBefore = 0;
  let silentMs = 0;
  const write = socket.write;
  socket.write = ((...args: unknown[]) => {
    if (!isOwed || socket.bytesRead > readBefore) [isOwed, readBefore, silentMs] = [true, socket.bytesRead, 0];
    return Reflect.apply(write, socket, args);
  }) as Socket['write'];
  const timer = setInterval(() => {
    if (socket.destroyed) return clearInterval(timer);
    if (!isOwed) return;
    if (socket.bytesRead > readBefore) [isOwed, silentMs] = [false, 0];
    else silentMs += CHECK_EVERY_MS;
    if (silentMs > limitMs)
      socket.destroy(Object.assign(new Error('the database is silent'), { code: 'ETIMEDOUT', syscall: 'read' }));
  }, CHECK_EVERY_MS).unref();
  return socket;
}
