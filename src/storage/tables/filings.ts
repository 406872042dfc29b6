import { sql } from 'drizzle-orm';
import {
  bigint,
  boolean,
  date,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  smallint,
  text,
  timestamp,
  unique,
  uuid,
} from 'drizzle-orm/pg-core';
import { bytea, xid8 } from './columns.ts';

// Growing tables: lane first in every key; on Citus distributed by lane and colocated.

/** The next index of each office's log. The row lock is what makes indexes dense across any number of processes. */
export const officeHead = pgTable(
  'office_head',
  {
    lane: smallint().notNull(),
    office: text().notNull(),
    size: bigint({ mode: 'number' }).notNull(),
    /** Time of the newest entry: the next one is never earlier. */
    receivedAt: timestamp('received_at', { withTimezone: true, precision: 3, mode: 'string' }).notNull(),
    /** The transaction that last grew it: lets a reader ask "what grew since" without missing a late commit. */
    txid: xid8().notNull(),
  },
  (t) => [primaryKey({ name: 'office_head_pk', columns: [t.lane, t.office] })],
);

/** One row a filing, written once, never updated. */
export const filing = pgTable(
  'filing',
  {
    lane: smallint().notNull(),
    office: text().notNull(),
    idx: bigint({ mode: 'number' }).notNull(),
    /**
     * Period month (2 bytes), tag of the filer (6 bytes), SHA-256 of the key tuple (32 bytes). The leading month keeps
     * insertions local to the current period; month and tag together list a filer's filings without another index.
     */
    key: bytea().notNull(),
    type: text().notNull(),
    version: text().notNull(),
    filer: text().notNull(),
    periodFrom: date('period_from', { mode: 'string' }).notNull(),
    periodTo: date('period_to', { mode: 'string' }).notNull(),
    reference: text(),
    kind: text().notNull(),
    supersedes: text(),
    receivedAt: timestamp('received_at', { withTimezone: true, precision: 3, mode: 'string' }).notNull(),
    late: boolean().notNull(),
    warnings: jsonb(),
    /** SHA-256 of the payload bytes: the identity of the content. */
    digest: bytea().notNull(),
    salt: bytea().notNull(),
    leaf: bytea().notNull(),
    /** The receipt's tick, the lane that the tick's row is in, and this filing's leaf in it. */
    tickLane: smallint('tick_lane').notNull(),
    tick: uuid().notNull(),
    tickLeaf: integer('tick_leaf').notNull(),
    /** Key that signed: the filing itself, or the manifest of its bulk upload. */
    kid: text().notNull(),
    /** The JWS exactly as received (compact or flattened); for bulk form B the payload line. */
    content: text().notNull(),
    /** Bulk form B: manifest in the same lane, and the line's number in it, from 0. */
    manifest: uuid(),
    manifestLine: integer('manifest_line'),
    /** Offices are told of it first. */
    urgent: boolean().notNull().default(false),
  },
  (t) => [
    primaryKey({ name: 'filing_pk', columns: [t.lane, t.office, t.idx] }),
    unique('filing_key').on(t.lane, t.key),
    index('filing_urgent').on(t.lane, t.office, t.idx).where(sql`urgent`),
  ],
);

/** How far an office's filings have been compared with others of their filers; its row lock lets one process at a time go on. */
export const officeComparison = pgTable(
  'office_comparison',
  {
    lane: smallint().notNull(),
    office: text().notNull(),
    size: bigint({ mode: 'number' }).notNull(),
  },
  (t) => [primaryKey({ name: 'office_comparison_pk', columns: [t.lane, t.office] })],
);

/** What that comparison found: a row only where it found something. */
export const filingFinding = pgTable(
  'filing_finding',
  {
    lane: smallint().notNull(),
    office: text().notNull(),
    idx: bigint({ mode: 'number' }).notNull(),
    findings: jsonb().notNull(),
    foundAt: timestamp('found_at', { withTimezone: true, precision: 3, mode: 'string' }).notNull(),
  },
  (t) => [primaryKey({ name: 'filing_finding_pk', columns: [t.lane, t.office, t.idx] })],
);

/** One group commit: the leaves of its receipt tree and the one signature over the root. */
export const tick = pgTable(
  'tick',
  {
    lane: smallint().notNull(),
    id: uuid().notNull(),
    at: timestamp({ withTimezone: true, precision: 3, mode: 'string' }).notNull(),
    leaves: bytea().notNull(),
    signature: text().notNull(),
  },
  (t) => [primaryKey({ name: 'tick_pk', columns: [t.lane, t.id] })],
);

/** The signed first line of a bulk upload (form B) and the leaf hashes of its lines; one copy in each lane it reached. */
export const manifest = pgTable(
  'manifest',
  {
    lane: smallint().notNull(),
    id: uuid().notNull(),
    jws: text().notNull(),
    leaves: bytea().notNull(),
  },
  (t) => [primaryKey({ name: 'manifest_pk', columns: [t.lane, t.id] })],
);
