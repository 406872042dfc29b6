import type { Agency } from '../domain/filing.ts';
import { formatInstant, type PlainDate } from '../std/clock.ts';
import type { Text } from '../std/text.ts';
import type { KeyRow, MandateRow, OfficeRow, PartyRow, RegistrationRow } from '../storage/identity.ts';
import type { PublicJwk } from './jwk.ts';
import type { PartyKind } from './records.ts';

// What identity shows of its rows: the bodies of the contract's resources.

export interface OfficeResource {
  readonly office: string;
  readonly agency: Agency;
  readonly region: string;
  readonly name: Text;
}

export interface PartyResource {
  readonly id: string;
  readonly kind: PartyKind;
  readonly name: string;
  readonly taxpayerKind?: 'general' | 'small';
  readonly status: 'active' | 'suspended';
}

export interface KeyResource {
  readonly kid: string;
  readonly party: string;
  readonly jwk: PublicJwk;
  readonly notBefore?: string;
  readonly notAfter?: string;
  readonly createdAt: string;
  readonly revokedAt?: string;
  readonly revokedReason?: string;
}

export interface RegistrationResource {
  readonly office: string;
  readonly from: PlainDate;
  readonly to?: PlainDate;
}

export interface MandateResource {
  readonly id: string;
  readonly agent: string;
  readonly filer: string;
  readonly types: readonly string[];
  readonly from: PlainDate;
  /** May be earlier than the one that was signed: an operator can end a mandate. */
  readonly to?: PlainDate;
  /** The compact JWS by which the filer gave it; absent where an operator entered it. */
  readonly jws?: string;
  readonly signedAt?: string;
}

export function officeResource(row: OfficeRow): OfficeResource {
  return { office: row.code, agency: row.agency, region: row.region, name: { zh: row.nameZh, en: row.nameEn } };
}

export function partyResource(row: PartyRow): PartyResource {
  return {
    id: row.id,
    kind: row.kind as PartyKind,
    name: row.name,
    ...(row.taxpayerKind === null ? {} : { taxpayerKind: row.taxpayerKind as 'general' | 'small' }),
    status: row.status as 'active' | 'suspended',
  };
}

export function keyResource(row: KeyRow): KeyResource {
  return {
    kid: row.kid,
    party: row.party,
    jwk: row.jwk as PublicJwk,
    ...(row.notBefore === null ? {} : { notBefore: formatInstant(row.notBefore) }),
    ...(row.notAfter === null ? {} : { notAfter: formatInstant(row.notAfter) }),
    createdAt: formatInstant(row.createdAt),
    ...(row.revokedAt === null ? {} : { revokedAt: formatInstant(row.revokedAt) }),
    ...(row.revokedReason === null ? {} : { revokedReason: row.revokedReason }),
  };
}

/** The list as it was put: those in it, by date, withdrawn ones left out. */
export function registrationsResource(rows: readonly RegistrationRow[]): RegistrationResource[] {
  return rows
    .filter((row) => !row.withdrawn)
    .sort((a, b) => (a.from === b.from ? (a.office < b.office ? -1 : 1) : a.from < b.from ? -1 : 1))
    .map((row) => ({ office: row.office, from: row.from, ...(row.to === null ? {} : { to: row.to }) }));
}

export function mandateResource(row: MandateRow): MandateResource {
  const { to, jws, signedAt, ...rest } = row;
  return {
    ...rest,
    ...(to === null ? {} : { to }),
    ...(jws === null || signedAt === null ? {} : { jws, signedAt: formatInstant(signedAt) }),
  };
}
