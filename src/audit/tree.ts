import { hash } from 'node:crypto';
import { TILE_WIDTH } from '../log/edge.ts';

// The tree of a log, computed a second time. Two parts, so that ranges of one log can be read side by side: groups of 256
// leaves, which know nothing of what comes before them, and the tree above the groups.

export const HASH_BYTES = 32;
/** 2^53 leaves and no more. */
const LEVELS = 54;

const node = Buffer.alloc(1 + 2 * HASH_BYTES);
node[0] = 1;

/** `SHA-256(0x01 || left || right)`, written where `target` has `at`. A string is the cheapest result that `hash` has. */
function hashInto(target: Buffer, at: number): void {
  target.write(hash('sha256', node, 'binary'), at, 'latin1');
}

/**
 * A binary counter of full subtrees: slot `l` holds the root of 2^l units when bit `l` of the size is set. A unit is a leaf
 * or, above the groups, a group.
 */
class Slots {
  readonly #slots = Buffer.alloc(LEVELS * HASH_BYTES);
  size = 0;

  push(source: Buffer, from: number): void {
    let level = 0;
    let size = this.size++;
    if (size % 2 === 0) {
      source.copy(this.#slots, 0, from, from + HASH_BYTES);
      return;
    }
    source.copy(node, 1 + HASH_BYTES, from, from + HASH_BYTES);
    for (;;) {
      const slot = level * HASH_BYTES;
      this.#slots.copy(node, 1, slot, slot + HASH_BYTES);
      level++;
      size = Math.floor(size / 2);
      if (size % 2 === 0) break;
      hashInto(node, 1 + HASH_BYTES);
    }
    hashInto(this.#slots, level * HASH_BYTES);
  }

  /** Roots of the full subtrees, largest first. */
  subtrees(): Buffer {
    const parts: Buffer[] = [];
    for (let level = 0, size = this.size; size > 0; level++, size = Math.floor(size / 2)) {
      if (size % 2 === 1) parts.unshift(this.#slots.subarray(level * HASH_BYTES, (level + 1) * HASH_BYTES));
    }
    return Buffer.concat(parts);
  }

  /** Makes these the slots of that many units. */
  restore(size: number, subtrees: Buffer): void {
    this.size = size;
    let at = subtrees.length;
    for (let level = 0, rest = size; rest > 0; level++, rest = Math.floor(rest / 2)) {
      if (rest % 2 === 0) continue;
      at -= HASH_BYTES;
      subtrees.copy(this.#slots, level * HASH_BYTES, at, at + HASH_BYTES);
    }
  }
}

/** The root over full subtrees that adjoin, largest first: RFC 6962's, since it splits after the largest power of two. */
export function foldRoot(subtrees: Buffer): Buffer {
  if (subtrees.length === 0) return hash('sha256', subtrees, 'buffer');
  const root = Buffer.from(subtrees.subarray(-HASH_BYTES));
  for (let at = subtrees.length - 2 * HASH_BYTES; at >= 0; at -= HASH_BYTES) {
    subtrees.copy(node, 1, at, at + HASH_BYTES);
    root.copy(node, 1 + HASH_BYTES);
    hashInto(root, 0);
  }
  return root;
}

/** The root over leaf hashes that stand one after another. */
export function rootOf(leaves: Buffer): Buffer {
  const slots = new Slots();
  for (let at = 0; at < leaves.length; at += HASH_BYTES) slots.push(leaves, at);
  return foldRoot(slots.subtrees());
}

/** Up to 256 leaves that begin at a multiple of 256. */
export class LeafGroup {
  #slots = new Slots();

  get size(): number {
    return this.#slots.size;
  }

  push(source: Buffer, from = 0): void {
    this.#slots.push(source, from);
  }

  /** Roots of the full subtrees below the group's root; of a full group that root alone. */
  subtrees(): Buffer {
    return this.#slots.subtrees();
  }

  clear(): void {
    this.#slots = new Slots();
  }
}

/** A row of tiles of one level, as far as it is computed. */
interface TileRow {
  /** Hashes of the last tile that is not full. */
  hashes: Buffer;
  width: number;
  /** Index of that tile. */
  n: number;
}

export interface ComputedTile {
  readonly level: number;
  readonly n: number;
  readonly hashes: Buffer;
}

/** What a tree can be continued from. All of it base64. */
export interface LogTreeState {
  readonly groups: number;
  readonly subtrees: string;
  readonly tiles: readonly { readonly n: number; readonly hashes: string }[];
}

/** The tree above the groups: its subtrees, and the tiles of every level. */
export class LogTree {
  readonly #slots = new Slots();
  readonly #rows: TileRow[] = [];

  static restore(state: LogTreeState): LogTree {
    const tree = new LogTree();
    tree.#slots.restore(state.groups, Buffer.from(state.subtrees, 'base64'));
    for (const { n, hashes } of state.tiles) {
      const bytes = Buffer.from(hashes, 'base64');
      const row = { hashes: Buffer.alloc(TILE_WIDTH * HASH_BYTES), width: bytes.length / HASH_BYTES, n };
      bytes.copy(row.hashes);
      tree.#rows.push(row);
    }
    return tree;
  }

  state(): LogTreeState {
    return {
      groups: this.#slots.size,
      subtrees: this.#slots.subtrees().toString('base64'),
      tiles: this.#rows.map(({ n, hashes, width }) => ({
        n,
        hashes: hashes.toString('base64', 0, width * HASH_BYTES),
      })),
    };
  }

  /** Leaves below all groups. */
  get size(): number {
    return this.#slots.size * TILE_WIDTH;
  }

  /** Adds the root of a full group. Full tiles go to `onTile`. */
  push(root: Buffer, onTile: (tile: ComputedTile) => void): void {
    this.#slots.push(root, 0);
    this.#append(1, root, onTile);
  }

  /** The root when `partial`, the subtrees of the group that is not full, follow. */
  root(partial: Buffer): Buffer {
    return foldRoot(Buffer.concat([this.#slots.subtrees(), partial]));
  }

  /** The tiles that are not full. */
  partialTiles(): ComputedTile[] {
    return this.#rows.flatMap(({ hashes, width, n }, row) =>
      width === 0 ? [] : [{ level: row + 1, n, hashes: hashes.subarray(0, width * HASH_BYTES) }],
    );
  }

  /** How many tiles, full or not, each level has, from level 1 on. */
  tileCounts(): number[] {
    return this.#rows.map(({ n, width }) => n + (width > 0 ? 1 : 0));
  }

  #append(level: number, root: Buffer, onTile: (tile: ComputedTile) => void): void {
    let row = this.#rows[level - 1];
    if (row === undefined) {
      row = { hashes: Buffer.alloc(TILE_WIDTH * HASH_BYTES), width: 0, n: 0 };
      this.#rows.push(row);
    }
    root.copy(row.hashes, row.width * HASH_BYTES, 0, HASH_BYTES);
    if (++row.width < TILE_WIDTH) return;
    const { hashes, n } = row;
    onTile({ level, n, hashes });
    row.width = 0;
    row.n++;
    row.hashes = Buffer.alloc(TILE_WIDTH * HASH_BYTES);
    this.#append(level + 1, rootOf(hashes), onTile);
  }
}
