import type { Language } from '../std/text.ts';

interface Preference {
  /** Lower case, without parameters. */
  readonly value: string;
  /** 0 to 1. */
  readonly quality: number;
}

/** More entries than a person or a browser ever sends: the rest is not looked at. */
const MAX_PREFERENCES = 32;

/** The items of an `Accept` or `Accept-Language` header (RFC 9110 section 12.4.2), as they stand. */
function preferences(header: string): Preference[] {
  return header
    .slice(0, 1024)
    .toLowerCase()
    .split(',', MAX_PREFERENCES)
    .map((item) => {
      const [value = '', ...parameters] = item.split(';').map((part) => part.trim());
      const q = parameters.find((parameter) => parameter.startsWith('q='));
      const quality = q === undefined ? 1 : Number(q.slice(2));
      return { value, quality: quality >= 0 && quality <= 1 ? quality : 0 };
    });
}

/** The language of problem texts and pages: Chinese unless English is preferred. */
export function preferredLanguage(acceptLanguage: string | undefined): Language {
  if (acceptLanguage === undefined) return 'zh';
  let best: Language = 'zh';
  let bestQuality = 0;
  for (const { value, quality } of preferences(acceptLanguage)) {
    const primary = value.split('-', 1)[0];
    if ((primary === 'zh' || primary === 'en') && quality > bestQuality) {
      best = primary;
      bestQuality = quality;
    }
  }
  return best;
}

/**
 * Of `available` (media types in the server's order of liking), the one that `accept` likes best; undefined when it
 * allows none. The most specific range decides on a type, as RFC 9110 section 12.5.1 says.
 */
export function preferredMediaType(accept: string | undefined, available: readonly string[]): string | undefined {
  if (accept === undefined || accept.trim() === '') return available[0];
  const ranges = preferences(accept);
  let best: string | undefined;
  let bestQuality = 0;
  for (const type of available) {
    const quality = qualityOf(type.toLowerCase(), ranges);
    if (quality > bestQuality) {
      best = type;
      bestQuality = quality;
    }
  }
  return best;
}

function qualityOf(type: string, ranges: readonly Preference[]): number {
  const family = `${type.split('/', 1)[0]}/*`;
  const range =
    ranges.find(({ value }) => value === type) ??
    ranges.find(({ value }) => value === family) ??
    ranges.find(({ value }) => value === '*/*' || value === '*');
  return range?.quality ?? 0;
}

/** The media type of a `Content-Type` header: lower case, without parameters; empty when there is none. */
export function mediaTypeOf(contentType: string | undefined): string {
  if (contentType === undefined) return '';
  const end = contentType.indexOf(';');
  return (end < 0 ? contentType : contentType.slice(0, end)).trim().toLowerCase();
}

/** False when a `Content-Type` names a charset other than UTF-8. */
export function isUtf8ContentType(contentType: string): boolean {
  const charset = /;\s*charset\s*=\s*"?([^";\s]*)/i.exec(contentType)?.[1];
  return charset === undefined || /^utf-?8$/i.test(charset);
}
