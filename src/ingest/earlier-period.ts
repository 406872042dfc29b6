import { EARLIER_PERIOD } from '../domain/explanations.ts';
import type { FilingPayload, Period } from '../domain/filing.ts';
import type { FilingType } from '../domain/filing-type.ts';
import { doFill, periodBefore } from '../domain/period-kinds.ts';
import type { Violation } from '../std/errors.ts';
import { agencyOf, findStanding, type StandingContext } from './standing.ts';

/** Days of a year as periods of a day, and some corrections of how a filer files. */
const LIMIT = 400;

/** A filing before which another may have been owed. */
export interface Successor {
  readonly payload: Pick<FilingPayload, 'filer' | 'period'>;
  readonly type: FilingType;
}

/**
 * For each filing the finding that nothing stands for the period just before (往期未申报), or none. It was owed when the filer
 * was registered with an office of the type's agency on a day of it, and a version of the form was in force then. Who has
 * changed from quarters to months has filed it when what stands has every day of it. Whether that blocks or warns is the
 * type's matter.
 */
export async function checkEarlierPeriods(
  ctx: StandingContext,
  filings: readonly Successor[],
  severity: Violation['severity'],
): Promise<Violation[][]> {
  const owed = await Promise.all(filings.map((filing) => owedBefore(ctx, filing)));
  const queries = filings.flatMap(({ payload: { filer }, type }, i) => {
    const before = owed[i];
    if (before === undefined) return [];
    return [{ filer, type: type.metadata.type, ...before, reach: 'overlapping' as const, limit: LIMIT }];
  });
  const standing = (await findStanding(ctx, queries)).values();
  return owed.map((before) => {
    const periods = before && standing.next().value?.map(({ period }) => period);
    return before === undefined || periods === undefined || doFill(periods, before) ? [] : [missing(before, severity)];
  });
}

function missing(before: Period, severity: Violation['severity']): Violation {
  return {
    pointer: '/period',
    code: EARLIER_PERIOD,
    severity,
    message: {
      zh: `往期未申报：没有找到${before.from}至${before.to}所属期的申报；请先申报往期，无须申报的请说明`,
      en: `The period before has not been filed: nothing stands for ${before.from} to ${before.to}; file it first, or explain why nothing was due`,
    },
  };
}

/** The period before, if it was owed. */
async function owedBefore(ctx: StandingContext, { payload, type }: Successor): Promise<Period | undefined> {
  const before = periodBefore(type.metadata.periods, payload.period);
  if (before === undefined || type.resolve(undefined, before) === undefined) return undefined;
  return (await wasRegistered(ctx, payload.filer, type, before)) ? before : undefined;
}

async function wasRegistered(
  { directory }: StandingContext,
  filer: string,
  type: FilingType,
  during: Period,
): Promise<boolean> {
  const agency = agencyOf(type.metadata.type);
  for (const { office, from, to, withdrawn } of (await directory.party(filer))?.registrations ?? []) {
    const overlaps = !withdrawn && from <= during.to && (to === undefined || to >= during.from);
    if (overlaps && (await directory.office(office))?.agency === agency) return true;
  }
  return false;
}
