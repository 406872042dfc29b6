import type { Explanation, FilingKind, FilingPayload, Period } from '../domain/filing.ts';
import type { Receipt } from '../domain/statement.ts';
import type { Violation } from '../std/errors.ts';
import type { Text } from '../std/text.ts';
import type { Problem } from './errors.ts';
import type { FlattenedJws } from './jws.ts';

/** A filing as the gateway answers with it. */
export interface Filing {
  /** `<office>.<index>`. */
  readonly id: string;
  readonly type: string;
  readonly version: string;
  readonly filer: string;
  readonly office: string;
  readonly index: number;
  readonly period: Period;
  readonly reference?: string;
  readonly kind: FilingKind;
  readonly supersedes?: string;
  /** SHA-256 of the payload bytes, base64url. */
  readonly digest: string;
  readonly status: string;
  readonly receivedAt: string;
  readonly late: boolean;
  readonly warnings: readonly Violation[];
  readonly receipt: Receipt;
  /** Whether `warnings` has what comparing with the filer's other filings found. Not in the answer to a submission. */
  readonly compared?: boolean;
  /** Only in `GET /v1/filings/{id}`. */
  readonly history?: readonly { readonly status: string; readonly at: string; readonly by?: string }[];
  /** Absent until the office has acknowledged the filing, and in the answer to a submission. */
  readonly delivery?: Delivery;
}

/** That the office has a filing, proved by a root over its log that covers it. */
export interface Delivery {
  /** When the office first acknowledged a batch that covers it. */
  readonly at: string;
  /** Entries that it acknowledged: every index below. */
  readonly size: number;
  /** The office's own signature over a checkpoint that covers the filing. */
  readonly cosignature?: {
    /** The office's key: the RFC 7638 thumbprint. */
    readonly kid: string;
    /** When it was made, as the office says. */
    readonly at: string;
    readonly size: number;
    /** The signed note, with the gateway's line and the office's. */
    readonly checkpoint: string;
  };
}

export interface Submitted {
  readonly filing: Filing;
  /** True when the gateway had it already: the receipt is the original one. */
  readonly replayed: boolean;
}

/** The answer to one line of a bulk upload. */
export type BulkResult =
  | { readonly line: number; readonly status: number; readonly replayed?: boolean; readonly filing: Filing }
  | { readonly line: number; readonly status: number; readonly problem: Problem };

/** The verdict that a submission would get. */
export interface Validation {
  readonly valid: boolean;
  readonly errors: readonly Violation[];
  readonly warnings: readonly Violation[];
}

export interface FilingQuery {
  readonly filer?: string;
  readonly type?: string;
  readonly period?: string;
  readonly reference?: string;
  readonly digest?: string;
  /** Page size. */
  readonly limit?: number;
}

export interface Page<T> {
  readonly items: readonly T[];
  readonly next: string | null;
}

/** A leased range [from, to) of an office's log. */
export interface Batch {
  readonly id: string;
  readonly from: number;
  readonly to: number;
  /** C2SP signed note over a tree that holds at least `to` entries. */
  readonly checkpoint: string;
  readonly expiresAt: string;
  readonly entries: string;
}

/** One line of an office's log. Single filings and bulk form A carry `jws`, bulk form B carries the other members. */
export interface Entry {
  readonly index: number;
  readonly id: string;
  readonly receivedAt: string;
  readonly salt: string;
  readonly leaf: string;
  readonly jws?: string | FlattenedJws;
  /** The payload line's bytes, base64url. */
  readonly payload?: string;
  /** The compact JWS that signed the upload's lines. */
  readonly manifest?: string;
  readonly line?: number;
  readonly path?: readonly string[];
}

/** How far a consumer has come. */
export interface ConsumerState {
  readonly name: string;
  /** Every entry below it is acknowledged. */
  readonly cursor: number;
  /** Entries that are not. */
  readonly lag: number;
  readonly ackedAt?: string;
  readonly leases: readonly {
    readonly id: string;
    readonly from: number;
    readonly to: number;
    readonly expiresAt: string;
  }[];
}

/** A log that grew. `urgent`: ids of urgent filings that no consumer of the office has acknowledged, the oldest first. */
export interface Head {
  readonly office: string;
  readonly size: number;
  readonly urgent?: readonly string[];
}

/** Logs that grew, those with urgent filings first, and the cursor to ask with next. */
export interface Heads {
  readonly items: readonly Head[];
  readonly next: string;
}

/** What the operator's reload of the filing types has changed. */
export interface Reload {
  readonly outcome: 'adopted' | 'unchanged';
  readonly added: readonly string[];
  readonly changed: readonly string[];
  readonly otherFiles: readonly string[];
  /** In force now. */
  readonly types: number;
  readonly versions: number;
}

export interface ImportResult {
  readonly line: number;
  readonly status: number;
  readonly problem?: Problem;
}

/** Due dates, both included. */
export interface ObligationsQuery {
  /** By default the client's own party. */
  readonly filer?: string;
  /** By default the first day of last month. */
  readonly from?: string;
  /** By default the last day of next month. */
  readonly to?: string;
}

/** A periodic filing that is owed. */
export interface Obligation {
  readonly type: string;
  readonly title: Text;
  readonly office: string;
  readonly period: Period;
  /** The last day in time, Asia/Shanghai. */
  readonly due: string;
  /** True when working days of a year without a published arrangement went into it. */
  readonly estimated: boolean;
  readonly state: 'open' | 'filed' | 'overdue';
  /** False: owed only when there is something to file. */
  readonly required: boolean;
  readonly filing?: string;
  readonly late?: boolean;
  readonly lateDays?: number;
  /** Fen, as filed; only where something was filed late. */
  readonly amountDue?: number;
  /** Fen: 0.05 % a day of what was filed late, an estimate before payment. */
  readonly surchargeEstimate?: number;
}

export interface Obligations {
  readonly filer: string;
  readonly asOf: string;
  readonly from: string;
  readonly to: string;
  /** By due date. */
  readonly items: readonly Obligation[];
  /** What is required and not filed, of what is overdue or due this month. */
  readonly missing: readonly Pick<Obligation, 'type' | 'title' | 'period' | 'due' | 'state'>[];
}

export interface PrefillQuery {
  /** By default the client's own party. */
  readonly filer?: string;
  readonly type: string;
  /** `2026`, `2026-Q4`, `2026-10`, `2026-10-08` or `2026-10-01/2026-10-31`. */
  readonly period: string;
}

/** A field of the form. */
export interface FillPlace {
  /** Into the payload; `{index}` stands for every element of the list. */
  readonly pointer: string;
  readonly title: Text;
  /** The form's own line (栏次). */
  readonly line?: string;
}

/** What a filing begins with. */
export interface Prefilled {
  /** Complete, and valid but for the fields left to fill. */
  readonly payload: FilingPayload;
  readonly carriedFrom: readonly { readonly id: string; readonly version: string; readonly period: Period }[];
  readonly fill: readonly FillPlace[];
  /** Whether the payload may go as it is, as a zero filing, and what stands in the way. */
  readonly zero: { readonly allowed: boolean; readonly because: readonly FillPlace[] };
  /** What stands for the period already. */
  readonly standing?: { readonly id: string; readonly kind: string };
}

export type { Explanation, FilingPayload, Receipt };
