import type { Language } from '../std/text.ts';
import type { Environment } from './config.ts';

/** What the command line takes from the environment; options on the line win. */
export interface CliConfig {
  readonly language: Language;
  readonly gateway: string;
  readonly keyFile?: string;
  readonly noColor: boolean;
}

/** POSIX order of precedence for the language; https://no-color.org for colours. */
export function readCliConfig(environment: Environment = process.env): CliConfig {
  const locale = environment.LC_ALL || environment.LC_MESSAGES || environment.LANG || '';
  const keyFile = environment.SHENBAO_KEY;
  return {
    language: locale.toLowerCase().startsWith('zh') ? 'zh' : 'en',
    gateway: environment.SHENBAO_GATEWAY || 'http://127.0.0.1:8787',
    ...(keyFile === undefined || keyFile === '' ? {} : { keyFile }),
    noColor: (environment.NO_COLOR ?? '') !== '' || environment.TERM === 'dumb',
  };
}
