import { type Agency, type FilingKind, type FilingPayload, filingId, laneOf, type Period } from '../domain/filing.ts';
import { filerPrefix, monthNumber } from '../domain/filing-key.ts';
import type { Directory } from '../identity/records.ts';
import type { PlainDate } from '../std/clock.ts';
import { assert } from '../std/errors.ts';
import type { Sql, TransactionSql } from '../storage/db.ts';
import {
  type FilingPosition,
  listStanding,
  type Reach,
  readContents,
  type StandingRow,
  type StoredContent,
} from '../storage/standing.ts';

export interface StandingContext {
  readonly sql: Sql | TransactionSql;
  readonly lanes: number;
  readonly directory: Pick<Directory, 'party' | 'office'>;
}

export interface StandingQuery {
  readonly filer: string;
  readonly type: string;
  /** Filings whose whole period lies within these days, unless `reach` says otherwise. */
  readonly from: PlainDate;
  readonly to: PlainDate;
  /** `overlapping`: those too of which only a part lies there, such as the quarter's for a month; `exactly`: no others. */
  readonly reach?: Reach;
  /** Only with this document number. */
  readonly reference?: string;
  /** At most so many, the newest periods; 64 unless told otherwise. */
  readonly limit?: number;
}

/** A filing that stands: the newest of its chain, and not voided. */
export interface Standing {
  readonly id: string;
  readonly office: string;
  /** Of the form. */
  readonly version: string;
  readonly period: Period;
  readonly reference: string | undefined;
  readonly kind: FilingKind;
  /** Milliseconds since the epoch. */
  readonly receivedAt: number;
  readonly late: boolean;
}

export interface StandingPayload extends Standing {
  readonly payload: FilingPayload;
}

const LIMIT = 64;
/** Of contents held at once; the largest filing may have more alone. */
const MAX_BYTES = 48 * 1024 * 1024;

/** What stands of a filer and type, newest period first, without contents. */
export async function standingFilings(ctx: StandingContext, query: StandingQuery): Promise<Standing[]> {
  return (await findStandingRows(ctx, query)).map(withoutPlace);
}

/**
 * What stands of a filer and type, newest period first, with what was signed.
 *
 * At most `limit` filings and 48 MB of contents; beyond that the older ones are left out. Who needs all of a range asks by
 * smaller ranges, and who adds up finds that the periods do not fill it.
 */
export async function standingPayloads(ctx: StandingContext, query: StandingQuery): Promise<StandingPayload[]> {
  const rows = await findStandingRows(ctx, query);
  let bytes = 0;
  const held = rows.filter((row, i) => {
    bytes += row.bytes;
    return i === 0 || bytes <= MAX_BYTES;
  });
  const contents = await readContents(ctx.sql, held);
  return held.map((row) => {
    const found = contents.find(({ office, index }) => office === row.office && index === row.index);
    assert(found !== undefined, 'a filing that stands has its content');
    return { ...withoutPlace(row), payload: payloadOf(found) };
  });
}

/** The newest that stands for exactly one period, and where. */
export async function findStandingFor(
  ctx: StandingContext,
  query: Omit<StandingQuery, 'reach' | 'limit'>,
): Promise<StandingRow | undefined> {
  return (await findStandingRows(ctx, { ...query, reach: 'exactly', limit: 1 }))[0];
}

/** What was signed, of one filing that is there. */
export async function loadPayload(sql: Sql | TransactionSql, position: FilingPosition): Promise<FilingPayload> {
  const [found] = await readContents(sql, [position]);
  assert(found !== undefined, 'a filing that is there has its content');
  return payloadOf(found);
}

/** Every office that the filer was ever registered in, of one agency or of all: filings may stand in any of their logs. */
export async function officesOf(
  ctx: { readonly directory: Pick<Directory, 'party' | 'office'> },
  filer: string,
  agency?: Agency,
): Promise<string[]> {
  const party = await ctx.directory.party(filer);
  const codes = new Set<string>();
  for (const { office } of party?.registrations ?? []) {
    if (agency === undefined || (await ctx.directory.office(office))?.agency === agency) codes.add(office);
  }
  return [...codes];
}

/** The first segment of a filing type. */
export function agencyOf(type: string): Agency {
  return type.slice(0, type.indexOf('.')) as Agency;
}

async function findStandingRows(ctx: StandingContext, query: StandingQuery): Promise<StandingRow[]> {
  const offices = await officesOf(ctx, query.filer, agencyOf(query.type));
  if (offices.length === 0) return [];
  const { from, to, reach = 'inside' } = query;
  return await listStanding(ctx.sql, {
    lanes: [...new Set(offices.map((office) => laneOf(office, ctx.lanes)))],
    tag: filerPrefix(query.filer, 0).subarray(2),
    filer: query.filer,
    type: query.type,
    fromMonth: monthNumber(reach === 'exactly' ? to : from),
    // Keys begin with the month of the period's last day. No kind of period crosses the end of a year.
    toMonth: monthNumber(reach === 'overlapping' ? `${to.slice(0, 4)}-12` : to),
    from,
    to,
    reach,
    reference: query.reference,
    limit: query.limit ?? LIMIT,
  });
}

function withoutPlace({ lane: _, index, bytes: _bytes, ...row }: StandingRow): Standing {
  return { id: filingId(row.office, index), ...row };
}

/** It was parsed strictly when it came; what stands in the log is read as it is. */
function payloadOf({ content, isPayload }: StoredContent): FilingPayload {
  if (isPayload) return JSON.parse(content) as FilingPayload;
  const encoded = content.trimStart().startsWith('{')
    ? (JSON.parse(content) as { readonly payload: string }).payload
    : content.split('.')[1];
  assert(encoded !== undefined, 'what stands is a JWS');
  return JSON.parse(Buffer.from(encoded, 'base64url').toString('utf8')) as FilingPayload;
}
