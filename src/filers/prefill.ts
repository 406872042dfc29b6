import { carryOver, zeroObstacle } from '../domain/carry-over.ts';
import { type FilingPayload, laneOf, type Period, parseFilingId } from '../domain/filing.ts';
import type { Catalogue, FilingType, FilingTypeVersion } from '../domain/filing-type.ts';
import { addDays, kindsOfPeriod } from '../domain/period-kinds.ts';
import type { Prefill } from '../domain/prefill.ts';
import { type FillPlace, fillPlaces } from '../domain/prefill-file.ts';
import type { SchemaNode } from '../domain/schema-node.ts';
import type { Directory, Office } from '../identity/records.ts';
import { officeFor } from '../identity/registrations.ts';
import { findChains } from '../ingest/chains.ts';
import type { Reader } from '../ingest/read.ts';
import { agencyOf, loadPayload, type Standing, standingFilings } from '../ingest/standing.ts';
import { type Clock, shanghaiDate } from '../std/clock.ts';
import { assert, GatewayError } from '../std/errors.ts';
import type { Text } from '../std/text.ts';
import type { Database } from '../storage/db.ts';
import { officesOf, viewFiler } from './access.ts';

export interface PrefillContext {
  readonly db: Pick<Database, 'sql'>;
  readonly lanes: number;
  readonly directory: Directory;
  readonly catalogue: () => Catalogue;
  readonly clock: Clock;
}

export interface PrefillQuery {
  readonly filer: string;
  readonly type: string;
  readonly period: Period;
}

export interface PrefilledFiling {
  /** Complete, and valid but for what `fill` names. */
  readonly payload: FilingPayload;
  /** The filing that values were taken from: the newest that stands for an earlier period of the same kind. */
  readonly carriedFrom: readonly { readonly id: string; readonly version: string; readonly period: Period }[];
  readonly fill: readonly FillPlace[];
  readonly zero: {
    /** The payload may go as it is: nothing happened in the period. */
    readonly allowed: boolean;
    /** What stands in the way; empty when the type has no zero filing. */
    readonly because: readonly FillPlace[];
  };
  /** What stands for the period already. */
  readonly standing?: { readonly id: string; readonly kind: string };
}

/** An earlier filing is looked for in this time before the period. */
const DAYS_BACK = 800;

/** What a filing for a period begins with. Only for who may file it: the filer, and an agent with a mandate for the type. */
export async function prefill(ctx: PrefillContext, reader: Reader, query: PrefillQuery): Promise<PrefilledFiling> {
  const today = shanghaiDate(ctx.clock.now());
  const { filer, office: asOffice, maySee } = await viewFiler(ctx.directory, reader, query.filer, today);
  if (asOffice !== undefined || !maySee(query.type)) throw new GatewayError('not-found');
  const { type, version, begin } = versionFor(ctx.catalogue(), query);
  const offices = await officesOf(ctx.directory, filer);
  const office = officeFor(filer.registrations, offices, type.metadata.agency, today);
  if (office === undefined) throw new GatewayError('not-registered');
  const chain = await chainOf(ctx, query, offices);
  const earlier = await earlierFiling(ctx, query);
  const data = carryOver(begin, earlier, query.period);
  const voided = chain.head?.kind === 'void' ? { supersedes: chain.head.id } : {};
  const payload: FilingPayload = {
    type: query.type,
    version: version.metadata.version,
    filer: filer.id,
    period: query.period,
    office: office.code,
    ...voided,
    kind: 'original',
    data,
  };
  const schema = version.schema as SchemaNode;
  const standing = chain.standing.at(-1);
  return {
    payload,
    carriedFrom: earlier === undefined ? [] : [{ id: earlier.id, version: earlier.version, period: earlier.period }],
    fill: fillPlaces(schema, earlier === undefined ? [...begin.fillFirst, ...begin.fill] : begin.fill),
    zero: zeroOf(version, begin, payload, earlier !== undefined),
    ...(standing === undefined ? {} : { standing: { id: standing.id, kind: standing.kind } }),
  };
}

function versionFor(
  catalogue: Catalogue,
  { type: name, period }: PrefillQuery,
): { readonly type: FilingType; readonly version: FilingTypeVersion; readonly begin: Prefill } {
  const type = catalogue.types.get(name);
  if (type === undefined) throw refused('没有这种申报类型。', 'There is no such filing type.');
  const wrong = type.checkPeriod(period);
  if (wrong !== undefined) throw new GatewayError('invalid-parameter', { detail: wrong.message });
  const version = type.resolve(undefined, period);
  if (version === undefined)
    throw refused('所属期内没有有效的表单版本。', 'No version of the form is in force for this period.');
  if (version.prefill === undefined)
    throw refused('该类申报没有可预填的内容。', 'There is nothing to prefill a filing of this type with.');
  return { type, version, begin: version.prefill };
}

function refused(zh: string, en: string): GatewayError {
  const detail: Text = { zh, en };
  return new GatewayError('invalid-parameter', { detail });
}

async function chainOf(ctx: PrefillContext, query: PrefillQuery, offices: ReadonlyMap<string, Office>) {
  const agency = agencyOf(query.type);
  const codes = [...offices.values()].filter((office) => office.agency === agency).map(({ code }) => code);
  const [chain] = await findChains({ sql: ctx.db.sql, lanes: ctx.lanes }, [{ ...query, offices: codes }]);
  assert(chain !== undefined, 'a chain for each slot');
  return chain;
}

async function earlierFiling(
  ctx: PrefillContext,
  { filer, type, period }: PrefillQuery,
): Promise<(Standing & { readonly data: unknown }) | undefined> {
  const kinds = kindsOfPeriod(period);
  const found = await standingFilings(
    { sql: ctx.db.sql, lanes: ctx.lanes, directory: ctx.directory },
    { filer, type, from: addDays(period.from, -DAYS_BACK), to: addDays(period.from, -1) },
  );
  const newest = found.find((each) => kindsOfPeriod(each.period).some((kind) => kinds.includes(kind)));
  const position = newest && parseFilingId(newest.id);
  if (newest === undefined || position === undefined) return undefined;
  const { data } = await loadPayload(ctx.db.sql, { ...position, lane: laneOf(position.office, ctx.lanes) });
  return { ...newest, data };
}

/** What a zero filing would claim must be known: what is filled in at the first filing was never said. */
function zeroOf(
  version: FilingTypeVersion,
  begin: Prefill,
  payload: FilingPayload,
  isCarried: boolean,
): PrefilledFiling['zero'] {
  const schema = version.schema as SchemaNode;
  const obstacle = zeroObstacle(begin, payload.data, payload.period);
  if (obstacle !== undefined) return { allowed: false, because: fillPlaces(schema, obstacle.paths) };
  if (!isCarried && begin.fillFirst.length > 0) return { allowed: false, because: fillPlaces(schema, begin.fillFirst) };
  const { errors } = version.check(payload);
  const because = errors.map(({ pointer, line, message }) => ({
    pointer,
    title: message,
    ...(line === undefined ? {} : { line }),
  }));
  return { allowed: errors.length === 0, because };
}
