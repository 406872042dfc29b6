import { Type } from 'typebox';
import type { Directory } from '../../identity/records.ts';
import type { LogContext } from '../../log/context.ts';
import { officeLog } from '../../log/logs.ts';
import { parseTilePath, readTile } from '../../log/tiles.ts';
import { GatewayError } from '../../std/errors.ts';
import { type Route, route } from '../route.ts';
import { requireOwnOrOperator } from './office-access.ts';

export interface TileDeps extends Pick<LogContext, 'db' | 'lanes'> {
  readonly directory: Pick<Directory, 'office'>;
}

/** A tile never changes; a client may keep it, shared caches may not: it is behind a token. */
const FOR_EVER = 'private, max-age=31536000, immutable';

const TileParams = Type.Object({
  office: Type.String({ minLength: 1, maxLength: 32, description: "The office's code." }),
  path: Type.String({
    maxLength: 64,
    description: 'C2SP tlog-tiles: level, index, width if partial: `0/x001/067.p/3`.',
  }),
});

export function tileRoute(deps: TileDeps): Route {
  return route({
    method: 'GET',
    path: '/v1/offices/{office}/tile/{path*}',
    operationId: 'getTile',
    tag: 'offices',
    summary: { zh: '取得机关日志默克尔树的瓦片', en: "A tile of hashes of an office's log (C2SP tlog-tiles)" },
    access: ['office', 'operator'],
    params: TileParams,
    responses: {
      200: {
        description: 'Up to 256 hashes of 32 bytes. 404 until a checkpoint reaches so far.',
        media: { 'application/octet-stream': Type.String({ contentEncoding: 'binary' }) },
      },
    },
    errors: ['not-found'],
    handle: async ({ params, caller }) => {
      await requireOwnOrOperator(deps.directory, caller, params.office);
      const address = parseTilePath(params.path);
      const tile = address && (await readTile(deps, officeLog(deps, params.office), address));
      if (tile === undefined) throw new GatewayError('not-found');
      const headers = { 'content-type': 'application/octet-stream', 'cache-control': FOR_EVER };
      return new Response(new Uint8Array(tile), { headers });
    },
  });
}
