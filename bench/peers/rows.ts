import { createHash, hash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** A row of the gateway's table `filing`, as its columns are called, with values that PostgreSQL takes. */
export type FilingRow = Readonly<Record<string, string | number | boolean | Buffer | null>>;

const COMPACT_PARTS = 3;

/** What the gateway would store of each filing of a file, made without checking anything. */
export function* rowsOf(file: string): Generator<FilingRow> {
  let index = 0;
  for (const jws of readFileSync(file, 'latin1').trimEnd().split('\n')) {
    const parts = jws.split('.');
    if (parts.length !== COMPACT_PARTS) throw new Error('a line of the corpus is not a compact JWS');
    yield rowOf(jws, Buffer.from(parts[1] as string, 'base64url'), index++);
  }
}

function rowOf(jws: string, payload: Buffer, index: number): FilingRow {
  const { type, filer, period, kind } = JSON.parse(payload.toString()) as {
    readonly type: string;
    readonly filer: string;
    readonly period: { readonly from: string; readonly to: string };
    readonly kind: string;
  };
  const key = hash('sha256', `${filer} ${period.from} ${jws.length}`, 'buffer');
  const month = Buffer.alloc(8);
  month.writeUInt16BE(Number(period.from.slice(0, 4)) * 12 + Number(period.from.slice(5, 7)) - 1);
  createHash('sha256').update(filer).digest().copy(month, 2, 0, 6);
  return {
    lane: index % 10,
    office: `1359${String(index % 10).padStart(3, '0')}0000`,
    idx: index,
    key: Buffer.concat([month, key]),
    type,
    version: '2026-02',
    filer,
    period_from: period.from,
    period_to: period.to,
    reference: null,
    kind,
    supersedes: null,
    received_at: new Date().toISOString(),
    late: false,
    warnings: null,
    digest: hash('sha256', payload, 'buffer'),
    salt: randomBytes(16),
    leaf: randomBytes(32),
    tick_lane: 0,
    tick: '00000000-0000-4000-8000-000000000000',
    tick_leaf: index % 256,
    kid: 'h2eDJmDOsL4TXhlGwSv-iXcdtVkjuDmJHGdTqAmU5sk',
    content: jws,
    manifest: null,
    manifest_line: null,
    urgent: false,
  };
}
