import { formatInstant } from '../std/clock.ts';

// The two texts that a filing is hashed as, written out. What `canonicalJson` makes of the same objects takes five times as
// long; a test compares them.

const PLAIN = /^[ !#-[\]-~]*$/;

function quoted(text: string): string {
  return PLAIN.test(text) ? `"${text}"` : JSON.stringify(text);
}

/** RFC 8785 form of what a leaf of an office's log commits to. `commit`: base64url. */
export function leafText(office: string, index: number, receivedAt: number, commit: string): string {
  return `{"commit":"${commit}","id":${quoted(`${office}.${index}`)},"index":${index},"office":${quoted(office)},"receivedAt":"${formatInstant(receivedAt)}","v":1}`;
}

/** All that a receipt states of a filing but by whom and where. */
export interface StatedFacts {
  readonly type: string;
  readonly version: string;
  readonly filer: string;
  readonly from: string;
  readonly to: string;
  readonly reference: string | undefined;
  readonly kind: string;
  readonly supersedes: string | undefined;
  /** base64url. */
  readonly digest: string;
  /** base64url. */
  readonly leaf: string;
}

export interface StatedPlace {
  readonly iss: string;
  readonly env: string;
  readonly office: string;
  readonly index: number;
  /** Milliseconds since the epoch. */
  readonly receivedAt: number;
}

/** RFC 8785 form of a receipt's statement. */
export function statementOf(place: StatedPlace, facts: StatedFacts): string {
  const { iss, env, office, index, receivedAt } = place;
  const { type, version, filer, from, to, reference, kind, supersedes, digest, leaf } = facts;
  const named = reference === undefined ? '' : `,"reference":${quoted(reference)}`;
  const replaces = supersedes === undefined ? '' : `,"supersedes":${quoted(supersedes)}`;
  return `{"digest":"${digest}","env":${quoted(env)},"filer":${quoted(filer)},"id":${quoted(`${office}.${index}`)},"index":${index},"iss":${quoted(iss)},"kind":${quoted(kind)},"leaf":"${leaf}","office":${quoted(office)},"period":{"from":${quoted(from)},"to":${quoted(to)}},"receivedAt":"${formatInstant(receivedAt)}"${named}${replaces},"type":${quoted(type)},"version":${quoted(version)}}`;
}
