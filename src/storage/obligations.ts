import type { Sql } from 'postgres';
import type { FilingKind } from '../domain/filing.ts';
import { parseInstant } from '../std/clock.ts';
import { assert } from '../std/errors.ts';
import type { KeyInLane } from './filings.ts';

/** A filing that was found by its key. */
export interface KeyedFiling {
  readonly lane: number;
  readonly office: string;
  readonly index: number;
  readonly key: Buffer;
  readonly kind: FilingKind;
  /** Milliseconds since the epoch. */
  readonly receivedAt: number;
}

/**
 * The filings under these keys. As `findByKeys` it looks each key up in the index of keys, by the range with its order that
 * leaves the planner no other way.
 */
export async function findKeyed(sql: Sql, keys: readonly KeyInLane[]): Promise<KeyedFiling[]> {
  if (keys.length === 0) return [];
  const rows = await sql<
    { lane: number; office: string; idx: number; key: Buffer; kind: FilingKind; received_at: string }[]
  >`
    SELECT f.lane, f.office, f.idx, f.key, f.kind, f.received_at
    FROM unnest(${keys.map(({ lane }) => lane)}::smallint[], ${keys.map(({ key }) => key.toString('hex'))}::text[])
      AS want (lane, hex),
    LATERAL (
      SELECT * FROM filing
      WHERE filing.lane = want.lane AND filing.key BETWEEN decode(want.hex, 'hex') AND decode(want.hex, 'hex')
      ORDER BY filing.key LIMIT 1
    ) AS f`;
  return rows.map(({ idx, received_at, ...row }) => {
    const receivedAt = parseInstant(received_at);
    assert(receivedAt !== undefined, 'PostgreSQL writes instants with a zone');
    return { ...row, index: idx, receivedAt };
  });
}
