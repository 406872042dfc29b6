#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { CommanderError, InvalidArgumentError, Option, Command as Program } from 'commander';
import { ShenbaoError } from '../client/client.ts';
import { readCliConfig } from '../ops/cli-config.ts';
import { systemClock } from '../std/clock.ts';
import { StartError } from '../std/start-error.ts';
import type { Language, Text } from '../std/text.ts';
import type { Command, CommandOption, OptionValues } from './command.ts';
import { audit } from './commands/audit.ts';
import { fileZero } from './commands/file-zero.ts';
import { importParties } from './commands/import.ts';
import { keygen } from './commands/keygen.ts';
import { mandate } from './commands/mandate.ts';
import { obligations } from './commands/obligations.ts';
import { prefill } from './commands/prefill.ts';
import { pull } from './commands/pull.ts';
import { recover } from './commands/recover.ts';
import { reload } from './commands/reload.ts';
import { serve } from './commands/serve.ts';
import { sign } from './commands/sign.ts';
import { status } from './commands/status.ts';
import { submit } from './commands/submit.ts';
import { trail } from './commands/trail.ts';
import { validate } from './commands/validate.ts';
import { verify } from './commands/verify.ts';
import type { CliContext } from './context.ts';
import { EXIT, exitCodeOf, fileError, UsageError } from './exit.ts';
import { Terminal } from './terminal.ts';

const COMMANDS: readonly Command[] = [
  serve,
  keygen,
  sign,
  validate,
  submit,
  status,
  obligations,
  prefill,
  fileZero,
  verify,
  pull,
  mandate,
  importParties,
  reload,
  recover,
  audit,
  trail,
];

const environment = readCliConfig();

const GLOBAL_OPTIONS: readonly CommandOption[] = [
  { flags: '--gateway <url>', text: { zh: '网关地址', en: 'where the gateway is' }, fallback: environment.gateway },
  { flags: '--key <file>', text: { zh: '私钥 JWK 文件（含 sub）', en: 'private JWK with sub' } },
  {
    flags: '--wait <seconds>',
    text: { zh: '无应答时重试多久', en: 'how long to keep trying without an answer' },
    fallback: '30',
    range: [0, 86_400],
  },
  {
    flags: '--json',
    text: { zh: '标准输出只有 JSON，每行一个值', en: 'nothing but JSON on standard output, a value a line' },
  },
  {
    flags: '--lang <language>',
    text: { zh: '语言', en: 'language' },
    fallback: environment.language,
    choices: ['zh', 'en'],
  },
  { flags: '--quiet', text: { zh: '不显示进度和提示', en: 'no progress, no hints' } },
];

/** Commander's headings; it prints its errors in English only. */
const HEADINGS: Readonly<Record<string, string>> = {
  'Usage:': '用法：',
  'Arguments:': '参数：',
  'Options:': '选项：',
  'Global Options:': '全局选项：',
  'Commands:': '命令：',
};

function buildProgram(language: Language, abort: AbortSignal, finish: (code: number) => void): Program {
  const say = (text: Text): string => text[language];
  const program = new Program('shenbao');
  program
    .description(say({ zh: '电子申报网关的命令行', en: 'Command line of the electronic declaration gateway' }))
    .version(packageVersion(), '-V, --version', say({ zh: '显示版本', en: 'show the version' }))
    .exitOverride()
    .showHelpAfterError(false)
    .helpOption('-h, --help', say({ zh: '显示帮助', en: 'show help' }))
    .helpCommand('help [command]', say({ zh: '显示某个命令的帮助', en: 'show help for a command' }))
    .configureHelp({
      showGlobalOptions: true,
      styleTitle: (title) => (language === 'zh' ? (HEADINGS[title] ?? title) : title),
    })
    .addHelpText(
      'after',
      `\n${say({ zh: '退出码：0 完成，1 被网关退回，2 用法有误，3 网关无应答（没有丢失，再运行一次即可）', en: 'Exit codes: 0 done, 1 refused by the gateway, 2 usage, 3 unreachable (nothing is known to be lost: run it again)' })}`,
    );
  for (const option of GLOBAL_OPTIONS) program.addOption(commanderOption(option, say));
  for (const command of COMMANDS) {
    const sub = program.command(`${command.name} ${command.args}`.trim()).summary(say(command.summary));
    sub.description(
      [command.summary, command.details]
        .filter((text) => text !== undefined)
        .map(say)
        .join('\n'),
    );
    for (const option of command.options) sub.addOption(commanderOption(option, say));
    sub.action(async () => {
      const ctx = contextOf(sub.optsWithGlobals<OptionValues>(), language, abort);
      finish(await run(ctx, () => command.run(ctx, sub.processedArgs.flat().map(String), sub.opts<OptionValues>())));
    });
  }
  return program;
}

/** The same place from src and from dist. */
function packageVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { readonly version: string }).version;
}

function commanderOption(
  { flags, text, fallback, choices, range }: CommandOption,
  say: (text: Text) => string,
): Option {
  const option = new Option(flags, say(text));
  if (fallback !== undefined) option.default(range === undefined ? fallback : Number(fallback));
  if (choices !== undefined) option.choices([...choices]);
  if (range !== undefined) {
    const [least, most] = range;
    option.argParser((value: string) => {
      if (/^\d{1,9}$/.test(value) && Number(value) >= least && Number(value) <= most) return Number(value);
      throw new InvalidArgumentError(`${least}..${most}`);
    });
  }
  return option;
}

function contextOf(options: OptionValues, language: Language, signal: AbortSignal): CliContext {
  const key = options.key ?? environment.keyFile;
  const { stdout, stderr } = process;
  const { noColor } = environment;
  const terminal = new Terminal({
    language,
    json: options.json === true,
    quiet: options.quiet === true,
    noColor,
    stdout,
    stderr,
  });
  const gateway = String(options.gateway);
  return {
    terminal,
    signal,
    clock: systemClock,
    global: { gateway, wait: Number(options.wait), ...(typeof key === 'string' ? { key } : {}) },
  };
}

/** What a command throws, told in words, and its exit code. */
async function run(ctx: CliContext, command: () => Promise<number>): Promise<number> {
  const { terminal, global } = ctx;
  try {
    if (!URL.canParse(global.gateway))
      throw new UsageError({ zh: '--gateway 应为网址', en: '--gateway must be a URL' });
    return await command();
  } catch (error) {
    if (ctx.signal.aborted) return EXIT.unreachable;
    if (error instanceof UsageError) {
      terminal.fail(error.text);
      return EXIT.usage;
    }
    if (error instanceof StartError) {
      terminal.fail(error.text);
      return error.exitCode;
    }
    if (isFileFault(error)) {
      terminal.fail(fileError(error.path ?? '', error).text);
      return EXIT.usage;
    }
    if (!(error instanceof ShenbaoError)) throw error;
    const code = exitCodeOf(error);
    if (code === EXIT.unreachable) {
      terminal.fail({
        zh: `${global.gateway} 无应答（${error.code}）。没有已知的丢失：再运行一次即可。`,
        en: `${global.gateway} does not answer (${error.code}). Nothing is known to be lost: run it again.`,
      });
    }
    if (code !== EXIT.unreachable || terminal.json) terminal.problem(error);
    return code;
  }
}

/** A full disk, a folder that may not be written to: the machine's matter, not a fault of the program. */
function isFileFault(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error && 'errno' in error;
}

/** `--lang` decides the language of the help too, so it is read before commander reads anything. */
function languageOf(argv: readonly string[]): Language {
  const at = argv.indexOf('--lang');
  const value = at >= 0 ? argv[at + 1] : argv.find((word) => word.startsWith('--lang='))?.slice('--lang='.length);
  return value === 'zh' || value === 'en' ? value : environment.language;
}

async function main(argv: readonly string[]): Promise<number> {
  const abort = new AbortController();
  let code: number = EXIT.done;
  const program = buildProgram(languageOf(argv), abort.signal, (finished) => {
    code = finished;
  });
  // The gateway that `serve` runs has its own way to stop.
  if (!argv.includes('serve')) process.once('SIGINT', () => abort.abort());
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
    throw error;
  }
}

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // `shenbao ... | head` closes the pipe: there is nobody left to tell.
  if (error.code === 'EPIPE') process.exit(EXIT.done);
  throw error;
});
process.exitCode = await main(process.argv.slice(2));
