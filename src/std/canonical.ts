/** What RFC 8785 can serialise. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json | undefined };

/**
 * RFC 8785 (JSON Canonicalization Scheme). Members whose value is undefined are left out. Throws a TypeError for what
 * the scheme has no form for: NaN, infinities, lone surrogates.
 */
export function canonicalJson(value: Json): string {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new TypeError('RFC 8785 has no form for this number');
    return JSON.stringify(value);
  }
  if (typeof value === 'string') return canonicalString(value);
  if (isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  let members = '';
  // Array.prototype.sort compares UTF-16 code units, which is the order that RFC 8785 section 3.2.3 asks for.
  for (const name of Object.keys(value).sort()) {
    const member = value[name];
    if (member === undefined) continue;
    if (members !== '') members += ',';
    members += `${canonicalString(name)}:${canonicalJson(member)}`;
  }
  return `{${members}}`;
}

function isArray(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}

const LONE_SURROGATE = /\p{Surrogate}/u;
/** What JSON writes as it is, and nearly all text that is signed: printable ASCII without quote and backslash. */
const PLAIN = /^[ !#-[\]-~]*$/;

/** A string as RFC 8785 writes it. */
export function canonicalString(text: string): string {
  if (PLAIN.test(text)) return `"${text}"`;
  if (LONE_SURROGATE.test(text)) throw new TypeError('RFC 8785 has no form for a lone surrogate');
  return JSON.stringify(text);
}
