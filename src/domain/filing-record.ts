import type { Violation } from '../std/errors.ts';
import type { FilingKind, Period } from './filing.ts';

/** A stored filing: what its row says of it. Immutable, like the row. */
export interface FilingRecord {
  readonly lane: number;
  readonly office: string;
  readonly index: number;
  readonly key: Buffer;
  readonly type: string;
  readonly version: string;
  readonly filer: string;
  readonly period: Period;
  readonly reference?: string | undefined;
  readonly kind: FilingKind;
  readonly supersedes?: string | undefined;
  /** Milliseconds since the epoch. */
  readonly receivedAt: number;
  readonly late: boolean;
  readonly warnings: readonly Violation[];
  readonly digest: Buffer;
  readonly salt: Buffer;
  readonly leaf: Buffer;
  readonly tick: TickPosition;
  readonly kid: string;
  readonly manifest?: ManifestPosition | undefined;
}

/** A filing as it is stored, and read only by who wants all of it: the content may have megabytes. */
export interface WholeFiling extends FilingRecord {
  /** The JWS as received, or for bulk form B the payload line. */
  readonly content: string;
  /** Its office is told of it first. */
  readonly urgent: boolean;
}

/** Where a filing's statement is among the leaves of its tick. */
export interface TickPosition {
  readonly lane: number;
  readonly id: string;
  readonly leafIndex: number;
}

/** Where a payload line is in its bulk upload. */
export interface ManifestPosition {
  readonly id: string;
  /** From 0, among the lines after the manifest's own. */
  readonly line: number;
}

/** A stored tick: the leaves of its receipt tree and the one signature over their root. */
export interface TickRecord {
  readonly lane: number;
  readonly id: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly leaves: Buffer;
  readonly signature: string;
}

/** The first line of a bulk upload in form B, as stored. */
export interface ManifestRecord {
  readonly id: string;
  readonly jws: string;
  /** RFC 6962 leaf hashes of the lines, 32 bytes each. */
  readonly leaves: Buffer;
}
