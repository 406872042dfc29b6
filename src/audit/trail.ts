import { sha256 } from '../std/bytes.ts';
import type { Json } from '../std/canonical.ts';
import { formatInstant } from '../std/clock.ts';
import { copyTrail, TRAIL } from '../storage/audit-copies.ts';
import type { CopyRow } from '../storage/copy-binary.ts';
import type { TransactionSql } from '../storage/db.ts';
import { readTrailHead } from '../storage/trail.ts';
import { CHAIN_START, type TrailRow, trailHash } from '../trail/chain.ts';
import { finding, type Report } from './findings.ts';

export interface TrailContext {
  readonly tx: TransactionSql;
  readonly report: Report;
  readonly onRows: (rows: number) => void;
}

/** The chain of the audit trail from its first row to its head. */
export async function auditTrail(ctx: TrailContext): Promise<void> {
  const { tx, report, onRows } = ctx;
  const chain = new Chain(report);
  await copyTrail(tx, (source) => {
    chain.next(source);
    onRows(1);
  });
  const head = (await readTrailHead(tx)) ?? { n: 0, hash: Buffer.from(CHAIN_START) };
  chain.end(head.n, head.hash);
}

class Chain {
  readonly #report: Report;
  #n = 0;
  #at = Number.NEGATIVE_INFINITY;
  /** What the next row may follow on: more than one after a row that does not fit, none after one that is missing. */
  #before: readonly Uint8Array[] = [CHAIN_START];

  constructor(report: Report) {
    this.#report = report;
  }

  next(source: CopyRow): void {
    const n = source.int64(TRAIL.n);
    const at = source.instant(TRAIL.at);
    const stored = Buffer.from(source.bytes(TRAIL.hash));
    if (n !== this.#n + 1) this.#missing(n);
    const row = rowOf(source, n, at);
    const hashes = row === undefined ? [] : this.#before.map((before) => trailHash(sha256, before, row));
    const isRight = hashes.some((hash) => stored.equals(hash)) || (this.#before.length === 0 && row !== undefined);
    if (!isRight)
      this.#say(n, '哈希不是由上一条和本条内容得出的', 'its hash is not made of its content and the row before');
    else if (at < this.#at) this.#say(n, '时间早于上一条', 'it is older than the row before');
    // The row's content or its stored hash may be what is wrong: the row after it tells.
    this.#before = isRight ? [stored] : [stored, ...hashes];
    this.#n = n;
    if (isRight) this.#at = at;
  }

  end(n: number, hash: Buffer): void {
    if (n === this.#n && this.#before.some((before) => hash.equals(before))) return;
    this.#report(
      finding(
        'trail',
        { row: 'trail_head' },
        `链的末端是第 ${n} 条，最后一条记录是第 ${this.#n} 条，或其哈希不同`,
        `the head is at row ${n} and the last row is ${this.#n}, or their hashes differ`,
      ),
    );
  }

  #missing(next: number): void {
    this.#say(this.#n + 1, `第 ${this.#n + 1} 至 ${next - 1} 条缺失`, `rows ${this.#n + 1} to ${next - 1} are missing`);
    this.#before = [];
  }

  #say(n: number, zh: string, en: string): void {
    this.#report(finding('trail', { row: `trail ${n}` }, zh, en));
  }
}

/** Undefined when it is no row that could ever have been written. */
function rowOf(source: CopyRow, n: number, at: number): TrailRow | undefined {
  if (Number.isNaN(at) || !Number.isInteger(at)) return undefined;
  const text = (column: number): string => source.string(column, 'utf8');
  const row = {
    n,
    at: formatInstant(at),
    role: text(TRAIL.role),
    party: text(TRAIL.party),
    action: text(TRAIL.action),
    target: text(TRAIL.target),
    result: text(TRAIL.result),
    request: text(TRAIL.request),
  };
  if (source.isNull(TRAIL.details)) return row;
  return { ...row, details: JSON.parse(text(TRAIL.details)) as Readonly<Record<string, Json>> };
}
