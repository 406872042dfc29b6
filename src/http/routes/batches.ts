import { Type } from 'typebox';
import { acknowledgeBatch } from '../../batches/acknowledge.ts';
import { listConsumers } from '../../batches/consumers.ts';
import type { BatchContext, ConsumerName } from '../../batches/context.ts';
import { openBatch } from '../../batches/open.ts';
import { releaseBatch } from '../../batches/release.ts';
import { ed25519KeysOf } from '../../identity/ed25519-keys.ts';
import type { Directory } from '../../identity/records.ts';
import type { LogContext } from '../../log/context.ts';
import { checkpointAt } from '../../log/tree.ts';
import { fromBase64url } from '../../std/bytes.ts';
import { formatInstant } from '../../std/clock.ts';
import { GatewayError } from '../../std/errors.ts';
import { type Route, route } from '../route.ts';
import { requireOwn, requireOwnOrOperator } from './office-access.ts';
import { DEFAULT_ENTRIES, Index, Instant, MAX_ENTRIES, OfficeCode, OfficeParams } from './office-schemas.ts';

export interface BatchDeps extends LogContext {
  readonly directory: Pick<Directory, 'office'>;
}

/** Over all that was committed before the call. */
export type FreshCheckpoint = BatchContext['checkpoints']['fresh'];

const TAG = 'offices';

const Consumer = Type.String({ pattern: '^[A-Za-z0-9._-]{1,64}$', description: "A name of the office's own choice." });
const ConsumerParams = Type.Object({ office: OfficeCode, name: Consumer });
const BatchParams = Type.Object({ office: OfficeCode, name: Consumer, id: Type.String({ maxLength: 64 }) });

/** Leases on ranges of an office's log. */
export function batchRoutes(deps: BatchDeps, fresh: FreshCheckpoint): readonly Route[] {
  const batches: BatchContext = {
    ...deps,
    checkpoints: {
      fresh,
      at: (office, size) => checkpointAt(deps, office, size),
    },
    cosigners: (office) => ed25519KeysOf(deps, office),
  };
  return [openBatchRoute(batches), acknowledgeRoute(batches), releaseRoute(batches), consumersRoute(deps)];
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
    cosignature: Type.Optional(
      Type.String({
        maxLength: 1_024,
        description:
          "The office's own signature over the batch's `checkpoint`: a C2SP tlog-cosignature line (Ed25519) by a key of the office, named `<origin of the log>/cosigner`, without its newline. May be added by acknowledging again.",
      }),
    ),
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
    errors: ['not-found', 'stale', 'root-mismatch', 'invalid-resource'],
    handle: async ({ params, body, caller }) => {
      requireOwn(caller, params.office);
      const id = batchId(params.id);
      const root = fromBase64url(body.root) ?? Buffer.alloc(0);
      const { size, cosignature } = body;
      const { cursor } = await acknowledgeBatch(ctx, { ...consumerOf(params), id, size, root, cosignature });
      return Response.json({ id, size, cursor });
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

function consumersRoute(deps: BatchDeps): Route {
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
