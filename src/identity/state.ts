import { type Clock, formatInstant } from '../std/clock.ts';
import type { TransactionSql } from '../storage/db.ts';
import {
  countUsableKeys,
  type KeyRow,
  type MandateRow,
  type OfficeRow,
  type PartyRow,
  type RegistrationRow,
  selectKeys,
  selectLanes,
  selectMandates,
  selectOffices,
  selectParties,
  selectRegistrations,
} from '../storage/identity.ts';
import {
  insertIdentityChange,
  insertOfficeHeads,
  upsertKeys,
  upsertMandates,
  upsertOffices,
  upsertParties,
  upsertRegistrations,
} from '../storage/identity-writes.ts';
import { subjectOf } from './subjects.ts';

/** Which rows a change has to see before it can decide. */
export interface Needs {
  readonly offices?: readonly string[];
  readonly parties?: readonly string[];
  readonly keys?: readonly string[];
  /** Parties whose usable keys are counted. */
  readonly keyCounts?: readonly string[];
  readonly registrations?: readonly string[];
  readonly mandates?: readonly string[];
}

/**
 * The rows that a batch of changes works on, read after the lock on identity was taken. Changes read and set rows here, in
 * order, so that a later one sees what an earlier one of the same batch did; at the end all that was set is written, one
 * statement a table.
 */
export class IdentityState {
  readonly lanes: number;
  /** Time of the batch, milliseconds since the epoch. */
  readonly at: number;
  readonly #offices = new Map<string, OfficeRow>();
  readonly #parties = new Map<string, PartyRow>();
  readonly #keys = new Map<string, KeyRow>();
  readonly #keyCounts = new Map<string, number>();
  readonly #registrations = new Map<string, RegistrationRow[]>();
  readonly #mandates = new Map<string, MandateRow>();

  readonly #newOffices: OfficeRow[] = [];
  readonly #setOffices = new Map<string, OfficeRow>();
  readonly #setParties = new Map<string, PartyRow>();
  readonly #setKeys = new Map<string, KeyRow>();
  readonly #setRegistrations = new Map<string, RegistrationRow>();
  readonly #setMandates = new Map<string, MandateRow>();
  readonly #subjects = new Set<string>();

  private constructor(lanes: number, at: number) {
    this.lanes = lanes;
    this.at = at;
  }

  static async load(tx: TransactionSql, clock: Clock, needs: readonly Needs[]): Promise<IdentityState> {
    const at = clock.now();
    const all = (name: keyof Needs): string[] => [...new Set(needs.flatMap((need) => need[name] ?? []))];
    // Sent one behind the other on the transaction's connection: one round trip for all.
    const [lanes, offices, parties, keys, counts, registrations, mandates] = await Promise.all([
      selectLanes(tx),
      selectOffices(tx, all('offices')),
      selectParties(tx, all('parties')),
      selectKeys(tx, all('keys')),
      countUsableKeys(tx, all('keyCounts'), formatInstant(at)),
      selectRegistrations(tx, all('registrations')),
      selectMandates(tx, all('mandates')),
    ]);
    const state = new IdentityState(lanes, at);
    for (const row of offices) state.#offices.set(row.code, row);
    for (const row of parties) state.#parties.set(row.id, row);
    for (const row of keys) state.#keys.set(row.kid, row);
    for (const row of counts) state.#keyCounts.set(row.party, row.keys);
    for (const row of registrations) state.#addRegistration(row);
    for (const row of mandates) state.#mandates.set(row.id, row);
    return state;
  }

  office(code: string): OfficeRow | undefined {
    return this.#offices.get(code);
  }

  party(id: string): PartyRow | undefined {
    return this.#parties.get(id);
  }

  key(kid: string): KeyRow | undefined {
    return this.#keys.get(kid);
  }

  keyCount(party: string): number {
    return this.#keyCounts.get(party) ?? 0;
  }

  registrations(filer: string): readonly RegistrationRow[] {
    return this.#registrations.get(filer) ?? [];
  }

  mandate(id: string): MandateRow | undefined {
    return this.#mandates.get(id);
  }

  setOffice(row: OfficeRow): void {
    if (!this.#offices.has(row.code)) this.#newOffices.push(row);
    this.#offices.set(row.code, row);
    this.#setOffices.set(row.code, row);
    this.#subjects.add(subjectOf.office(row.code));
  }

  setParty(row: PartyRow): void {
    this.#parties.set(row.id, row);
    this.#setParties.set(row.id, row);
    this.#subjects.add(subjectOf.party(row.id));
  }

  setKey(row: KeyRow): void {
    if (!this.#keys.has(row.kid)) this.#keyCounts.set(row.party, this.keyCount(row.party) + 1);
    this.#keys.set(row.kid, row);
    this.#setKeys.set(row.kid, row);
    this.#subjects.add(subjectOf.key(row.kid));
  }

  /** Sets the rows given; others of the filer stay as they are. */
  setRegistrations(filer: string, rows: readonly RegistrationRow[]): void {
    const isSame = (a: RegistrationRow, b: RegistrationRow): boolean => a.office === b.office && a.from === b.from;
    const kept = this.registrations(filer).filter((old) => !rows.some((row) => isSame(row, old)));
    this.#registrations.set(filer, [...kept, ...rows]);
    for (const row of rows) this.#setRegistrations.set(`${filer} ${row.office} ${row.from}`, row);
    this.#subjects.add(subjectOf.party(filer));
  }

  setMandate(row: MandateRow): void {
    this.#mandates.set(row.id, row);
    this.#setMandates.set(row.id, row);
    this.#subjects.add(subjectOf.mandates(row.agent, row.filer));
  }

  /** What the caches of every process have to forget. */
  get subjects(): readonly string[] {
    return [...this.#subjects];
  }

  /** Writes all that was set, as change `n`. */
  async write(tx: TransactionSql, n: number): Promise<void> {
    if (this.#subjects.size === 0) return;
    const writes: Promise<void>[] = [insertIdentityChange(tx, n, formatInstant(this.at), this.subjects)];
    if (this.#setOffices.size > 0) writes.push(upsertOffices(tx, [...this.#setOffices.values()]));
    if (this.#newOffices.length > 0) writes.push(insertOfficeHeads(tx, this.#newOffices));
    if (this.#setParties.size > 0) writes.push(upsertParties(tx, [...this.#setParties.values()]));
    if (this.#setKeys.size > 0) writes.push(upsertKeys(tx, [...this.#setKeys.values()]));
    if (this.#setRegistrations.size > 0) writes.push(upsertRegistrations(tx, [...this.#setRegistrations.values()]));
    if (this.#setMandates.size > 0) writes.push(upsertMandates(tx, [...this.#setMandates.values()]));
    await Promise.all(writes);
  }

  #addRegistration(row: RegistrationRow): void {
    const list = this.#registrations.get(row.filer);
    if (list === undefined) this.#registrations.set(row.filer, [row]);
    else list.push(row);
  }
}
