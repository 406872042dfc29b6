import { html, raw } from 'hono/html';
import type { Language, Text } from '../std/text.ts';

type Html = ReturnType<typeof html>;

export interface PageParts {
  readonly language: Language;
  /** For the window; the heading is the gateway's name everywhere. */
  readonly title: string;
  /** Of this page, for the link to the other language. */
  readonly path: string;
  readonly main: Html;
  readonly footer: Html;
}

export const t = (zh: string, en: string): Text => ({ zh, en });

const NAME = t('申报网关', 'Declaration gateway');
const OTHER_LANGUAGE = t('English', '中文');

/** What all pages have around them. Plain HTML; needs no script. */
export function page({ language, title, path, main, footer }: PageParts): string {
  const other: Language = language === 'zh' ? 'en' : 'zh';
  const heading = html`申报<small>Shenbao · ${NAME[language]}</small>`;
  const built = html`<!doctype html>
<html lang="${tag(language)}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<link rel="stylesheet" href="/assets/style.css">
<link rel="icon" href="/assets/icon.svg" type="image/svg+xml">
</head>
<body>
<header>
<h1>${path === '/' ? heading : html`<a href="/?lang=${language}">${heading}</a>`}</h1>
<nav><a href="${path}?lang=${other}" lang="${tag(other)}">${OTHER_LANGUAGE[language]}</a></nav>
</header>
<main>
${main}
</main>
<footer>${footer}</footer>
</body>
</html>
`;
  return built.toString();
}

function tag(language: Language): string {
  return language === 'zh' ? 'zh-CN' : 'en';
}

/** Nothing, where a part of a page is left out. */
export const NOTHING: Html = raw('');

/** Terms and what they mean; a term without a meaning is left out. */
export function definitions(rows: readonly (readonly [term: string, meaning: unknown])[]): Html {
  const shown = rows.filter(([, meaning]) => meaning !== undefined && meaning !== '');
  return html`<dl>${shown.map(([term, meaning]) => html`<div><dt>${term}</dt><dd>${meaning}</dd></div>`)}</dl>`;
}
