import { Type } from 'typebox';
import type { LogContext } from '../../log/context.ts';
import { NATIONAL_LOG } from '../../log/logs.ts';
import { nationalCheckpoint, nationalConsistency, nationalEntries, nationalProof } from '../../log/national.ts';
import { parseTilePath, readTile } from '../../log/tiles.ts';
import { toBase64url } from '../../std/bytes.ts';
import { formatInstant } from '../../std/clock.ts';
import { GatewayError } from '../../std/errors.ts';
import type { Logger } from '../../std/telemetry.ts';
import { type Route, route } from '../route.ts';
import { acceptsGzip, streamedBody } from '../streamed.ts';

export interface NationalRouteDeps extends LogContext {
  readonly log: Logger;
}

// Who wants to watch the gateway has no account with it: everything here is public. Leaves hold offices' codes, sizes and
// roots, nothing about a filing or a filer.

const TAG = 'national';
const MAX_ENTRIES = 1_000;
/** A tile never changes. */
const FOR_EVER = 'public, max-age=31536000, immutable';
/** A round is a minute long. */
const A_WHILE = 'public, max-age=10';

const Index = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER - MAX_ENTRIES });
const Hash = Type.String({ pattern: '^[A-Za-z0-9_-]{43}$' });
const SignedNote = Type.String({ description: 'C2SP signed note (tlog-checkpoint).' });
const TEXT = { 'content-type': 'text/plain; charset=utf-8', 'cache-control': A_WHILE };

export function nationalRoutes(deps: NationalRouteDeps): readonly Route[] {
  return [checkpointRoute(deps), entriesRoute(deps), tileRoute(deps), consistencyRoute(deps), proofRoute(deps)];
}

function checkpointRoute(deps: NationalRouteDeps): Route {
  return route({
    method: 'GET',
    path: '/v1/national/checkpoint',
    operationId: 'getNationalCheckpoint',
    tag: TAG,
    summary: {
      zh: '取得全国日志的签名检查点：每分钟一次，覆盖所有机关的日志',
      en: "The signed checkpoint of the national log, which each minute takes up the heads of all offices' logs",
    },
    access: 'public',
    responses: { 200: { description: 'The checkpoint.', media: { 'text/plain': SignedNote } } },
    handle: async () => new Response((await nationalCheckpoint(deps)).note, { headers: TEXT }),
  });
}

const EntriesQuery = Type.Object({
  from: Type.Integer({ ...Index, default: 0, description: 'Index of the first entry.' }),
  limit: Type.Integer({ minimum: 1, maximum: MAX_ENTRIES, default: 1_000 }),
});

const EntryLine = Type.Object({
  index: Index,
  kind: Type.Union(['office', 'recovery', 'trail'].map((kind) => Type.Literal(kind))),
  office: Type.String({ description: "The office's code; empty for what is of no office." }),
  text: Type.String({ description: 'What the leaf commits to; of an office: the note text of a checkpoint.' }),
  leaf: Type.String({ ...Hash, description: 'SHA-256(0x00 || text in UTF-8), base64url.' }),
  at: Type.String({ format: 'date-time' }),
});

function entriesRoute(deps: NationalRouteDeps): Route {
  return route({
    method: 'GET',
    path: '/v1/national/entries',
    operationId: 'readNationalEntries',
    tag: TAG,
    summary: { zh: '按序读取全国日志', en: 'Entries of the national log in index order, without gaps' },
    access: 'public',
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
    handle: async (call) => {
      const { to, checkpointSize, parts } = await nationalEntries(deps, call.query);
      const gzip = acceptsGzip(call.header('accept-encoding'));
      return new Response(streamedBody(lines(deps, parts), { gzip }), {
        headers: {
          'content-type': 'application/x-ndjson',
          vary: 'accept-encoding',
          'shenbao-next': String(to),
          'shenbao-checkpoint-size': String(checkpointSize),
          ...(gzip ? { 'content-encoding': 'gzip' } : {}),
        },
      });
    },
  });
}

/** Once the first byte is out nobody else can say why an answer ended early. */
async function* lines(
  { log }: NationalRouteDeps,
  parts: Awaited<ReturnType<typeof nationalEntries>>['parts'],
): AsyncGenerator<Buffer> {
  try {
    for await (const part of parts) {
      const texts = part.map(({ leaf, at, ...rest }) =>
        JSON.stringify({ ...rest, leaf: toBase64url(leaf), at: formatInstant(at) }),
      );
      yield Buffer.from(texts.map((text) => `${text}\n`).join(''));
    }
  } catch (error) {
    log.error({ error: error instanceof Error ? error.name : 'unknown' }, 'national entries cut short');
    throw error;
  }
}

function tileRoute(deps: NationalRouteDeps): Route {
  return route({
    method: 'GET',
    path: '/v1/national/tile/{path*}',
    operationId: 'getNationalTile',
    tag: TAG,
    summary: { zh: '取得全国日志默克尔树的瓦片', en: 'A tile of hashes of the national log (C2SP tlog-tiles)' },
    access: 'public',
    params: Type.Object({
      path: Type.String({
        maxLength: 64,
        description: 'C2SP tlog-tiles: level, index, width if partial: `0/x001/067.p/3`.',
      }),
    }),
    responses: {
      200: {
        description: 'Up to 256 hashes of 32 bytes. 404 until a checkpoint reaches so far.',
        media: { 'application/octet-stream': Type.String({ contentEncoding: 'binary' }) },
      },
    },
    errors: ['not-found'],
    handle: async ({ params }) => {
      const address = parseTilePath(params.path);
      const tile = address && (await readTile(deps, NATIONAL_LOG, address));
      if (tile === undefined) throw new GatewayError('not-found');
      const headers = { 'content-type': 'application/octet-stream', 'cache-control': FOR_EVER };
      return new Response(new Uint8Array(tile), { headers });
    },
  });
}

const Size = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });

const ConsistencyQuery = Type.Object({
  from: Type.Integer({ ...Size, description: 'Size of the earlier checkpoint, 1 or more.' }),
  to: Type.Optional(
    Type.Integer({
      ...Size,
      description: 'Size of the later one, which must have been signed; the newest checkpoint unless said.',
    }),
  ),
});

const ConsistencyBody = Type.Object({
  from: Size,
  to: Size,
  path: Type.Array(Hash, {
    description: 'RFC 6962 consistency proof (section 2.1.2), base64url. Empty when from is to.',
  }),
  checkpoint: Type.String({ description: 'C2SP signed note over exactly the first `to` entries.' }),
});

function consistencyRoute(deps: NationalRouteDeps): Route {
  return route({
    method: 'GET',
    path: '/v1/national/consistency',
    operationId: 'getNationalConsistency',
    tag: TAG,
    summary: {
      zh: '证明全国日志的后一检查点由前一检查点延续而来',
      en: 'Proof that a later checkpoint of the national log extends an earlier one',
    },
    access: 'public',
    query: ConsistencyQuery,
    responses: {
      200: {
        description: 'The proof, and the checkpoint that it leads to. `from` <= `to` <= the newest checkpoint.',
        media: { 'application/json': ConsistencyBody },
      },
    },
    errors: ['invalid-parameter'],
    handle: async ({ query }) => {
      const proof = await nationalConsistency(deps, { from: query.from, to: query.to });
      return Response.json({ ...proof, path: proof.path.map(toBase64url) });
    },
  });
}

function proofRoute(deps: NationalRouteDeps): Route {
  return route({
    method: 'GET',
    path: '/v1/national/proofs/{office}',
    operationId: 'getNationalProof',
    tag: TAG,
    summary: {
      zh: '证明某机关日志的检查点已列入全国日志',
      en: "Proof that a head of an office's log stands in the national log",
    },
    access: 'public',
    params: Type.Object({
      office: Type.String({ minLength: 1, maxLength: 32, description: "The office's code." }),
    }),
    query: Type.Object({
      size: Type.Optional(
        Type.Integer({
          ...Size,
          description: 'The first head of at least so many entries; the newest one unless said.',
        }),
      ),
    }),
    responses: {
      200: {
        description:
          "C2SP tlog-proof under the newest national checkpoint. Its extra data is the leaf's text: the note text of the office's checkpoint.",
        media: { 'text/plain': Type.String() },
      },
    },
    errors: ['not-found'],
    handle: async ({ params, query }) =>
      new Response(await nationalProof(deps, params.office, query.size), { headers: TEXT }),
  });
}
