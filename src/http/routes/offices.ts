import { Type } from 'typebox';
import { AGENCIES, type Agency } from '../../domain/filing.ts';
import type { Directory } from '../../identity/records.ts';
import type { LogContext } from '../../log/context.ts';
import { openEntries } from '../../log/entries.ts';
import { type HeadsContext, headsSince, MAX_URGENT } from '../../log/heads.ts';
import { freshCheckpoint } from '../../log/tree.ts';
import { GatewayError } from '../../std/errors.ts';
import { joined } from '../../std/joined.ts';
import type { Logger } from '../../std/telemetry.ts';
import { type Route, route } from '../route.ts';
import { acceptsGzip, streamedBody } from '../streamed.ts';
import { batchRoutes, type FreshCheckpoint } from './batches.ts';
import { consistencyRoute } from './consistency.ts';
import { requireOwn, requireOwnOrOperator } from './office-access.ts';
import { DEFAULT_ENTRIES, Index, Instant, MAX_ENTRIES, OfficeCode, OfficeParams } from './office-schemas.ts';
import { tileRoute } from './tiles.ts';

export interface OfficeDeps extends LogContext, HeadsContext {
  readonly directory: Pick<Directory, 'office'>;
  readonly log: Logger;
  /** Aborted when the gateway stops: whoever waits is answered. */
  readonly stopping?: AbortSignal;
}

const TAG = 'offices';
const MAX_WAIT_SECONDS = 60;
const SignedNote = Type.String({ description: 'C2SP signed note (tlog-checkpoint).' });

export function officeRoutes(deps: OfficeDeps): readonly Route[] {
  // Consumers of one office that ask at once would each wait for its tree with a connection of their own.
  const fresh = joined((office) => freshCheckpoint(deps, office));
  return [
    headsRoute(deps),
    checkpointRoute(deps, fresh),
    consistencyRoute(deps),
    entriesRoute(deps),
    ...batchRoutes(deps, fresh),
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

function checkpointRoute(deps: OfficeDeps, fresh: FreshCheckpoint): Route {
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
      const { note } = await fresh(params.office);
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
    recorded: 'content',
    handle: async (call) => {
      const { params, query, caller } = call;
      requireOwn(caller, params.office);
      const range = await openEntries(deps, { office: params.office, from: query.from, limit: query.limit });
      call.note({ from: range.from, to: range.to });
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
