import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { gatewayRoutes } from './gateway-routes.ts';
import { openApiDocument } from './openapi.ts';

/**
 * Stands for what a route's handler works with. The document needs only what routes say about themselves, so nothing of
 * it may be called; that it is passed on and taken apart is fine.
 */
function unusable<T>(name: string): T {
  const target = (): never => {
    throw new Error(`${name} was used while the routes were only listed`);
  };
  return new Proxy(target, { get: (_, member) => unusable(`${name}.${String(member)}`) }) as T;
}

/** The OpenAPI document of this version, as it is served. */
export function openApiText(): string {
  const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  return `${JSON.stringify(openApiDocument(gatewayRoutes(unusable('deps')), manifest.version), null, 2)}\n`;
}

/** The document as the build wrote it, beside the compiled modules. */
const BUILT_DOCUMENT = new URL('../openapi.json', import.meta.url);

/** What `GET /openapi.json` serves: the built file; made on the spot when the gateway runs from its sources. */
export function readOpenApi(): string {
  return import.meta.url.endsWith('.ts') ? openApiText() : readFileSync(BUILT_DOCUMENT, 'utf8');
}

const isProgram = process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href;
if (isProgram) writeFileSync(process.argv[2] ?? fileURLToPath(BUILT_DOCUMENT), openApiText());
