import { readNewestCheckpoint, readTiles } from '../storage/log.ts';
import type { LogContext } from './context.ts';
import { TILE_WIDTH } from './edge.ts';
import type { Log } from './logs.ts';

const HASH_BYTES = 32;
/** 256^7 leaves are more than a number counts: there are no tiles above. */
const MAX_LEVEL = 6;

/** A tile of the tlog-tiles layout; `width` below 256 for a partial one. */
export interface TileAddress {
  readonly level: number;
  readonly n: number;
  readonly width: number;
}

const PATH = /^(0|[1-9]\d?)\/((?:x\d{3}\/)*)(\d{3})(?:\.p\/([1-9]\d{0,2}))?$/;

/** What `<L>/<N>[.p/<W>]` names, in its only spelling: `0/x001/067.p/3`. Undefined for anything else. */
export function parseTilePath(path: string): TileAddress | undefined {
  const [, level, high, low, partial] = PATH.exec(path) ?? [];
  if (level === undefined || high === undefined || low === undefined || high.startsWith('x000/')) return undefined;
  const n = Number(high.replace(/[x/]/g, '') + low);
  const width = partial === undefined ? TILE_WIDTH : Number(partial);
  if (!Number.isSafeInteger(n) || (partial !== undefined && width >= TILE_WIDTH)) return undefined;
  return { level: Number(level), n, width };
}

/**
 * The hashes of a tile, one after another; undefined when the newest checkpoint does not reach so far. What is served
 * once is the same for ever.
 */
export async function readTile(
  ctx: Pick<LogContext, 'db'>,
  log: Log,
  { level, n, width }: TileAddress,
): Promise<Buffer | undefined> {
  if (level > MAX_LEVEL) return undefined;
  const { key } = log;
  const size = (await readNewestCheckpoint(ctx.db.sql, key))?.size ?? 0;
  const first = n * TILE_WIDTH;
  if (Math.floor(size / TILE_WIDTH ** level) < first + width) return undefined;
  if (level === 0) return Buffer.concat(await log.readLeaves(ctx.db.sql, first, first + width));
  const [tile] = await readTiles(ctx.db.sql, key, [{ level, n }]);
  return tile?.hashes.subarray(0, width * HASH_BYTES);
}
