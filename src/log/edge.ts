import { assert } from '../std/errors.ts';
import { foldSubtrees, type Hash, RunningRoot } from './merkle.ts';

/** Hashes in a full tile: eight levels of the tree. */
export const TILE_WIDTH = 256;

/** A tile of the tlog-tiles layout: hash `i` is the root of full subtree `n * 256 + i` of 256^level leaves. */
export interface Tile {
  readonly level: number;
  readonly n: number;
  readonly hashes: readonly Uint8Array[];
}

/** Which tiles, levels >= 1, the right edge of a tree of `size` leaves lies in, and how many hashes of each belong to it. */
export function edgeTiles(size: number): { level: number; n: number; width: number }[] {
  const tiles: { level: number; n: number; width: number }[] = [];
  let hashes = Math.floor(size / TILE_WIDTH);
  for (let level = 1; hashes > 0; level++) {
    const n = Math.floor(hashes / TILE_WIDTH);
    if (hashes % TILE_WIDTH > 0) tiles.push({ level, n, width: hashes % TILE_WIDTH });
    hashes = n;
  }
  return tiles;
}

/** First leaf of the last, not yet full level-0 tile. */
export function edgeStart(size: number): number {
  return size - (size % TILE_WIDTH);
}

/** The last, not yet full tile of a level, and the roots of the full subtrees that its hashes make up. */
interface OpenTile {
  readonly hashes: Uint8Array[];
  readonly subtrees: RunningRoot;
}
/**
 * The right edge of a growing tree: everything that is needed to add leaves, to know the root, and to say which tiles
 * changed. At most 256 hashes a level.
 */
export class TreeEdge {
  readonly #hash: Hash;
  /** By level. Level 0 holds leaves, which start at `edgeStart(size)`. */
  readonly #levels: OpenTile[] = [];
  readonly #changed = new Set<number>();
  readonly #full: Tile[] = [];
  #size: number;

  /** `stored` are the tiles of `edgeTiles(size)`. Leaves from `edgeStart(size)` on are pushed by the caller. */
  constructor(hash: Hash, size: number, stored: readonly Tile[]) {
    this.#hash = hash;
    this.#size = edgeStart(size);
    for (const { level, width, n } of edgeTiles(size)) {
      const hashes = stored.find((tile) => tile.level === level && tile.n === n)?.hashes.slice(0, width);
      assert(hashes?.length === width, 'every tile of the edge is stored');
      for (const each of hashes) add(this.#level(level), each);
    }
  }

  get size(): number {
    return this.#size;
  }

  push(leaf: Uint8Array): void {
    this.#append(0, leaf);
    this.#size++;
  }

  /** Of the tree as it is now; asking for it again after some more leaves costs next to nothing. */
  root(): Uint8Array {
    return foldSubtrees(
      this.#hash,
      this.#levels.toReversed().flatMap(({ subtrees }) => subtrees.subtrees),
    );
  }

  /** Tiles of levels >= 1 that differ from what was stored when the edge was made. */
  changedTiles(): Tile[] {
    const partial = [...this.#changed].filter((level) => this.#level(level).hashes.length > 0);
    return [
      ...this.#full,
      ...partial.map((level) => ({ level, n: this.#tileIndex(level), hashes: this.#level(level).hashes })),
    ];
  }

  #append(level: number, hash: Uint8Array): void {
    const tile = this.#level(level);
    add(tile, hash);
    if (level > 0) this.#changed.add(level);
    if (tile.hashes.length < TILE_WIDTH) return;
    // #size is still that of the tree before the leaf that fills the tile, so the index is that of this tile.
    if (level > 0) this.#full.push({ level, n: this.#tileIndex(level), hashes: tile.hashes });
    this.#levels[level] = this.#empty();
    this.#append(level + 1, tile.subtrees.root());
  }

  #tileIndex(level: number): number {
    return Math.floor(this.#size / TILE_WIDTH ** (level + 1));
  }

  #level(level: number): OpenTile {
    while (this.#levels.length <= level) this.#levels.push(this.#empty());
    return this.#levels[level] as OpenTile;
  }

  #empty(): OpenTile {
    return { hashes: [], subtrees: new RunningRoot(this.#hash) };
  }
}

function add({ hashes, subtrees }: OpenTile, hash: Uint8Array): void {
  hashes.push(hash);
  subtrees.push(hash);
}
