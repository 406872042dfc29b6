import type { Sql, TransactionSql } from 'postgres';
import { formatInstant, parseInstant } from '../std/clock.ts';
import { assert } from '../std/errors.ts';
import { endsBeyond } from './batches.ts';
import type { LogKey } from './log.ts';
import type { FilingPosition } from './standing.ts';

// What offices have acknowledged, and cosigned. Every statement names its lanes.

/** A cosigner's clock may be so far behind; one that cosigned longer before the checkpoint was signed meant another note. */
const CLOCK_SKEW = '5 minutes';

export interface CosignatureRow {
  /** Entries under the checkpoint that was cosigned. */
  readonly size: number;
  readonly kid: string;
  /** The note's signature line, without its newline. */
  readonly line: string;
  /** As the cosigner says: milliseconds since the epoch, whole seconds. */
  readonly cosignedAt: number;
}

/**
 * A key cosigns a checkpoint once: what it says again later changes nothing, unless the checkpoint was signed anew since, under
 * another name or after a recovery.
 */
export async function insertCosignature(tx: TransactionSql, key: LogKey, row: CosignatureRow): Promise<void> {
  await tx`
    INSERT INTO cosignature (lane, office, size, kid, line, cosigned_at)
    VALUES (${key.lane}, ${key.office}, ${row.size}, ${row.kid}, ${row.line}, ${formatInstant(row.cosignedAt)})
    ON CONFLICT (lane, office, size, kid) DO UPDATE SET line = excluded.line, cosigned_at = excluded.cosigned_at
    WHERE cosignature.cosigned_at < (
      SELECT signed_at - ${CLOCK_SKEW}::interval FROM checkpoint
      WHERE lane = ${key.lane} AND office = ${key.office} AND size = ${row.size})`;
}

/** Whether just this line is stored for the checkpoint. */
export async function hasCosignature(sql: Sql, key: LogKey, size: number, line: string): Promise<boolean> {
  const rows = await sql`
    SELECT FROM cosignature
    WHERE lane = ${key.lane} AND office = ${key.office} AND size = ${size} AND line = ${line}`;
  return rows.length > 0;
}

/** That an office has a filing. */
export interface DeliveryRow extends FilingPosition {
  /** When the first acknowledgement that covers it came: milliseconds since the epoch. */
  readonly at: number;
  /** Entries that were acknowledged with it: every index below. */
  readonly size: number;
  /** Of the smallest checkpoint over it that was cosigned. `note`: that checkpoint, with the gateway's signature only. */
  readonly cosigned?: CosignatureRow & { readonly note: string };
}

interface StoredDelivery extends FilingPosition {
  at: string;
  size: number;
  kid: string | null;
  line: string;
  cosigned_at: string;
  cosigned_size: number;
  note: string;
}

/**
 * Of these filings those that a consumer of their office has acknowledged, in no order. A consumer's cursor says that it
 * has; the first of its batches that reaches beyond the filing says since when. One walk of a primary key each.
 */
export async function readDeliveries(sql: Sql, filings: readonly FilingPosition[]): Promise<DeliveryRow[]> {
  const rows = await sql<StoredDelivery[]>`
    SELECT want.lane, want.office, want.idx AS index, a.at, a.size,
      s.kid, s.line, s.cosigned_at, s.size AS cosigned_size, cp.note
    FROM unnest(${filings.map((f) => f.lane)}::smallint[], ${filings.map((f) => f.office)}::text[],
      ${filings.map((f) => f.index)}::bigint[], ${filings.map((f) => endsBeyond(f.index))}::uuid[])
      AS want (lane, office, idx, first_batch)
    CROSS JOIN LATERAL (
      SELECT coalesce(b.expires_at, c.acked_at) AS at, coalesce(b.to_index, c.cursor) AS size
      FROM consumer c
      LEFT JOIN LATERAL (
        SELECT expires_at, to_index FROM batch
        WHERE lane = c.lane AND office = c.office AND consumer = c.name AND id >= want.first_batch
          AND to_index > want.idx AND state = 'acknowledged'
        ORDER BY id LIMIT 1
      ) b ON true
      WHERE c.lane = want.lane AND c.office = want.office AND c.cursor > want.idx
      ORDER BY 1, 2 LIMIT 1
    ) a
    LEFT JOIN LATERAL (
      SELECT kid, line, cosigned_at, size FROM cosignature k
      WHERE lane = want.lane AND office = want.office AND size > want.idx
        AND cosigned_at + ${CLOCK_SKEW}::interval >= (
          SELECT signed_at FROM checkpoint WHERE lane = want.lane AND office = want.office AND size = k.size)
      ORDER BY size, kid LIMIT 1
    ) s ON true
    LEFT JOIN checkpoint cp ON cp.lane = want.lane AND cp.office = want.office AND cp.size = s.size`;
  return rows.map(deliveryOf);
}

function deliveryOf(row: StoredDelivery): DeliveryRow {
  const { lane, office, index, size } = row;
  const delivery = { lane, office, index, size, at: instant(row.at) };
  if (row.kid === null) return delivery;
  const { kid, line, note } = row;
  return {
    ...delivery,
    cosigned: { kid, line, note, size: row.cosigned_size, cosignedAt: instant(row.cosigned_at) },
  };
}

function instant(text: string): number {
  const epochMs = parseInstant(text);
  assert(epochMs !== undefined, 'PostgreSQL writes instants with a zone');
  return epochMs;
}
