import { bigint, boolean, index, jsonb, pgTable, primaryKey, smallint, text, timestamp } from 'drizzle-orm/pg-core';

// Small tables: on Citus they are reference tables, present on every node.

/** Facts of the database itself: its id, its environment, how many lanes. */
export const meta = pgTable('meta', {
  name: text().primaryKey(),
  value: text().notNull(),
});

export const office = pgTable('office', {
  code: text().primaryKey(),
  agency: text().notNull(),
  region: text().notNull(),
  nameZh: text('name_zh').notNull(),
  nameEn: text('name_en').notNull(),
  lane: smallint().notNull(),
});

export const party = pgTable('party', {
  id: text().primaryKey(),
  kind: text().notNull(),
  name: text().notNull(),
  taxpayerKind: text('taxpayer_kind'),
  status: text().notNull(),
});

export const partyKey = pgTable(
  'party_key',
  {
    kid: text().primaryKey(),
    party: text().notNull(),
    alg: text().notNull(),
    jwk: jsonb().notNull(),
    notBefore: timestamp('not_before', { withTimezone: true, precision: 3, mode: 'string' }),
    notAfter: timestamp('not_after', { withTimezone: true, precision: 3, mode: 'string' }),
    createdAt: timestamp('created_at', { withTimezone: true, precision: 3, mode: 'string' }).notNull(),
    revokedAt: timestamp('revoked_at', { withTimezone: true, precision: 3, mode: 'string' }),
    revokedReason: text('revoked_reason'),
  },
  (t) => [index('party_key_party').on(t.party)],
);

/**
 * Which office a filer belongs to, by dates. A row is withdrawn, never deleted: a lookup by filing key asks every
 * office that the filer was ever registered in.
 */
export const registration = pgTable(
  'registration',
  {
    filer: text().notNull(),
    office: text().notNull(),
    from: text('valid_from').notNull(),
    to: text('valid_to'),
    withdrawn: boolean().notNull().default(false),
  },
  (t) => [primaryKey({ name: 'registration_pk', columns: [t.filer, t.office, t.from] })],
);

export const mandate = pgTable(
  'mandate',
  {
    id: text().primaryKey(),
    agent: text().notNull(),
    filer: text().notNull(),
    types: text().array().notNull(),
    from: text('valid_from').notNull(),
    to: text('valid_to'),
    /** The compact JWS by which the filer gave it; absent where an operator entered it. */
    jws: text(),
    /** When the filer signed that, by its own words: an older one never replaces a newer one. */
    signedAt: timestamp('signed_at', { withTimezone: true, precision: 3, mode: 'string' }),
  },
  (t) => [index('mandate_agent_filer').on(t.agent, t.filer)],
);

/**
 * What operators set for all: years of the working calendar, deadlines, figures of regions. Few rows, all of them in the
 * memory of every process. `kind` and `id` are those of the route.
 */
export const setting = pgTable(
  'setting',
  {
    kind: text().notNull(),
    id: text().notNull(),
    value: jsonb().notNull(),
    setAt: timestamp('set_at', { withTimezone: true, precision: 3, mode: 'string' }).notNull(),
  },
  (t) => [primaryKey({ name: 'setting_pk', columns: [t.kind, t.id] })],
);

/** One row, counted up inside every transaction that changes identity: its lock makes commit order the order of `n`. */
export const identityHead = pgTable('identity_head', {
  one: smallint().primaryKey(),
  n: bigint({ mode: 'number' }).notNull(),
});

/** What changed, for the caches of every process. `subjects` are cache keys such as `key:<kid>` or `party:<id>`. */
export const identityChange = pgTable('identity_change', {
  n: bigint({ mode: 'number' }).primaryKey(),
  at: timestamp({ withTimezone: true, precision: 3, mode: 'string' }).notNull(),
  subjects: text().array().notNull(),
});

/** Public keys that this gateway has ever signed with. */
export const gatewayKey = pgTable('gateway_key', {
  kid: text().primaryKey(),
  jwk: jsonb().notNull(),
  createdAt: timestamp('created_at', { withTimezone: true, precision: 3, mode: 'string' }).notNull(),
});

/** Client assertions already used (RFC 7523 `jti`), until they expire. */
export const usedAssertion = pgTable(
  'used_assertion',
  {
    client: text().notNull(),
    jti: text().notNull(),
    expiresAt: timestamp('expires_at', { withTimezone: true, precision: 3, mode: 'string' }).notNull(),
  },
  (t) => [
    primaryKey({ name: 'used_assertion_pk', columns: [t.client, t.jti] }),
    index('used_assertion_expiry').on(t.expiresAt),
  ],
);
