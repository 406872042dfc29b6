import type { Catalogue, FilingType } from '../domain/filing-type.ts';
import { checkRegionCode } from '../domain/identifiers.ts';
import { finding, notFound, type Outcome, refuseIfAny } from '../identity/change.ts';
import { checkDates } from '../identity/dates.ts';
import { matchesType } from '../identity/mandates.ts';
import { isPlainDate } from '../std/clock.ts';
import type { Violation } from '../std/errors.ts';
import type { ReadSettingsContext } from './calendar-years.ts';
import { deadlineOfRow } from './kinds.ts';
import { type PutSettingContext, putSetting, takeBackSetting } from './put-setting.ts';
import type { DeadlineOverride, StoredDeadline } from './records.ts';

export interface PutDeadlineContext extends PutSettingContext {
  readonly catalogue: () => Catalogue;
}

/**
 * Sets a deadline in place of those of some types: an extension (延期), or a day that a province fixes. Earlier than the law's
 * is possible too; whoever may set it is trusted with it, and everybody can see what was set when.
 */
export async function putDeadline(
  ctx: PutDeadlineContext,
  input: DeadlineOverride & { readonly id: string },
): Promise<Outcome<StoredDeadline>> {
  const { id, ...override } = input;
  refuseIfAny(checkOverride(override, ctx.catalogue()));
  const { created, resource } = await putSetting(ctx, { kind: 'deadline', id }, override);
  return { created, resource: deadlineOfRow(resource) };
}

export async function deleteDeadline(ctx: PutSettingContext, id: string): Promise<void> {
  await takeBackSetting(ctx, { kind: 'deadline', id });
}

export function readDeadline({ settings }: ReadSettingsContext, id: string): StoredDeadline {
  const row = settings.all('deadline').get(id);
  if (row === undefined) throw notFound('没有此期限。', 'There is no such deadline.');
  return deadlineOfRow(row);
}

/** A page in the order of ids. `next` is the cursor of the following page, or null. */
export function listDeadlines(
  { settings }: ReadSettingsContext,
  { cursor, limit }: { readonly cursor: string; readonly limit: number },
): { readonly items: readonly StoredDeadline[]; readonly next: string | null } {
  const ids = [...settings.all('deadline').keys()].filter((id) => id > cursor).sort();
  const page = ids.slice(0, limit);
  return {
    items: page.map((id) => readDeadline({ settings }, id)),
    next: ids.length > limit ? (page.at(-1) ?? null) : null,
  };
}

function checkOverride(override: DeadlineOverride, catalogue: Catalogue): Violation[] {
  const { types, region, periods } = override;
  const matched = types.map((pattern) => [...catalogue.types.values()].filter((type) => names(pattern, type)));
  const inForm = region === undefined ? undefined : checkRegionCode(region);
  return [
    ...matched.flatMap((found, i) => (found.length > 0 ? [] : [finding(`/types/${i}`, 'type', NO_TYPE)])),
    ...(inForm?.ok === false ? [finding('/region', 'identifier', inForm.reason)] : []),
    ...(periods === undefined ? [] : checkDates(periods, '/periods')),
    ...checkDay(override),
    ...checkRule(override, matched.flat()),
  ];
}

const NO_TYPE = { zh: '没有这种申报类型', en: 'names no filing type' };

function names(pattern: string, { metadata }: FilingType): boolean {
  return matchesType(pattern, metadata.type);
}

function checkDay({ rule, dueDate, periods }: DeadlineOverride): Violation[] {
  if ((rule === undefined) === (dueDate === undefined))
    return [finding('', 'deadline', { zh: 'rule 与 dueDate 应有且只有一个', en: 'must have either rule or dueDate' })];
  if (dueDate === undefined) return [];
  if (periods === undefined)
    return [
      finding('/dueDate', 'deadline', {
        zh: '指定日期须同时写明所属期范围 periods',
        en: 'is for certain periods: say which in periods',
      }),
    ];
  if (!isPlainDate(dueDate))
    return [
      finding('/dueDate', 'date', { zh: '应为存在的日期（YYYY-MM-DD）', en: 'must be an existing date (YYYY-MM-DD)' }),
    ];
  if (dueDate < periods.from)
    return [
      finding('/dueDate', 'deadline', { zh: '早于所属期范围的起点', en: 'is before the first day of the periods' }),
    ];
  return [];
}

function checkRule({ rule }: DeadlineOverride, types: readonly FilingType[]): Violation[] {
  if (rule?.rule !== 'after-event') return [];
  const given = [rule.hours, rule.days, rule.workingDays].filter((value) => value !== undefined);
  const isOne = given.length === 1;
  return [
    ...(isOne
      ? []
      : [
          finding('/rule', 'deadline', {
            zh: 'hours、days、workingDays 应有且只有一个',
            en: 'must have exactly one of hours, days and workingDays',
          }),
        ]),
    ...(types.every((type) => type.isEvent)
      ? []
      : [
          finding('/rule', 'deadline', {
            zh: 'after-event 只适用于事件类申报',
            en: 'after-event is for types that report events only',
          }),
        ]),
  ];
}
