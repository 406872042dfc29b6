import { type FilingKind, filingId, type Period } from '../domain/filing.ts';
import type { FilingRecord } from '../domain/filing-record.ts';
import type { Receipt } from '../domain/statement.ts';
import { formatInstant } from '../std/clock.ts';
import type { Violation } from '../std/errors.ts';
import type { SignedTick } from './receipt.ts';

/** Where a filing is on its way. `superseded` and `voided` say that a later filing replaced it. */
export type FilingStatus = 'accepted' | 'superseded' | 'voided';

/** `Filing` of the contract. */
export interface FilingView {
  readonly id: string;
  readonly type: string;
  readonly version: string;
  readonly filer: string;
  readonly office: string;
  readonly index: number;
  readonly period: Period;
  readonly reference?: string | undefined;
  readonly kind: FilingKind;
  readonly supersedes?: string | undefined;
  readonly digest: string;
  readonly status: FilingStatus;
  readonly receivedAt: string;
  readonly late: boolean;
  readonly warnings: readonly Violation[];
  readonly receipt: Receipt;
}

export function filingView(record: FilingRecord, tick: SignedTick, status: FilingStatus): FilingView {
  const receipt = tick.receipt(record);
  return {
    id: filingId(record.office, record.index),
    type: record.type,
    version: record.version,
    filer: record.filer,
    office: record.office,
    index: record.index,
    period: record.period,
    reference: record.reference,
    kind: record.kind,
    supersedes: record.supersedes,
    digest: receipt.statement.digest,
    status,
    receivedAt: formatInstant(record.receivedAt),
    late: record.late,
    warnings: record.warnings.map(inOrder),
    receipt,
  };
}

/** PostgreSQL's jsonb keeps its own order of members; the answer to a replay is the first answer's bytes. */
export function inOrder({ pointer, code, rule, line, severity, message, explanation }: Violation): Violation {
  const { zh, en } = message;
  return {
    pointer,
    code,
    ...(rule === undefined ? {} : { rule }),
    ...(line === undefined ? {} : { line }),
    severity,
    message: { zh, en },
    ...(explanation === undefined ? {} : { explanation }),
  };
}
