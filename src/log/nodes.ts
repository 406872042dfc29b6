import { sha256 } from '../std/bytes.ts';
import { assert, GatewayError } from '../std/errors.ts';
import type { Sql, TransactionSql } from '../storage/db.ts';
import { readNewestCheckpoint, readTiles, splitHashes } from '../storage/log.ts';
import type { LogContext } from './context.ts';
import { TILE_WIDTH } from './edge.ts';
import type { Log } from './logs.ts';
import {
  consistencyRanges,
  foldSubtrees,
  fullSubtrees,
  inclusionRanges,
  type LeafRange,
  type Subtree,
  treeRoot,
  verifyConsistency,
  verifyInclusion,
} from './merkle.ts';

/** Levels of the tree that one tile spans. */
const TILE_LEVELS = 8;

/** Where the hashes below a full subtree stand: `width` of them from `at` on in tile `n` of `level`. */
interface TilePlace {
  readonly level: number;
  readonly n: number;
  readonly at: number;
  readonly width: number;
}

function placeOf(subtree: Subtree): TilePlace {
  const width = 2 ** (subtree.level % TILE_LEVELS);
  const first = subtree.index * width;
  const n = Math.floor(first / TILE_WIDTH);
  return { level: Math.floor(subtree.level / TILE_LEVELS), n, at: first - n * TILE_WIDTH, width };
}

/**
 * The roots of ranges of leaves, each a node of some tree over the log, from tiles and leaves. The tiles must have
 * grown beyond the ranges; what was added to them since does not matter, because only full subtrees are read.
 */
export async function readNodes(
  sql: Sql | TransactionSql,
  log: Log,
  ranges: readonly LeafRange[],
): Promise<Uint8Array[]> {
  const subtrees = ranges.map((range) => fullSubtrees(range).map(placeOf));
  const tiles = new Map<string, { level: number; n: number; width: number }>();
  for (const { level, n, at, width } of subtrees.flat()) {
    const known = tiles.get(`${level}/${n}`)?.width ?? 0;
    tiles.set(`${level}/${n}`, { level, n, width: Math.max(known, at + width) });
  }
  const hashes = await readHashes(sql, log, [...tiles.values()]);
  return subtrees.map((places) => {
    const roots = places.map(({ level, n, at, width }) => {
      const found = hashes.get(`${level}/${n}`)?.slice(at, at + width);
      assert(found?.length === width, 'tiles hold every full subtree of the log');
      return treeRoot(sha256, found);
    });
    return foldSubtrees(sha256, roots);
  });
}

async function readHashes(
  sql: Sql | TransactionSql,
  log: Log,
  tiles: readonly { level: number; n: number; width: number }[],
): Promise<Map<string, Buffer[]>> {
  const hashes = new Map<string, Buffer[]>();
  const stored = await readTiles(
    sql,
    log.key,
    tiles.filter((tile) => tile.level > 0),
  );
  for (const tile of stored) hashes.set(`${tile.level}/${tile.n}`, splitHashes(tile.hashes));
  for (const { n, width } of tiles.filter((tile) => tile.level === 0)) {
    hashes.set(`0/${n}`, await log.readLeaves(sql, n * TILE_WIDTH, n * TILE_WIDTH + width));
  }
  return hashes;
}

/** The root of the log's first `size` entries, which the tiles must stand for. */
export async function readRoot(sql: Sql | TransactionSql, log: Log, size: number): Promise<Uint8Array> {
  const [root] = size === 0 ? [treeRoot(sha256, [])] : await readNodes(sql, log, [{ start: 0, end: size }]);
  assert(root !== undefined, 'one root for one range');
  return root;
}

export interface InclusionProof {
  readonly index: number;
  readonly size: number;
  readonly leaf: Uint8Array;
  /** From the leaf's sibling upwards. */
  readonly path: readonly Uint8Array[];
  readonly root: Uint8Array;
}

/**
 * Proof that the tree of `size` entries holds entry `index`, verified before it is returned. `size` must not be beyond
 * the newest checkpoint.
 */
export async function inclusionProof(
  ctx: Pick<LogContext, 'db'>,
  log: Log,
  input: { readonly index: number; readonly size: number },
): Promise<InclusionProof> {
  const { index, size } = input;
  if (!(index >= 0 && index < size)) throw new GatewayError('not-found');
  const ranges = [{ start: index, end: index + 1 }, ...inclusionRanges(index, size)];
  const [leaf, ...path] = await readNodes(ctx.db.sql, log, ranges);
  const root = await readRoot(ctx.db.sql, log, size);
  assert(
    leaf !== undefined && verifyInclusion(sha256, { leaf, index, size, path, root }),
    'an inclusion proof verifies',
  );
  return { index, size, leaf, path, root };
}

export interface ConsistencyProof {
  readonly oldRoot: Uint8Array;
  readonly root: Uint8Array;
  /** RFC 6962 section 2.1.2. */
  readonly path: readonly Uint8Array[];
}

/** Proof that the tree of `size` entries begins with that of `oldSize`, verified before it is returned. */
export async function consistencyProof(
  ctx: Pick<LogContext, 'db'>,
  log: Log,
  input: { readonly oldSize: number; readonly size: number },
): Promise<ConsistencyProof> {
  const { oldSize, size } = input;
  const newest = await readNewestCheckpoint(ctx.db.sql, log.key);
  if (newest === undefined || !(oldSize >= 0 && oldSize <= size && size <= newest.size))
    throw new GatewayError('not-found');
  const path = await readNodes(ctx.db.sql, log, consistencyRanges(oldSize, size));
  const oldRoot = await readRoot(ctx.db.sql, log, oldSize);
  const root = await readRoot(ctx.db.sql, log, size);
  assert(verifyConsistency(sha256, { oldSize, oldRoot, size, root, path }), 'a consistency proof verifies');
  return { oldRoot, root, path };
}
