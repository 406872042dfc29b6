import { setImmediate } from 'node:timers/promises';
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
  type StandingFilter,
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

const LIMIT = 64;

/** What stands for each query, newest period first, without contents: one statement, however many queries there are. */
export async function findStanding(ctx: StandingContext, queries: readonly StandingQuery[]): Promise<StandingRow[][]> {
  return await listStanding(ctx.sql, await Promise.all(queries.map((query) => filterFor(ctx, query))));
}

/** What stands of a filer and type, newest period first, without contents. */
export async function standingFilings(ctx: StandingContext, query: StandingQuery): Promise<Standing[]> {
  const rows = await findStanding(ctx, [query]);
  return rows.flat().map(withoutPlace);
}

/** Contents are parsed so far at one go, some milliseconds: then others have their turn. */
const TURN_CHARACTERS = 256 * 1024;

/** What was signed, by the ids of the filings. */
export type Payloads = ReadonlyMap<string, FilingPayload>;

/** What was signed, of filings that are there; each is read once, however often it is named. */
export async function loadPayloads(
  sql: Sql | TransactionSql,
  positions: readonly FilingPosition[],
): Promise<Map<string, FilingPayload>> {
  const wanted = new Map(positions.map((position) => [filingId(position.office, position.index), position]));
  const contents = await readContents(sql, [...wanted.values()]);
  assert(contents.length === wanted.size, 'a filing that is there has its content');
  const payloads = new Map<string, FilingPayload>();
  let parsed = 0;
  for (const each of contents) {
    payloads.set(filingId(each.office, each.index), payloadOf(each));
    parsed += each.content.length;
    if (parsed < TURN_CHARACTERS) continue;
    parsed = 0;
    await setImmediate();
  }
  return payloads;
}

/** {@link loadPayloads} of one. */
export async function loadPayload(sql: Sql | TransactionSql, position: FilingPosition): Promise<FilingPayload> {
  return payloadIn(await loadPayloads(sql, [position]), position);
}

/** The payload of a filing that was loaded. */
export function payloadIn(payloads: Payloads, { office, index }: Omit<FilingPosition, 'lane'>): FilingPayload {
  const payload = payloads.get(filingId(office, index));
  assert(payload !== undefined, 'what is needed was loaded');
  return payload;
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

async function filterFor(ctx: StandingContext, query: StandingQuery): Promise<StandingFilter> {
  const offices = await officesOf(ctx, query.filer, agencyOf(query.type));
  const { from, to, reach = 'inside' } = query;
  return {
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
  };
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
