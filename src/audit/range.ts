import { TILE_WIDTH } from '../log/edge.ts';
import { copyFilings } from '../storage/audit-copies.ts';
import type { TransactionSql } from '../storage/db.ts';
import { checkChains } from './chain.ts';
import { type ChainLink, FilingRows } from './filing-row.ts';
import { finding, type Report } from './findings.ts';
import { HASH_BYTES, LeafGroup } from './tree.ts';

/** Filings [from, to) of one log. `from` is a multiple of 256. */
export interface RangeTask {
  readonly lane: number;
  readonly office: string;
  readonly from: number;
  readonly to: number;
  /** Sizes within (from, to] at which the tree is wanted, ascending. */
  readonly sizes: readonly number[];
}

/** What a range comes to. */
export interface RangeResult {
  readonly rows: number;
  /** Roots of the groups of 256, one after another; the last one may not be full and is not among them. */
  readonly groups: Uint8Array;
  /** Groups, counted from the range's first, whose root cannot be relied on. */
  readonly doubtful: readonly number[];
  /** For each wanted size the subtrees of the group that it ends in; undefined where a leaf is missing. */
  readonly partials: readonly { readonly size: number; readonly subtrees: Uint8Array | undefined }[];
  /** Times of the first and the last filing that their ticks attest; undefined when there is none. */
  readonly firstTime: number | undefined;
  readonly lastTime: number | undefined;
  /** Index of that last one. */
  readonly lastTimed: number;
  /** The leaf of the last filing: by it the next audit knows its own data again. */
  readonly lastLeaf: Uint8Array;
}

export interface RangeContext {
  readonly tx: TransactionSql;
  readonly env: string;
  readonly lanes: number;
  readonly signatures: boolean;
  readonly report: Report;
  /** Told now and then how many filings were looked at since the last time. */
  readonly onRows: (rows: number) => void;
}

const TELL_ROWS = 2_048;
/** Stands for a leaf that is missing; what is made of it is never relied on. */
const LEAF_NONE = Buffer.alloc(HASH_BYTES);

/** Checks every filing of a range and builds the lower part of its tree, in one pass over the rows. */
export async function auditRange(ctx: RangeContext, task: RangeTask): Promise<RangeResult> {
  const { office, from, to } = task;
  const links: ChainLink[] = [];
  const lower = new LowerTree(task);
  const rows = new FilingRows({
    office,
    env: ctx.env,
    signatures: ctx.signatures,
    report: ctx.report,
    onLink: (link) => links.push(link),
  });
  const times = new Times(ctx.report, office);
  let next = from;
  let untold = 0;
  let count = 0;
  await copyFilings(ctx.tx, task, { from, to, keys: ctx.signatures }, (source) => {
    const row = rows.check(source);
    if (row.index > next) reportMissing(ctx.report, office, next, row.index);
    for (; next < row.index; next++) lower.pushMissing();
    lower.push(rows.leaf, row.doubtful);
    if (row.attested) times.next(row.index, row.receivedAt);
    next = row.index + 1;
    count++;
    if (++untold < TELL_ROWS) return;
    ctx.onRows(untold);
    untold = 0;
  });
  if (next < to) reportMissing(ctx.report, office, next, to);
  for (; next < to; next++) lower.pushMissing();
  ctx.onRows(untold);
  await checkChains({ tx: ctx.tx, office, lanes: ctx.lanes, report: ctx.report }, links);
  const { first: firstTime, last: lastTime, lastIndex: lastTimed } = times;
  return { rows: count, ...lower.result(), firstTime, lastTime, lastTimed, lastLeaf: Uint8Array.from(rows.leaf) };
}

function reportMissing(report: Report, office: string, from: number, to: number): void {
  const place = { office, id: `${office}.${from}` };
  if (to - from === 1) report(finding('missing', place, '该编号没有申报', 'there is no filing of this index'));
  else
    report(
      finding(
        'missing',
        place,
        `编号 ${from} 至 ${to - 1} 共 ${to - from} 份申报缺失`,
        `${to - from} filings are missing, indexes ${from} to ${to - 1}`,
      ),
    );
}

/** Times of receipt in their order. */
class Times {
  first: number | undefined;
  last: number | undefined;
  lastIndex = -1;
  readonly #report: Report;
  readonly #office: string;

  constructor(report: Report, office: string) {
    this.#report = report;
    this.#office = office;
  }

  next(index: number, time: number): void {
    if (this.last !== undefined && time < this.last) reportOrder(this.#report, this.#office, index);
    this.first ??= time;
    this.last = time;
    this.lastIndex = index;
  }
}

export function reportOrder(report: Report, office: string, index: number): void {
  const place = { office, id: `${office}.${index}` };
  report(finding('order', place, '受理时间早于前一份申报', 'it was received before the filing in front of it'));
}

/** What a range's part of the tree comes to. */
export type LowerResult = Pick<RangeResult, 'groups' | 'doubtful' | 'partials'>;

/** The groups of a range, and the wanted places within them. */
export class LowerTree {
  readonly #groups: Buffer;
  readonly #wanted: readonly number[];
  readonly #doubtful = new Set<number>();
  readonly #partials: { size: number; subtrees: Uint8Array | undefined }[] = [];
  readonly #group = new LeafGroup();
  #size: number;
  #full = 0;
  #isBroken = false;
  #nextWanted = 0;

  constructor({ from, to, sizes }: Pick<RangeTask, 'from' | 'to' | 'sizes'>) {
    this.#groups = Buffer.alloc(Math.ceil((to - from) / TILE_WIDTH) * HASH_BYTES);
    this.#wanted = sizes;
    this.#size = from;
  }

  pushMissing(): void {
    this.#isBroken = true;
    this.push(LEAF_NONE, true);
  }

  push(leaf: Buffer, isDoubtful: boolean): void {
    this.#group.push(leaf);
    this.#size++;
    if (isDoubtful) this.#doubtful.add(this.#full);
    const isFull = this.#group.size === TILE_WIDTH;
    while (this.#wanted[this.#nextWanted] === this.#size) {
      const isKnown = isFull || !this.#isBroken;
      const subtrees = isFull ? new Uint8Array() : Uint8Array.from(this.#group.subtrees());
      this.#partials.push({ size: this.#size, subtrees: isKnown ? subtrees : undefined });
      this.#nextWanted++;
    }
    if (!isFull) return;
    this.#group.subtrees().copy(this.#groups, this.#full * HASH_BYTES);
    this.#group.clear();
    this.#full++;
    this.#isBroken = false;
  }

  result(): LowerResult {
    const groups = Uint8Array.from(this.#groups.subarray(0, this.#full * HASH_BYTES));
    return { groups, doubtful: [...this.#doubtful], partials: this.#partials };
  }
}
