import type { Catalogue } from '../domain/filing-type.ts';
import { checkRegionCode } from '../domain/identifiers.ts';
import { finding, type Outcome, refuseIfAny } from '../identity/change.ts';
import { checkDates } from '../identity/dates.ts';
import type { Violation } from '../std/errors.ts';
import type { ReadSettingsContext } from './calendar-years.ts';
import { figuresOfRow } from './kinds.ts';
import { type PutSettingContext, putSetting } from './put-setting.ts';
import type { LoadedFigure } from './records.ts';
import { COUNTRY } from './regions.ts';

export interface PutFiguresContext extends PutSettingContext {
  readonly catalogue: () => Catalogue;
}

export interface FiguresInput {
  /** Six digits (GB/T 2260), or {@link COUNTRY}. */
  readonly region: string;
  readonly figures: readonly LoadedFigure[];
}

/** Replaces the figures of a region. What it does not say is said by the city, the province or the country that it is in. */
export async function putFigures(
  ctx: PutFiguresContext,
  input: FiguresInput,
): Promise<Outcome<readonly LoadedFigure[]>> {
  refuseIfAny(checkFigures(input, declaredNames(ctx.catalogue())));
  const { created, resource } = await putSetting(ctx, { kind: 'figures', id: input.region }, input.figures);
  return { created, resource: figuresOfRow(resource) };
}

/** The region's own, as they were set. */
export function readFigures({ settings }: ReadSettingsContext, region: string): readonly LoadedFigure[] {
  const row = settings.all('figures').get(region);
  return row === undefined ? [] : figuresOfRow(row);
}

function checkFigures({ region, figures }: FiguresInput, names: ReadonlySet<string>): Violation[] {
  const inForm = region === COUNTRY ? undefined : checkRegionCode(region);
  return [
    ...(inForm?.ok === false ? [finding('/region', 'identifier', inForm.reason)] : []),
    ...figures.flatMap((figure, i) => [
      ...(names.has(figure.name) ? [] : [unknownName(i, names)]),
      ...checkDates(figure, `/${i}`),
      ...(figures.slice(0, i).some((other) => overlap(other, figure)) ? [twice(i)] : []),
    ]),
  ];
}

function unknownName(i: number, names: ReadonlySet<string>): Violation {
  const known = [...names].sort();
  return finding(`/${i}/name`, 'figure', {
    zh: known.length === 0 ? '没有申报类型使用地区数据' : `没有这项地区数据；可用的有：${known.join('、')}`,
    en: known.length === 0 ? 'no filing type reads figures of regions' : `is none of: ${known.join(', ')}`,
  });
}

function twice(i: number): Violation {
  return finding(`/${i}`, 'overlap', {
    zh: '与前面同名的一项在日期上重叠',
    en: 'overlaps an earlier one of the same name in time',
  });
}

function overlap(a: LoadedFigure, b: LoadedFigure): boolean {
  const startsBeforeEnd = (x: LoadedFigure, y: LoadedFigure): boolean => y.to === undefined || x.from <= y.to;
  return a.name === b.name && startsBeforeEnd(a, b) && startsBeforeEnd(b, a);
}

/** What rules of any version of any type read as `regional.<name>`. */
function declaredNames(catalogue: Catalogue): Set<string> {
  const versions = [...catalogue.types.values()].flatMap((type) => [...type.versions.values()]);
  return new Set(versions.flatMap(({ ruleSet }) => Object.keys(ruleSet.regional)));
}
