import type { ErrorCode } from '../../src/std/errors.ts';
import type { SigningParty } from '../support/filer.ts';
import type { PartyName } from '../support/gateway.ts';

/** What a case may speak of. */
export interface Known {
  readonly issuer: string;
  readonly filer: SigningParty;
  readonly office: string;
  /** A filing of the filer's. */
  readonly filingId: string;
  /** A batch that the office has open, and what acknowledges it. */
  readonly batch: { readonly path: string; readonly size: number; readonly root: string; readonly checkpoint: string };
}

/** Nothing is added to it but Host and Content-Length. */
export interface HostileRequest {
  readonly method?: string;
  readonly target: string;
  readonly as?: PartyName;
  readonly headers?: readonly (readonly [name: string, value: string])[];
  readonly body?: string | Uint8Array;
}

/** The answer that it gets: a status and a code, nothing else will do. */
export type HostileCase = readonly [
  name: string,
  status: number,
  code: ErrorCode,
  request: HostileRequest | ((known: Known) => HostileRequest),
];

/** Texts in which answers and logs are searched for what was sent carry this. */
export const MARK = 'qx7mark';
