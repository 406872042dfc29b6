import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sha256, toBase64url } from '../std/bytes.ts';

/** The `schemas` folder of the package: two levels up from `src/ops` and from `dist/ops` alike. */
export const SCHEMAS_FOLDER = fileURLToPath(new URL('../../schemas', import.meta.url));

/** More than any catalogue needs: a folder beyond this was copied to the wrong place. */
const MAX_FILES = 20_000;
const MAX_BYTES = 64 * 1024 * 1024;

/** The texts of all JSON files below a folder, by their path relative to it with `/` between the parts. */
export async function readSchemaFiles(folder: string = SCHEMAS_FOLDER): Promise<Map<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile() && entry.name.endsWith('.json'))
    .map((entry) => join(entry.parentPath, entry.name));
  if (paths.length > MAX_FILES || (await bytesOf(paths)) > MAX_BYTES)
    throw Object.assign(new Error('the folder of the filing types is too large'), { code: 'EFBIG', path: folder });
  const texts = await Promise.all(
    paths
      .sort()
      .map(async (path) => [relative(folder, path).split(sep).join('/'), await readFile(path, 'utf8')] as const),
  );
  return new Map(texts);
}

async function bytesOf(paths: readonly string[]): Promise<number> {
  const sizes = await Promise.all(paths.map(async (path) => (await stat(path)).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** What the build has found nothing wrong with: a digest of the texts, beside the compiled program. */
const STAMP = new URL('../schemas.sha256', import.meta.url);

/** SHA-256 over all paths and texts, base64url. */
function digestOf(files: ReadonlyMap<string, string>): string {
  return toBase64url(sha256([...files].map(([path, text]) => `${path}\0${text.length}\0${text}`).join('\0')));
}

/** Whether the build of this program has checked exactly these texts. False when it runs from its sources. */
export async function areSchemasChecked(files: ReadonlyMap<string, string>): Promise<boolean> {
  try {
    return (await readFile(STAMP, 'utf8')) === digestOf(files);
  } catch {
    return false; // not stamped: they are checked at the start
  }
}

/** Remembers, beside the program that checked them, that these texts are sound. */
export async function stampSchemas(files: ReadonlyMap<string, string>): Promise<void> {
  await writeFile(STAMP, digestOf(files));
}

/** Differs when the program beside the running one was built from other sources; empty when it runs from its sources. */
export async function programMark(): Promise<string> {
  try {
    return await readFile(new URL('../.sources', import.meta.url), 'utf8');
  } catch {
    return ''; // not built by this project's build: nothing to compare
  }
}
