import type { Text } from './text.ts';

/**
 * Why the gateway will not start, told to the person who starts it. `exitCode` is the process's: 2 for a setting that
 * must be changed, 1 for anything else.
 */
export class StartError extends Error {
  readonly text: Text;
  readonly exitCode: 1 | 2;

  constructor(text: Text, options: { exitCode?: 1 | 2; cause?: unknown } = {}) {
    super(`${text.zh}\n${text.en}`, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'StartError';
    this.text = text;
    this.exitCode = options.exitCode ?? 1;
  }
}
