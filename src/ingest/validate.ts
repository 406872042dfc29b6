import { explain } from '../domain/explanations.ts';
import { type FilingPayload, laneOf, parseFilingId } from '../domain/filing.ts';
import type { FilingRecord } from '../domain/filing-record.ts';
import type { Catalogue, FilingType, FilingTypeVersion } from '../domain/filing-type.ts';
import { checkAgainstType } from '../domain/payload.ts';
import type { SchemaNode } from '../domain/schema-node.ts';
import { supplementFindings } from '../domain/supplement.ts';
import type { Directory } from '../identity/records.ts';
import type { Settings } from '../settings/records.ts';
import type { Violation } from '../std/errors.ts';
import type { Database } from '../storage/db.ts';
import { loadFiling } from '../storage/filing-lookup.ts';
import { checkEarlierPeriods } from './earlier-period.ts';
import { loadPayload } from './standing.ts';

export interface ValidateContext {
  readonly catalogue: () => Catalogue;
  readonly db: Database;
  readonly lanes: number;
  readonly directory: Pick<Directory, 'party' | 'office'>;
  readonly settings: Settings;
}

export interface ValidateOptions {
  /** Of the office that it goes to: its figures and its deadlines count. Undefined: the country's. */
  readonly region: string | undefined;
  /** `unseen` leaves out what was filed before: for a sender who has not proved who he is. */
  readonly others: 'looked-up' | 'unseen';
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
 * - what it supersedes is there to be superseded, and the period before is filed where the type insists
 * - the schema of the version, then its rules; then that a supplement lowers nothing
 *
 * Warnings carry the filer's explanations.
 */
export async function validateFiling(
  ctx: ValidateContext,
  payload: FilingPayload,
  receivedAt: number,
  { region, others }: ValidateOptions,
): Promise<Validation> {
  const type = ctx.catalogue().types.get(payload.type);
  if (type === undefined) return refused([unknownType()]);
  const before = others === 'unseen' ? NOTHING_BEFORE : await lookBefore(ctx, payload, type);
  const frame = [...checkAgainstType(payload, type), ...before.errors];
  const version = type.resolve(payload.version, payload.period);
  if (version === undefined) return refused(frame);
  const figures = ctx.settings.figures(region, payload.period.to);
  const verdict = payload.kind === 'void' ? NOTHING_FOUND : version.check(payload, figures);
  const isSound = frame.length === 0 && verdict.errors.length === 0;
  const added =
    isSound && payload.kind === 'supplement'
      ? await checkSupplement(ctx, payload, type, version, before.superseded)
      : NOTHING_FOUND;
  return {
    errors: [...frame, ...verdict.errors, ...added.errors],
    warnings: isSound ? explain(verdict.warnings, payload.explanations) : verdict.warnings,
    more: verdict.more + added.more,
    version: versionName(type, version),
    late: ctx.settings.isLate(type.metadata, region, payload.period, receivedAt),
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

/** What has been filed before, as far as this filing depends on it. */
interface Before {
  readonly errors: readonly Violation[];
  readonly superseded?: FilingRecord | undefined;
}

const NOTHING_BEFORE: Before = { errors: [] };

async function lookBefore(ctx: ValidateContext, payload: FilingPayload, type: FilingType): Promise<Before> {
  const insists = type.metadata.earlierPeriod === 'refusal' && payload.kind === 'original';
  const standing = { ...ctx, sql: ctx.db.sql };
  const earlier = insists ? (await checkEarlierPeriods(standing, [{ payload, type }], 'error')).flat() : [];
  if (payload.supersedes === undefined) return earlier.length === 0 ? NOTHING_BEFORE : { errors: earlier };
  const superseded = await findSuperseded(ctx, payload);
  return { errors: [...checkSuperseded(payload, superseded), ...earlier], superseded };
}

async function checkSupplement(
  ctx: ValidateContext,
  payload: FilingPayload,
  { metadata }: FilingType,
  version: FilingTypeVersion,
  superseded: FilingRecord | undefined,
): Promise<{ readonly errors: readonly Violation[]; readonly more: number }> {
  const rule = metadata.kinds.supplement;
  if (rule === undefined || superseded === undefined) return NOTHING_FOUND;
  const { data } = await loadPayload(ctx.db.sql, superseded);
  return supplementFindings(rule, version.schema as SchemaNode, data, payload.data);
}

/**
 * A filing supersedes one of the same filer, type, period and reference. A correction, a supplement or a voiding replaces
 * any but a voiding; a new original replaces a voiding. That it is the head of its chain is the filing key's matter.
 */
function checkSuperseded(payload: FilingPayload, target: FilingRecord | undefined): Violation[] {
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
        '该申报已作废，不能更正、补充或再次作废；请重新申报。',
        'That filing is a voiding: file a new original that supersedes it.',
      ),
    ];
  }
  return [];
}

async function findSuperseded(ctx: ValidateContext, payload: FilingPayload): Promise<FilingRecord | undefined> {
  const id = parseFilingId(payload.supersedes as string);
  if (id === undefined) return undefined;
  const found = await loadFiling(ctx.db.sql, laneOf(id.office, ctx.lanes), id.office, id.index);
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
