import type { FilersContext } from '../../src/filers/obligations.ts';
import type { Accepted } from '../../src/ingest/pipeline.ts';
import type { TestDatabase } from '../support/database.ts';
import type { Payload, SigningParty } from '../support/filer.ts';
import { file, registration, type TestIngest, testIngest } from '../support/ingest.ts';
import { freshUscc } from '../support/parties.ts';

/** Several of the tax agency: a filer may move, and the times of one office's filings never run backwards. */
const OFFICES = {
  'filers-tax': 'tax',
  'filers-tax-b': 'tax',
  'filers-tax-c': 'tax',
  'filers-si': 'si',
  'filers-amr': 'amr',
  'filers-psb': 'psb',
} as const;
export type OfficeName = keyof typeof OFFICES;

export interface FilersWorld {
  readonly ingest: TestIngest;
  readonly ctx: FilersContext;
  /** A filer that is registered at some offices. */
  filer(offices: readonly OfficeName[], changes?: object): SigningParty;
  /** Turns the clock to a day and hour in China and files. */
  fileAt(day: string, filer: SigningParty, payload: Payload): Promise<Accepted>;
  /** The day that it is, at noon in China. */
  setDay(day: string): void;
}

export async function filersWorld(database: TestDatabase): Promise<FilersWorld> {
  const ingest = await testIngest(database, OFFICES);
  const { directory, clock } = ingest;
  const { catalogue, settings } = ingest.ctx;
  const setDay = (day: string): void => {
    clock.at = Date.parse(`${day}T12:00:00+08:00`);
  };
  return {
    ingest,
    ctx: { db: database.db, lanes: database.lanes, directory, catalogue, settings, clock },
    filer: (offices, changes = {}) => {
      const id = freshUscc();
      const party = directory.addParty(id);
      directory.setParty(id, {
        taxpayerKind: 'general',
        registrations: offices.map((office) => registration({ office })),
        ...changes,
      });
      return party;
    },
    fileAt: (day, filer, payload) => {
      setDay(day);
      return file(ingest, filer, { kind: 'original', filer: filer.id, ...payload });
    },
    setDay,
  };
}

/** A whole month: `2026-10`. */
export function month(name: string): { from: string; to: string } {
  const days = new Date(Date.UTC(Number(name.slice(0, 4)), Number(name.slice(5)), 0)).getUTCDate();
  return { from: `${name}-01`, to: `${name}-${days}` };
}

/** A general VAT return of which this is due for the month. */
export function vat(name: string, dueFen: number, changes: Payload = {}): Payload {
  const lines = {
    '11': { generalMonth: dueFen },
    '19': { generalMonth: dueFen },
    '24': { generalMonth: dueFen },
    '32': { generalMonth: dueFen },
    '34': { generalMonth: dueFen },
  };
  return { type: 'tax.vat.general', period: month(name), data: { lines }, ...changes };
}
