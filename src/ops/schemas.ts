import { readdir, readFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The `schemas` folder of the package: two levels up from `src/ops` and from `dist/ops` alike. */
export const SCHEMAS_FOLDER = fileURLToPath(new URL('../../schemas', import.meta.url));

/** The texts of all JSON files below a folder, by their path relative to it with `/` between the parts. */
export async function readSchemaFiles(folder: string = SCHEMAS_FOLDER): Promise<Map<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile() && entry.name.endsWith('.json'))
    .map((entry) => join(entry.parentPath, entry.name));
  const texts = await Promise.all(
    paths
      .sort()
      .map(async (path) => [relative(folder, path).split(sep).join('/'), await readFile(path, 'utf8')] as const),
  );
  return new Map(texts);
}
