import { scanOutput } from './output-scan.ts';

const SHOWN = 20;

/** `test/run.mjs` runs this over what the tests' programs have printed. Exit code 1 when something submitted is in it. */
const { values, characters, leaks } = scanOutput(process.argv[2] ?? '.');
process.stdout.write(`${values} submitted values, ${Math.round(characters / 1024)} KiB of output\n`);
const told = [
  ...new Set(leaks.map(({ file, line, field }) => `${file}:${line} prints what was submitted as ${field}\n`)),
];
for (const each of told.slice(0, SHOWN)) process.stderr.write(each);
if (told.length > SHOWN) process.stderr.write(`and ${told.length - SHOWN} more\n`);
// A run that kept nothing has shown nothing.
process.exitCode = leaks.length > 0 || characters === 0 ? 1 : 0;
