import type { DueDate } from '../calendar/deadlines.ts';
import type { HolidayYear } from '../calendar/holidays.ts';
import { workCalendar } from '../calendar/working-days.ts';
import type { Period } from '../domain/filing.ts';
import type { Figures, FilingTypeMetadata } from '../domain/filing-type.ts';
import { ANYTHING, parseSubject } from '../identity/subjects.ts';
import type { PlainDate } from '../std/clock.ts';
import type { Logger } from '../std/telemetry.ts';
import type { Sql } from '../storage/db.ts';
import { failureCode } from '../storage/failures.ts';
import { type SettingRow, selectSettings, selectSettingsNamed } from '../storage/settings.ts';
import { DeadlineTable } from './deadline-table.ts';
import { FigureTable } from './figure-table.ts';
import { deadlineOfRow, figuresOfRow, type SettingKind, yearOfRow } from './kinds.ts';
import type { Settings } from './records.ts';

export interface SettingsOptions {
  readonly sql: Sql;
  readonly log: Logger;
  /** Milliseconds until a reading that failed is tried again. */
  readonly retryMs?: number;
}

const RETRY_MS = 1_000;

/**
 * What operators have set, in the memory of this process. `start` it before use; then tell it what is `heard` of the change
 * feed, and it reads what has changed.
 *
 * While that cannot be read it goes on with what it has, unlike the caches of identity, which are then not used: those say
 * who may act, where an old answer may let a stolen key in. A calendar or a figure that is some seconds old refuses
 * nobody and admits nobody; not to judge at all would refuse every filing, and without the database none is stored anyway.
 */
export class DatabaseSettings implements Settings {
  readonly #options: SettingsOptions;
  /** By kind, then by id. */
  #rows = new Map<string, Map<string, SettingRow>>();
  /** Kinds and ids, as subjects name them, that were heard and not read yet; {@link ANYTHING} for all. */
  #heard = new Set<string>();
  #reading: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;
  #retry: NodeJS.Timeout | undefined;
  #isRunning = false;
  #shipped: readonly HolidayYear[] = [];
  #deadlines = new DeadlineTable(workCalendar([]), []);
  #figures = new FigureTable(new Map());

  constructor(options: SettingsOptions) {
    this.#options = options;
  }

  /** Reads all; rejects when the database cannot be read. Changes from after the call must be heard. */
  async start(): Promise<void> {
    this.#heard.clear();
    this.#take(await selectSettings(this.#options.sql));
    this.#isRunning = true;
    await this.settled();
  }

  async stop(): Promise<void> {
    this.#isRunning = false;
    clearTimeout(this.#retry);
    await (this.#next ?? this.#reading);
  }

  /** The years that come with the program: those that nobody has set count. */
  ship(years: readonly HolidayYear[]): void {
    this.#shipped = years;
    this.#rebuild();
  }

  get shipped(): readonly HolidayYear[] {
    return this.#shipped;
  }

  /** What is set of a kind, as this process knows it, by id. */
  all(kind: SettingKind): ReadonlyMap<string, SettingRow> {
    return this.#rows.get(kind) ?? new Map();
  }

  /** For `DirectoryContext.onSubjects`. */
  heard(subjects: readonly string[]): void {
    for (const subject of subjects) {
      const parsed = subject === ANYTHING ? undefined : parseSubject(subject);
      if (subject === ANYTHING) this.#heard.add(ANYTHING);
      else if (parsed?.kind === 'setting') this.#heard.add(parsed.id);
    }
    void this.settled();
  }

  /** Resolves when all that was heard so far is in force, or could not be read: then it is tried again. Never rejects. */
  settled(): Promise<void> {
    if (!this.#isRunning || this.#heard.size === 0) return this.#next ?? this.#reading;
    // What is being read may be from before what was just heard.
    this.#next ??= this.#reading.then(() => {
      this.#next = undefined;
      this.#reading = this.#read();
      return this.#reading;
    });
    return this.#next;
  }

  figures(region: string | undefined, date: PlainDate): Figures | undefined {
    return this.#figures.figures(region, date);
  }

  due(type: FilingTypeMetadata, region: string | undefined, period: Period): DueDate | undefined {
    return this.#deadlines.due(type, region, period);
  }

  isLate(type: FilingTypeMetadata, region: string | undefined, period: Period, receivedAtEpochMs: number): boolean {
    return this.#deadlines.isLate(type, region, period, receivedAtEpochMs);
  }

  async #read(): Promise<void> {
    if (!this.#isRunning) return;
    const heard = this.#heard;
    this.#heard = new Set();
    try {
      if (heard.has(ANYTHING)) {
        const rows = await selectSettings(this.#options.sql);
        this.#rows = new Map();
        this.#take(rows);
      } else {
        const names = [...heard].map(nameOf);
        const rows = await selectSettingsNamed(this.#options.sql, names);
        for (const { kind, id } of names) this.#rows.get(kind)?.delete(id);
        this.#take(rows);
      }
    } catch (error) {
      for (const name of heard) this.#heard.add(name);
      this.#options.log.warn({ code: failureCode(error) }, 'settings could not be read; those before stay in force');
      this.#retryLater();
    }
  }

  #retryLater(): void {
    clearTimeout(this.#retry);
    if (!this.#isRunning) return;
    this.#retry = setTimeout(() => void this.settled(), this.#options.retryMs ?? RETRY_MS);
    this.#retry.unref();
  }

  #take(rows: readonly SettingRow[]): void {
    for (const row of rows) {
      const ofKind = this.#rows.get(row.kind) ?? new Map<string, SettingRow>();
      this.#rows.set(row.kind, ofKind.set(row.id, row));
    }
    this.#rebuild();
  }

  /** Other tables: all that the ones before remembered is forgotten with them. */
  #rebuild(): void {
    const loaded = [...this.all('year').values()].map(yearOfRow);
    const years = [...this.#shipped.filter(({ year }) => !this.all('year').has(String(year))), ...loaded];
    this.#deadlines = new DeadlineTable(workCalendar(years), [...this.all('deadline').values()].map(deadlineOfRow));
    this.#figures = new FigureTable(new Map([...this.all('figures')].map(([id, row]) => [id, figuresOfRow(row)])));
  }
}

function nameOf(name: string): { kind: string; id: string } {
  const colon = name.indexOf(':');
  return { kind: name.slice(0, colon), id: name.slice(colon + 1) };
}
