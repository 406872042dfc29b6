import { Type } from 'typebox';
import { acknowledgeBatch } from '../../batches/acknowledge.ts';
import { listConsumers } from '../../batches/consumers.ts';
import type { BatchContext, ConsumerName } from '../../batches/context.ts';
import { openBatch } from '../../batches/open.ts';
import { releaseBatch } from '../../batches/release.ts';
import { AGENCIES, type Agency } from '../../domain/filing.ts';
import type { Directory } from '../../identity/records.ts';
import type { LogContext } from '../../log/context.ts';
import { openEntries } from '../../log/entries.ts';
import { type HeadsContext, headsSince, MAX_URGENT } from '../../log/heads.ts';
import { checkpointAt, freshCheckpoint } from '../../log/tree.ts';
import { fromBase64url } from '../../std/bytes.ts';
import { formatInstant } from '../../std/clock.ts';
import { GatewayError } from '../../std/errors.ts';
import type { Logger } from '../../std/telemetry.ts';
import { type Route, route } from '../route.ts';
import { acceptsGzip, streamedBody } from '../streamed.ts';
import { consistencyRoute } from './consistency.ts';
import { requireOwn, requireOwnOrOperator } from './office-access.ts';
import { tileRoute } from './tiles.ts';

export interface OfficeDeps extends LogContext, HeadsContext {
  readonly directory: Pick<Directory, 'office'>;
  readonly log: Logger;
  /** Aborted when the gateway stops: whoever waits is answered. */
  readonly stopping?: AbortSignal;
}

const TAG = 'offices';
const MAX_WAIT_SECONDS = 60;
const MAX_ENTRIES = 100_000;
const DEFAULT_ENTRIES = 10_000;

const Index = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER - MAX_ENTRIES });
const Instant = Type.String({ format: 'date-time' });
const OfficeCode = Type.String({ minLength: 1, maxLength: 32, description: "The office's code." });
const OfficeParams = Type.Object({ office: OfficeCode });
const Consumer = Type.String({ pattern: '^[A-Za-z0-9._-]{1,64}$', description: "A name of the office's own choice." });
const ConsumerParams = Type.Object({ office: OfficeCode, name: Consumer });
const BatchParams = Type.Object({ office: OfficeCode, name: Consumer, id: Type.String({ maxLength: 64 }) });
const SignedNote = Type.String({ description: 'C2SP signed note (tlog-checkpoint).' });

export function officeRoutes(deps: OfficeDeps): readonly Route[] {
  const batches: BatchContext = {
    ...deps,
    checkpoints: {
      fresh: (office) => freshCheckpoint(deps, office),
      at: (office, size) => checkpointAt(deps, office, size),
    },
  };
  return [
    headsRoute(deps),
    checkpointRoute(deps),
    consistencyRoute(deps),
    entriesRoute(deps),
    openBatchRoute(batches),
    acknowledgeRoute(batches),
    releaseRoute(batches),
    consumersRoute(deps),
    tileRoute(deps),
  ];
}

const HeadsQuery = Type.Object({
  since: Type.String({ pattern: '^[0-9]{1,19}$', default: '0', description: 'Cursor `next` of an earlier answer.' }),
});

function headsRoute(deps: OfficeDeps): Route {
  return route({
    method: 'GET',
    path: '/v1/agencies/{agency}/heads',
    operationId: 'listHeads',
    tag: TAG,
    summary: { zh: '查询哪些机关的申报日志有新增', en: "Which offices' logs grew" },
    access: ['office', 'operator'],
    params: Type.Object({ agency: Type.Union(AGENCIES.map((agency) => Type.Literal(agency))) }),
    query: HeadsQuery,
    responses: {
      200: {
        description:
          'Logs that grew since the cursor; one may be told of twice, none is missed. `Prefer: wait=30` waits for one, 60 s at most.',
        media: {
          'application/json': Type.Object({
            items: Type.Array(
              Type.Object({
                office: OfficeCode,
                size: Index,
                urgent: Type.Optional(
                  Type.Array(Type.String(), {
                    minItems: 1,
                    maxItems: MAX_URGENT,
                    description:
                      'Ids of urgent filings that no consumer of the office has acknowledged, the oldest first. Such logs come first.',
                  }),
                ),
              }),
            ),
            next: Type.String({ description: 'Cursor for the next request.' }),
          }),
        },
        headers: { 'Preference-Applied': 'The seconds that the gateway was willing to wait.' },
      },
    },
    handle: async (call) => {
      const { params, query, caller, signal } = call;
      const agency = params.agency as Agency;
      if (caller.role === 'office' && (await deps.directory.office(caller.party))?.agency !== agency) {
        throw new GatewayError('not-found');
      }
      const waitSeconds = preferredWait(call.header('prefer'));
      const until = deps.stopping === undefined ? signal : AbortSignal.any([signal, deps.stopping]);
      const heads = await headsSince(deps, { agency, since: query.since, waitMs: waitSeconds * 1_000, signal: until });
      const applied = waitSeconds > 0 ? { 'preference-applied': `wait=${waitSeconds}` } : undefined;
      return Response.json(heads, { headers: { ...applied } });
    },
  });
}

/** RFC 7240 `wait`, in seconds. */
function preferredWait(prefer: string | undefined): number {
  const seconds = /(?:^|[\s,;])wait=(\d{1,9})(?=$|[\s,;])/i.exec(prefer ?? '')?.[1];
  return seconds === undefined ? 0 : Math.min(Number(seconds), MAX_WAIT_SECONDS);
}

function checkpointRoute(deps: OfficeDeps): Route {
  return route({
    method: 'GET',
    path: '/v1/offices/{office}/checkpoint',
    operationId: 'getCheckpoint',
    tag: TAG,
    summary: {
      zh: '取得机关日志的最新签名检查点',
      en: "The signed checkpoint of an office's log, over all that is committed",
    },
    access: ['office', 'operator'],
    params: OfficeParams,
    responses: { 200: { description: 'The checkpoint.', media: { 'text/plain': SignedNote } } },
    errors: ['not-found'],
    handle: async ({ params, caller }) => {
      await requireOwnOrOperator(deps.directory, caller, params.office);
      const { note } = await freshCheckpoint(deps, params.office);
      return new Response(note, { headers: { 'content-type': 'text/plain; charset=utf-8' } });
    },
  });
}

const EntriesQuery = Type.Object({
  from: Type.Integer({ ...Index, default: 0, description: 'Index of the first entry.' }),
  limit: Type.Integer({ minimum: 1, maximum: MAX_ENTRIES, default: DEFAULT_ENTRIES }),
});

const EntryLine = Type.Object({
  index: Index,
  id: Type.String(),
  receivedAt: Instant,
  salt: Type.String(),
  leaf: Type.String(),
  jws: Type.Optional(Type.Union([Type.String(), Type.Object({}, { additionalProperties: true })])),
  payload: Type.Optional(Type.String({ description: "Bulk form B: the line's bytes, base64url." })),
  manifest: Type.Optional(
    Type.String({ description: 'Bulk form B: the compact JWS over count and root of the lines.' }),
  ),
  line: Type.Optional(
    Type.Integer({ minimum: 0, description: "Bulk form B: the line's leaf in the manifest, from 0." }),
  ),
  path: Type.Optional(Type.Array(Type.String(), { description: 'Bulk form B: RFC 6962 inclusion path of the line.' })),
});

function entriesRoute(deps: OfficeDeps): Route {
  return route({
    method: 'GET',
    path: '/v1/offices/{office}/entries',
    operationId: 'readEntries',
    tag: TAG,
    summary: { zh: '按序读取机关日志', en: "Entries of an office's log in index order, without gaps" },
    access: ['office'],
    params: OfficeParams,
    query: EntriesQuery,
    responses: {
      200: {
        description: 'One entry a line. Empty beyond the end of the log.',
        media: { 'application/x-ndjson': EntryLine },
        headers: {
          'Shenbao-Next': 'Index after the last entry of this answer: `from` of the next request.',
          'Shenbao-Checkpoint-Size': 'Entries under the newest checkpoint: this answer ends there at the latest.',
        },
      },
    },
    errors: ['not-found'],
    handle: async (call) => {
      const { params, query, caller } = call;
      requireOwn(caller, params.office);
      const range = await openEntries(deps, { office: params.office, from: query.from, limit: query.limit });
      const gzip = acceptsGzip(call.header('accept-encoding'));
      const parts = logged(deps, params.office, range.parts);
      return new Response(streamedBody(parts, { gzip }), {
        headers: {
          'content-type': 'application/x-ndjson',
          vary: 'accept-encoding',
          'shenbao-next': String(range.to),
          'shenbao-checkpoint-size': String(range.checkpointSize),
          ...(gzip ? { 'content-encoding': 'gzip' } : {}),
        },
      });
    },
  });
}

/** Once the first byte is out nobody else can say why an answer ended early. */
async function* logged(deps: OfficeDeps, office: string, parts: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  try {
    yield* parts;
  } catch (error) {
    deps.log.error({ office, error: error instanceof Error ? error.name : 'unknown' }, 'entries cut short');
    throw error;
  }
}

const OpenBatchBody = Type.Object(
  {
    max: Type.Integer({ minimum: 1, maximum: MAX_ENTRIES, default: DEFAULT_ENTRIES, description: 'Entries at most.' }),
    lease: Type.Integer({
      minimum: 1,
      maximum: 3_600,
      default: 60,
      description: 'Seconds until the range may go to another.',
    }),
  },
  { additionalProperties: false },
);

const BatchBody = Type.Object({
  id: Type.String(),
  from: Index,
  to: Type.Integer({ minimum: 1, description: 'Index after the last entry.' }),
  checkpoint: Type.String({ description: 'C2SP signed note over exactly the first `to` entries.' }),
  expiresAt: Instant,
  entries: Type.String({ format: 'uri-reference', description: 'Where to read the range, relative to this request.' }),
});

function openBatchRoute(ctx: BatchContext): Route {
  return route({
    method: 'POST',
    path: '/v1/offices/{office}/consumers/{name}/batches',
    operationId: 'openBatch',
    tag: TAG,
    summary: { zh: '领取下一批', en: 'Leases the next range of the log to a consumer, which its first batch makes' },
    access: ['office'],
    params: ConsumerParams,
    body: { kind: 'json', schema: OpenBatchBody },
    responses: {
      201: { description: 'The batch.', media: { 'application/json': BatchBody } },
      204: { description: 'Nothing new, or all of it is leased.' },
    },
    errors: ['not-found', 'conflict'],
    handle: async ({ params, body, caller }) => {
      requireOwn(caller, params.office);
      const { max, lease: leaseSeconds } = body;
      const batch = await openBatch(ctx, { ...consumerOf(params), max, leaseSeconds });
      if (batch === undefined) return new Response(null, { status: 204 });
      const { from, to, expiresAt } = batch;
      const entries = `/v1/offices/${params.office}/entries?from=${from}&limit=${to - from}`;
      return Response.json({ ...batch, expiresAt: formatInstant(expiresAt), entries }, { status: 201 });
    },
  });
}

const AcknowledgeBody = Type.Object(
  {
    size: Type.Integer({ minimum: 1, description: "The batch's `to`: all below it is there." }),
    root: Type.String({
      pattern: '^[A-Za-z0-9_-]{43}$',
      description: 'RFC 6962 root over the first `size` leaves, base64url.',
    }),
  },
  { additionalProperties: false },
);

function acknowledgeRoute(ctx: BatchContext): Route {
  return route({
    method: 'PUT',
    path: '/v1/offices/{office}/consumers/{name}/batches/{id}/ack',
    operationId: 'acknowledgeBatch',
    tag: TAG,
    summary: { zh: '以自行计算的树根确认一批', en: 'Acknowledges a batch with the root that the consumer computed' },
    access: ['office'],
    params: BatchParams,
    body: { kind: 'json', schema: AcknowledgeBody },
    responses: {
      200: {
        description: 'Acknowledged, now or before. `cursor`: every entry below it is.',
        media: { 'application/json': Type.Object({ id: Type.String(), size: Index, cursor: Index }) },
      },
    },
    errors: ['not-found', 'stale', 'root-mismatch'],
    handle: async ({ params, body, caller }) => {
      requireOwn(caller, params.office);
      const id = batchId(params.id);
      const root = fromBase64url(body.root) ?? Buffer.alloc(0);
      const { cursor } = await acknowledgeBatch(ctx, { ...consumerOf(params), id, size: body.size, root });
      return Response.json({ id, size: body.size, cursor });
    },
  });
}

function releaseRoute(ctx: BatchContext): Route {
  return route({
    method: 'DELETE',
    path: '/v1/offices/{office}/consumers/{name}/batches/{id}',
    operationId: 'releaseBatch',
    tag: TAG,
    summary: { zh: '归还一批', en: 'Gives a lease back' },
    access: ['office'],
    params: BatchParams,
    responses: { 204: { description: 'Given back, now or before: its range is handed out again.' } },
    errors: ['not-found', 'stale'],
    handle: async ({ params, caller }) => {
      requireOwn(caller, params.office);
      await releaseBatch(ctx, { ...consumerOf(params), id: batchId(params.id) });
      return new Response(null, { status: 204 });
    },
  });
}

const ConsumersQuery = Type.Object({
  cursor: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9._-]{1,64}$', description: '`next` of the page before.' })),
  limit: Type.Integer({ minimum: 1, maximum: 1_000, default: 100 }),
});

const ConsumerBody = Type.Object({
  name: Type.String(),
  cursor: Type.Integer({ minimum: 0, description: 'Every entry below it is acknowledged.' }),
  lag: Type.Integer({ minimum: 0, description: 'Entries of the log that are not acknowledged.' }),
  ackedAt: Type.Optional(Instant),
  leases: Type.Array(
    Type.Object({ id: Type.String(), from: Index, to: Index, attempts: Type.Integer(), expiresAt: Instant }),
  ),
});

function consumersRoute(deps: OfficeDeps): Route {
  return route({
    method: 'GET',
    path: '/v1/offices/{office}/consumers',
    operationId: 'listConsumers',
    tag: TAG,
    summary: { zh: '查询各消费者的进度', en: "Each consumer's cursor, lag and open leases" },
    access: ['office', 'operator'],
    params: OfficeParams,
    query: ConsumersQuery,
    responses: {
      200: {
        description: 'Consumers by name.',
        media: {
          'application/json': Type.Object({
            items: Type.Array(ConsumerBody),
            next: Type.Union([Type.String(), Type.Null()]),
          }),
        },
      },
    },
    errors: ['not-found'],
    handle: async ({ params, query, caller }) => {
      await requireOwnOrOperator(deps.directory, caller, params.office);
      const { office } = params;
      const { items, next } = await listConsumers(deps, { office, after: query.cursor ?? '', limit: query.limit });
      return Response.json({
        items: items.map(({ ackedAt, leases, ...consumer }) => ({
          ...consumer,
          ...(ackedAt === undefined ? {} : { ackedAt: formatInstant(ackedAt) }),
          leases: leases.map((lease) => ({ ...lease, expiresAt: formatInstant(lease.expiresAt) })),
        })),
        next,
      });
    },
  });
}

function consumerOf(params: { readonly office: string; readonly name: string }): ConsumerName {
  return { office: params.office, consumer: params.name };
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** No batch has an id of another form, so it is not looked up. */
function batchId(text: string): string {
  if (!UUID.test(text)) throw new GatewayError('not-found');
  return text;
}
