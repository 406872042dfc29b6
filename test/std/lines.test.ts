import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LineTooLong, splitLines } from '../../src/std/lines.ts';

async function collect(text: string, chunkBytes: number, maxBytes = 1_000): Promise<[number, string][]> {
  const bytes = Buffer.from(text);
  async function* chunks(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
  }
  const lines: [number, string][] = [];
  for await (const line of splitLines(chunks(), maxBytes)) lines.push([line.number, line.bytes.toString()]);
  return lines;
}

describe('lines of a stream', () => {
  it('are the same whatever the chunks', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ unit: 'grapheme', maxLength: 20 })),
        fc.integer({ min: 1, max: 9 }),
        async (words, chunkBytes) => {
          const lines = words.map((word) => word.replace(/[\r\n]/g, ' '));
          const expected = lines.map((line, i): [number, string] => [i + 1, line]).filter(([, line]) => line !== '');
          expect(await collect(lines.join('\n'), chunkBytes)).toEqual(expected);
        },
      ),
    );
  });

  it('number as editors do, over blank lines and either kind of line end', async () => {
    expect(await collect('a\r\n\nb\n\r\nc', 2)).toEqual([
      [1, 'a'],
      [3, 'b'],
      [5, 'c'],
    ]);
  });

  it('are refused when too long, with their number, before they are whole', async () => {
    const error = await collect(`ok\n${'x'.repeat(50)}`, 7, 20).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(LineTooLong);
    expect((error as LineTooLong).line).toBe(2);
  });
});
