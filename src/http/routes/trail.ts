import { Type } from 'typebox';
import { parseInstant } from '../../std/clock.ts';
import { exportTrail, type HashedRow, listTrail, RESULT_CLASSES } from '../../trail/query.ts';
import type { TrailContext } from '../../trail/record.ts';
import { type Route, route } from '../route.ts';
import { acceptsGzip, streamedBody } from '../streamed.ts';

export type TrailRouteDeps = Pick<TrailContext, 'sql'>;

const tag = 'trail';
const MAX_ROWS = 1_000;

const Id = Type.String({ pattern: '^[A-Za-z0-9._-]{1,64}$' });
const Instant = Type.String({ format: 'date-time', description: 'RFC 3339' });
const RowNumber = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER });

const RowSchema = Type.Object({
  n: Type.Integer({ minimum: 1, description: 'Counts from 1, without gaps' }),
  at: Instant,
  role: Type.String(),
  party: Type.String({ description: 'Who; `-` for an operator at the machine itself whose key is not known' }),
  action: Type.String({ description: 'An operationId of this document, or the name of a command' }),
  target: Type.String({ description: 'The ids in the path, `-` when there are none' }),
  result: Type.String({
    description:
      '`begun`; otherwise a status, with the code of a refusal or `cut-short`. Commands: `done`, `failed` with a code',
  }),
  request: Type.String({ description: 'X-Request-Id of the answer' }),
  details: Type.Optional(Type.Object({}, { additionalProperties: true, description: 'Ids, ranges, counts, digests' })),
  hash: Type.String({ description: 'SHA-256(hash before || RFC 8785 form of the other members), base64url' }),
});

const ListQuery = Type.Object({
  party: Type.Optional(Id),
  action: Type.Optional(Id),
  target: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9._/-]{1,200}$' })),
  result: Type.Optional(
    Type.Enum([...RESULT_CLASSES], {
      description:
        'begun, done (below 400), refused (4xx), failed (5xx), cut-short (a stream that was not read to its end)',
    }),
  ),
  from: Type.Optional(Type.String({ format: 'date-time', description: 'From this instant on, RFC 3339' })),
  to: Type.Optional(Type.String({ format: 'date-time', description: 'Before this instant, RFC 3339' })),
  cursor: Type.Optional({ ...RowNumber, description: '`next` of the page before: rows below this number' }),
  limit: Type.Integer({ minimum: 1, maximum: MAX_ROWS, default: 100 }),
});

export function trailRoutes(deps: TrailRouteDeps): readonly Route[] {
  return [listRoute(deps), exportRoute(deps)];
}

function listRoute(deps: TrailRouteDeps): Route {
  return route({
    method: 'GET',
    path: '/v1/trail',
    operationId: 'listTrail',
    tag,
    summary: {
      zh: '查询审计记录：谁在何时管理或读取了什么',
      en: 'The audit trail: who administered or read what, and when',
    },
    access: ['operator'],
    query: ListQuery,
    responses: {
      200: {
        description: 'A page, newest first. It may be short while `next` says that there is more to look at.',
        media: {
          'application/json': Type.Object({
            items: Type.Array(RowSchema),
            next: Type.Union([Type.String(), Type.Null()]),
          }),
        },
      },
    },
    recorded: 'content',
    handle: async (call) => {
      const { from, to, cursor, ...filter } = call.query;
      const range = { fromMs: instantOf(from), toMs: instantOf(to), before: cursor };
      const { items, next } = await listTrail(deps, { ...filter, ...range });
      const { party, action, target, result } = filter;
      call.note({ of: { party, action, target, result, from, to }, rows: items.length });
      return Response.json({ items, next: next === undefined ? null : String(next) });
    },
  });
}

/** The schema has looked at its form; a leap second is not one of Date's. */
function instantOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : parseInstant(text);
}

function exportRoute(deps: TrailRouteDeps): Route {
  return route({
    method: 'GET',
    path: '/v1/trail/export',
    operationId: 'exportTrail',
    tag,
    summary: {
      zh: '导出审计记录（NDJSON，可重算哈希链）',
      en: 'Export the audit trail as NDJSON, ready to recompute its chain',
    },
    access: ['operator'],
    query: Type.Object({
      after: Type.Integer({
        minimum: 0,
        maximum: Number.MAX_SAFE_INTEGER,
        default: 0,
        description: '`n` of the last row that you have',
      }),
    }),
    responses: {
      200: {
        description: 'One row a line, in the order of `n` without gaps, up to the newest when the request arrived.',
        media: { 'application/x-ndjson': RowSchema },
      },
    },
    recorded: 'content',
    handle: async (call) => {
      const { after } = call.query;
      const parts = await exportTrail(deps, after);
      call.note({ after });
      const gzip = acceptsGzip(call.header('accept-encoding'));
      return new Response(streamedBody(lines(parts), { gzip }), {
        headers: {
          'content-type': 'application/x-ndjson',
          vary: 'accept-encoding',
          ...(gzip ? { 'content-encoding': 'gzip' } : {}),
        },
      });
    },
  });
}

async function* lines(parts: AsyncIterable<readonly HashedRow[]>): AsyncGenerator<Uint8Array> {
  const encoder = new TextEncoder();
  for await (const rows of parts) yield encoder.encode(rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
}
