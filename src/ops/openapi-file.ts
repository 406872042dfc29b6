import { readFile } from 'node:fs/promises';
import { StartError } from '../std/start-error.ts';

const FILE = new URL('../../dist/openapi.json', import.meta.url);

/** The OpenAPI document that the build generated. */
export async function readOpenApi(): Promise<string> {
  try {
    return await readFile(FILE, 'utf8');
  } catch (cause) {
    throw new StartError(
      { zh: '缺少 dist/openapi.json，请运行 npm run build。', en: 'dist/openapi.json is missing: run npm run build.' },
      { cause },
    );
  }
}
