import { assert } from '../std/errors.ts';
import { foldSubtrees, fullSubtrees, type Hash, treeRoot } from './merkle.ts';

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

/**
 * The right edge of a growing tree: everything that is needed to add leaves, to know the root, and to say which tiles
 * changed. At most 256 hashes a level.
 */
export class TreeEdge {
  readonly #hash: Hash;
  /** Hashes of the last, not yet full tile of each level. Level 0 holds leaves, which start at `edgeStart(size)`. */
  readonly #levels: Uint8Array[][] = [[]];
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
      this.#level(level).push(...hashes);
    }
  }

  get size(): number {
    return this.#size;
  }

  push(leaf: Uint8Array): void {
    this.#append(0, leaf);
    this.#size++;
  }

  root(): Uint8Array {
    const subtrees: Uint8Array[] = [];
    for (const hashes of this.#levels.toReversed()) {
      for (const { level, index } of fullSubtrees({ start: 0, end: hashes.length })) {
        const width = 2 ** level;
        subtrees.push(treeRoot(this.#hash, hashes.slice(index * width, (index + 1) * width)));
      }
    }
    return foldSubtrees(this.#hash, subtrees);
  }

  /** Tiles of levels >= 1 that differ from what was stored when the edge was made. */
  changedTiles(): Tile[] {
    const partial = [...this.#changed].filter((level) => this.#level(level).length > 0);
    return [
      ...this.#full,
      ...partial.map((level) => ({ level, n: this.#tileIndex(level), hashes: this.#level(level) })),
    ];
  }

  #append(level: number, hash: Uint8Array): void {
    const hashes = this.#level(level);
    hashes.push(hash);
    if (level > 0) this.#changed.add(level);
    if (hashes.length < TILE_WIDTH) return;
    const full = hashes.splice(0);
    // #size is still that of the tree before the leaf that fills the tile, so the index is that of this tile.
    if (level > 0) this.#full.push({ level, n: this.#tileIndex(level), hashes: full });
    this.#append(level + 1, treeRoot(this.#hash, full));
  }

  #tileIndex(level: number): number {
    return Math.floor(this.#size / TILE_WIDTH ** (level + 1));
  }

  #level(level: number): Uint8Array[] {
    while (this.#levels.length <= level) this.#levels.push([]);
    return this.#levels[level] as Uint8Array[];
  }
}
