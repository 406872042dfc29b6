import { AGENCIES } from '../domain/filing.ts';
import type { PlainDate } from '../std/clock.ts';
import type { Mandate } from './records.ts';

/**
 * True when `mandate` is in force on `date` (both bounds included) and names `type`: itself, or a group of types by a last
 * segment `*` (`tax.*` is every type below `tax`; `*` alone is every type).
 */
export function covers(mandate: Mandate, type: string, date: PlainDate): boolean {
  return isInForce(mandate, date) && mandate.types.some((pattern) => matchesType(pattern, type));
}

/** PlainDates compare as text. */
export function isInForce(bounds: { readonly from: PlainDate; readonly to?: PlainDate }, date: PlainDate): boolean {
  return bounds.from <= date && (bounds.to === undefined || date <= bounds.to);
}

/** Whether a filing type is one that a pattern names. */
export function matchesType(pattern: string, type: string): boolean {
  if (pattern === '*') return true;
  return pattern.endsWith('.*') ? type.startsWith(pattern.slice(0, -1)) : pattern === type;
}

const PATTERN = /^([a-z]{2,8})(\.[a-z0-9][a-z0-9-]{0,31}){0,4}(\.\*)?$/;

/** A filing type or a group of them. The first segment must be an agency: a slip there would never match anything. */
export function isTypePattern(pattern: string): boolean {
  if (pattern === '*') return true;
  const agency = PATTERN.exec(pattern)?.[1];
  return agency !== undefined && pattern.includes('.') && (AGENCIES as readonly string[]).includes(agency);
}
