import type { Sql } from '../src/storage/db.ts';

/** What a table and its indexes take, bytes. */
export interface TableSize {
  readonly table: string;
  readonly rows: number;
  /** The table itself, with its TOAST table and maps. */
  readonly tableBytes: number;
  readonly indexes: readonly { readonly index: string; readonly bytes: number }[];
}

/** Largest first; those of less than a page for every thousand filings are left out. */
export async function tableSizes(sql: Sql, filings: number): Promise<TableSize[]> {
  const rows = await sql<{ table: string; rows: number; tableBytes: number; indexes: TableSize['indexes'] }[]>`
    SELECT c.relname AS table, greatest(c.reltuples, 0)::bigint AS rows, pg_table_size(c.oid) AS "tableBytes",
      (SELECT coalesce(json_agg(json_build_object('index', x.relname, 'bytes', pg_relation_size(x.oid)) ORDER BY x.relname), '[]')
       FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid WHERE i.indrelid = c.oid) AS indexes
    FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
    ORDER BY pg_total_relation_size(c.oid) DESC`;
  const least = Math.max(1, filings / 1_000) * 8_192;
  return rows.filter((row, i) => i === 0 || bytesOf(row) >= least);
}

export function bytesOf({ tableBytes, indexes }: TableSize): number {
  return tableBytes + indexes.reduce((sum, { bytes }) => sum + bytes, 0);
}
