import type { Language } from '../std/text.ts';
import { constant, constantResponse } from './constant.ts';
import { preferredMediaType } from './negotiate.ts';
import { LANGUAGE_TAGS } from './problem.ts';
import type { Call } from './route.ts';

/** Nothing from elsewhere, no script, no frame. */
const PAGE_POLICY =
  "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** One of the gateway's own pages. */
export function pageHeaders(language: Language): Record<string, string> {
  return {
    'Content-Type': 'text/html; charset=utf-8',
    'Content-Language': LANGUAGE_TAGS[language],
    'Content-Security-Policy': PAGE_POLICY,
    Vary: 'Accept-Language',
  };
}

type Asking = Pick<Call<unknown, { readonly lang?: Language }, unknown>, 'header' | 'language' | 'query'>;

/** Programs get JSON, browsers a page: what `Accept` likes best, JSON when it does not say. */
export function documentOrPage(call: Asking, document: () => object, page: (language: Language) => string): Response {
  const language = call.query.lang ?? call.language;
  const isPage = preferredMediaType(call.header('accept'), ['application/json', 'text/html']) === 'text/html';
  const response = constantResponse(
    call,
    isPage
      ? constant(page(language), 'text/html; charset=utf-8')
      : constant(JSON.stringify(document()), 'application/json'),
  );
  if (isPage) for (const [name, value] of Object.entries(pageHeaders(language))) response.headers.set(name, value);
  response.headers.set('Vary', isPage ? 'Accept, Accept-Language' : 'Accept');
  return response;
}
