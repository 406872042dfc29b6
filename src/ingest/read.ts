import type { KeyObject } from 'node:crypto';
import { filingId, laneOf, parseFilingId } from '../domain/filing.ts';
import { filerPrefix, monthNumber } from '../domain/filing-key.ts';
import type { FilingRecord } from '../domain/filing-record.ts';
import type { Catalogue } from '../domain/filing-type.ts';
import { type Receipt, statementText } from '../domain/statement.ts';
import { covers, isInForce } from '../identity/mandates.ts';
import type { Directory, PartyKind } from '../identity/records.ts';
import { inclusionPath } from '../log/merkle.ts';
import { sha256, toBase64url } from '../std/bytes.ts';
import { type Clock, formatInstant, shanghaiDate } from '../std/clock.ts';
import { assert, GatewayError, type Violation } from '../std/errors.ts';
import type { Database } from '../storage/db.ts';
import { type FilingWithTick, listFilings, loadContent, loadFiling, loadManifest } from '../storage/filing-lookup.ts';
import { readCompared, readFindings } from '../storage/findings.ts';
import { historyOf } from './chain.ts';
import { isCompared } from './compare-filing.ts';
import { type Delivery, type DeliveryCosignature, deliveriesOf } from './delivery.ts';
import { SignedTick } from './receipt.ts';
import { agencyOf, officesOf } from './standing.ts';
import { type FilingView, filingView, inOrder } from './view.ts';

export type Reader = { readonly role: 'anonymous' } | { readonly role: PartyKind; readonly party: string };

export interface ReadContext {
  readonly db: Database;
  readonly catalogue: () => Catalogue;
  readonly lanes: number;
  readonly directory: Directory;
  readonly clock: Clock;
  readonly env: string;
  readonly signer: {
    readonly publicKey: KeyObject;
    signCompact(header: { readonly typ: string }, payloadText: string): string;
  };
}

export interface FollowedFiling extends FilingView {
  /** Whether `warnings` holds what comparing it with the filer's other filings found; true too where nothing is compared. */
  readonly compared: boolean;
  readonly history: readonly { readonly status: string; readonly at: string; readonly by?: string }[];
  /** Absent until the office has acknowledged it. */
  readonly delivery?: Delivery;
}

/** A filing with its status and history. Someone else's is not found, like one that is not there. */
export async function getFiling(ctx: ReadContext, reader: Reader, id: string): Promise<FollowedFiling> {
  const found = await readable(ctx, reader, id);
  return await follow(ctx, found, await followUpOf(ctx, [found.record]));
}

export async function getReceipt(ctx: ReadContext, reader: Reader, id: string): Promise<Receipt> {
  const { record, tick } = await readable(ctx, reader, id);
  return SignedTick.fromRecord(tick, ctx.env).receipt(record);
}

/** The receipt's statement as an ordinary compact JWS by the gateway's current key. */
export async function getSignedStatement(ctx: ReadContext, reader: Reader, id: string): Promise<string> {
  const receipt = await getReceipt(ctx, reader, id);
  return ctx.signer.signCompact({ typ: 'receipt+jws' }, statementText(receipt.statement));
}

/** Where a filing stands, once the reader may know of it: for parts that prove things about it. */
export async function locateFiling(
  ctx: ReadContext,
  reader: Reader,
  id: string,
): Promise<{ office: string; index: number }> {
  const { record } = await readable(ctx, reader, id);
  return { office: record.office, index: record.index };
}

/** {@link locateFiling}, with the smallest checkpoint over it that the office has cosigned, if there is one. */
export async function locateCosigned(
  ctx: ReadContext,
  reader: Reader,
  id: string,
): Promise<{ office: string; index: number; cosigned: DeliveryCosignature | undefined }> {
  const { record } = await readable(ctx, reader, id);
  const { office, index } = record;
  const delivery = (await deliveriesOf(ctx, [record])).get(filingId(office, index));
  return { office, index, cosigned: delivery?.cosignature };
}

/** What was signed, in the form in which it came. */
export type FilingContent =
  | { readonly form: 'compact' | 'flattened'; readonly text: string }
  | {
      readonly form: 'bulk';
      readonly payload: string;
      readonly manifest: string;
      readonly line: number;
      readonly path: readonly string[];
    };

export async function getContent(ctx: ReadContext, reader: Reader, id: string): Promise<FilingContent> {
  const { record } = await readable(ctx, reader, id);
  const content = await loadContent(ctx.db.sql, record.lane, record.office, record.index);
  assert(content !== undefined, 'a filing that stands has its content');
  if (record.manifest === undefined)
    return { form: content.trimStart().startsWith('{') ? 'flattened' : 'compact', text: content };
  const manifest = await loadManifest(ctx.db.sql, record.lane, record.manifest.id);
  assert(manifest !== undefined, 'a bulk filing has its manifest in its lane');
  const leaves = Array.from({ length: manifest.leaves.length / 32 }, (_, i) =>
    manifest.leaves.subarray(i * 32, i * 32 + 32),
  );
  const { line } = record.manifest;
  return {
    form: 'bulk',
    payload: toBase64url(Buffer.from(content)),
    manifest: manifest.jws,
    line,
    path: inclusionPath(sha256, leaves, line).map(toBase64url),
  };
}

export interface FilingQuery {
  readonly filer?: string | undefined;
  readonly type?: string | undefined;
  readonly period?: { readonly from: string; readonly to: string } | undefined;
  readonly reference?: string | undefined;
  readonly digest?: Buffer | undefined;
  readonly cursor?: string | undefined;
  readonly limit: number;
}

export interface FilingPage {
  readonly items: readonly FollowedFiling[];
  readonly next: string | null;
}

/** Periods before this are not looked for when none is named: the gateway's types are younger. */
const EARLIEST_MONTH = monthNumber('2010-01');
/** Nor periods that end later than this from now. */
const MONTHS_AHEAD = 24;
/** A longer period than this is as good as none. */
const MONTHS_MAX = 600;

/**
 * A filer's filings, newest period first, as far as the reader may know of them. What a reader may not see is left out
 * by the query itself: a cursor or a short page would tell how much more there is.
 */
export async function findFilings(ctx: ReadContext, reader: Reader, query: FilingQuery): Promise<FilingPage> {
  const filer = query.filer ?? (reader.role === 'filer' ? reader.party : undefined);
  if (filer === undefined) {
    throw new GatewayError('invalid-parameter', {
      detail: { zh: '请用 filer 指明申报人。', en: 'Name the filer with the parameter filer.' },
    });
  }
  const scope = await scopeOf(ctx, reader, filer);
  if (scope === undefined) return { items: [], next: null };
  const offices = await officesOf(ctx, filer);
  const rows = await listFilings(ctx.db.sql, {
    lanes: [...new Set(offices.map((office) => laneOf(office, ctx.lanes)))],
    tag: filerPrefix(filer, 0).subarray(2),
    filer,
    ...monthsOf(query.period, ctx.clock),
    periodFrom: query.period?.from,
    periodTo: query.period?.to,
    type: query.type,
    reference: query.reference,
    digest: query.digest,
    ...scope,
    after: query.cursor === undefined ? undefined : parseCursor(query.cursor),
    limit: query.limit + 1,
  });
  const page = rows.slice(0, query.limit);
  const followUp = await followUpOf(
    ctx,
    page.map((row) => row.record),
  );
  const items: FollowedFiling[] = [];
  for (const row of page) if (await mayRead(ctx, reader, row.record)) items.push(await follow(ctx, row, followUp));
  const last = page[page.length - 1];
  return { items, next: rows.length > query.limit && last !== undefined ? cursorAt(last.record) : null };
}

/** Which of a filer's filings a reader may know of: the same as {@link mayRead}, for a query. Undefined: none. */
async function scopeOf(
  ctx: ReadContext,
  reader: Reader,
  filer: string,
): Promise<{ readonly office?: string; readonly types?: readonly string[] } | undefined> {
  if (reader.role === 'filer') return reader.party === filer ? {} : undefined;
  if (reader.role === 'office') return { office: reader.party };
  if (reader.role !== 'agent') return undefined;
  const today = shanghaiDate(ctx.clock.now());
  const mandates = await ctx.directory.mandates(reader.party, filer);
  const types = mandates.filter((mandate) => isInForce(mandate, today)).flatMap((mandate) => mandate.types);
  return types.length === 0 ? undefined : { types };
}

function monthsOf(
  period: FilingQuery['period'],
  clock: Clock,
): { readonly fromMonth: number; readonly toMonth: number } {
  const latest = monthNumber(shanghaiDate(clock.now())) + MONTHS_AHEAD;
  if (period === undefined) return { fromMonth: EARLIEST_MONTH, toMonth: latest };
  const fromMonth = monthNumber(period.from);
  const toMonth = monthNumber(period.to);
  if (toMonth - fromMonth <= MONTHS_MAX) return { fromMonth, toMonth };
  return { fromMonth: Math.max(fromMonth, EARLIEST_MONTH), toMonth: Math.min(toMonth, latest) };
}

async function readable(ctx: ReadContext, reader: Reader, id: string): Promise<FilingWithTick> {
  const position = parseFilingId(id);
  const found =
    position && (await loadFiling(ctx.db.sql, laneOf(position.office, ctx.lanes), position.office, position.index));
  if (found === undefined || !(await mayRead(ctx, reader, found.record))) throw new GatewayError('not-found');
  return found;
}

/** The filer, an agent with a mandate of the filer for the type today, and the office that it was filed with. */
async function mayRead(ctx: ReadContext, reader: Reader, record: FilingRecord): Promise<boolean> {
  if (reader.role === 'filer') return reader.party === record.filer;
  if (reader.role === 'office') return reader.party === record.office;
  if (reader.role !== 'agent') return false;
  const today = shanghaiDate(ctx.clock.now());
  const mandates = await ctx.directory.mandates(reader.party, record.filer);
  return mandates.some((mandate) => covers(mandate, record.type, today));
}

async function follow(ctx: ReadContext, { record, tick }: FilingWithTick, followUp: FollowUp): Promise<FollowedFiling> {
  const offices = await officesOf(ctx, record.filer, agencyOf(record.type));
  const history = await historyOf({ sql: ctx.db.sql, lanes: ctx.lanes }, record, offices);
  const status = history[history.length - 1]?.status ?? 'accepted';
  const view = filingView(record, SignedTick.fromRecord(tick, ctx.env), status);
  const found = followUp.findings.get(view.id) ?? NOTHING_TO_COMPARE;
  const delivery = followUp.deliveries.get(view.id);
  return {
    ...view,
    warnings: [...view.warnings, ...found.findings.map(inOrder)],
    compared: found.compared,
    history: history.map(({ at, ...entry }) => ({ ...entry, at: formatInstant(at) })),
    ...(delivery === undefined ? {} : { delivery }),
  };
}

/** What has become of filings since they were stored, by filing id. */
interface FollowUp {
  readonly findings: ReadonlyMap<string, ComparedFiling>;
  readonly deliveries: ReadonlyMap<string, Delivery>;
}

async function followUpOf(ctx: ReadContext, records: readonly FilingRecord[]): Promise<FollowUp> {
  const [findings, deliveries] = await Promise.all([findingsOf(ctx, records), deliveriesOf(ctx, records)]);
  return { findings, deliveries };
}

interface ComparedFiling {
  readonly compared: boolean;
  readonly findings: readonly Violation[];
}

const NOTHING_TO_COMPARE: ComparedFiling = { compared: true, findings: [] };

/** What comparing found, by filing id; filings of types that are not compared are left out. */
async function findingsOf(
  ctx: ReadContext,
  records: readonly FilingRecord[],
): Promise<ReadonlyMap<string, ComparedFiling>> {
  const { types } = ctx.catalogue();
  const wanted = records.filter((record) => isCompared(types.get(record.type)));
  if (wanted.length === 0) return new Map();
  const { sql } = ctx.db;
  const offices = new Map(wanted.map(({ lane, office }) => [office, { lane, office }]));
  // Progress first: what is found in between comes with it, and is then not missing from a filing that was compared.
  const sizes = new Map((await readCompared(sql, [...offices.values()])).map(({ office, size }) => [office, size]));
  const rows = await readFindings(sql, wanted);
  const found = new Map(rows.map(({ office, index, findings }) => [filingId(office, index), findings]));
  return new Map(
    wanted.map(({ office, index }) => {
      const id = filingId(office, index);
      return [id, { compared: (sizes.get(office) ?? 0) > index, findings: found.get(id) ?? [] }];
    }),
  );
}

/** Month and key of the last filing of a page: where the next one goes on, whatever was filed in between. */
function cursorAt(record: FilingRecord): string {
  return toBase64url(record.key);
}

const KEY_BYTES = 40;

function parseCursor(cursor: string): { month: number; key: Buffer } {
  const key = Buffer.from(cursor, 'base64url');
  if (key.length !== KEY_BYTES) {
    throw new GatewayError('invalid-parameter', {
      detail: { zh: 'cursor 应取自上一页的 next。', en: 'cursor is what the page before gave as next.' },
    });
  }
  return { month: key.readUInt16BE(0), key };
}

/** Changes whenever the answer to GET changes. */
export function entityTag({ id, history, compared, warnings, delivery }: FollowedFiling): string {
  const state = `${id} ${JSON.stringify([history, compared, warnings, delivery])}`;
  return `"${toBase64url(sha256(state)).slice(0, 22)}"`;
}
