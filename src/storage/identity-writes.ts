import type { TransactionSql } from 'postgres';
import type { KeyRow, MandateRow, OfficeRow, PartyRow, RegistrationRow } from './identity.ts';

// Each takes all rows of a batch as one JSON parameter: one statement text for any number of rows.

/**
 * The first statement of every transaction that changes identity. The row's lock lets them go one by one, so that the
 * order of the returned numbers is the order in which the changes become visible.
 */
export async function nextIdentityChange(tx: TransactionSql): Promise<number> {
  const rows = await tx<{ n: number }[]>`UPDATE identity_head SET n = n + 1 WHERE one = 1 RETURNING n`;
  const n = rows[0]?.n;
  if (n === undefined) throw new Error('table identity_head has no row');
  return n;
}

/** `at`: ISO time, for housekeeping only. */
export async function insertIdentityChange(
  tx: TransactionSql,
  n: number,
  at: string,
  subjects: readonly string[],
): Promise<void> {
  await tx`INSERT INTO identity_change (n, at, subjects) VALUES (${n}, ${at}, ${subjects as string[]}::text[])`;
}

export async function upsertOffices(tx: TransactionSql, rows: readonly OfficeRow[]): Promise<void> {
  await tx`
    INSERT INTO office (code, agency, region, name_zh, name_en, lane)
    SELECT code, agency, region, "nameZh", "nameEn", lane FROM json_to_recordset(${JSON.stringify(rows)}::text::json)
      AS r(code text, agency text, region text, "nameZh" text, "nameEn" text, lane smallint)
    ON CONFLICT (code) DO UPDATE SET region = excluded.region, name_zh = excluded.name_zh, name_en = excluded.name_en`;
}

/** An empty log for each office. Its time is that of an entry before all entries. */
export async function insertOfficeHeads(
  tx: TransactionSql,
  rows: readonly Pick<OfficeRow, 'code' | 'lane'>[],
): Promise<void> {
  await tx`
    INSERT INTO office_head (lane, office, size, received_at, txid)
    SELECT lane, code, 0, 'epoch', pg_current_xact_id() FROM json_to_recordset(${JSON.stringify(rows)}::text::json)
      AS r(code text, lane smallint)
    ON CONFLICT DO NOTHING`;
}

export async function upsertParties(tx: TransactionSql, rows: readonly PartyRow[]): Promise<void> {
  await tx`
    INSERT INTO party (id, kind, name, taxpayer_kind, status)
    SELECT id, kind, name, "taxpayerKind", status FROM json_to_recordset(${JSON.stringify(rows)}::text::json)
      AS r(id text, kind text, name text, "taxpayerKind" text, status text)
    ON CONFLICT (id) DO UPDATE SET name = excluded.name, taxpayer_kind = excluded.taxpayer_kind, status = excluded.status`;
}

/** A key's party, algorithm and public members never change. */
export async function upsertKeys(tx: TransactionSql, rows: readonly KeyRow[]): Promise<void> {
  await tx`
    INSERT INTO party_key (kid, party, alg, jwk, not_before, not_after, created_at, revoked_at, revoked_reason)
    SELECT kid, party, alg, jwk, to_timestamp("notBefore" / 1000.0), to_timestamp("notAfter" / 1000.0),
           to_timestamp("createdAt" / 1000.0), to_timestamp("revokedAt" / 1000.0), "revokedReason"
    FROM json_to_recordset(${JSON.stringify(rows)}::text::json)
      AS r(kid text, party text, alg text, jwk jsonb, "notBefore" bigint, "notAfter" bigint, "createdAt" bigint,
           "revokedAt" bigint, "revokedReason" text)
    ON CONFLICT (kid) DO UPDATE SET not_before = excluded.not_before, not_after = excluded.not_after,
      revoked_at = excluded.revoked_at, revoked_reason = excluded.revoked_reason`;
}

export async function upsertRegistrations(tx: TransactionSql, rows: readonly RegistrationRow[]): Promise<void> {
  await tx`
    INSERT INTO registration (filer, office, valid_from, valid_to, withdrawn)
    SELECT filer, office, "from", "to", withdrawn FROM json_to_recordset(${JSON.stringify(rows)}::text::json)
      AS r(filer text, office text, "from" text, "to" text, withdrawn boolean)
    ON CONFLICT (filer, office, valid_from) DO UPDATE SET valid_to = excluded.valid_to, withdrawn = excluded.withdrawn`;
}

/** A mandate is between the same two parties for ever. */
export async function upsertMandates(tx: TransactionSql, rows: readonly MandateRow[]): Promise<void> {
  await tx`
    INSERT INTO mandate (id, agent, filer, types, valid_from, valid_to, jws, signed_at)
    SELECT id, agent, filer, types, "from", "to", jws, to_timestamp("signedAt" / 1000.0)
    FROM json_to_recordset(${JSON.stringify(rows)}::text::json)
      AS r(id text, agent text, filer text, types text[], "from" text, "to" text, jws text, "signedAt" bigint)
    ON CONFLICT (id) DO UPDATE SET types = excluded.types, valid_from = excluded.valid_from, valid_to = excluded.valid_to,
      jws = excluded.jws, signed_at = excluded.signed_at`;
}
