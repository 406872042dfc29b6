import type { TransactionSql } from 'postgres';
import type { LogKey, StoredTile } from './log.ts';

// What an audit asks about one log: an office's, or under an empty code the national one.

/** The sizes within (from, to] at which something signed or recorded names the tree, ascending. */
export async function readSizes(tx: TransactionSql, key: LogKey, from: number, to: number): Promise<number[]> {
  const rows = await tx<{ size: number }[]>`
    SELECT size FROM checkpoint WHERE lane = ${key.lane} AND office = ${key.office} AND size > ${from} AND size <= ${to}
    UNION
    SELECT kept_size FROM recovery
    WHERE lane = ${key.lane} AND office = ${key.office} AND kept_size > ${from} AND kept_size <= ${to}
    UNION
    SELECT size FROM (
      SELECT CASE WHEN split_part(text, E'\n', 2) ~ '^[0-9]{1,15}$' THEN split_part(text, E'\n', 2)::bigint END AS size
      FROM national_entry WHERE lane = 0 AND office = ${key.office} AND kind = 'office'
    ) heads WHERE size > ${from} AND size <= ${to}
    ORDER BY size`;
  return rows.map(({ size }) => size);
}

export interface AuditedCheckpoint {
  readonly size: number;
  readonly root: Buffer;
  readonly note: string;
  readonly signed_at: string;
}

/** `from` -1 includes the empty log's. */
export async function readCheckpoints(
  tx: TransactionSql,
  key: LogKey,
  from: number,
  to: number,
): Promise<AuditedCheckpoint[]> {
  return await tx<AuditedCheckpoint[]>`
    SELECT size, root, note, signed_at FROM checkpoint
    WHERE lane = ${key.lane} AND office = ${key.office} AND size > ${from} AND size <= ${to} ORDER BY size`;
}

/** Sizes of checkpoints that no tree of `end` entries can have. */
export async function readSizesOutside(tx: TransactionSql, key: LogKey, end: number, limit: number): Promise<number[]> {
  const rows = await tx<{ size: number }[]>`
    SELECT size FROM checkpoint
    WHERE lane = ${key.lane} AND office = ${key.office} AND (size < 0 OR size > ${end}) ORDER BY size LIMIT ${limit}`;
  return rows.map(({ size }) => size);
}

export async function readTreeFacts(
  tx: TransactionSql,
  key: LogKey,
): Promise<{ readonly size: number | undefined; readonly newest: number | undefined }> {
  const rows = await tx<{ size: number | null; newest: number | null }[]>`
    SELECT (SELECT size FROM office_tree WHERE lane = ${key.lane} AND office = ${key.office}) AS size,
      (SELECT max(size) FROM checkpoint WHERE lane = ${key.lane} AND office = ${key.office}) AS newest`;
  return { size: rows[0]?.size ?? undefined, newest: rows[0]?.newest ?? undefined };
}

/** Tiles that a tree with so many tiles of each level, from level 1 on, does not have. */
export async function readSurplusTiles(
  tx: TransactionSql,
  key: LogKey,
  counts: readonly number[],
  limit: number,
): Promise<{ level: number; n: number }[]> {
  return await tx<{ level: number; n: number }[]>`
    SELECT t.level, t.n FROM tile t
    LEFT JOIN unnest(${counts.map((_, i) => i + 1)}::smallint[], ${[...counts]}::bigint[]) AS c (level, count)
      ON c.level = t.level
    WHERE t.lane = ${key.lane} AND t.office = ${key.office} AND (t.n < 0 OR t.n >= coalesce(c.count, 0))
    ORDER BY t.level, t.n LIMIT ${limit}`;
}

/** The stored tiles of a level, indexes [from, to). */
export async function readLevel(
  tx: TransactionSql,
  key: LogKey,
  level: number,
  from: number,
  to: number,
): Promise<StoredTile[]> {
  return await tx<StoredTile[]>`
    SELECT level, n, hashes FROM tile
    WHERE lane = ${key.lane} AND office = ${key.office} AND level = ${level} AND n >= ${from} AND n < ${to} ORDER BY n`;
}

/** Heads of an office in the national log whose size is within (from, to]. */
export async function readHeadsInNational(
  tx: TransactionSql,
  office: string,
  from: number,
  to: number,
): Promise<{ idx: number; text: string }[]> {
  return await tx<{ idx: number; text: string }[]>`
    SELECT idx, text FROM (
      SELECT idx, text,
        CASE WHEN split_part(text, E'\n', 2) ~ '^[0-9]{1,15}$' THEN split_part(text, E'\n', 2)::bigint END AS size
      FROM national_entry WHERE lane = 0 AND office = ${office} AND kind = 'office'
    ) heads WHERE size > ${from} AND size <= ${to} ORDER BY idx`;
}

/** The largest size that the national log has for an office, of entries that are what their leaves commit to. */
export async function readLargestHead(tx: TransactionSql, office: string): Promise<number | undefined> {
  const end = `/offices/${office}`;
  const rows = await tx<{ size: number | null }[]>`
    SELECT max(CASE WHEN split_part(text, E'\n', 2) ~ '^[0-9]{1,15}$' THEN split_part(text, E'\n', 2)::bigint END) AS size
    FROM national_entry
    WHERE lane = 0 AND office = ${office} AND kind = 'office' AND right(split_part(text, E'\n', 1), length(${end}::text)) = ${end}
      AND leaf = sha256('\\x00'::bytea || convert_to(text, 'UTF8'))`;
  return rows[0]?.size ?? undefined;
}

export interface AuditedCosignature {
  readonly size: number;
  readonly kid: string;
  readonly line: string;
  readonly cosigned_at: string;
  /** Of the checkpoint of that size; null: there is none. */
  readonly note: string | null;
  readonly party: string | null;
  readonly alg: string | null;
  readonly jwk: string | null;
  readonly not_before: string | null;
  readonly not_after: string | null;
  readonly revoked_at: string | null;
}

/** At most `limit`, those behind (size, kid). */
export async function readCosignatures(
  tx: TransactionSql,
  key: LogKey,
  after: { readonly size: number; readonly kid: string },
  limit: number,
): Promise<AuditedCosignature[]> {
  return await tx<AuditedCosignature[]>`
    SELECT s.size, s.kid, s.line, s.cosigned_at, c.note, k.party, k.alg, k.jwk::text AS jwk, k.not_before, k.not_after,
      k.revoked_at
    FROM cosignature s
    LEFT JOIN checkpoint c ON c.lane = s.lane AND c.office = s.office AND c.size = s.size
    LEFT JOIN party_key k ON k.kid = s.kid
    WHERE s.lane = ${key.lane} AND s.office = ${key.office} AND (s.size, s.kid) > (${after.size}, ${after.kid})
    ORDER BY s.size, s.kid LIMIT ${limit}`;
}

/** Rows about logs that no office has, in the tables that name a log. */
export async function readForeignLogs(
  tx: TransactionSql,
): Promise<{ name: string; lane: number; office: string; count: number }[]> {
  return await tx<{ name: string; lane: number; office: string; count: number }[]>`
    SELECT name, lane, office, count FROM (
      SELECT 'tile' AS name, lane, office, count(*) AS count FROM tile GROUP BY lane, office
      UNION ALL SELECT 'checkpoint', lane, office, count(*) FROM checkpoint GROUP BY lane, office
      UNION ALL SELECT 'cosignature', lane, office, count(*) FROM cosignature GROUP BY lane, office
      UNION ALL SELECT 'office_tree', lane, office, count(*) FROM office_tree GROUP BY lane, office
    ) logs
    WHERE NOT (lane = 0 AND office = '')
      AND NOT EXISTS (SELECT 1 FROM office_head h WHERE h.lane = logs.lane AND h.office = logs.office)`;
}

export interface AuditedKey {
  readonly kid: string;
  readonly alg: string;
  readonly jwk: string;
}

/** Registered keys in the order of their ids, behind `after`. */
export async function readPartyKeys(tx: TransactionSql, after: string, limit: number): Promise<AuditedKey[]> {
  return await tx<AuditedKey[]>`
    SELECT kid, alg, jwk::text AS jwk FROM party_key WHERE kid COLLATE "C" > ${after}
    ORDER BY kid COLLATE "C" LIMIT ${limit}`;
}

export interface AuditedMandate {
  readonly id: string;
  readonly agent: string;
  readonly filer: string;
  readonly types: string[];
  readonly valid_from: string;
  readonly valid_to: string | null;
  readonly jws: string;
  readonly signed_at: string | null;
}

/** Signed mandates in the order of their ids, behind `after`. */
export async function readSignedMandates(tx: TransactionSql, after: string, limit: number): Promise<AuditedMandate[]> {
  return await tx<AuditedMandate[]>`
    SELECT id, agent, filer, types, valid_from, valid_to, jws, signed_at FROM mandate
    WHERE jws IS NOT NULL AND id COLLATE "C" > ${after} ORDER BY id COLLATE "C" LIMIT ${limit}`;
}

/** A registered key and whose it is. */
export async function readKeyOf(
  tx: TransactionSql,
  kid: string,
): Promise<(AuditedKey & { readonly party: string }) | undefined> {
  const rows = await tx<(AuditedKey & { party: string })[]>`
    SELECT kid, party, alg, jwk::text AS jwk FROM party_key WHERE kid = ${kid}`;
  return rows[0];
}

/** Every recovery, of whatever log. */
export async function readAllRecoveries(
  tx: TransactionSql,
): Promise<
  { office: string; at: string; kept_size: number; kept_root: Buffer; lost_size: number; lost_root: Buffer }[]
> {
  return await tx<
    { office: string; at: string; kept_size: number; kept_root: Buffer; lost_size: number; lost_root: Buffer }[]
  >`SELECT office, at, kept_size, kept_root, lost_size, lost_root FROM recovery ORDER BY office, at`;
}

/** Entries of the national log, and the largest index. */
export async function readNationalFacts(tx: TransactionSql): Promise<{ count: number; last: number }> {
  const rows = await tx<{ count: number; last: number | null }[]>`
    SELECT count(*) AS count, max(idx) AS last FROM national_entry WHERE lane = 0`;
  return { count: rows[0]?.count ?? 0, last: rows[0]?.last ?? -1 };
}
