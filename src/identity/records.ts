import type { KeyObject } from 'node:crypto';
import type { Agency } from '../domain/filing.ts';
import type { PlainDate } from '../std/clock.ts';
import type { Text } from '../std/text.ts';

export const SIGNATURE_ALGORITHMS = ['ES256', 'EdDSA', 'PS256', 'RS256'] as const;
/** RFC 7518 and RFC 8037 names. A key has exactly one of them: what a message claims is compared, never obeyed. */
export type SignatureAlgorithm = (typeof SIGNATURE_ALGORITHMS)[number];

export const PARTY_KINDS = ['filer', 'agent', 'office', 'operator'] as const;
export type PartyKind = (typeof PARTY_KINDS)[number];

/** A registered key, ready to verify with. */
export interface SigningKey {
  readonly kid: string;
  readonly party: string;
  readonly alg: SignatureAlgorithm;
  /** The public key as the text of a JWK (RFC 7517): ASCII, and equal for equal keys. */
  readonly jwk: string;
  readonly publicKey: KeyObject;
  /** Milliseconds since the epoch; absent bounds are open. */
  readonly notBefore?: number;
  readonly notAfter?: number;
  readonly revokedAt?: number;
}

export interface Registration {
  readonly office: string;
  readonly from: PlainDate;
  /** Last day, included. */
  readonly to?: PlainDate;
  /** Replaced by a later list of registrations; kept because filings may stand in that office's log. */
  readonly withdrawn: boolean;
}

export interface Party {
  readonly id: string;
  readonly kind: PartyKind;
  readonly name: string;
  readonly taxpayerKind?: 'general' | 'small';
  readonly status: 'active' | 'suspended';
  /** A filer's; empty for others. Withdrawn ones included. */
  readonly registrations: readonly Registration[];
}

export interface Office {
  readonly code: string;
  readonly agency: Agency;
  /** GB/T 2260, six digits. */
  readonly region: string;
  readonly name: Text;
  readonly lane: number;
}

export interface Mandate {
  readonly id: string;
  readonly agent: string;
  readonly filer: string;
  /** Filing types, `*` as the last segment for all below: `tax.*`. */
  readonly types: readonly string[];
  readonly from: PlainDate;
  readonly to?: PlainDate;
}

/** What ingest and access control ask identity for. Every answer is at most 5 s old; all lookups are batched and cached. */
export interface Directory {
  /** The number of an identity change that every answer from now on takes in. Absent: none can be named. */
  heard?(): number;
  /** Undefined: no such key. A revoked or expired key is returned, with its dates. */
  key(kid: string): Promise<SigningKey | undefined>;
  party(id: string): Promise<Party | undefined>;
  office(code: string): Promise<Office | undefined>;
  /** All mandates, at any date, of `filer` for `agent`. */
  mandates(agent: string, filer: string): Promise<readonly Mandate[]>;
  /** Filers that `agent` holds a mandate of on `date`, for lists; not cached. */
  filersOf(agent: string, date: PlainDate): Promise<readonly string[]>;
  offices(agency: Agency): Promise<readonly Office[]>;
}
