import { sha256 } from '../std/bytes.ts';
import type { Language } from '../std/text.ts';
import { type Constant, constant, constantResponse } from './constant.ts';
import { preferredMediaType } from './negotiate.ts';
import { LANGUAGE_TAGS } from './problem.ts';
import type { Call } from './route.ts';

/** Nothing from elsewhere, no script, no frame. */
const PAGE_POLICY =
  "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** One of the gateway's own pages. `style`: the stylesheet that stands in it, if one does; no other is obeyed then. */
export function pageHeaders(language: Language, style?: string): Record<string, string> {
  return {
    'Content-Type': 'text/html; charset=utf-8',
    'Content-Language': LANGUAGE_TAGS[language],
    'Content-Security-Policy': style === undefined ? PAGE_POLICY : wholePagePolicy(style),
    Vary: 'Accept-Language',
  };
}

/** For a page that needs nothing but itself. */
function wholePagePolicy(style: string): string {
  const hash = sha256(style).toString('base64');
  return `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;
}

type Asking = Pick<Call<unknown, { readonly lang?: Language }, unknown>, 'header' | 'language' | 'query'>;

/** What was made of an object that does not change, for as long as that is in use. */
const made = new WeakMap<object, Map<string, Constant>>();

function once(source: object, variant: string, make: () => Constant): Constant {
  const variants = made.get(source) ?? new Map<string, Constant>();
  made.set(source, variants);
  const known = variants.get(variant) ?? make();
  variants.set(variant, known);
  return known;
}

/**
 * Programs get JSON, browsers a page: what `Accept` likes best, JSON when it does not say.
 * @param source what both are made from, and nothing else but the language
 */
export function documentOrPage(
  call: Asking,
  source: object,
  document: () => object,
  page: (language: Language) => string,
): Response {
  const language = call.query.lang ?? call.language;
  const isPage = preferredMediaType(call.header('accept'), ['application/json', 'text/html']) === 'text/html';
  const response = constantResponse(
    call,
    isPage
      ? once(source, language, () => constant(page(language), 'text/html; charset=utf-8'))
      : once(source, 'json', () => constant(JSON.stringify(document()), 'application/json')),
  );
  if (isPage) for (const [name, value] of Object.entries(pageHeaders(language))) response.headers.set(name, value);
  response.headers.set('Vary', isPage ? 'Accept, Accept-Language' : 'Accept');
  return response;
}
