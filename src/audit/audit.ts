import { availableParallelism } from 'node:os';
import { type Clock, formatInstant } from '../std/clock.ts';
import { StartError } from '../std/start-error.ts';
import {
  type AuditedDatabase,
  countTicks,
  exportSnapshot,
  type LogFacts,
  readAudited,
  readLeafAt,
  readLogFacts,
  readSnapshot,
} from '../storage/audit.ts';
import type { IdRange } from '../storage/audit-copies.ts';
import { readNationalFacts } from '../storage/audit-logs.ts';
import type { DatabaseAddress, TransactionSql } from '../storage/db.ts';
import { readTrailHead } from '../storage/trail.ts';
import { auditWhole } from './crossing.ts';
import type { Finding, FindingKind } from './findings.ts';
import { GatewayKeySet } from './gateway-keys.ts';
import { auditMandates, auditPartyKeys } from './identity.ts';
import { auditNational } from './national.ts';
import { OfficeAudit, type OfficeContext } from './office.ts';
import { type AuditScope, readState, refused, StateKeeper } from './state.ts';
import type { Task } from './tasks.ts';
import { type Auditor, type AuditorSettings, startHere, startThread } from './thread.ts';
import { auditTrail } from './trail.ts';

/** How often the state is written while an audit goes on. */
const KEEP_MS = 2_000;
/** Ticks in one task. */
const TICKS_AT_ONCE = 20_000;

export interface AuditOptions {
  readonly address: DatabaseAddress;
  readonly clock: Clock;
  /** Filers' signatures too. */
  readonly signatures: boolean;
  /** Only these logs, and nothing that is not of an office. */
  readonly offices?: readonly string[] | undefined;
  /** Where an interrupted audit goes on; removed when it is done. */
  readonly stateFile?: string | undefined;
  /** Threads beside this one; 0: everything in this one. */
  readonly threads?: number | undefined;
  readonly onFinding: (found: Finding) => void;
  readonly onProgress: (progress: AuditProgress) => void;
  /** An earlier audit is continued. */
  readonly onResume: (resumed: {
    readonly startedAt: string;
    readonly filings: number;
    readonly found: number;
  }) => void;
  /** Ends the audit at the next place from which it can go on. */
  readonly signal?: AbortSignal | undefined;
}

/** In rows of whatever table. */
export interface AuditProgress {
  readonly done: number;
  readonly total: number;
}

export interface AuditSummary {
  readonly database: string;
  readonly offices: number;
  /** Filings that this run looked at. */
  readonly filings: number;
  readonly ticks: number;
  readonly rows: number;
  readonly seconds: number;
  readonly threads: number;
  readonly signatures: boolean;
  /** Of this run, by kind. */
  readonly findings: Readonly<Partial<Record<FindingKind, number>>>;
  /** False: it was interrupted. */
  readonly isWhole: boolean;
}

/**
 * Recomputes everything that the database holds from its rows, as they are at one moment, and tells what does not fit.
 * Changes nothing, and needs no key: what the gateway's and the filers' registered keys verify is what is believed.
 */
export async function audit(options: AuditOptions): Promise<AuditSummary> {
  return await readSnapshot(options.address, undefined, async (tx) => {
    const database = await readAudited(tx);
    if (database === undefined) throw noGateway();
    const run = new AuditRun(options, tx, database);
    return await run.run();
  });
}

/** What a thread does next, and where its result goes. */
interface Unit {
  readonly task: Task;
  readonly accept: (result: Awaited<ReturnType<Auditor['run']>>) => Promise<void>;
}

class AuditRun {
  readonly #options: AuditOptions;
  readonly #tx: TransactionSql;
  readonly #database: AuditedDatabase;
  readonly #startedAt: number;
  readonly #findings: Partial<Record<FindingKind, number>> = {};
  #keeper: StateKeeper | undefined;
  #keptAt: number;
  #keeping: Promise<void> = Promise.resolve();
  #done = 0;
  #total = 0;
  #filings = 0;
  #ticks = 0;
  #offices = 0;

  constructor(options: AuditOptions, tx: TransactionSql, database: AuditedDatabase) {
    this.#options = options;
    this.#tx = tx;
    this.#database = database;
    this.#startedAt = options.clock.monotonic();
    this.#keptAt = this.#startedAt;
  }

  async run(): Promise<AuditSummary> {
    const { address, signatures, offices, threads = availableParallelism() } = this.#options;
    const { env, lanes, id } = this.#database;
    const scope: AuditScope = { database: id, signatures, offices: offices && [...offices].sort() };
    const before = await this.#resume(scope);
    const snapshot = await exportSnapshot(this.#tx);
    const settings = { address, snapshot, env, lanes, signatures };
    const auditors = threads === 0 ? [startHere(settings)] : startThreads(settings, threads);
    try {
      await this.#work(auditors, await this.#logs(), before ?? {});
    } finally {
      await Promise.all(auditors.map((auditor) => auditor.close()));
    }
    return await this.#end(threads);
  }

  async #work(auditors: readonly Auditor[], logs: readonly LogFacts[], before: States): Promise<void> {
    const keys = await GatewayKeySet.read(this.#tx, this.#report);
    const ctx: OfficeContext = {
      tx: this.#tx,
      keys,
      report: this.#report,
      lanes: this.#database.lanes,
      onState: (office, state) => this.#keeper?.set(office, state),
    };
    const isAll = this.#options.offices === undefined;
    const ticks = isAll ? await countTicks(this.#tx) : [];
    await this.#count(logs, before, ticks);
    await this.#share(auditors, this.#officeUnits(ctx, logs, before));
    if (!isAll || this.#isAborted()) return;
    await this.#share(auditors, this.#tickUnits(ticks));
    const rest = { tx: this.#tx, keys, report: this.#report, onRows: this.#onRows };
    const parts = [auditPartyKeys, auditMandates, auditTrail, auditNational];
    for (const part of parts) if (!this.#isAborted()) await part(rest);
    const leaves = ticks.reduce((sum, each) => sum + each.leaves, 0);
    const filings = logs.reduce((sum, each) => sum + each.rows, 0);
    if (!this.#isAborted()) await auditWhole({ ...rest, isEven: leaves === filings && this.#isClean() });
  }

  /** Every auditor takes the next unit when it is done with its last. */
  async #share(auditors: readonly Auditor[], units: AsyncGenerator<Unit>): Promise<void> {
    const work = async (auditor: Auditor): Promise<void> => {
      for (;;) {
        const next = this.#isAborted() ? undefined : await units.next();
        if (next === undefined || next.done) return;
        const { task, accept } = next.value;
        await accept(await auditor.run(task, { report: this.#report, onRows: this.#onRows }));
        await this.#keep(false);
      }
    };
    await Promise.all(auditors.map(work));
  }

  async *#officeUnits(ctx: OfficeContext, logs: readonly LogFacts[], before: States): AsyncGenerator<Unit> {
    for (const facts of logs) {
      const state = before[facts.office];
      this.#offices++;
      if (state?.isDone === true) continue;
      const office = new OfficeAudit(ctx, facts, state);
      for await (const range of office.tasks()) {
        const accept: Unit['accept'] = async (result) => {
          if (result === undefined) return;
          await office.accept(range, result);
          this.#filings += result.rows;
          if (this.#keeper !== undefined) this.#keeper.filings += result.rows;
        };
        yield { task: { kind: 'range', range }, accept };
      }
    }
  }

  async *#tickUnits(lanes: readonly TickCount[]): AsyncGenerator<Unit> {
    for (const { lane, ticks, manifests } of lanes) {
      for (const range of idRanges(lane, ticks)) yield { task: { kind: 'ticks', range }, accept: async () => {} };
      if (manifests > 0) yield { task: { kind: 'manifests', lane }, accept: async () => {} };
      this.#ticks += ticks;
    }
  }

  async #logs(): Promise<LogFacts[]> {
    const { offices } = this.#options;
    const logs = await readLogFacts(this.#tx);
    if (offices === undefined) return logs;
    const unknown = offices.filter((office) => !logs.some((log) => log.office === office));
    if (unknown.length > 0) throw noOffice(unknown);
    return logs.filter(({ office }) => offices.includes(office));
  }

  async #count(logs: readonly LogFacts[], before: States, ticks: readonly TickCount[]): Promise<void> {
    this.#total = logs.reduce((sum, { rows, office }) => sum + Math.max(0, rows - (before[office]?.next ?? 0)), 0);
    for (const each of ticks) this.#total += each.ticks + each.manifests;
    if (this.#options.offices !== undefined) return;
    this.#total += (await readNationalFacts(this.#tx)).count + ((await readTrailHead(this.#tx))?.n ?? 0);
  }

  /** Reads the state of the audit before, if it is one of these very data. */
  async #resume(scope: AuditScope): Promise<States | undefined> {
    const { stateFile, clock, onResume, onFinding } = this.#options;
    if (stateFile === undefined) return undefined;
    const before = await readState(stateFile, scope);
    this.#keeper = new StateKeeper(stateFile, scope, formatInstant(clock.now()), before);
    if (before === undefined) return undefined;
    const logs = await readLogFacts(this.#tx);
    for (const [office, { next, lastLeaf }] of Object.entries(before.offices)) {
      const log = logs.find((each) => each.office === office);
      const leaf = log === undefined || next === 0 ? undefined : await readLeafAt(this.#tx, log, next - 1);
      if (log === undefined || (leaf !== undefined && leaf.toString('base64') !== lastLeaf) || log.rows < next)
        throw refused(stateFile, `机关 ${office} 的日志已不同`, `the log of office ${office} is another one`);
    }
    onResume({ startedAt: before.startedAt, filings: before.filings, found: before.found });
    for (const found of before.findings) {
      this.#findings[found.kind] = (this.#findings[found.kind] ?? 0) + 1;
      onFinding(found);
    }
    return before.offices;
  }

  readonly #report = (found: Finding): void => {
    if (this.#keeper?.add(found) === false) return;
    this.#findings[found.kind] = (this.#findings[found.kind] ?? 0) + 1;
    this.#options.onFinding(found);
  };

  readonly #onRows = (rows: number): void => {
    this.#done += rows;
    this.#options.onProgress({ done: this.#done, total: this.#total });
  };

  /** Writes the state when it is time; one write after the other. */
  async #keep(now: boolean): Promise<void> {
    const keeper = this.#keeper;
    const time = this.#options.clock.monotonic();
    if (keeper === undefined || (!now && time - this.#keptAt < KEEP_MS)) return;
    this.#keptAt = time;
    this.#keeping = this.#keeping.then(() => keeper.write());
    await this.#keeping;
  }

  async #end(threads: number): Promise<AuditSummary> {
    const isWhole = !this.#isAborted();
    await this.#keep(true);
    if (isWhole) await this.#keeper?.remove();
    return {
      database: this.#database.id,
      offices: this.#offices,
      filings: this.#filings,
      ticks: this.#ticks,
      rows: this.#done,
      seconds: (this.#options.clock.monotonic() - this.#startedAt) / 1000,
      threads,
      signatures: this.#options.signatures,
      findings: this.#findings,
      isWhole,
    };
  }

  #isAborted(): boolean {
    return this.#options.signal?.aborted === true;
  }

  #isClean(): boolean {
    return Object.keys(this.#findings).length === 0;
  }
}

type States = NonNullable<Awaited<ReturnType<typeof readState>>>['offices'];
type TickCount = Awaited<ReturnType<typeof countTicks>>[number];

function startThreads(settings: AuditorSettings, threads: number): Auditor[] {
  return Array.from({ length: threads }, () => startThread(settings));
}

/** A lane in parts of about the same size: ids are random. */
function idRanges(lane: number, ticks: number): IdRange[] {
  if (ticks === 0) return [];
  const parts = Math.min(256, Math.ceil(ticks / TICKS_AT_ONCE));
  const bound = (part: number): number => Math.floor((part * 256) / parts);
  return Array.from({ length: parts }, (_, part) => ({ lane, from: bound(part), to: bound(part + 1) }));
}

function noGateway(): StartError {
  return new StartError(
    {
      zh: '数据库中没有本版本网关的表。请先用本版本启动一次网关，或改正 DATABASE_URL、DATA_DIR。',
      en: 'The database does not have the tables of a gateway of this version. Start the gateway of this version once, or correct DATABASE_URL or DATA_DIR.',
    },
    { exitCode: 2 },
  );
}

function noOffice(offices: readonly string[]): StartError {
  return new StartError(
    {
      zh: `没有这些机关的日志：${offices.join('、')}`,
      en: `There is no log of these offices: ${offices.join(', ')}`,
    },
    { exitCode: 2 },
  );
}
