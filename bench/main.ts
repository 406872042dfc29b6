import { type ParseArgsConfig, parseArgs } from 'node:util';
import { Progress } from '../src/cli/progress.ts';
import { painter } from '../src/cli/text.ts';
import { audit } from './audit-command.ts';
import { bulk } from './bulk-command.ts';
import { type BenchCommand, type OnProgress, UsageError } from './command.ts';
import { deadline } from './deadline-command.ts';
import { growth } from './growth-command.ts';
import { http } from './http-command.ts';
import { overload } from './overload-command.ts';
import { peers } from './peers-command.ts';
import { pull } from './pull-command.ts';
import { repeatText, resultFile, resultText, writeText } from './report/files.ts';
import { readmeCommand, reportCommand, runSetCommand, SET_OPTIONS, SET_USAGE } from './set-command.ts';
import { single } from './single-command.ts';
import { validate } from './validate-command.ts';

const COMMANDS: Readonly<Record<string, BenchCommand>> = {
  single,
  peers,
  validate,
  audit,
  http,
  bulk,
  pull,
  overload,
  deadline,
  growth,
};

const COMMON = {
  json: { type: 'string' },
  save: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const;
const COMMON_USAGE = `  --json FILE          write the result as JSON
  --save               write it to bench/results/<date>-<commit>-<bench>.json
`;

interface Arguments {
  readonly command: BenchCommand;
  readonly values: Readonly<Record<string, unknown>>;
}

function usage(): string {
  return [SET_USAGE, ...Object.values(COMMANDS).map((command) => command.usage + COMMON_USAGE)].join('\n');
}

function parse<T extends Pick<ParseArgsConfig, 'options' | 'allowPositionals'>>(args: readonly string[], config: T) {
  try {
    return parseArgs({ args: [...args], strict: true, ...config });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function readArguments([name, ...rest]: readonly string[]): Arguments | 'help' {
  const command = name !== undefined && Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) throw new UsageError(`the benches are called ${Object.keys(COMMANDS).join(', ')}`);
  const { values } = parse(rest, { options: { ...command.options, ...COMMON } });
  return values.help === true ? 'help' : { command, values };
}

async function main(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  const progress = new Progress(process.stderr.isTTY ? process.stderr : undefined, () => performance.now());
  if (name === 'report') {
    const { values, positionals } = parse(rest, { options: { out: { type: 'string' } }, allowPositionals: true });
    await reportCommand(positionals, values.out);
    return 0;
  }
  if (name === 'readme') {
    await readmeCommand(parse(rest, { allowPositionals: true }).positionals);
    return 0;
  }
  if (name === undefined || name.startsWith('--')) {
    const { values } = parse(args, { options: SET_OPTIONS });
    if (values.help) return help();
    const { failed, lines } = await runSetCommand(
      values,
      teller(progress, (text) => text),
    );
    progress.clear();
    for (const line of lines) console.log(line);
    return failed ? 1 : 0;
  }
  const parsed = readArguments(args);
  return parsed === 'help' ? help() : runBench(parsed, args, progress);
}

function help(): number {
  process.stdout.write(usage());
  return 0;
}

async function runBench({ command, values }: Arguments, args: readonly string[], progress: Progress): Promise<number> {
  const { lines, faults, result } = await command.run(values, teller(progress, withoutNumbers));
  progress.clear();
  if (faults.length > 0) {
    const paint = painter(process.stdout.isTTY === true);
    for (const fault of faults) console.error(paint('red', fault));
    console.error('The run failed its check: no figures.');
    return 1;
  }
  for (const line of lines) console.log(line);
  const text = resultText({ ...result, command: repeatText(args) });
  if (typeof values.json === 'string') await writeText(values.json, text);
  if (values.save === true) await writeText(resultFile(result, `-${result.bench}`), text);
  return 0;
}

function withoutNumbers(text: string): string {
  return text.replaceAll(/\d+(\/s)? ?/g, '');
}

/** Where nothing can be drawn over, each step is told once. */
function teller(progress: Progress, nameOf: (text: string) => string): OnProgress {
  let step = '';
  return (text, share) => {
    const name = nameOf(text);
    if (!process.stderr.isTTY && name !== step) process.stderr.write(`${name} ...\n`);
    step = name;
    progress.draw(share, text);
  };
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof UsageError ? `${error.message}\n\n${usage()}` : error);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
