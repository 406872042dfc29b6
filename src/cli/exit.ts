import type { ShenbaoError } from '../client/client.ts';
import type { Text } from '../std/text.ts';

/** Exit codes of the contract. */
export const EXIT = {
  done: 0,
  /** The gateway said no, or a proof does not hold. */
  refused: 1,
  usage: 2,
  /** Nothing is known to be lost: run it again. */
  unreachable: 3,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** The person at the keyboard has to change something. */
export class UsageError extends Error {
  readonly text: Text;

  constructor(text: Text) {
    super(text.en);
    this.name = 'UsageError';
    this.text = text;
  }
}

/** Whatever may pass by itself counts as unreachable: the same command can be run again. */
export function exitCodeOf(error: ShenbaoError): ExitCode {
  if (error.code === 'usage') return EXIT.usage;
  return error.retryable ? EXIT.unreachable : EXIT.refused;
}

/** `ENOENT` and the like as a sentence, without a stack. */
export function fileError(file: string, error: unknown): UsageError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const known = FILE_ERRORS[code] ?? { zh: `无法读写（${code}）`, en: `cannot be used (${code})` };
  return new UsageError({ zh: `${file}：${known.zh}`, en: `${file}: ${known.en}` });
}

const FILE_ERRORS: Readonly<Record<string, Text>> = {
  ENOENT: { zh: '没有这个文件或文件夹', en: 'no such file or folder' },
  EACCES: { zh: '没有权限', en: 'permission denied' },
  EISDIR: { zh: '这是文件夹，应为文件', en: 'a folder, where a file is needed' },
  EEXIST: { zh: '文件已存在；要覆盖请加 --force', en: 'the file exists; --force overwrites it' },
  ENOSPC: { zh: '磁盘已满', en: 'the disk is full' },
};
