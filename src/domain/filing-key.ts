import { sha256 } from '../std/bytes.ts';
import type { FilingKeyParts } from './filing.ts';

/** Bytes in front of the hash: two of the period's month, six that tag the filer. */
const PREFIX_BYTES = 8;
const HASH_BYTES = 32;

/**
 * The key of a filing: 2 bytes month of the period's end, 6 bytes of SHA-256(filer), 32 bytes SHA-256 over the
 * length-prefixed tuple (filer, type, from, to, reference, supersedes).
 *
 * The hash alone makes it unique. The prefix keeps the index's insertions local to the current period, and lets the
 * same index list a filer's filings month by month.
 */
export function filingKey({ filer, type, period, reference = '', supersedes = '' }: FilingKeyParts): Buffer {
  const text =
    field(filer) + field(type) + field(period.from) + field(period.to) + field(reference) + field(supersedes);
  const key = Buffer.allocUnsafe(PREFIX_BYTES + HASH_BYTES);
  writePrefix(key, filer, monthNumber(period.to));
  sha256(text).copy(key, PREFIX_BYTES);
  return key;
}

function field(text: string): string {
  return `${Buffer.byteLength(text)}:${text}`;
}

/** What all keys of a filer in a month start with. */
export function filerPrefix(filer: string, month: number): Buffer {
  const prefix = Buffer.allocUnsafe(PREFIX_BYTES);
  writePrefix(prefix, filer, month);
  return prefix;
}

function writePrefix(key: Buffer, filer: string, month: number): void {
  key.writeUInt16BE(month, 0);
  sha256(filer).copy(key, 2, 0, PREFIX_BYTES - 2);
}

/** Months since year 0, so that consecutive months are consecutive numbers: 2026-10 is 24321. */
export function monthNumber(date: string): number {
  return Number(date.slice(0, 4)) * 12 + Number(date.slice(5, 7)) - 1;
}
