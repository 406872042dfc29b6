const NEWLINE = 0x0a;
const decoder = new TextDecoder('utf-8', { fatal: true });

/**
 * The lines of a byte stream, without their newlines and however the chunks fall. Empty lines are left out. Throws a
 * RangeError at a line longer than `limitBytes`.
 */
export async function* splitLines(
  chunks: AsyncIterable<Uint8Array>,
  limitBytes = 96 * 1024 * 1024,
): AsyncGenerator<Uint8Array> {
  let pending: Uint8Array[] = [];
  let pendingBytes = 0;
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      const line = joinBytes(pending, chunk.subarray(start, end));
      pending = [];
      pendingBytes = 0;
      start = end + 1;
      if (line.length > 0) yield line;
    }
    if (start < chunk.length) {
      pendingBytes += chunk.length - start;
      if (pendingBytes > limitBytes) throw new RangeError('a line is too long');
      // Copied, since a reader may reuse its buffer.
      pending.push(chunk.slice(start));
    }
  }
  const last = joinBytes(pending);
  if (last.length > 0) yield last;
}

/**
 * The lines of a byte stream as texts, all that a chunk completes at once: one wait for a chunk, none for a line. Empty lines
 * are left out. A last line without newline comes on its own. Throws as {@link splitLines} does, and a TypeError for what is
 * not UTF-8.
 */
export async function* splitTexts(
  chunks: AsyncIterable<Uint8Array>,
  limitBytes = 96 * 1024 * 1024,
): AsyncGenerator<readonly string[]> {
  let pending: Uint8Array[] = [];
  let pendingBytes = 0;
  for await (const chunk of chunks) {
    const end = chunk.lastIndexOf(NEWLINE) + 1;
    if (end > 0) {
      // Only the line that earlier chunks began has to be joined; the others are read where they are.
      const first = pending.length === 0 ? 0 : chunk.indexOf(NEWLINE) + 1;
      const joined = first === 0 ? '' : decoder.decode(joinBytes(pending, chunk.subarray(0, first)));
      const lines = `${joined}${decoder.decode(chunk.subarray(first, end))}`.split('\n');
      pending = [];
      pendingBytes = 0;
      yield lines.filter((line) => line !== '');
    }
    if (end < chunk.length) {
      pendingBytes += chunk.length - end;
      if (pendingBytes > limitBytes) throw new RangeError('a line is too long');
      // Copied, since a reader may reuse its buffer.
      pending.push(chunk.slice(end));
    }
  }
  if (pendingBytes > 0) yield [decoder.decode(joinBytes(pending))];
}

export function joinBytes(parts: readonly Uint8Array[], last: Uint8Array = new Uint8Array(0)): Uint8Array {
  if (parts.length === 0) return last;
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, last.length));
  let at = 0;
  for (const part of [...parts, last]) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** The JSON values of an NDJSON stream. Throws a SyntaxError for a line that is none. */
export async function* parseNdjson(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<unknown> {
  for await (const line of splitLines(chunks)) yield JSON.parse(decoder.decode(line));
}

/** A response's body as an async iterable, which not every browser makes of it by itself. */
export async function* bodyChunks(response: Response): AsyncGenerator<Uint8Array> {
  const reader = response.body?.getReader();
  if (reader === undefined) return;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value as Uint8Array;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
