import { sql } from 'drizzle-orm';
import { bigint, index, integer, pgTable, primaryKey, smallint, text, timestamp, uuid } from 'drizzle-orm/pg-core';
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
    id: uuid().notNull(),
    from: bigint('from_index', { mode: 'number' }).notNull(),
    to: bigint('to_index', { mode: 'number' }).notNull(),
    state: text().notNull(),
    attempts: integer().notNull(),
    expiresAt: timestamp('expires_at', { withTimezone: true, precision: 3, mode: 'string' }).notNull(),
  },
  (t) => [
    primaryKey({ name: 'batch_pk', columns: [t.lane, t.office, t.consumer, t.id] }),
    index('batch_open').on(t.lane, t.office, t.consumer).where(sql`state = 'leased'`),
  ],
);
