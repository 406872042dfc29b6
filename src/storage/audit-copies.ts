import type { TransactionSql } from 'postgres';
import { type CopyRow, copyRows, literal } from './copy-binary.ts';
import type { LogKey } from './log.ts';

// What an audit reads whole: the large tables, each row once, in the order of its primary key. COPY takes no parameters.

/** Columns of {@link copyFilings}, in their order. */
export const FILING = {
  idx: 0,
  key: 1,
  type: 2,
  version: 3,
  filer: 4,
  from: 5,
  to: 6,
  reference: 7,
  kind: 8,
  supersedes: 9,
  receivedAt: 10,
  digest: 11,
  salt: 12,
  leaf: 13,
  tick: 14,
  tickLane: 15,
  tickLeaf: 16,
  kid: 17,
  content: 18,
  manifest: 19,
  manifestLine: 20,
  /** Payload segment of the tick's signature; null: no such tick. */
  tickClaims: 21,
  /** The 32 bytes at `tickLeaf`; fewer, or null, when the tick has not so many. */
  tickHash: 22,
  /** Header segment of the manifest's JWS; null: no such manifest. */
  manifestHeader: 23,
  manifestHash: 24,
} as const;

/** Where the columns of a registered key are. All null: no such key. */
export interface KeyColumns {
  readonly alg: number;
  readonly jwk: number;
  readonly notBefore: number;
  readonly notAfter: number;
  readonly revokedAt: number;
}

/** Further columns of {@link copyFilings} with `keys`: the key that the row names. */
export const FILING_KEY: KeyColumns = { alg: 25, jwk: 26, notBefore: 27, notAfter: 28, revokedAt: 29 };

const KEY_COLUMNS = ', k.alg, k.jwk::text, k.not_before, k.not_after, k.revoked_at';

/** One hash of a list, or null for an index that no list has: `substr` refuses what overflows an integer. */
const hashAt = (list: string, index: string): string =>
  `CASE WHEN ${index} BETWEEN 0 AND 60000000 THEN substr(${list}, ${index} * 32 + 1, 32) END`;

/** The filings [from, to) of a log, in index order, each with the hash that its tick and its manifest have for it. */
export function copyFilings(
  tx: TransactionSql,
  { lane, office }: LogKey,
  { from, to, keys }: { readonly from: number; readonly to: number; readonly keys: boolean },
  onRow: (row: CopyRow) => void,
): Promise<void> {
  const query = `
    SELECT f.idx, f.key, f.type, f.version, f.filer, f.period_from, f.period_to, f.reference, f.kind, f.supersedes,
      f.received_at, f.digest, f.salt, f.leaf, f.tick, f.tick_lane, f.tick_leaf, f.kid, f.content, f.manifest,
      f.manifest_line, split_part(t.signature, '.', 2), ${hashAt('t.leaves', 'f.tick_leaf')},
      split_part(m.jws, '.', 1), ${hashAt('m.leaves', 'f.manifest_line')}
      ${keys ? KEY_COLUMNS : ''}
    FROM filing f
    LEFT JOIN tick t ON t.lane = f.tick_lane AND t.id = f.tick
    LEFT JOIN manifest m ON m.lane = f.lane AND m.id = f.manifest
    ${keys ? 'LEFT JOIN party_key k ON k.kid = f.kid' : ''}
    WHERE f.lane = ${Number(lane)} AND f.office = ${literal(office)} AND f.idx >= ${Number(from)} AND f.idx < ${Number(to)}
    ORDER BY f.idx`;
  return copyRows(tx, query, Object.keys(FILING).length + (keys ? Object.keys(FILING_KEY).length : 0), onRow);
}

export const TICK = { id: 0, at: 1, leaves: 2, signature: 3 } as const;

/** A part of a lane: ids of which the first byte is in [from, to). */
export interface IdRange {
  readonly lane: number;
  readonly from: number;
  readonly to: number;
}

const FULL = 256;

function idCondition({ lane, from, to }: IdRange): string {
  const bound = (byte: number): string =>
    literal(`${byte.toString(16).padStart(2, '0')}000000-0000-0000-0000-000000000000`);
  const upper = to >= FULL ? '' : ` AND id < ${bound(to)}`;
  return `lane = ${Number(lane)} AND id >= ${bound(from)}${upper}`;
}

export function copyTicks(tx: TransactionSql, range: IdRange, onRow: (row: CopyRow) => void): Promise<void> {
  const query = `SELECT id, at, leaves, signature FROM tick WHERE ${idCondition(range)}`;
  return copyRows(tx, query, Object.keys(TICK).length, onRow);
}

export const MANIFEST = { id: 0, leaves: 1, jws: 2, kid: 3 } as const;

/** Further columns of {@link copyManifests} with `keys`. */
export const MANIFEST_KEY: KeyColumns = { alg: 4, jwk: 5, notBefore: 6, notAfter: 7, revokedAt: 8 };

/** `kid`: of the filings that belong to it; null: there are none. */
export function copyManifests(
  tx: TransactionSql,
  lane: number,
  keys: boolean,
  onRow: (row: CopyRow) => void,
): Promise<void> {
  const query = `
    SELECT m.id, m.leaves, m.jws, f.kid ${keys ? KEY_COLUMNS : ''}
    FROM manifest m
    LEFT JOIN (
      SELECT manifest, min(kid) AS kid FROM filing
      WHERE lane = ${Number(lane)} AND manifest IS NOT NULL GROUP BY manifest
    ) f ON f.manifest = m.id
    ${keys ? 'LEFT JOIN party_key k ON k.kid = f.kid' : ''}
    WHERE m.lane = ${Number(lane)}`;
  const columns = Object.keys(MANIFEST).length + (keys ? Object.keys(MANIFEST_KEY).length : 0);
  return copyRows(tx, query, columns, onRow);
}

export const NATIONAL = { idx: 0, kind: 1, office: 2, text: 3, leaf: 4, trail: 5 } as const;

/** Entries [from, to). `trail`: for an entry about the trail, the hash of the row that it names; null: no such row. */
export function copyNational(
  tx: TransactionSql,
  from: number,
  to: number,
  onRow: (row: CopyRow) => void,
): Promise<void> {
  const query = `
    SELECT e.idx, e.kind, e.office, e.text, e.leaf, t.hash
    FROM national_entry e
    LEFT JOIN trail t ON e.kind = 'trail' AND t.lane = 0 AND t.n =
      CASE WHEN split_part(e.text, E'\\n', 2) ~ '^[0-9]{1,15}$' THEN split_part(e.text, E'\\n', 2)::bigint END
    WHERE e.lane = 0 AND e.idx >= ${Number(from)} AND e.idx < ${Number(to)} ORDER BY e.idx`;
  return copyRows(tx, query, Object.keys(NATIONAL).length, onRow);
}

export const TRAIL = {
  n: 0,
  at: 1,
  role: 2,
  party: 3,
  action: 4,
  target: 5,
  result: 6,
  request: 7,
  details: 8,
  hash: 9,
} as const;

export function copyTrail(tx: TransactionSql, onRow: (row: CopyRow) => void): Promise<void> {
  const query = `
    SELECT n, at, role, party, action, target, result, request, details::text, hash
    FROM trail WHERE lane = 0 ORDER BY n`;
  return copyRows(tx, query, Object.keys(TRAIL).length, onRow);
}
