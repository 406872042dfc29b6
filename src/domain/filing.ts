import type { PlainDate } from '../std/clock.ts';

export const AGENCIES = ['tax', 'si', 'amr', 'psb', 'city', 'emg'] as const;
/** tax 税务, si 人社与医保, amr 市场监管, psb 公安, city 城市管理, emg 应急管理. The first segment of a filing type. */
export type Agency = (typeof AGENCIES)[number];

export const FILING_KINDS = ['original', 'correction', 'supplement', 'void'] as const;
export type FilingKind = (typeof FILING_KINDS)[number];

/** 所属期, both days included, Asia/Shanghai. Event types carry the event's date twice. */
export interface Period {
  readonly from: PlainDate;
  readonly to: PlainDate;
}

/** Why a warning is right to stand (情况说明). */
export interface Explanation {
  /** The rule's id; for a warning of the gateway's own its code. */
  readonly rule: string;
  /** Only of the warning at this place. */
  readonly pointer?: string;
  readonly text: string;
}

/** What a filer signs. */
export interface FilingPayload {
  readonly type: string;
  readonly version?: string;
  /** Unified social credit code (GB 32100). */
  readonly filer: string;
  readonly period: Period;
  /** The filer's own document number; required for event types, absent for periodic ones. */
  readonly reference?: string;
  readonly office?: string;
  /** Id of the filing that this one replaces. */
  readonly supersedes?: string;
  readonly kind: FilingKind;
  /** Of warnings that the filer expects. */
  readonly explanations?: readonly Explanation[];
  /** By the type's schema. A voiding needs none. */
  readonly data?: unknown;
}

/** The parts of a filing that make its key: the same tuple is the same filing. */
export interface FilingKeyParts {
  readonly filer: string;
  readonly type: string;
  readonly period: Period;
  readonly reference?: string | undefined;
  readonly supersedes?: string | undefined;
}

/** `<office>.<index>`: short enough to read out on the telephone. */
export function filingId(office: string, index: number): string {
  return `${office}.${index}`;
}

/** Undefined unless `id` is `<office>.<index>` in its only spelling. */
export function parseFilingId(id: string): { office: string; index: number } | undefined {
  const match = /^([A-Za-z0-9-]{1,32})\.(0|[1-9]\d{0,14})$/.exec(id);
  if (match === null) return undefined;
  return { office: match[1] as string, index: Number(match[2]) };
}

/** An office's code: digits for real ones, letters allowed for test offices. */
export function isOfficeCode(code: string): boolean {
  return /^[A-Za-z0-9-]{1,32}$/.test(code);
}

/**
 * The lane of an office: which slice of every growing table its rows are in, 0 to `lanes` - 1. FNV-1a over the code's
 * characters. Fixed for the life of a database, because it is part of primary keys.
 */
export function laneOf(office: string, lanes: number): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < office.length; i++) hash = Math.imul(hash ^ office.charCodeAt(i), 0x01000193) >>> 0;
  return hash % lanes;
}
