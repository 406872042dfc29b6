import type { Sql, TransactionSql } from 'postgres';
import type { Agency } from '../domain/filing.ts';

/** A connection pool, or a transaction on one. */
export type Executor = Sql | TransactionSql;

export interface OfficeRow {
  readonly code: string;
  readonly agency: Agency;
  readonly region: string;
  readonly nameZh: string;
  readonly nameEn: string;
  readonly lane: number;
}

export interface PartyRow {
  readonly id: string;
  readonly kind: string;
  readonly name: string;
  readonly taxpayerKind: string | null;
  readonly status: string;
}

/** Times are milliseconds since the epoch. */
export interface KeyRow {
  readonly kid: string;
  readonly party: string;
  readonly alg: string;
  /** Public members only. */
  readonly jwk: unknown;
  readonly notBefore: number | null;
  readonly notAfter: number | null;
  readonly createdAt: number;
  readonly revokedAt: number | null;
  readonly revokedReason: string | null;
}

export interface RegistrationRow {
  readonly filer: string;
  readonly office: string;
  readonly from: string;
  readonly to: string | null;
  readonly withdrawn: boolean;
}

/** What a mandate allows, between whom, and when. */
export interface MandateTermsRow {
  readonly id: string;
  readonly agent: string;
  readonly filer: string;
  readonly types: readonly string[];
  readonly from: string;
  readonly to: string | null;
}

export interface MandateRow extends MandateTermsRow {
  /** As the filer signed it; null where an operator entered it. */
  readonly jws: string | null;
  /** By the filer's own words; milliseconds since the epoch. */
  readonly signedAt: number | null;
}

/** A timestamptz column as milliseconds since the epoch. */
const epochMs = (sql: Executor, column: string) => sql`(extract(epoch FROM ${sql(column)}) * 1000)::bigint`;

const keyColumns = (sql: Executor) => sql`
  k.kid, k.party, k.alg, k.jwk, k.revoked_reason AS "revokedReason",
  ${epochMs(sql, 'k.not_before')} AS "notBefore", ${epochMs(sql, 'k.not_after')} AS "notAfter",
  ${epochMs(sql, 'k.created_at')} AS "createdAt", ${epochMs(sql, 'k.revoked_at')} AS "revokedAt"`;

const partyColumns = (sql: Executor) => sql`p.id, p.kind, p.name, p.taxpayer_kind AS "taxpayerKind", p.status`;

const officeColumns = (sql: Executor) => sql`code, agency, region, name_zh AS "nameZh", name_en AS "nameEn", lane`;

export async function selectOffices(sql: Executor, codes: readonly string[]): Promise<OfficeRow[]> {
  if (codes.length === 0) return [];
  return sql<OfficeRow[]>`SELECT ${officeColumns(sql)} FROM office WHERE code = ANY(${codes as string[]}::text[])`;
}

/** In the order of codes. */
export function selectOfficesOfAgency(sql: Executor, agency: Agency, limit: number): Promise<OfficeRow[]> {
  return sql<
    OfficeRow[]
  >`SELECT ${officeColumns(sql)} FROM office WHERE agency = ${agency} ORDER BY code LIMIT ${limit}`;
}

export async function selectParties(sql: Executor, ids: readonly string[]): Promise<PartyRow[]> {
  if (ids.length === 0) return [];
  return sql<PartyRow[]>`SELECT ${partyColumns(sql)} FROM party p WHERE p.id = ANY(${ids as string[]}::text[])`;
}

/** Withdrawn ones included, oldest first. */
export async function selectRegistrations(sql: Executor, filers: readonly string[]): Promise<RegistrationRow[]> {
  if (filers.length === 0) return [];
  return sql<RegistrationRow[]>`
    SELECT filer, office, valid_from AS "from", valid_to AS "to", withdrawn FROM registration
    WHERE filer = ANY(${filers as string[]}::text[]) ORDER BY filer, valid_from, office`;
}

/** Every office that these filers were ever registered in. */
export async function selectOfficesOfFilers(
  sql: Executor,
  filers: readonly string[],
): Promise<{ readonly filer: string; readonly office: string; readonly agency: string }[]> {
  return sql<{ filer: string; office: string; agency: string }[]>`
    SELECT DISTINCT r.filer, r.office, o.agency FROM registration r JOIN office o ON o.code = r.office
    WHERE r.filer = ANY(${filers as string[]}::text[])`;
}

export async function selectKeys(sql: Executor, kids: readonly string[]): Promise<KeyRow[]> {
  if (kids.length === 0) return [];
  return sql<KeyRow[]>`SELECT ${keyColumns(sql)} FROM party_key k WHERE k.kid = ANY(${kids as string[]}::text[])`;
}

/** What a signature needs in one query: keys, their parties, and the parties' registrations. */
export interface KeyringRow extends KeyRow, PartyRow {
  readonly registrations: readonly Omit<RegistrationRow, 'filer'>[];
}

export async function selectKeyring(sql: Executor, kids: readonly string[]): Promise<KeyringRow[]> {
  return sql<KeyringRow[]>`
    SELECT ${keyColumns(sql)}, ${partyColumns(sql)}, coalesce(r.list, '[]'::json) AS registrations
    FROM party_key k JOIN party p ON p.id = k.party
    LEFT JOIN LATERAL (
      SELECT json_agg(json_build_object('office', office, 'from', valid_from, 'to', valid_to, 'withdrawn', withdrawn)
                      ORDER BY valid_from, office) AS list
      FROM registration WHERE filer = p.id
    ) r ON true
    WHERE k.kid = ANY(${kids as string[]}::text[])`;
}

/** A page of a party's keys, by kid. */
export function selectKeysOf(sql: Executor, party: string, afterKid: string, limit: number): Promise<KeyRow[]> {
  return sql<KeyRow[]>`
    SELECT ${keyColumns(sql)} FROM party_key k WHERE k.party = ${party} AND k.kid > ${afterKid}
    ORDER BY k.kid LIMIT ${limit}`;
}

/** How many keys each party could sign with, now or later. */
export async function countUsableKeys(
  sql: Executor,
  parties: readonly string[],
  at: string,
): Promise<{ party: string; keys: number }[]> {
  if (parties.length === 0) return [];
  return sql<{ party: string; keys: number }[]>`
    SELECT party, count(*)::int AS keys FROM party_key
    WHERE party = ANY(${parties as string[]}::text[]) AND revoked_at IS NULL AND (not_after IS NULL OR not_after > ${at})
    GROUP BY party`;
}

const termColumns = (sql: Executor) => sql`id, agent, filer, types, valid_from AS "from", valid_to AS "to"`;

export async function selectMandates(sql: Executor, ids: readonly string[]): Promise<MandateRow[]> {
  if (ids.length === 0) return [];
  return sql<MandateRow[]>`
    SELECT ${termColumns(sql)}, jws, ${epochMs(sql, 'signed_at')} AS "signedAt"
    FROM mandate WHERE id = ANY(${ids as string[]}::text[])`;
}

/** All mandates of the pairs (agents[i], filers[i]), without what was signed. */
export function selectMandatesBetween(
  sql: Executor,
  agents: readonly string[],
  filers: readonly string[],
): Promise<MandateTermsRow[]> {
  return sql<MandateTermsRow[]>`
    SELECT ${termColumns(sql)} FROM mandate
    WHERE (agent, filer) IN (SELECT * FROM unnest(${agents as string[]}::text[], ${filers as string[]}::text[]))
    ORDER BY id`;
}

/** Filers that the agent holds any mandate of on the date. */
export async function selectFilersOf(sql: Executor, agent: string, date: string, limit: number): Promise<string[]> {
  const rows = await sql<{ filer: string }[]>`
    SELECT DISTINCT filer FROM mandate
    WHERE agent = ${agent} AND valid_from <= ${date} AND (valid_to IS NULL OR valid_to >= ${date})
    ORDER BY filer LIMIT ${limit}`;
  return rows.map((row) => row.filer);
}

/** How many lanes the growing tables have: fixed when the database was made. */
export async function selectLanes(sql: Executor): Promise<number> {
  const rows = await sql<{ value: string }[]>`SELECT value FROM meta WHERE name = 'lanes'`;
  const lanes = Number(rows[0]?.value);
  if (!Number.isInteger(lanes) || lanes < 1)
    throw new Error('the database does not say how many lanes it has (table meta)');
  return lanes;
}
