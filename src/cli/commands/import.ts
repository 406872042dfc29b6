import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { problemError } from '../../client/errors.ts';
import { splitLines } from '../../std/lines.ts';
import type { Command } from '../command.ts';
import { connect, requireKey } from '../context.ts';
import { EXIT, fileError } from '../exit.ts';
import { Progress } from '../progress.ts';

const LINE_BYTES = 1024 * 1024;

export const importParties: Command = {
  name: 'import',
  args: '<file>',
  summary: {
    zh: '导入机关、主体、密钥、登记、委托（NDJSON，运维方）',
    en: 'import offices, parties, keys, registrations, mandates (NDJSON; operator)',
  },
  details: {
    zh: '逐行回报；有误的行不影响其他行。重复导入没有害处。- 表示标准输入。',
    en: 'Every line gets an answer, and a bad one stops no other. Importing again does no harm. - is standard input.',
  },
  options: [],
  async run(ctx, [file = '']) {
    await requireKey(ctx);
    const client = await connect(ctx);
    const input = await openInput(file);
    const progress = new Progress(ctx.terminal.progressStream(), () => ctx.clock.monotonic());
    const numbers: number[] = [];
    const lines = readLines(input.chunks, numbers, (bytes) => {
      input.readBytes += bytes;
    });
    let done = 0;
    let failed = 0;
    try {
      for await (const result of client.importLines(lines, { signal: ctx.signal })) {
        done++;
        // Answers count lines that were sent; people count the file's.
        const line = numbers[result.line - 1] ?? result.line;
        if (result.problem !== undefined) {
          failed++;
          progress.clear();
          ctx.terminal.problem(problemError(result.problem), `${file}:${line}`);
        }
        const share = input.totalBytes === 0 ? undefined : input.readBytes / input.totalBytes;
        progress.draw(
          share,
          ctx.terminal.say({ zh: `${done} 行，${failed} 行有误`, en: `${done} lines, ${failed} refused` }),
        );
      }
    } finally {
      progress.clear();
    }
    ctx.terminal.result({ summary: { lines: done, imported: done - failed, refused: failed } }, () => [
      ctx.terminal.say({
        zh: `导入 ${done - failed} 行，${failed} 行有误`,
        en: `${done - failed} lines imported, ${failed} refused`,
      }),
    ]);
    return failed === 0 ? EXIT.done : EXIT.refused;
  },
};

interface Input {
  readonly chunks: AsyncIterable<Uint8Array>;
  readonly totalBytes: number;
  readBytes: number;
}

async function openInput(file: string): Promise<Input> {
  if (file === '-') return { chunks: process.stdin, totalBytes: 0, readBytes: 0 };
  const found = await stat(file).catch((error: unknown) => {
    throw fileError(file, error);
  });
  if (found.isDirectory()) throw fileError(file, Object.assign(new Error('a folder'), { code: 'EISDIR' }));
  return { chunks: createReadStream(file, { highWaterMark: 256 * 1024 }), totalBytes: found.size, readBytes: 0 };
}

async function* readLines(
  chunks: AsyncIterable<Uint8Array>,
  numbers: number[],
  onRead: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  for await (const { number, bytes } of splitLines(chunks, LINE_BYTES)) {
    numbers.push(number);
    onRead(bytes.length + 1);
    yield bytes;
  }
}
