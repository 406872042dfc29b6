/** Names of what identity changes are about, in `identity_change.subjects`. One subject is one entry of one cache. */
export const subjectOf = {
  office: (code: string): string => `office:${code}`,
  /** A party and its registrations. */
  party: (id: string): string => `party:${id}`,
  key: (kid: string): string => `key:${kid}`,
  mandates: (agent: string, filer: string): string => `mandates:${agent}:${filer}`,
  /** What an operator has set, by its kind and its id in table `setting`. */
  setting: (kind: string, id: string): string => `setting:${kind}:${id}`,
  /** What is to happen to the catalogue of filing types. */
  catalogue: (what: string): string => `catalogue:${what}`,
};

export type SubjectKind = keyof typeof subjectOf;

/** Heard instead of names when changes may have been missed: anything may have changed. */
export const ANYTHING = '*';

/** The cache and the entry that a subject names; undefined for what a newer version of the gateway may have written. */
export function parseSubject(subject: string): { kind: SubjectKind; id: string } | undefined {
  const colon = subject.indexOf(':');
  const kind = subject.slice(0, colon);
  return Object.hasOwn(subjectOf, kind) ? { kind: kind as SubjectKind, id: subject.slice(colon + 1) } : undefined;
}
