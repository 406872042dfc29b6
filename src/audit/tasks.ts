import { planFor } from '../storage/audit.ts';
import type { IdRange } from '../storage/audit-copies.ts';
import type { TransactionSql } from '../storage/db.ts';
import type { Report } from './findings.ts';
import { GatewayKeySet } from './gateway-keys.ts';
import { auditRange, type RangeResult, type RangeTask } from './range.ts';
import { auditManifests, auditTicks } from './ticks.ts';

/** The large parts of an audit, each of which a thread can do alone. */
export type Task =
  | { readonly kind: 'range'; readonly range: RangeTask }
  | { readonly kind: 'ticks'; readonly range: IdRange }
  | { readonly kind: 'manifests'; readonly lane: number };

/** What every thread is told once. */
export interface TaskSettings {
  readonly env: string;
  readonly lanes: number;
  readonly signatures: boolean;
}

export interface TaskListener {
  readonly report: Report;
  readonly onRows: (rows: number) => void;
}

/** Does tasks one after another, on a connection of its own. */
export class TaskRunner {
  readonly #tx: TransactionSql;
  readonly #settings: TaskSettings;
  #keys: GatewayKeySet | undefined;
  #plan: 'ranges' | 'scans' = 'scans';

  constructor(tx: TransactionSql, settings: TaskSettings) {
    this.#tx = tx;
    this.#settings = settings;
  }

  /** Undefined for a task that has nothing to tell but its findings. */
  async run(task: Task, listener: TaskListener): Promise<RangeResult | undefined> {
    const ctx = { tx: this.#tx, ...this.#settings, ...listener };
    await this.#planFor(task.kind === 'range' ? 'ranges' : 'scans');
    if (task.kind === 'range') return await auditRange(ctx, task.range);
    if (task.kind === 'ticks') await auditTicks({ ...ctx, keys: await this.#readKeys() }, task.range);
    else await auditManifests(ctx, task.lane);
    return undefined;
  }

  async #planFor(plan: 'ranges' | 'scans'): Promise<void> {
    if (plan !== this.#plan) await planFor(this.#tx, plan);
    this.#plan = plan;
  }

  /** What is wrong with a key is reported where all keys are looked at. */
  async #readKeys(): Promise<GatewayKeySet> {
    this.#keys ??= await GatewayKeySet.read(this.#tx, () => {});
    return this.#keys;
  }
}
