import { canonicalJson, type Json } from '../std/canonical.ts';

// The hash chain of the audit trail. No Buffer and no node: imports, because the SDK recomputes it in browsers too.

/** Ids, counts and digests beside the target; never a value of a body. */
export type TrailDetails = Readonly<Record<string, Json>>;

/** What happened: who did or read what, and how it ended. */
export interface TrailEvent {
  /** Kind of the party: `filer`, `agent`, `office`, `operator`. */
  readonly role: string;
  /** Its id; `-` for an operator at the machine itself whose key is not known. */
  readonly party: string;
  /** The operation's id in the contract, or the name of the command. */
  readonly action: string;
  /** What it was done to: the ids in the path; `-` where there are none. */
  readonly target: string;
  /** `begun`; otherwise how it ended: see docs/trail.md. */
  readonly result: string;
  /** The request's id, which joins the rows of one request. */
  readonly request: string;
  readonly details?: TrailDetails;
}

export interface TrailRow extends TrailEvent {
  /** Counts from 1, without gaps. */
  readonly n: number;
  /** RFC 3339, UTC, milliseconds: when the row was added. Never runs backwards along the chain. */
  readonly at: string;
}

/** The hash before the first row: 32 zero bytes. */
export const CHAIN_START: Uint8Array = new Uint8Array(32);

/** `hash(previous || RFC 8785 form of the row)`: with SHA-256 the hash of a row whose predecessor has `previous`. */
export function trailHash(hash: (data: Uint8Array) => Uint8Array, previous: Uint8Array, row: TrailRow): Uint8Array {
  const { n, at, role, party, action, target, result, request, details } = row;
  const text = canonicalJson({ n, at, role, party, action, target, result, request, details });
  const bytes = new TextEncoder().encode(text);
  const input = new Uint8Array(previous.length + bytes.length);
  input.set(previous);
  input.set(bytes, previous.length);
  return hash(input);
}
