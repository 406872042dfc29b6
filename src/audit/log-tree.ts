import { formatRecovered, parseTreeHead, type TreeHead } from '../log/checkpoint.ts';
import { TILE_WIDTH } from '../log/edge.ts';
import { sameBytes } from '../log/merkle.ts';
import { parseInstant } from '../std/clock.ts';
import {
  type AuditedCheckpoint,
  readCheckpoints,
  readHeadsInNational,
  readLargestHead,
  readLevel,
  readSizes,
  readSizesOutside,
  readSurplusTiles,
  readTreeFacts,
} from '../storage/audit-logs.ts';
import type { TransactionSql } from '../storage/db.ts';
import type { LogKey } from '../storage/log.ts';
import { type RecoveryRecord, readRecoveries } from '../storage/recovery.ts';
import { type FindingKind, finding, type Report } from './findings.ts';
import type { GatewayKeySet } from './gateway-keys.ts';
import type { LowerResult } from './range.ts';
import { type ComputedTile, HASH_BYTES, LogTree, type LogTreeState } from './tree.ts';

/** Leaves that the gateway takes up in one transaction; between two of them a tree has no checkpoint of its size. */
const ROUND_LEAVES = 65_536;
const LISTED = 100;
/** A recovery takes its time before it signs; what is signed later than this after it has its line. */
const RECOVERING_MS = 60_000;

export interface LogTreeContext {
  readonly tx: TransactionSql;
  readonly keys: GatewayKeySet;
  readonly report: Report;
}

/** Where an interrupted audit of a log goes on. */
export interface LogState {
  readonly tree: LogTreeState;
  /** Smallest index of a leaf that cannot be relied on; -1: none. */
  readonly doubtFrom: number;
  readonly unchecked: number;
}

/**
 * The tree of one log against everything that was ever stored or signed of it. One tree has the roots of all checkpoints, so
 * each of them is a beginning of every later one: that is what their consistency means, and no proof is needed for it.
 */
export class LogTreeAudit {
  readonly #ctx: LogTreeContext;
  readonly #key: LogKey;
  readonly #name: string;
  readonly #tree: LogTree;
  #recoveries: readonly RecoveryRecord[] = [];
  /** How many leaves the stored tiles stand for. */
  #grown = 0;
  #doubtFrom: number;
  #unchecked: number;

  /** `office` empty: the national log. */
  constructor(ctx: LogTreeContext, key: LogKey, state?: LogState) {
    this.#ctx = ctx;
    this.#key = key;
    this.#name = key.office === '' ? 'national' : key.office;
    this.#tree = state === undefined ? new LogTree() : LogTree.restore(state.tree);
    this.#doubtFrom = state?.doubtFrom ?? -1;
    this.#unchecked = state?.unchecked ?? 0;
  }

  state(): LogState {
    return { tree: this.#tree.state(), doubtFrom: this.#doubtFrom, unchecked: this.#unchecked };
  }

  /** Once, before anything else. `end`: leaves of the log. */
  async begin(end: number): Promise<void> {
    const { tx } = this.#ctx;
    this.#recoveries = await readRecoveries(tx, this.#key);
    const { size, newest } = await readTreeFacts(tx, this.#key);
    this.#grown = Math.min(size ?? 0, end);
    if (this.#tree.size > 0) return;
    this.#checkGrown(size, newest, end);
    await this.#checkNewest(size ?? 0, newest, end);
    await this.#checkSigned(-1, 0, new Map([[0, this.#tree.root(Buffer.alloc(0))]]));
  }

  #checkGrown(size: number | undefined, newest: number | undefined, end: number): void {
    const grown = size ?? 0;
    const beyond = grown - (newest ?? 0);
    if (grown <= end && beyond >= 0 && beyond % ROUND_LEAVES === 0) return;
    this.#say(
      'tree',
      `office_tree ${this.#name}`,
      `已计算 ${grown} 份，最新检查点 ${newest ?? 0} 份，日志 ${end} 份`,
      `computed to ${grown} entries; the newest checkpoint has ${newest ?? 0}, the log ${end}`,
    );
  }

  /** That the newest checkpoints were not taken away: what stands is compared, and of what is gone nothing would be left. */
  async #checkNewest(grown: number, newest: number | undefined, end: number): Promise<void> {
    const row = `checkpoint ${this.#name}`;
    if (this.#key.office === '') {
      // Entries are signed in the transaction that adds them, unless they are more than one may take up.
      const isGrowing = grown > 0 && grown % ROUND_LEAVES === 0;
      if (end > 0 && (newest ?? 0) === 0 && !isGrowing)
        this.#say('checkpoint', row, '已有条目，却没有检查点', 'there are entries, and no checkpoint of them');
      return;
    }
    const published = await readLargestHead(this.#ctx.tx, this.#key.office);
    if (published === undefined || published <= (newest ?? -1)) return;
    this.#say(
      'checkpoint',
      row,
      `全国日志载有 ${published} 份的检查点，所存最新的${newest === undefined ? '没有' : `为 ${newest} 份`}`,
      `the national log has its checkpoint of ${published} entries; the newest that is stored ${newest === undefined ? 'is gone' : `has ${newest}`}`,
    );
  }

  /** The sizes within (from, to] for which `accept` needs the root. */
  sizes(from: number, to: number): Promise<number[]> {
    return readSizes(this.#ctx.tx, this.#key, from, to);
  }

  /** The next part of the log: leaves [from, to), of which the part before has been accepted. */
  async accept(from: number, to: number, { groups, doubtful, partials }: LowerResult): Promise<void> {
    const stored = doubtful.length === 0 ? undefined : await this.#storedRoots(from, groups.length / HASH_BYTES);
    const tiles: ComputedTile[] = [];
    const roots = new Map<number, Buffer | undefined>();
    const doubts = new Set(doubtful);
    let group = 0;
    const pushUntil = (size: number): void => {
      for (; from + (group + 1) * TILE_WIDTH <= size; group++) {
        const computed = Buffer.from(groups.subarray(group * HASH_BYTES, (group + 1) * HASH_BYTES));
        const root = doubts.has(group) ? (stored?.get(group) ?? computed) : computed;
        this.#tree.push(root, (tile) => tiles.push(tile));
      }
    };
    const first = doubtful[0];
    if (first !== undefined && this.#doubtFrom < 0) this.#doubtFrom = from + first * TILE_WIDTH;
    for (const { size, subtrees } of partials) {
      pushUntil(size);
      roots.set(size, subtrees && this.#tree.root(Buffer.from(subtrees)));
    }
    pushUntil(to);
    for (const tile of tiles) await this.#checkTile(tile);
    await this.#checkSigned(from, to, roots);
  }

  /** After the last part. */
  async finish(end: number): Promise<void> {
    for (const tile of this.#tree.partialTiles()) await this.#checkTile(tile);
    const { tx } = this.#ctx;
    const counts = this.#tree
      .tileCounts()
      .map((_, i) => Math.ceil(Math.floor(this.#grown / TILE_WIDTH ** (i + 1)) / TILE_WIDTH));
    for (const { level, n } of await readSurplusTiles(tx, this.#key, counts, LISTED))
      this.#say('tile', `tile ${this.#name}/${level}/${n}`, '图块超出了树的范围', 'the tree has no such tile');
    for (const size of await readSizesOutside(tx, this.#key, end, LISTED))
      this.#say('checkpoint', this.#checkpoint(size), `日志只有 ${end} 份`, `the log has only ${end} entries`);
    for (const { idx, text } of await readHeadsInNational(tx, this.#key.office, end, Number.MAX_SAFE_INTEGER))
      this.#compareHead(idx, text, undefined, end);
    for (const { keptSize } of this.#recoveries)
      if (keptSize > end)
        this.#say(
          'recovery',
          `recovery ${this.#name}`,
          '恢复时保留的份数超过日志',
          'it kept more entries than the log has',
        );
    if (this.#unchecked === 0) return;
    this.#say(
      'checkpoint-unchecked',
      `checkpoint ${this.#name}`,
      `${this.#unchecked} 个检查点或记录的根无法核对`,
      `the roots of ${this.#unchecked} checkpoints or records could not be compared`,
    );
  }

  /** What the stored tiles have for the groups of a part. */
  async #storedRoots(from: number, groups: number): Promise<Map<number, Buffer>> {
    const first = from / TILE_WIDTH;
    const [low, high] = [Math.floor(first / TILE_WIDTH), Math.floor((first + groups) / TILE_WIDTH) + 1];
    const found = new Map<number, Buffer>();
    for (const { n, hashes } of await readLevel(this.#ctx.tx, this.#key, 1, low, high)) {
      for (let at = 0; at + HASH_BYTES <= hashes.length; at += HASH_BYTES)
        found.set(n * TILE_WIDTH + at / HASH_BYTES - first, hashes.subarray(at, at + HASH_BYTES));
    }
    return found;
  }

  async #checkTile({ level, n, hashes }: ComputedTile): Promise<void> {
    const width = Math.min(hashes.length / HASH_BYTES, Math.floor(this.#grown / TILE_WIDTH ** level) - n * TILE_WIDTH);
    if (width <= 0) return;
    const [stored] = await readLevel(this.#ctx.tx, this.#key, level, n, n + 1);
    const row = `tile ${this.#name}/${level}/${n}`;
    if (stored === undefined) {
      this.#say('tile', row, '图块不存在', 'the tile is not there');
      return;
    }
    const expected = hashes.subarray(0, width * HASH_BYTES);
    if (stored.hashes.equals(expected)) return;
    const at = firstDifference(stored.hashes, expected);
    // Level 1 was taken over where leaves are missing; what lies above was computed from that.
    this.#say('tile', row, `第 ${at} 个哈希与叶不符`, `hash ${at} is not what the leaves make`);
  }

  /** Everything that names a root of a size within (from, to]. */
  async #checkSigned(from: number, to: number, roots: ReadonlyMap<number, Buffer | undefined>): Promise<void> {
    const { tx } = this.#ctx;
    for (const checkpoint of await readCheckpoints(tx, this.#key, from, to))
      this.#checkCheckpoint(checkpoint, roots.get(checkpoint.size));
    for (const { keptSize, keptRoot } of this.#recoveries) {
      if (keptSize <= from || keptSize > to) continue;
      this.#compareRoot(roots.get(keptSize), keptRoot, keptSize, () =>
        this.#say(
          'recovery',
          `recovery ${this.#name}`,
          '保留部分的根与日志不符',
          'the root of what was kept is not that of the log',
        ),
      );
    }
    if (this.#key.office === '') return;
    for (const { idx, text } of await readHeadsInNational(tx, this.#key.office, from, to))
      this.#compareHead(idx, text, roots, to);
  }

  #checkCheckpoint(checkpoint: AuditedCheckpoint, computed: Buffer | undefined): void {
    const { size, root, note } = checkpoint;
    const row = this.#checkpoint(size);
    const head = this.#ctx.keys.open(note);
    if (head === undefined)
      this.#say('checkpoint-note', row, '检查点没有网关的有效签名', 'the note has no valid signature of the gateway');
    else if (!this.#isOfLog(head) || head.size !== size)
      this.#say(
        'checkpoint-note',
        row,
        '所签的日志或份数不是本行的',
        'the note is of another log or size than its row',
      );
    else if (!sameBytes(head.root, root))
      this.#say('checkpoint', row, '本行的根不是所签的根', 'the root of the row is not the one that was signed');
    else this.#checkExtensions(row, head, parseInstant(checkpoint.signed_at) ?? 0);
    const signed = head !== undefined && head.size === size ? head.root : root;
    this.#compareRoot(computed, signed, size, () =>
      this.#say(
        'checkpoint',
        row,
        '所签的根不是日志在该份数时的根',
        'the signed root is not that of the log at this size',
      ),
    );
  }

  #compareRoot(computed: Buffer | undefined, signed: Uint8Array, size: number, say: () => void): void {
    if (computed !== undefined && sameBytes(computed, signed)) return;
    const isExplained = this.#doubtFrom >= 0 && this.#doubtFrom < size;
    if (isExplained) this.#unchecked++;
    else say();
  }

  /** One line for each recovery, oldest first; all of them in a checkpoint that was signed after them. */
  #checkExtensions(row: string, { size, extensions = [] }: TreeHead, signedAt: number): void {
    const lines = this.#recoveries.map(formatRecovered);
    const isPrefix = extensions.every((line, i) => line === lines[i]);
    const isBefore = ({ at, keptSize }: RecoveryRecord): boolean => keptSize < size && at + RECOVERING_MS <= signedAt;
    const needed = this.#recoveries.findLastIndex(isBefore) + 1;
    if (isPrefix && extensions.length >= needed) return;
    this.#say('recovery', row, '检查点的扩展行与恢复记录不符', 'the extension lines are not those of the recoveries');
  }

  #compareHead(
    idx: number,
    text: string,
    roots: ReadonlyMap<number, Buffer | undefined> | undefined,
    end: number,
  ): void {
    const head = parseTreeHead(text);
    const row = `national_entry ${idx}`;
    if (head === undefined || !this.#isOfLog(head)) {
      this.#say('national', row, '不是该机关的检查点', 'it is no checkpoint of that office');
      return;
    }
    if (roots === undefined)
      this.#say('national', row, `该机关的日志只有 ${end} 份`, `the log of that office has only ${end} entries`);
    else
      this.#compareRoot(roots.get(head.size), head.root, head.size, () =>
        this.#say(
          'national',
          row,
          '其根不是机关日志在该份数时的根',
          'its root is not that of the office’s log at this size',
        ),
      );
  }

  #isOfLog({ origin }: TreeHead): boolean {
    return origin.endsWith(this.#key.office === '' ? '/national' : `/offices/${this.#key.office}`);
  }

  #checkpoint(size: number): string {
    return `checkpoint ${this.#name}@${size}`;
  }

  #say(kind: FindingKind, row: string, zh: string, en: string): void {
    const { office } = this.#key;
    this.#ctx.report(finding(kind, { ...(office === '' ? {} : { office }), row }, zh, en));
  }
}

function firstDifference(a: Buffer, b: Buffer): number {
  let at = 0;
  while (at < a.length && at < b.length && a[at] === b[at]) at++;
  return Math.floor(at / HASH_BYTES);
}
