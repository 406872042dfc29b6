import { isLate } from '../calendar/deadlines.ts';
import { type FilingPayload, laneOf, parseFilingId } from '../domain/filing.ts';
import type { FilingRecord } from '../domain/filing-record.ts';
import type { Catalogue, FilingType, FilingTypeVersion } from '../domain/filing-type.ts';
import { checkAgainstType } from '../domain/payload.ts';
import type { Violation } from '../std/errors.ts';
import type { Sql } from '../storage/db.ts';
import { loadFiling } from '../storage/filing-lookup.ts';

export interface ValidateContext {
  readonly catalogue: () => Catalogue;
  readonly sql: Sql;
  readonly lanes: number;
}

/** What the content of a filing came to. `version` is there whenever `errors` is empty. */
export interface Validation {
  readonly errors: readonly Violation[];
  readonly warnings: readonly Violation[];
  readonly more: number;
  readonly version?: string;
  readonly late: boolean;
}

/**
 * Everything that can be said about the content, at once:
 * - the type exists, and has this kind, this period and this version
 * - what it supersedes is there to be superseded
 * - the schema of the version, then its rules
 *
 * `unseen` leaves out what others have filed: for a sender who has not proved who he is.
 */
export async function validateFiling(
  ctx: ValidateContext,
  payload: FilingPayload,
  receivedAt: number,
  superseded: 'looked-up' | 'unseen' = 'looked-up',
): Promise<Validation> {
  const type = ctx.catalogue().types.get(payload.type);
  if (type === undefined) return refused([unknownType()]);
  const chain = superseded === 'unseen' ? [] : await checkSuperseded(ctx, payload);
  const frame = [...checkAgainstType(payload, type), ...chain];
  const version = type.resolve(payload.version, payload.period);
  const late = isLate(type.metadata.deadline, payload.period, receivedAt);
  if (version === undefined) return refused(frame);
  const verdict = payload.kind === 'void' ? NOTHING_FOUND : version.check(payload);
  return {
    errors: [...frame, ...verdict.errors],
    warnings: verdict.warnings,
    more: verdict.more,
    version: versionName(type, version),
    late,
  };
}

/** A voiding withdraws a filing; it carries no figures that could be right or wrong. */
const NOTHING_FOUND = { errors: [], warnings: [], more: 0 } as const;

function refused(errors: readonly Violation[]): Validation {
  return { errors, warnings: [], more: 0, late: false };
}

function versionName(type: FilingType, version: FilingTypeVersion): string {
  for (const [name, candidate] of type.versions) if (candidate === version) return name;
  return version.metadata.version;
}

export function unknownType(): Violation {
  return {
    pointer: '/type',
    code: 'type',
    severity: 'error',
    message: {
      zh: '没有这种申报类型；全部类型见 GET /v1/filing-types。',
      en: 'There is no such filing type; GET /v1/filing-types lists them.',
    },
  };
}

/**
 * A filing supersedes one of the same filer, type, period and reference. A correction or a voiding replaces an original
 * or a correction; a new original replaces a voiding. That it is the head of its chain is the filing key's matter.
 */
async function checkSuperseded(ctx: ValidateContext, payload: FilingPayload): Promise<Violation[]> {
  if (payload.supersedes === undefined) return [];
  const target = await findSuperseded(ctx, payload);
  if (target === undefined) {
    return [
      supersedesViolation(
        '被取代的申报不存在，或与本申报的申报人、类型、所属期、单据号不一致。',
        'The filing to supersede is not there, or is of another filer, type, period or reference.',
      ),
    ];
  }
  if (payload.kind === 'original' && target.kind !== 'void') {
    return [
      supersedesViolation(
        '只有作废之后才能重新申报；更正请用 correction。',
        'A new original may only follow a voiding; to change a filing send a correction.',
      ),
    ];
  }
  if (payload.kind !== 'original' && target.kind === 'void') {
    return [
      supersedesViolation(
        '该申报已作废，不能更正或再次作废；请重新申报。',
        'That filing is a voiding: file a new original that supersedes it.',
      ),
    ];
  }
  return [];
}

async function findSuperseded(ctx: ValidateContext, payload: FilingPayload): Promise<FilingRecord | undefined> {
  const id = parseFilingId(payload.supersedes as string);
  if (id === undefined) return undefined;
  const found = await loadFiling(ctx.sql, laneOf(id.office, ctx.lanes), id.office, id.index);
  if (found === undefined) return undefined;
  const { record } = found;
  const same =
    record.filer === payload.filer &&
    record.type === payload.type &&
    record.period.from === payload.period.from &&
    record.period.to === payload.period.to &&
    record.reference === payload.reference;
  return same ? record : undefined;
}

function supersedesViolation(zh: string, en: string): Violation {
  return { pointer: '/supersedes', code: 'supersedes', severity: 'error', message: { zh, en } };
}
