import { sql } from 'drizzle-orm';
import {
  bigint,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  smallint,
  text,
  timestamp,
  uuid,
} from 'drizzle-orm/pg-core';
import { bytea } from './columns.ts';

/** How far an office's Merkle tree has been computed; its row lock lets one process at a time go on. */
export const officeTree = pgTable(
  'office_tree',
  {
    lane: smallint().notNull(),
    office: text().notNull(),
    size: bigint({ mode: 'number' }).notNull(),
  },
  (t) => [primaryKey({ name: 'office_tree_pk', columns: [t.lane, t.office] })],
);

/**
 * Hashes of the tree in the tlog-tiles layout: tile `n` of level `level` holds up to 256 hashes, each the root of a full
 * subtree of 256^level leaves. Level 0 is not stored: it is the filings' own leaves.
 */
export const tile = pgTable(
  'tile',
  {
    lane: smallint().notNull(),
    office: text().notNull(),
    level: smallint().notNull(),
    n: bigint({ mode: 'number' }).notNull(),
    hashes: bytea().notNull(),
  },
  (t) => [primaryKey({ name: 'tile_pk', columns: [t.lane, t.office, t.level, t.n] })],
);

/** Every checkpoint that was ever signed. */
export const checkpoint = pgTable(
  'checkpoint',
  {
    lane: smallint().notNull(),
    office: text().notNull(),
    size: bigint({ mode: 'number' }).notNull(),
    root: bytea().notNull(),
    note: text().notNull(),
    signedAt: timestamp('signed_at', { withTimezone: true, precision: 3, mode: 'string' }).notNull(),
  },
  (t) => [primaryKey({ name: 'checkpoint_pk', columns: [t.lane, t.office, t.size] })],
);

/** An office's own signature over one of the checkpoints above (C2SP tlog-cosignature). */
export const cosignature = pgTable(
  'cosignature',
  {
    lane: smallint().notNull(),
    office: text().notNull(),
    size: bigint({ mode: 'number' }).notNull(),
    /** The office's key. */
    kid: text().notNull(),
    /** The note's signature line, without its newline. */
    line: text().notNull(),
    cosignedAt: timestamp('cosigned_at', { withTimezone: true, precision: 3, mode: 'string' }).notNull(),
  },
  (t) => [primaryKey({ name: 'cosignature_pk', columns: [t.lane, t.office, t.size, t.kid] })],
);

/**
 * Leaves of the national log: the heads of the offices' logs and what else one published line is to cover. One log for
 * the whole gateway, always in lane 0; its tiles and checkpoints are stored beside the offices' under an empty code.
 */
export const nationalEntry = pgTable(
  'national_entry',
  {
    lane: smallint().notNull(),
    idx: bigint({ mode: 'number' }).notNull(),
    /** `office`, `recovery` or `trail`. */
    kind: text().notNull(),
    /** The office's code; empty for what is of no office. */
    office: text().notNull(),
    /** What the leaf commits to, as UTF-8. */
    text: text().notNull(),
    leaf: bytea().notNull(),
    at: timestamp({ withTimezone: true, precision: 3, mode: 'string' }).notNull(),
  },
  (t) => [
    primaryKey({ name: 'national_entry_pk', columns: [t.lane, t.idx] }),
    index('national_entry_office').on(t.lane, t.office, t.kind, t.idx),
  ],
);

/** That an operator went on knowingly with a database older than what had been signed: one row an office. */
export const recovery = pgTable(
  'recovery',
  {
    lane: smallint().notNull(),
    office: text().notNull(),
    at: timestamp({ withTimezone: true, precision: 3, mode: 'string' }).notNull(),
    /** What the database still had, and its root. */
    keptSize: bigint('kept_size', { mode: 'number' }).notNull(),
    keptRoot: bytea('kept_root').notNull(),
    /** What had been signed, and its root. */
    lostSize: bigint('lost_size', { mode: 'number' }).notNull(),
    lostRoot: bytea('lost_root').notNull(),
    reason: text().notNull(),
  },
  (t) => [primaryKey({ name: 'recovery_pk', columns: [t.lane, t.office, t.at] })],
);

/**
 * Who administered or read what, when, and how it ended. Rows are only ever added; each one's hash covers the one before.
 * One chain for the whole gateway, always in lane 0.
 */
export const trail = pgTable(
  'trail',
  {
    lane: smallint().notNull(),
    n: bigint({ mode: 'number' }).notNull(),
    at: timestamp({ withTimezone: true, precision: 3, mode: 'string' }).notNull(),
    role: text().notNull(),
    party: text().notNull(),
    /** The operation's id in the contract, or the name of the command. */
    action: text().notNull(),
    /** What it was done to: ids and codes only. */
    target: text().notNull(),
    /** `begun`, or how it ended: a status and, for a refusal, its code. */
    result: text().notNull(),
    request: text().notNull(),
    details: jsonb(),
    hash: bytea().notNull(),
  },
  (t) => [
    primaryKey({ name: 'trail_pk', columns: [t.lane, t.n] }),
    index('trail_party').on(t.lane, t.party, t.n),
    index('trail_target').on(t.lane, t.target, t.n),
  ],
);

/** The newest row of the chain; its lock lets one process at a time add. */
export const trailHead = pgTable(
  'trail_head',
  {
    lane: smallint().notNull(),
    n: bigint({ mode: 'number' }).notNull(),
    hash: bytea().notNull(),
  },
  (t) => [primaryKey({ name: 'trail_head_pk', columns: [t.lane] })],
);

export const consumer = pgTable(
  'consumer',
  {
    lane: smallint().notNull(),
    office: text().notNull(),
    name: text().notNull(),
    /** Entries acknowledged: every index below it. */
    cursor: bigint({ mode: 'number' }).notNull(),
    /** Entries handed out in a batch at least once. */
    leased: bigint({ mode: 'number' }).notNull(),
    ackedAt: timestamp('acked_at', { withTimezone: true, precision: 3, mode: 'string' }),
  },
  (t) => [primaryKey({ name: 'consumer_pk', columns: [t.lane, t.office, t.name] })],
);

/** A leased range [from, to) of an office's log. */
export const batch = pgTable(
  'batch',
  {
    lane: smallint().notNull(),
    office: text().notNull(),
    consumer: text().notNull(),
    /** Begins with `to_index`: the primary key holds a consumer's batches in the order of the log. */
    id: uuid().notNull(),
    from: bigint('from_index', { mode: 'number' }).notNull(),
    to: bigint('to_index', { mode: 'number' }).notNull(),
    state: text().notNull(),
    attempts: integer().notNull(),
    /** When the lease ends; of an acknowledged batch, when it was acknowledged. */
    expiresAt: timestamp('expires_at', { withTimezone: true, precision: 3, mode: 'string' }).notNull(),
  },
  (t) => [
    primaryKey({ name: 'batch_pk', columns: [t.lane, t.office, t.consumer, t.id] }),
    index('batch_open').on(t.lane, t.office, t.consumer).where(sql`state = 'leased'`),
  ],
);
