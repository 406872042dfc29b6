import { laneOf } from '../domain/filing.ts';
import { parseInstant } from '../std/clock.ts';
import { type LogFacts, readOutside } from '../storage/audit.ts';
import { auditCosignatures } from './cosignatures.ts';
import { finding } from './findings.ts';
import { type LogState, LogTreeAudit, type LogTreeContext } from './log-tree.ts';
import { type RangeResult, type RangeTask, reportOrder } from './range.ts';

const RANGE = 65_536;
/** Beyond so many rows that are not there a size is taken to be damaged, and not the log. */
const MISSING_MAX = 65_536;
const LISTED = 100;

/** How far the audit of an office has come. */
export interface OfficeState {
  /** Filings that were looked at; a multiple of the range until the office is done. */
  readonly next: number;
  readonly isDone: boolean;
  readonly lastTime: number | undefined;
  /** Of filing `next` - 1, base64: so that other data are told from these. */
  readonly lastLeaf: string;
  readonly log: LogState;
}

export interface OfficeContext extends LogTreeContext {
  readonly lanes: number;
  readonly onState: (office: string, state: OfficeState) => void;
  /** Filings in one range: a multiple of 256; 65,536 unless it says otherwise. */
  readonly rangeFilings?: number;
}

/** One office: hands out the ranges of its log, and puts together what they come to, in their order. */
export class OfficeAudit {
  readonly #ctx: OfficeContext;
  readonly #facts: LogFacts;
  readonly #tree: LogTreeAudit;
  readonly #first: number;
  #end = 0;
  #lastTime: number | undefined;
  /** Filings whose ranges were taken; ranges that came before their turn wait for it, by their first filing. */
  #taken: number;
  readonly #waiting = new Map<number, () => void>();

  constructor(ctx: OfficeContext, facts: LogFacts, state?: OfficeState) {
    this.#ctx = ctx;
    this.#facts = facts;
    this.#tree = new LogTreeAudit(ctx, facts, state?.log);
    this.#first = state?.next ?? 0;
    this.#taken = this.#first;
    this.#lastTime = state?.lastTime;
  }

  /** The ranges that are left. Everything that they do not show is checked on the way. */
  async *tasks(): AsyncGenerator<RangeTask> {
    const { lane, office } = this.#facts;
    if (!(await this.#begin())) return;
    const { rangeFilings = RANGE } = this.#ctx;
    for (let from = this.#first; from < this.#end; from += rangeFilings) {
      const to = Math.min(from + rangeFilings, this.#end);
      yield { lane, office, from, to, sizes: await this.#tree.sizes(from, to) };
    }
    if (this.#first >= this.#end) await this.#finish();
  }

  /** Waits for the ranges before this one: another thread may need longer for them. */
  async accept(task: RangeTask, result: RangeResult): Promise<void> {
    if (task.from !== this.#taken) await new Promise<void>((resolve) => this.#waiting.set(task.from, resolve));
    await this.#take(task, result);
    this.#taken = task.to;
    this.#waiting.get(task.to)?.();
    this.#waiting.delete(task.to);
  }

  /** False when there is no log to look at. */
  async #begin(): Promise<boolean> {
    const { lane, office, size, isOffice } = this.#facts;
    if (size === undefined) {
      await this.#reportStray(0);
      return false;
    }
    if (lane !== laneOf(office, this.#ctx.lanes))
      this.#say(
        'office',
        `office_head ${office}`,
        '日志头不在该机关的分片中',
        'the head is not in the lane of its office',
      );
    if (!isOffice)
      this.#say(
        'office',
        `office_head ${office}`,
        '没有登记这个机关',
        'no office of this code is registered in the lane',
      );
    this.#end = this.#endOf(size);
    if (size !== this.#end)
      this.#say(
        'head-size',
        `office_head ${office}`,
        `日志头为 ${size} 份，实有 ${this.#facts.rows} 份`,
        `the head says ${size} filings, and there are ${this.#facts.rows}`,
      );
    if (this.#facts.last >= this.#end || this.#facts.first < 0) await this.#reportStray(this.#end);
    await this.#tree.begin(this.#end);
    return true;
  }

  /** Where the log ends. When head and rows differ, checkpoints tell whether the head or the rows are wrong. */
  #endOf(size: number): number {
    const { rows, first, last, newest } = this.#facts;
    const isDense = first >= 0 && last === rows - 1;
    const isNear = Math.abs(size - rows) <= MISSING_MAX;
    if (isDense && (size <= rows || newest <= rows || !isNear)) return rows;
    return isNear ? size : Math.min(last + 1, rows + MISSING_MAX);
  }

  async #reportStray(end: number): Promise<void> {
    const { office } = this.#facts;
    const found = await readOutside(this.#ctx.tx, this.#facts, end, LISTED);
    for (const index of found) {
      const place = { office, id: `${office}.${index}` };
      this.#ctx.report(finding('stray', place, '不在任何机关日志的范围内', 'it stands outside the log of its office'));
    }
  }

  async #take(task: RangeTask, result: RangeResult): Promise<void> {
    const { firstTime, lastTime } = result;
    const { office } = this.#facts;
    if (firstTime !== undefined && this.#lastTime !== undefined && firstTime < this.#lastTime)
      reportOrder(this.#ctx.report, office, task.from);
    this.#lastTime = lastTime ?? this.#lastTime;
    await this.#tree.accept(task.from, task.to, result);
    const isLast = task.to === this.#end;
    if (isLast) {
      this.#checkHeadTime(result);
      await this.#finish();
    }
    const lastLeaf = Buffer.from(result.lastLeaf).toString('base64');
    const log = this.#tree.state();
    this.#ctx.onState(office, { next: task.to, isDone: isLast, lastTime: this.#lastTime, lastLeaf, log });
  }

  #checkHeadTime({ lastTimed, lastTime }: RangeResult): void {
    const { office, receivedAt = '' } = this.#facts;
    if (lastTimed !== this.#end - 1 || parseInstant(receivedAt) === lastTime) return;
    const row = `office_head ${office}`;
    this.#say('head-time', row, '时间不是最后一份申报的', 'its time is not that of the last filing');
  }

  async #finish(): Promise<void> {
    await this.#tree.finish(this.#end);
    await auditCosignatures(this.#ctx, this.#facts);
  }

  #say(kind: 'office' | 'head-size' | 'head-time', row: string, zh: string, en: string): void {
    this.#ctx.report(finding(kind, { office: this.#facts.office, row }, zh, en));
  }
}
