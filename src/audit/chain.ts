import { laneOf, parseFilingId } from '../domain/filing.ts';
import { readSuperseded, type Superseded } from '../storage/audit.ts';
import type { TransactionSql } from '../storage/db.ts';
import type { ChainLink } from './filing-row.ts';
import { finding, type Report } from './findings.ts';

const AT_ONCE = 1_000;

export interface ChainContext {
  readonly tx: TransactionSql;
  readonly office: string;
  readonly lanes: number;
  readonly report: Report;
}

/** What each of these replaces is there, is of the same filer, type, period and number, and may be replaced so. */
export async function checkChains(ctx: ChainContext, links: readonly ChainLink[]): Promise<void> {
  for (let from = 0; from < links.length; from += AT_ONCE) await checkPart(ctx, links.slice(from, from + AT_ONCE));
}

async function checkPart(ctx: ChainContext, links: readonly ChainLink[]): Promise<void> {
  const wanted = links.flatMap(({ supersedes }) => {
    const id = parseFilingId(supersedes);
    return id === undefined ? [] : [{ lane: laneOf(id.office, ctx.lanes), ...id }];
  });
  const found = new Map(
    (await readSuperseded(ctx.tx, wanted)).map((filing) => [`${filing.office}.${filing.idx}`, filing]),
  );
  for (const link of links) {
    const fault = faultOf(link, found.get(link.supersedes), ctx.office);
    if (fault === undefined) continue;
    ctx.report(finding('chain', { office: ctx.office, id: `${ctx.office}.${link.index}` }, ...fault));
  }
}

function faultOf(
  link: ChainLink,
  target: Superseded | undefined,
  office: string,
): [zh: string, en: string] | undefined {
  if (target === undefined) return ['被取代的申报不存在', 'the filing that it supersedes is not there'];
  const isSame =
    target.filer === link.filer &&
    target.type === link.type &&
    target.period_from === link.from &&
    target.period_to === link.to &&
    (target.reference ?? undefined) === link.reference;
  if (!isSame)
    return [
      '被取代的申报属于另一申报人、类型、所属期或单据号',
      'the filing that it supersedes is of another filer, type, period or reference',
    ];
  if (target.office === office && target.idx >= link.index)
    return ['被取代的申报在它之后', 'the filing that it supersedes comes after it'];
  if (link.kind === 'original' && target.kind !== 'void')
    return ['新的申报只能取代作废', 'a new original supersedes something other than a voiding'];
  if (link.kind !== 'original' && target.kind === 'void')
    return ['更正、补充或作废取代了一份作废', 'a correction, supplement or voiding supersedes a voiding'];
  return undefined;
}
