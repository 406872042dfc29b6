import { spawn } from 'node:child_process';
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  compactHeadsFile,
  HeadsFile,
  keepHeadsSmall,
  readHeadsFile,
  type SignedHead,
} from '../../src/log/heads-file.ts';
import { sha256 } from '../../src/std/bytes.ts';
import { splitLines } from '../../src/std/lines.ts';
import { StartError } from '../../src/std/start-error.ts';
import { silentLogger } from '../support/logger.ts';

const program = fileURLToPath(new URL('../support/heads-program.ts', import.meta.url));
let folder: string;
let file: string;
let files = 0;

beforeAll(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'shenbao-heads-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
beforeEach(() => {
  file = path.join(folder, `heads-${++files}.log`);
});

const rootOf = (office: string, size: number): Buffer => sha256(`${office} ${size}`);
const head = (office: string, size: number): SignedHead => ({ office, size, root: rootOf(office, size), signedAt: 17 });
const lineOf = (office: string, size: number): string =>
  `${office} ${size} ${rootOf(office, size).toString('base64')} 17\n`;

async function record(target: HeadsFile, ...heads: readonly SignedHead[]): Promise<void> {
  await Promise.all(heads.map(({ office, ...rest }) => target.record(office, rest)));
}

const largest = async (): Promise<Record<string, number>> =>
  Object.fromEntries((await readHeadsFile(file)).map(({ office, size }) => [office === '' ? '-' : office, size]));

describe('the file of signed heads', () => {
  test('holds a line for each head, and each once', async () => {
    const heads = new HeadsFile(file);
    await record(heads, head('a', 1));
    await record(heads, head('a', 1), head('a', 3), head('b', 2));
    await record(heads, head('a', 2));
    await heads.record('', { size: 9, root: rootOf('-', 9), signedAt: 17 });
    await heads.close();
    expect(readFileSync(file, 'utf8')).toBe(lineOf('a', 1) + lineOf('a', 3) + lineOf('b', 2) + lineOf('-', 9));
    expect(await largest()).toEqual({ a: 3, b: 2, '-': 9 });
  });

  test('that does not exist, or is empty, holds nothing', async () => {
    expect(await readHeadsFile(file)).toEqual([]);
    writeFileSync(file, '');
    expect(await readHeadsFile(file)).toEqual([]);
  });

  test('gives the largest size of each log, and every root that was signed at it', async () => {
    const other = sha256('other');
    writeFileSync(file, `${lineOf('a', 5)}${lineOf('a', 7)}a 7 ${other.toString('base64')} 18\n${lineOf('a', 6)}`);
    expect(await readHeadsFile(file)).toEqual([head('a', 7), { office: 'a', size: 7, root: other, signedAt: 18 }]);
  });

  test.each([1, 7, 20, 50])('is read without its last line when a crash cut that after %i bytes', async (bytes) => {
    writeFileSync(file, lineOf('a', 1) + lineOf('b', 2).slice(0, bytes));
    expect(await largest()).toEqual({ a: 1 });
    const heads = new HeadsFile(file);
    await record(heads, head('b', 3));
    await heads.close();
    expect(await largest()).toEqual({ a: 1, b: 3 });
  });

  test.each([
    ['no line of ours', 'hello\n'],
    ['a root that is too short', 'a 5 AAAA 17\n'],
    ['a size with a zero before it', lineOf('a', 5).replace(' 5 ', ' 05 ')],
    ['a size beyond 2^53', lineOf('a', 5).replace(' 5 ', ' 9999999999999999 ')],
    ['two lines run together', `${lineOf('a', 5).slice(0, 20)}${lineOf('b', 6)}`],
    ['an endless line', `${'x'.repeat(100_000)}\n`],
  ])('is refused, with the number of the line, for %s', async (_, line) => {
    writeFileSync(file, `${lineOf('a', 1)}${line}${lineOf('a', 2)}`);
    const error = await readHeadsFile(file).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(StartError);
    expect((error as StartError).text).toEqual({
      zh: expect.stringContaining(`${file} 第 2 行`),
      en: expect.stringContaining(`Line 2 of ${file}`),
    });
  });

  test('knows the newest head of each log, whoever of several added it, and what stands between', async () => {
    const [one, two] = [new HeadsFile(file), new HeadsFile(file)];
    const newest = (heads: HeadsFile) => Promise.all(['a', 'b'].map(async (name) => (await heads.newest(name))?.size));
    for (let size = 1; size <= 20; size++) {
      await record(one, head('a', size));
      if (size % 3 === 0) expect(await newest(one)).toEqual([size, size - 1]);
      if (size % 4 === 0) appendFileSync(file, lineOf('b', 99).slice(0, size));
      if (size % 5 !== 0) await record(two, head('b', size));
      if (size % 5 === 0) await Promise.all([record(one, head('c', size)), record(two, head('b', size))]);
      expect(await newest(two)).toEqual([size, size]);
      if (size % 7 === 0) await compactHeadsFile(file, async (heads) => heads);
      expect(await newest(one)).toEqual([size, size]);
    }
    await Promise.all([one.close(), two.close()]);
    expect(await largest()).toEqual({ a: 20, b: 20, c: 20 });
  });

  test('takes what cannot be written for not recorded', async () => {
    const heads = new HeadsFile(path.join(folder, 'nowhere', 'heads.log'));
    await expect(record(heads, head('a', 1))).rejects.toMatchObject({ code: 'unavailable' });
    await heads.close();
  });
});

describe('compaction', () => {
  test('leaves one line a log', async () => {
    writeFileSync(file, lineOf('a', 1) + lineOf('a', 3) + lineOf('b', 2) + lineOf('a', 2));
    await compactHeadsFile(file, async (heads) => heads);
    expect(readFileSync(file, 'utf8')).toBe(lineOf('a', 3) + lineOf('b', 2));
  });

  test('leaves the file as it was when what is to be kept cannot be told', async () => {
    writeFileSync(file, lineOf('a', 1) + lineOf('a', 3));
    await expect(
      compactHeadsFile(file, async () => {
        throw new Error('no');
      }),
    ).rejects.toThrow('no');
    expect(readFileSync(file, 'utf8')).toBe(lineOf('a', 1) + lineOf('a', 3));
    expect(existsSync(`${file}.lock`)).toBe(false);
  });

  test('carries over what others add meanwhile, and they find the new file', async () => {
    const heads = new HeadsFile(file);
    await record(heads, head('a', 1));
    await compactHeadsFile(file, async (found) => {
      await record(heads, head('b', 1));
      return found;
    });
    expect(await largest()).toEqual({ a: 1, b: 1 });
    await record(heads, head('a', 2));
    await heads.close();
    expect(readFileSync(file, 'utf8')).toBe(lineOf('a', 1) + lineOf('b', 1) + lineOf('a', 2));
  });

  test('comes by itself once the file is large, also after a failure', async () => {
    const stop = keepHeadsSmall(file, silentLogger, { pollMs: 5, bytes: 1_000 });
    const heads = new HeadsFile(file);
    for (let size = 1; size <= 18; size++) await record(heads, head('a', size));
    expect(readFileSync(file, 'utf8').length).toBeLessThan(1_000);
    for (let size = 19; size <= 30; size++) await record(heads, head('a', size));
    await expect.poll(() => readFileSync(file, 'utf8').length, { timeout: 30_000 }).toBeLessThan(1_000);
    await Promise.all([heads.close(), stop()]);
    expect(await largest()).toEqual({ a: 30 });
  });

  test('loses nothing of what several add at once while it is done again and again', async () => {
    const writers = [1, 2, 3].map(() => new HeadsFile(file));
    let done = false;
    const compacting = (async () => {
      while (!done) await compactHeadsFile(file, async (heads) => heads);
    })();
    await Promise.all(
      writers.map(async (writer, w) => {
        for (let size = 1; size <= 60; size++) await record(writer, head(`w${w}`, size), head('shared', size * 3 + w));
      }),
    );
    done = true;
    await compacting;
    await Promise.all(writers.map((writer) => writer.close()));
    expect(await largest()).toEqual({ w0: 60, w1: 60, w2: 60, shared: 182 });
  });
});

/** A process that records heads of growing size and says, for each, that it is on disk. */
class Writer {
  readonly #process;
  readonly #ended: Promise<unknown>;
  /** The largest size that was said to be on disk. */
  size = 0;

  constructor(office: string) {
    this.#process = spawn(process.execPath, ['--import', 'tsx', program, file, office], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#ended = this.#read();
  }

  async #read(): Promise<void> {
    for await (const { bytes } of splitLines(this.#process.stdout, 100)) this.size = Number(bytes.toString());
  }

  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#ended;
  }
}

test('kill -9 of processes that write: what was recorded is there, and the file is never unreadable', async () => {
  for (let round = 0; round < 3; round++) {
    const writers = ['a', 'b', 'c'].map((name) => new Writer(`${name}${round}`));
    await expect.poll(() => Math.min(...writers.map(({ size }) => size)), { timeout: 60_000 }).toBeGreaterThan(20);
    // One after another: those that live on write behind what a dead one left.
    for (const [i, writer] of writers.entries()) {
      await writer.kill();
      const next = writers[i + 1];
      const before = next?.size ?? 0;
      await expect.poll(() => next === undefined || next.size > before + 3, { timeout: 60_000 }).toBe(true);
      expect((await largest())[`${'abc'[i]}${round}`]).toBeGreaterThanOrEqual(writer.size);
    }
    if (round % 2 === 0) appendFileSync(file, lineOf('torn', 1).slice(0, 9 + round));
  }
  expect(Object.keys(await largest()).sort()).toEqual(
    [0, 1, 2].flatMap((i) => ['a', 'b', 'c'].map((n) => `${n}${i}`)).sort(),
  );
}, 300_000);
