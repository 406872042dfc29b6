import { buildCatalogue } from '../domain/catalogue.ts';
import { readSchemaFiles, SCHEMAS_FOLDER } from '../ops/schemas.ts';

/** `npm run schemas:check [folder]`: prints every problem as file:line and exits with 1 when there is one. */
async function main(folder: string): Promise<number> {
  const files = await readSchemaFiles(folder);
  const catalogue = buildCatalogue(files);
  for (const { file, line, message } of catalogue.problems ?? [])
    console.error(`${folder}/${file}:${line}: ${message.en}`);
  if (catalogue.catalogue === undefined) return 1;
  for (const [type, { versions }] of catalogue.catalogue.types) {
    for (const [version, { rules }] of versions) console.log(`${type} ${version}: ${rules.length} rules`);
  }
  return 0;
}

process.exitCode = await main(process.argv[2] ?? SCHEMAS_FOLDER);
