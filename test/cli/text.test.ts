import { describe, expect, test } from 'vitest';
import { mapConcurrent } from '../../src/cli/concurrent.ts';
import { Progress } from '../../src/cli/progress.ts';
import { padEnd, plain, table, width } from '../../src/cli/text.ts';

describe('text on a terminal', () => {
  test.each([
    ['abc', 3],
    ['申报', 4],
    ['（逾期）', 8],
    ['é', 1],
    ['e\u0301', 1],
    ['a申b', 4],
    ['😀', 2],
  ])('%s takes %i columns', (text, columns) => expect(width(text)).toBe(columns));

  test('columns line up, whatever the script', () => {
    const lines = table([
      ['编号', 'x'],
      ['id', 'y'],
    ]);
    expect(lines).toEqual(['编号  x', 'id    y']);
    expect(padEnd('申', 4)).toBe('申  ');
  });

  test('nothing that a terminal obeys gets through', () => {
    expect(plain('a\u001b[31mb\r\nc\u0007\u202ed\u2066')).toBe('a [31mb c d ');
  });

  test('a progress line never breaks over the edge', () => {
    const written: string[] = [];
    const stream = { columns: 40, write: (text: string) => written.push(text) } as unknown as NodeJS.WriteStream;
    let now = 0;
    const progress = new Progress(stream, () => now);
    progress.draw(0.5, '已收 1,234 份，此前已收 0 份，退回 0 份');
    now = 50;
    progress.draw(0.6, 'too early to be drawn again');
    expect(written).toHaveLength(1);
    expect(width((written[0] as string).slice('\r\u001b[2K'.length))).toBeLessThan(40);
    progress.clear();
    progress.clear();
    expect(written).toHaveLength(2);
  });
});

describe('working side by side', () => {
  async function* numbers(count: number, read: number[] = []): AsyncGenerator<number> {
    for (let n = 0; n < count; n++) {
      read.push(n);
      yield n;
    }
  }

  test('every item once, never more than the limit at a time', async () => {
    let running = 0;
    let most = 0;
    const done: number[] = [];
    const work = async (n: number): Promise<number> => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, (n * 7) % 5));
      running--;
      return n;
    };
    for await (const n of mapConcurrent(numbers(50), 4, work)) done.push(n);
    expect(done.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, n) => n));
    expect(most).toBe(4);
  });

  test('an error stops the reading and is thrown once all that ran has ended', async () => {
    const read: number[] = [];
    let ended = 0;
    const work = async (n: number): Promise<void> => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      ended++;
      if (n === 1) throw new Error('one');
    };
    const all = async (): Promise<void> => {
      for await (const _ of mapConcurrent(numbers(100, read), 3, work));
    };
    await expect(all()).rejects.toThrow('one');
    expect(ended).toBe(read.length);
    expect(read.length).toBeLessThan(10);
  });
});
