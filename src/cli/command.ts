import type { Text } from '../std/text.ts';
import type { CliContext } from './context.ts';
import type { ExitCode } from './exit.ts';

/** An option of one command, in commander's notation: `--max <n>`. */
export interface CommandOption {
  readonly flags: string;
  readonly text: Text;
  readonly fallback?: string;
  readonly choices?: readonly string[];
  /** Parsed as a whole number within these bounds. */
  readonly range?: readonly [number, number];
}

/** What commander made of a command's own options, by their camel-case names. */
export type OptionValues = Readonly<Record<string, string | number | boolean | undefined>>;

/** One row of the table of commands. */
export interface Command {
  readonly name: string;
  /** In commander's notation: `<file>`, `[files...]`. */
  readonly args: string;
  readonly summary: Text;
  /** Below the summary in `shenbao help <command>`. */
  readonly details?: Text;
  readonly options: readonly CommandOption[];
  run(ctx: CliContext, args: readonly string[], options: OptionValues): Promise<ExitCode>;
}

export function textOption(options: OptionValues, name: string): string | undefined {
  const value = options[name];
  return typeof value === 'string' ? value : undefined;
}

/** For options that have a fallback. */
export function numberOption(options: OptionValues, name: string): number {
  return Number(options[name]);
}
