import { readHolidayFiles } from '../calendar/holiday-files.ts';
import { buildCatalogue } from '../domain/catalogue.ts';
import { readSchemaFiles, SCHEMAS_FOLDER, stampSchemas } from '../ops/schemas.ts';

/**
 * `npm run schemas:check [folder]`: prints every problem as file:line and exits with 1 when there is one.
 * `--stamp`, for the build: says nothing, and lets the gateway know that the shipped types are sound.
 */
async function main(folder: string, isStamping: boolean): Promise<number> {
  const files = await readSchemaFiles(folder);
  const catalogue = buildCatalogue(files);
  const calendar = readHolidayFiles(files);
  for (const { file, line, message } of [...(catalogue.problems ?? []), ...calendar.problems])
    console.error(`${folder}/${file}:${line}: ${message.en}`);
  if (catalogue.catalogue === undefined || calendar.problems.length > 0) return 1;
  if (isStamping) {
    await stampSchemas(files);
    return 0;
  }
  for (const [type, { versions }] of catalogue.catalogue.types) {
    for (const [version, { rules }] of versions) console.log(`${type} ${version}: ${rules.length} rules`);
  }
  for (const { year, verified, off, work } of calendar.years)
    console.log(
      `calendar ${year}${verified ? '' : ' (draft)'}: ${off.length} holidays, ${work.length} days worked in exchange`,
    );
  return 0;
}

const isStamping = process.argv[2] === '--stamp';
process.exitCode = await main(isStamping ? SCHEMAS_FOLDER : (process.argv[2] ?? SCHEMAS_FOLDER), isStamping);
