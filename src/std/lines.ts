/** One line of NDJSON, without its newline. */
export interface NumberedLine {
  /** From 1, blank lines counted, as editors count. */
  readonly number: number;
  readonly bytes: Buffer;
}

const NEWLINE = 0x0a;
const RETURN = 0x0d;

/** Thrown by {@link splitLines} for a line that is longer than it may be. */
export class LineTooLong extends Error {
  readonly line: number;

  constructor(line: number) {
    super(`line ${line} is too long`);
    this.line = line;
  }
}

/** Lines of a stream of bytes, whatever its chunks. Blank lines are passed over; a last line needs no newline. */
export async function* splitLines(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  maxBytes: number,
): AsyncGenerator<NumberedLine> {
  let number = 1;
  let begun: Buffer[] = [];
  let begunBytes = 0;
  for await (const chunk of chunks) {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    let start = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
      const tail = bytes.subarray(start, end);
      if (begunBytes + tail.length > maxBytes) throw new LineTooLong(number);
      const line = withoutReturn(begun.length === 0 ? tail : Buffer.concat([...begun, tail]));
      begun = [];
      begunBytes = 0;
      if (line.length > 0) yield { number, bytes: line };
      number += 1;
      start = end + 1;
    }
    if (start < bytes.length) {
      begun.push(bytes.subarray(start));
      begunBytes += bytes.length - start;
      if (begunBytes > maxBytes) throw new LineTooLong(number);
    }
  }
  const last = withoutReturn(Buffer.concat(begun));
  if (last.length > 0) yield { number, bytes: last };
}

/** A carriage return before the newline belongs to the line's end, not to the line. */
function withoutReturn(line: Buffer): Buffer {
  return line[line.length - 1] === RETURN ? line.subarray(0, -1) : line;
}
