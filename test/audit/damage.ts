import type { Sql } from 'postgres';
import type { TestDatabase } from '../support/database.ts';
import { type AuditWorld, MAIN } from './world.ts';

/** Tables that are damaged and mended. */
const TABLES = [
  'filing',
  'tick',
  'manifest',
  'office_head',
  'office_tree',
  'tile',
  'checkpoint',
  'cosignature',
  'national_entry',
  'recovery',
  'trail',
  'trail_head',
  'gateway_key',
  'party_key',
  'mandate',
  'office',
] as const;

export type DamagedTable = (typeof TABLES)[number];

/** Keeps copies of all tables beside them, so that each damage begins with sound ones. */
export class Mender {
  readonly #sql: Sql;

  private constructor(sql: Sql) {
    this.#sql = sql;
  }

  static async of(database: TestDatabase): Promise<Mender> {
    const { sql } = database.db;
    await sql.unsafe('CREATE SCHEMA sound');
    for (const table of TABLES) await sql.unsafe(`CREATE TABLE sound.${table} AS TABLE ${table}`);
    // What keeps damage out is not what an audit may rely on.
    await sql.unsafe('ALTER TABLE filing DROP CONSTRAINT filing_key');
    await sql.unsafe('ANALYZE');
    return new Mender(sql);
  }

  /** Damages by one or more statements; fails when they change nothing. */
  async damage(statements: string): Promise<void> {
    for (const statement of statements.split(';').filter((text) => text.trim() !== '')) {
      const { count } = await this.#sql.unsafe(statement);
      if (count === 0) throw new Error(`nothing was damaged: ${statement}`);
    }
  }

  async mend(tables: readonly DamagedTable[] = TABLES): Promise<void> {
    await this.#sql.begin(async (tx) => {
      for (const table of tables)
        await tx.unsafe(`DELETE FROM ${table}; INSERT INTO ${table} SELECT * FROM sound.${table}`);
    });
  }
}

export type Ids = AuditWorld['ids'];

export interface Damage {
  readonly name: string;
  readonly statements: (ids: Ids) => string;
  readonly finds: (ids: Ids) => readonly string[];
  readonly signatures?: boolean;
}

/** A filing as a condition. */
export const at = (id: string): string => {
  const [office, index] = id.split('.');
  return `office = '${office}' AND idx = ${index}`;
};
export const flip = (column: string, bit = 3): string =>
  `${column} = set_bit(${column}, ${bit}, 1 - get_bit(${column}, ${bit}))`;
export const replace = (column: string, from: string, to: string): string =>
  `${column} = replace(${column}, '${from}', '${to}')`;
/** Another character at a place of a text. */
export const letter = (column: string, place: number | string): string =>
  `${column} = overlay(${column} PLACING CASE substr(${column}, ${place}, 1) WHEN 'A' THEN 'B' ELSE 'A' END FROM ${place})`;

/** The filing after it. */
export const after = (id: string): string => `${MAIN}.${Number(id.split('.')[1]) + 1}`;
