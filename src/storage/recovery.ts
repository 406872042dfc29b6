import type { Sql, TransactionSql } from 'postgres';
import { formatInstant, parseInstant } from '../std/clock.ts';
import { assert } from '../std/errors.ts';
import type { LogKey } from './log.ts';

// Statements about databases that were restored to an earlier state: what had been signed, and what was gone on with.

/** That a log went on from `keptSize` entries although `lostSize` had been signed. */
export interface RecoveryRecord {
  /** The office's code; empty for the national log. */
  readonly office: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly keptSize: number;
  readonly keptRoot: Buffer;
  readonly lostSize: number;
  readonly lostRoot: Buffer;
  readonly reason: string;
}

interface RecoveryRow {
  office: string;
  at: string;
  kept_size: number;
  kept_root: Buffer;
  lost_size: number;
  lost_root: Buffer;
  reason: string;
}

type Queryable = Sql | TransactionSql;

export async function insertRecovery(tx: TransactionSql, lane: number, recovery: RecoveryRecord): Promise<void> {
  const { office, at, keptSize, keptRoot, lostSize, lostRoot, reason } = recovery;
  await tx`
    INSERT INTO recovery (lane, office, at, kept_size, kept_root, lost_size, lost_root, reason)
    VALUES (${lane}, ${office}, ${formatInstant(at)}, ${keptSize}, ${keptRoot}, ${lostSize}, ${lostRoot}, ${reason})`;
}

/** Of one log, oldest first. */
export async function readRecoveries(sql: Queryable, key: LogKey): Promise<RecoveryRecord[]> {
  const rows = await sql<RecoveryRow[]>`
    SELECT office, at, kept_size, kept_root, lost_size, lost_root, reason FROM recovery
    WHERE lane = ${key.lane} AND office = ${key.office} ORDER BY at`;
  return rows.map((row) => {
    const at = parseInstant(row.at);
    assert(at !== undefined, 'PostgreSQL writes instants with a zone');
    return {
      office: row.office,
      at,
      keptSize: row.kept_size,
      keptRoot: row.kept_root,
      lostSize: row.lost_size,
      lostRoot: row.lost_root,
      reason: row.reason,
    };
  });
}

/** What the database has of a log where something was signed. */
export interface HeldHead {
  readonly office: string;
  readonly size: number;
  /** Entries in the log; undefined when there is no such office. */
  readonly held: number | undefined;
  /** Root of the stored checkpoint of `size` entries; undefined when none is stored. */
  readonly root: Buffer | undefined;
}

/** One statement for all offices: it stands in the way of every start. */
export async function readHeldHeads(
  sql: Sql,
  wanted: readonly (LogKey & { readonly size: number })[],
): Promise<HeldHead[]> {
  const rows = await sql<{ office: string; size: number; held: number | null; root: Buffer | null }[]>`
    SELECT w.office, w.size, h.size AS held, c.root
    FROM unnest(
      ${wanted.map(({ lane }) => lane)}::smallint[], ${wanted.map(({ office }) => office)}::text[],
      ${wanted.map(({ size }) => size)}::bigint[]
    ) AS w (lane, office, size)
    LEFT JOIN office_head h ON h.lane = w.lane AND h.office = w.office
    LEFT JOIN checkpoint c ON c.lane = w.lane AND c.office = w.office AND c.size = w.size`;
  return rows.map(({ office, size, held, root }) => ({
    office,
    size,
    held: held ?? undefined,
    root: root ?? undefined,
  }));
}

/** Sessions of gateways on this database beside the one that asks. */
export async function countOtherSessions(sql: Sql): Promise<number> {
  const rows = await sql<{ count: number }[]>`
    SELECT count(*) AS count FROM pg_stat_activity
    WHERE application_name = 'shenbao' AND datname = current_database() AND pid <> pg_backend_pid()`;
  return rows[0]?.count ?? 0;
}
