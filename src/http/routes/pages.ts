import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { Type } from 'typebox';
import type { Catalogue } from '../../domain/filing-type.ts';
import { DOCS_PAGE, DOCS_SCRIPT, ICON } from '../../portal/docs-page.ts';
import { frontPage } from '../../portal/front-page.ts';
import { STYLE } from '../../portal/style.ts';
import { GatewayError } from '../../std/errors.ts';
import { type Constant, constant, constantResponse } from '../constant.ts';
import { pageHeaders } from '../html.ts';
import { type Route, route } from '../route.ts';

export interface PageRouteDeps {
  readonly env: string;
  readonly issuer: string;
  readonly catalogue: () => Catalogue;
  /** Whether the gateway can commit, told within a time of its own. */
  readonly isReady: () => Promise<boolean>;
}

/** Swagger UI sets styles from script and has its pictures in the stylesheet; it calls this gateway and nothing else. */
const DOCS_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const tag = 'pages';
const HTML = { 'text/html': Type.String() };

export function pageRoutes(deps: PageRouteDeps): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/',
      operationId: 'getFrontPage',
      tag,
      summary: { zh: '首页', en: 'Front page' },
      access: 'public',
      query: Type.Object({ lang: Type.Optional(Type.Union([Type.Literal('zh'), Type.Literal('en')])) }),
      responses: { 200: { description: 'What this is and where to go', media: HTML } },
      handle: async (call) => {
        const language = call.query.lang ?? call.language;
        const isReady = await deps.isReady().catch(() => false);
        const filingTypes = [...deps.catalogue().types.values()].map((type) => type.metadata);
        const page = frontPage({ language, env: deps.env, issuer: deps.issuer, isReady, filingTypes });
        return new Response(page, { headers: pageHeaders(language) });
      },
    }),
    route({
      method: 'GET',
      path: '/docs',
      operationId: 'getDocs',
      tag,
      summary: { zh: '接口文档', en: 'API documentation' },
      access: 'public',
      responses: { 200: { description: 'Swagger UI', media: HTML } },
      handle: () =>
        new Response(DOCS_PAGE, {
          headers: { 'Content-Type': 'text/html; charset=utf-8', 'Content-Security-Policy': DOCS_POLICY },
        }),
    }),
    route({
      method: 'GET',
      path: '/assets/{name}',
      operationId: 'getAsset',
      tag,
      summary: { zh: '页面所用的样式与脚本', en: 'Styles and scripts of the pages' },
      access: 'public',
      params: Type.Object({ name: Type.String({ maxLength: 64 }) }),
      responses: {
        200: { description: 'The file', media: { 'text/css': Type.String() }, headers: { ETag: 'Of the content' } },
        304: { description: 'Not changed' },
      },
      errors: ['not-found'],
      handle: async (call) => {
        const asset = Object.hasOwn(ASSETS, call.params.name) ? ASSETS[call.params.name] : undefined;
        if (asset === undefined) throw new GatewayError('not-found');
        return constantResponse(call, await asset());
      },
    }),
  ];
}

/** The files that there are: a table, not a folder, so that no path can lead elsewhere. */
const ASSETS: Readonly<Record<string, () => Promise<Constant>>> = {
  'style.css': once(async () => constant(STYLE, 'text/css; charset=utf-8')),
  'icon.svg': once(async () => constant(ICON, 'image/svg+xml')),
  'docs.js': once(async () => constant(DOCS_SCRIPT, 'text/javascript; charset=utf-8')),
  'swagger-ui.css': once(async () => constant(await swaggerFile('swagger-ui.css'), 'text/css; charset=utf-8')),
  'swagger-ui-bundle.js': once(async () =>
    constant(await swaggerFile('swagger-ui-bundle.js'), 'text/javascript; charset=utf-8'),
  ),
};

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

function swaggerFile(name: string): Promise<string> {
  const folder = path.dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));
  return readFile(path.join(folder, name), 'utf8');
}
