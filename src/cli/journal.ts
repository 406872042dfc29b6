import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { Filing } from '../client/client.ts';
import { toBase64url } from '../std/bytes.ts';
import { splitLines } from '../std/lines.ts';
import { nodeHash } from './context.ts';
import { fileError } from './exit.ts';

const LINE_BYTES = 16 * 1024 * 1024;

/**
 * What was accepted, one NDJSON line each, with its receipt: so that a run that was interrupted goes on where it
 * stopped. Losing it, or its last lines, costs time only: filing the same again answers with the original receipt.
 */
export class Journal {
  readonly #known: Map<string, string>;
  readonly #handle: FileHandle | undefined;
  #written: Promise<void> = Promise.resolve();

  private constructor(known: Map<string, string>, handle: FileHandle | undefined) {
    this.#known = known;
    this.#handle = handle;
  }

  /** Without a file the journal remembers nothing. */
  static async open(file: string | undefined): Promise<Journal> {
    if (file === undefined) return new Journal(new Map(), undefined);
    try {
      const known = await readKnown(file);
      const handle = await open(file, 'a');
      // An interrupted write may have left half a line.
      if ((await handle.stat()).size > 0) await handle.appendFile('\n');
      return new Journal(known, handle);
    } catch (error) {
      throw fileError(file, error);
    }
  }

  /** Same source bytes, same key. */
  static key(bytes: Uint8Array): string {
    return toBase64url(nodeHash(bytes));
  }

  /** The filing's id when it was accepted in an earlier run. */
  accepted(key: string): string | undefined {
    return this.#known.get(key);
  }

  /** One write after the other: Node gives no order, and no whole lines, to writes side by side. */
  add(key: string, name: string, filing: Filing): Promise<void> {
    const line = `${JSON.stringify({ key, name, filing })}\n`;
    this.#written = this.#written.then(() => this.#handle?.appendFile(line));
    return this.#written;
  }

  async close(): Promise<void> {
    await this.#handle?.close();
  }
}

async function readKnown(file: string): Promise<Map<string, string>> {
  const known = new Map<string, string>();
  try {
    for await (const { bytes } of splitLines(createReadStream(file), LINE_BYTES)) {
      const entry = parseEntry(bytes.toString());
      if (entry !== undefined) known.set(entry.key, entry.id);
    }
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  }
  return known;
}

/** Undefined for a line that was cut off. */
function parseEntry(line: string): { key: string; id: string } | undefined {
  try {
    const { key, filing } = JSON.parse(line) as { key?: unknown; filing?: { id?: unknown } };
    return typeof key === 'string' && typeof filing?.id === 'string' ? { key, id: filing.id } : undefined;
  } catch {
    return undefined;
  }
}
