import type { Catalogue } from '../../src/domain/filing-type.ts';
import { DatabaseDirectory } from '../../src/identity/directory.ts';
import type { ReadSettingsContext } from '../../src/settings/calendar-years.ts';
import type { PutDeadlineContext } from '../../src/settings/deadlines.ts';
import { DatabaseSettings } from '../../src/settings/settings.ts';
import { systemClock } from '../../src/std/clock.ts';
import { type Database, openDatabase } from '../../src/storage/db.ts';
import { SHIPPED_YEARS } from '../support/calendar.ts';
import type { TestDatabase } from '../support/database.ts';
import { identityContext } from '../support/identity.ts';
import { silentLogger } from '../support/logger.ts';

export const PATIENCE = { timeout: 20_000, interval: 50 };

/** As much of a catalogue as settings look at: two periodic types, one of events, and figures that rules read. */
export const CATALOGUE = {
  types: new Map(
    ['tax.vat.general', 'si.contribution', 'psb.lodging'].map((type) => [
      type,
      {
        metadata: { type, deadline: { rule: 'after-period', months: 1, day: 15 } },
        isEvent: type === 'psb.lodging',
        versions: new Map([['2026-01', { ruleSet: { regional: type === 'si.contribution' ? figures() : {} } }]]),
      },
    ]),
  ),
} as unknown as Catalogue;

function figures() {
  return { pensionFloor: {}, pensionRate: {} };
}

/** A gateway process as far as settings are concerned. */
export interface Process {
  readonly settings: DatabaseSettings;
  readonly ctx: PutDeadlineContext & ReadSettingsContext;
  readonly db: Database;
  stop(): Promise<void>;
}

export async function startProcess(database: TestDatabase, pollMs: number): Promise<Process> {
  const db = openDatabase(database.address);
  const settings = new DatabaseSettings({ sql: db.sql, log: silentLogger, retryMs: 100 });
  settings.ship(SHIPPED_YEARS);
  const directory = new DatabaseDirectory({
    db,
    clock: systemClock,
    log: silentLogger,
    pollMs,
    onSubjects: (subjects) => settings.heard(subjects),
  });
  const stop = async (): Promise<void> => {
    await directory.stop();
    await settings.stop();
    await db.close();
  };
  try {
    await directory.start();
    await settings.start();
  } catch (error) {
    await stop();
    throw error;
  }
  const ctx = {
    ...identityContext(database, systemClock),
    db,
    changed: (subjects: readonly string[]) => directory.forget(subjects),
    settings,
    catalogue: () => CATALOGUE,
  };
  return { settings, ctx, db, stop };
}
