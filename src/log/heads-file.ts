import { type FileHandle, open, rename, stat } from 'node:fs/promises';
import path from 'node:path';
import { GatewayError } from '../std/errors.ts';
import { LineTooLong, splitLines } from '../std/lines.ts';
import { StartError } from '../std/start-error.ts';
import type { Logger } from '../std/telemetry.ts';
import { withLock } from '../storage/embedded/lock.ts';
import { failureCode } from '../storage/failures.ts';
import type { HeadGuard } from './context.ts';
import { sameBytes } from './merkle.ts';

// The newest signed heads outside the database: a database that was restored to an earlier state is known by them. One
// line a head, `<office> <size> <base64 root> <milliseconds>`, added at the end; `-` stands for the national log. Any
// number of processes may add to one file.

/** A head that was signed. */
export interface SignedHead {
  /** The office's code; empty for the national log. */
  readonly office: string;
  readonly size: number;
  /** 32 bytes. */
  readonly root: Buffer;
  /** Milliseconds since the epoch. */
  readonly signedAt: number;
}

const NATIONAL = '-';
const MAX_LINE_BYTES = 256;
/**
 * Ends what a process that was killed left of a line, so that the next line stands on its own. A line that ends in it
 * says nothing.
 */
const CUT_SHORT = '!';
const LINE = /^(\S{1,32}) (0|[1-9]\d{0,15}) ([A-Za-z0-9+/]{43}=) (\d{1,16})$/;

export function headsFileIn(dataDir: string): string {
  return path.join(dataDir, 'heads.log');
}

/**
 * Adds to the file. What is recorded at the same time in one process is written and flushed together. A disk that is
 * full answers `unavailable`: the checkpoint then stays inside.
 */
export class HeadsFile implements HeadGuard {
  readonly #file: string;
  /** By office, the largest size that this process has put on disk. */
  readonly #recorded = new Map<string, number>();
  /** By office, the largest head in the file, as far as it was read: others write to it too. */
  readonly #known = new Map<string, SignedHead>();
  #read: { readonly identity: string | undefined; readonly to: number } = { identity: undefined, to: 0 };
  #reading: Promise<void> | undefined;
  #waiting = new Map<string, SignedHead>();
  #next: Promise<void> | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #open: { readonly handle: FileHandle; readonly identity: string } | undefined;
  /** Where the lines of this process that were added last end. */
  #written: { readonly identity: string | undefined; readonly to: number } = { identity: undefined, to: 0 };

  constructor(file: string) {
    this.#file = file;
  }

  record(office: string, { size, root, signedAt }: Omit<SignedHead, 'office'>): Promise<void> {
    // A head stands for all smaller ones: they are checked to be consistent before they are signed.
    if ((this.#recorded.get(office) ?? -1) >= size) return Promise.resolve();
    const waiting = this.#waiting.get(office);
    if (waiting === undefined || waiting.size < size) this.#waiting.set(office, { office, size, root, signedAt });
    if (this.#next === undefined) {
      this.#next = this.#last.then(() => this.#flush());
      this.#last = this.#next.catch(() => undefined);
    }
    return this.#next;
  }

  async newest(office: string): Promise<SignedHead | undefined> {
    this.#reading ??= this.#readOn().finally(() => {
      this.#reading = undefined;
    });
    try {
      await this.#reading;
    } catch (cause) {
      throw new GatewayError('unavailable', { cause });
    }
    return this.#known.get(office);
  }

  /** What was added since the last time; all of it when another file has taken its place. */
  async #readOn(): Promise<void> {
    // Asked for with every batch: one call when nothing was added.
    const found = await statOf(this.#file);
    if (found === undefined || (found.identity === this.#read.identity && found.size === this.#read.to)) return;
    const handle = await openExisting(this.#file);
    if (handle === undefined) return;
    try {
      const identity = identityOf(await handle.stat());
      const from = identity === this.#read.identity ? this.#read.to : 0;
      const { heads, end } = await readHeads(handle, this.#file, from);
      for (const head of heads) this.#keepLargest(head);
      this.#read = { identity, to: end };
    } finally {
      await handle.close();
    }
  }

  /** After the last `record`. */
  async close(): Promise<void> {
    await this.#last;
    await this.#open?.handle.close();
    this.#open = undefined;
  }

  async #flush(): Promise<void> {
    const heads = [...this.#waiting.values()];
    this.#waiting = new Map();
    this.#next = undefined;
    try {
      await this.#append(heads);
    } catch (cause) {
      throw new GatewayError('unavailable', { cause });
    }
    for (const { office, size } of heads) this.#recorded.set(office, Math.max(size, this.#recorded.get(office) ?? 0));
  }

  async #append(heads: readonly SignedHead[]): Promise<void> {
    const lines = heads.map(formatLine).join('');
    for (;;) {
      this.#open ??= await openForAppend(this.#file);
      const { handle, identity } = this.#open;
      const { from, to } = await writeLines(handle, lines, this.#ownEnd(identity));
      // Another process may have put a compacted file in its place, which need not have these lines.
      const after = await statOf(this.#file);
      if (after?.identity === identity) {
        this.#wrote(heads, { from, to, after });
        return;
      }
      this.#open = undefined;
      await handle.close();
    }
  }

  /** Where what this process wrote last ends in a line, if that is still the end of the file. */
  #ownEnd(identity: string): number | undefined {
    return this.#written.identity === identity ? this.#written.to : undefined;
  }

  /** What is known to be the only thing that was added since the file was read need not be read. */
  #wrote(heads: readonly SignedHead[], { from, to, after }: { from: number; to: number; after: FoundFile }): void {
    // Otherwise somebody else wrote at the same time, before these lines or behind them.
    if (after.size !== to) return;
    this.#written = { identity: after.identity, to };
    if (this.#read.identity !== after.identity || this.#read.to !== from) return;
    for (const head of heads) this.#keepLargest(head);
    this.#read = { identity: after.identity, to };
  }

  #keepLargest(head: SignedHead): void {
    if ((this.#known.get(head.office)?.size ?? -1) < head.size) this.#known.set(head.office, head);
  }
}

/** The folder is flushed too: a file that a power failure takes away guards nothing. */
async function openForAppend(file: string): Promise<{ handle: FileHandle; identity: string }> {
  const handle = await open(file, 'a+', 0o600);
  await flushFolder(path.dirname(file));
  return { handle, identity: identityOf(await handle.stat()) };
}

async function flushFolder(folder: string): Promise<void> {
  // Windows opens no folders.
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

interface FoundFile {
  /** Another one when another file has taken its place. */
  readonly identity: string;
  readonly size: number;
}

/** Undefined when there is no such file. */
async function statOf(file: string): Promise<FoundFile | undefined> {
  try {
    const found = await stat(file);
    return { identity: identityOf(found), size: found.size };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function identityOf({ dev, ino }: { readonly dev: number; readonly ino: number }): string {
  return `${dev}:${ino}`;
}

/** Tells where they stand, unless others write at the same time. `lineEnd`: where a line is known to end. */
async function writeLines(
  handle: FileHandle,
  lines: string,
  lineEnd?: number,
): Promise<{ readonly from: number; readonly to: number }> {
  const { size: from } = await handle.stat();
  const isWhole = from === lineEnd || (await endsInLine(handle, from));
  const bytes = Buffer.from(isWhole ? lines : `${CUT_SHORT}\n${lines}`);
  // One write: the system puts what others add before it or behind it, never into it.
  const { bytesWritten } = await handle.write(bytes);
  if (bytesWritten !== bytes.length) throw Object.assign(new Error('heads.log was cut short'), { code: 'ENOSPC' });
  await handle.datasync();
  return { from, to: from + bytes.length };
}

async function endsInLine(handle: FileHandle, size: number): Promise<boolean> {
  if (size === 0) return true;
  const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, size - 1);
  return buffer[0] === 0x0a;
}

function formatLine({ office, size, root, signedAt }: SignedHead): string {
  return `${office === '' ? NATIONAL : office} ${size} ${root.toString('base64')} ${signedAt}\n`;
}

/**
 * For each log the head of the largest size, and every other root that was signed at that size. Empty when there is no
 * file. Throws a StartError for a line that nobody of us wrote; a last line without its end is what a crash leaves.
 */
export async function readHeadsFile(file: string): Promise<SignedHead[]> {
  const handle = await openExisting(file);
  if (handle === undefined) return [];
  try {
    return (await readHeads(handle, file)).heads;
  } finally {
    await handle.close();
  }
}

async function openExisting(file: string): Promise<FileHandle | undefined> {
  try {
    return await open(file, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** `end` is where the last whole line ends. */
async function readHeads(handle: FileHandle, file: string, from = 0): Promise<{ heads: SignedHead[]; end: number }> {
  const largest = new Map<string, SignedHead[]>();
  const tail = await readTail(handle, from);
  const end = tail.start + tail.lines.length;
  if (end <= from) return { heads: [], end: from };
  // What a gateway reads on is a few lines.
  const chunks =
    tail.start === from ? [tail.lines] : handle.createReadStream({ autoClose: false, start: from, end: end - 1 });
  try {
    for await (const { number, bytes } of splitLines(chunks, MAX_LINE_BYTES)) keep(largest, bytes, file, number);
  } catch (error) {
    if (error instanceof LineTooLong) throw malformed(file, error.line);
    throw error;
  }
  return { heads: [...largest.values()].flat(), end };
}

const TAIL_BYTES = MAX_LINE_BYTES * 64;

/** The last whole lines, from `from` on; behind them stands at most what a crash left, or what is being written now. */
async function readTail(handle: FileHandle, from: number): Promise<{ start: number; lines: Buffer }> {
  const { size } = await handle.stat();
  const start = Math.max(from, size - TAIL_BYTES);
  const length = size - start;
  if (length <= 0) return { start: from, lines: Buffer.alloc(0) };
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, start);
  return { start, lines: buffer.subarray(0, buffer.subarray(0, bytesRead).lastIndexOf(0x0a) + 1) };
}

function keep(largest: Map<string, SignedHead[]>, bytes: Buffer, file: string, number: number): void {
  const line = bytes.toString('latin1');
  if (line.endsWith(CUT_SHORT)) return;
  const head = parseLine(line);
  if (head === undefined) throw malformed(file, number);
  const known = largest.get(head.office);
  if (known?.[0] === undefined || known[0].size < head.size) largest.set(head.office, [head]);
  else if (known[0].size === head.size && !known.some(({ root }) => sameBytes(root, head.root))) known.push(head);
}

function parseLine(line: string): SignedHead | undefined {
  const [, office, size, root, signedAt] = LINE.exec(line) ?? [];
  if (office === undefined || root === undefined || !Number.isSafeInteger(Number(size))) return undefined;
  return {
    office: office === NATIONAL ? '' : office,
    size: Number(size),
    root: Buffer.from(root, 'base64'),
    signedAt: Number(signedAt),
  };
}

function malformed(file: string, line: number): StartError {
  return new StartError({
    zh: `${file} 第 ${line} 行不是网关所写，无法据此判断数据库是否被恢复到较早的状态。请从备份中取回该文件；若确知该行无用，可将其删除后再启动。`,
    en: `Line ${line} of ${file} was not written by the gateway, so it cannot be told whether the database was restored to an earlier state. Take the file from a backup, or remove the line if you know that it means nothing, and start again.`,
  });
}

/** Looks this often, and leaves a file alone until it is this large: some hundred thousand lines. */
const COMPACTION_POLL_MS = 3_600_000;
const COMPACTION_BYTES = 16 * 1024 * 1024;

/** Keeps the file small while gateways run. One process of those that share a file does it. Returns how to stop it. */
export function keepHeadsSmall(
  file: string,
  log: Logger,
  { pollMs = COMPACTION_POLL_MS, bytes = COMPACTION_BYTES } = {},
): () => Promise<void> {
  let round = Promise.resolve();
  const look = async (): Promise<void> => {
    try {
      if ((await stat(file)).size > bytes) await compactHeadsFile(file, async (heads) => heads);
    } catch (error) {
      log.error({ code: failureCode(error) }, 'the file of signed heads was not compacted');
    }
  };
  const timer = setInterval(() => {
    round = round.then(look);
  }, pollMs).unref();
  return async () => {
    clearInterval(timer);
    await round;
  };
}

/**
 * Rewrites the file so that it holds one head a log: what `choose` makes of those that it holds. Others may add to it
 * meanwhile: what came in between is carried over, and who still writes to the old file finds that out.
 */
export async function compactHeadsFile(
  file: string,
  choose: (heads: readonly SignedHead[]) => Promise<readonly SignedHead[]>,
): Promise<void> {
  await withLock(`${file}.lock`, async () => {
    const old = await openExisting(file);
    try {
      const { heads, end } = old === undefined ? { heads: [], end: 0 } : await readHeads(old, file);
      await replaceFile(file, await choose(heads));
      if (old === undefined) return;
      const { heads: added } = await readHeads(old, file, end);
      if (added.length === 0) return;
      const { handle } = await openForAppend(file);
      try {
        await writeLines(handle, added.map(formatLine).join(''));
      } finally {
        await handle.close();
      }
    } finally {
      await old?.close();
    }
  });
}

async function replaceFile(file: string, heads: readonly SignedHead[]): Promise<void> {
  const made = `${file}.new`;
  const handle = await open(made, 'w', 0o600);
  try {
    await handle.writeFile(heads.map(formatLine).join(''));
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(made, file);
  await flushFolder(path.dirname(file));
}
