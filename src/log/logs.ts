import type { Sql, TransactionSql } from '../storage/db.ts';
import { type LogKey, type LogState, readLeaves, readLogState } from '../storage/log.ts';
import { NATIONAL_KEY, readNationalLeaves, readNationalState } from '../storage/national.ts';
import { logOrigin, nationalOrigin } from './checkpoint.ts';
import { type LogContext, logKey } from './context.ts';

/** One log of the gateway's: where its tree is stored, where its leaves come from, and what it is called. */
export interface Log {
  /** Of its tree, tiles and checkpoints. */
  readonly key: LogKey;
  /** For messages of ours. */
  readonly name: string;
  /** First line of its checkpoints, and the name that they are signed with. */
  readonly origin: (issuer: string) => string;
  /** Undefined when there is no such log. */
  readonly readState: (sql: Sql | TransactionSql) => Promise<LogState | undefined>;
  /** The leaf hashes of entries [from, to), which must all exist. */
  readonly readLeaves: (sql: Sql | TransactionSql, from: number, to: number) => Promise<Buffer[]>;
}

export function officeLog(ctx: Pick<LogContext, 'lanes'>, office: string): Log {
  const key = logKey(ctx, office);
  return {
    key,
    name: `the log of office ${office}`,
    origin: (issuer) => logOrigin(issuer, office),
    readState: (sql) => readLogState(sql, key),
    readLeaves: (sql, from, to) => readLeaves(sql, key, from, to),
  };
}

/** The heads of all offices' logs, and what else one published line is to cover. */
export const NATIONAL_LOG: Log = {
  key: NATIONAL_KEY,
  name: 'the national log',
  origin: nationalOrigin,
  readState: readNationalState,
  readLeaves: readNationalLeaves,
};
