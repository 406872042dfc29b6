import { open, readFile, rename, rm } from 'node:fs/promises';
import { StartError } from '../std/start-error.ts';
import type { Finding } from './findings.ts';
import type { OfficeState } from './office.ts';

const FORMAT = 1;
/** Findings that are kept for whoever goes on. */
const FINDINGS_KEPT = 10_000;

/** What an audit was asked for: one that goes on must be asked for the same. */
export interface AuditScope {
  readonly database: string;
  readonly signatures: boolean;
  readonly offices: readonly string[] | undefined;
}

/** An audit that was interrupted, as far as it had come. */
export interface AuditState {
  readonly format: number;
  readonly scope: AuditScope;
  readonly startedAt: string;
  readonly filings: number;
  /** How many there were, of which the first are listed. */
  readonly found: number;
  readonly findings: readonly Finding[];
  readonly offices: Readonly<Record<string, OfficeState>>;
}

/** Undefined when there is no such file. Throws a StartError for a file of another audit. */
export async function readState(file: string, scope: AuditScope): Promise<AuditState | undefined> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
  const state = parse(text);
  if (state?.format !== FORMAT)
    throw refused(file, '不是本程序的审计进度文件', 'it is no state of an audit by this program');
  if (state.scope.database !== scope.database) throw refused(file, '属于另一个数据库', 'it is of another database');
  if (JSON.stringify(state.scope) !== JSON.stringify(scope))
    throw refused(file, '当时的 --office 或 --signatures 不同', 'that audit had other --office or --signatures');
  return state;
}

function parse(text: string): AuditState | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || !('format' in value)) return undefined;
    return value as AuditState;
  } catch {
    return undefined;
  }
}

export function refused(file: string, zh: string, en: string): StartError {
  return new StartError(
    {
      zh: `不能从 ${file} 继续：${zh}。请换一个文件，或删除它后重新审计。`,
      en: `Cannot go on from ${file}: ${en}. Name another file, or delete it and audit from the beginning.`,
    },
    { exitCode: 2 },
  );
}

function nameOf({ kind, office, id, row, what }: Finding): string {
  return JSON.stringify([kind, office, id, row, what.en]);
}

/** Keeps the file up to date: whole or not at all, whenever it is asked to. */
export class StateKeeper {
  readonly #file: string;
  readonly #scope: AuditScope;
  readonly #startedAt: string;
  readonly #offices: Map<string, OfficeState>;
  readonly #findings: Finding[];
  readonly #known: Set<string>;
  #found: number;
  filings: number;

  constructor(file: string, scope: AuditScope, startedAt: string, before: AuditState | undefined) {
    this.#file = file;
    this.#scope = scope;
    this.#startedAt = before?.startedAt ?? startedAt;
    this.#offices = new Map(Object.entries(before?.offices ?? {}));
    this.#findings = [...(before?.findings ?? [])];
    this.#known = new Set(this.#findings.map(nameOf));
    this.#found = before?.found ?? 0;
    this.filings = before?.filings ?? 0;
  }

  /** False when the audit before this one had found it: what was not finished then is looked at again. */
  add(found: Finding): boolean {
    if (this.#known.has(nameOf(found))) return false;
    this.#found++;
    if (this.#findings.length >= FINDINGS_KEPT) return true;
    this.#findings.push(found);
    this.#known.add(nameOf(found));
    return true;
  }

  set(office: string, state: OfficeState): void {
    this.#offices.set(office, state);
  }

  async write(): Promise<void> {
    const state: AuditState = {
      format: FORMAT,
      scope: this.#scope,
      startedAt: this.#startedAt,
      filings: this.filings,
      found: this.#found,
      findings: this.#findings,
      offices: Object.fromEntries(this.#offices),
    };
    const draft = `${this.#file}.new`;
    const handle = await open(draft, 'w', 0o600);
    try {
      await handle.writeFile(JSON.stringify(state));
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(draft, this.#file);
  }

  /** The audit is done. */
  async remove(): Promise<void> {
    await rm(this.#file, { force: true });
  }
}
