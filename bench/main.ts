import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Progress } from '../src/cli/progress.ts';
import { painter } from '../src/cli/text.ts';
import { audit } from './audit-command.ts';
import { bulk } from './bulk-command.ts';
import { type BenchCommand, type BenchReport, type OnProgress, UsageError } from './command.ts';
import { http } from './http-command.ts';
import { overload } from './overload-command.ts';
import { peers } from './peers-command.ts';
import { single } from './single-command.ts';
import { validate } from './validate-command.ts';

const COMMANDS: Readonly<Record<string, BenchCommand>> = { single, peers, validate, audit, http, bulk, overload };

const COMMON = {
  json: { type: 'string' },
  save: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const;
const COMMON_USAGE = `  --json FILE          write the result as JSON
  --save               write it to bench/results/<date>-<commit>-<bench>.json
`;

const RESULTS = fileURLToPath(new URL('./results/', import.meta.url));

interface Arguments {
  readonly command: BenchCommand;
  readonly values: Readonly<Record<string, unknown>>;
}

function usage(): string {
  return Object.values(COMMANDS)
    .map((command) => command.usage + COMMON_USAGE)
    .join('\n');
}

function readArguments([name, ...rest]: readonly string[]): Arguments | 'help' {
  if (name === undefined || name === '--help') return 'help';
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) throw new UsageError(`the benches are called ${Object.keys(COMMANDS).join(', ')}`);
  try {
    const { values } = parseArgs({ args: rest, options: { ...command.options, ...COMMON }, strict: true });
    return values.help === true ? 'help' : { command, values };
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

async function main(): Promise<number> {
  const parsed = readArguments(process.argv.slice(2));
  if (parsed === 'help') {
    process.stdout.write(usage());
    return 0;
  }
  const { command, values } = parsed;
  const progress = new Progress(process.stderr.isTTY ? process.stderr : undefined, () => performance.now());
  const { lines, faults, result } = await command.run(values, teller(progress));
  progress.clear();
  if (faults.length > 0) {
    const paint = painter(process.stdout.isTTY === true);
    for (const fault of faults) console.error(paint('red', fault));
    console.error('The run failed its check: no figures.');
    return 1;
  }
  for (const line of lines) console.log(line);
  if (typeof values.json === 'string') await keep(values.json, result);
  if (values.save === true)
    await keep(path.join(RESULTS, `${result.at.slice(0, 10)}-${result.commit}-${result.bench}.json`), result);
  return 0;
}

/** Where nothing can be drawn over, each step is told once. */
function teller(progress: Progress): OnProgress {
  let step = '';
  return (text, share) => {
    const name = text.replaceAll(/\d+(\/s)? ?/g, '');
    if (!process.stderr.isTTY && name !== step) process.stderr.write(`${name} ...\n`);
    step = name;
    progress.draw(share, text);
  };
}

async function keep(file: string, result: BenchReport['result']): Promise<void> {
  await mkdir(path.dirname(path.resolve(file)), { recursive: true });
  await writeFile(file, `${JSON.stringify(result, undefined, 2)}\n`);
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof UsageError ? `${error.message}\n\n${usage()}` : error);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
