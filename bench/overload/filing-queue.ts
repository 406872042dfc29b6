import { readFileSync } from 'node:fs';

export interface QueueRange {
  readonly from: number;
  /** All below; to the end of the files when absent. */
  readonly to?: number;
  /** Begins again at the first one when there are no more. */
  readonly repeats: boolean;
}

/** Requests by the number of their filing over all files (compact JWS, one a line); each is taken once, unless it is given back. */
export class FilingQueue {
  readonly #filings: readonly Buffer[];
  readonly #heads = new Map<number, Buffer>();
  readonly #host: string;
  readonly #repeats: boolean;
  readonly #returned: number[] = [];
  #next: number;
  #isExhausted = false;

  constructor(files: readonly string[], host: string, range: QueueRange) {
    this.#filings = files.flatMap((file) => linesOf(readFileSync(file))).slice(0, range.to);
    this.#host = host;
    this.#next = range.from;
    this.#repeats = range.repeats;
  }

  /** One below `to`; undefined when there are no more. */
  take(to: number): number | undefined {
    if (this.#next < Math.min(to, this.#filings.length)) return this.#next++;
    const again = this.#returned.pop();
    if (again !== undefined) return again;
    if (this.#repeats) {
      this.#next = 1;
      return 0;
    }
    this.#isExhausted = to > this.#filings.length;
    return undefined;
  }

  /** What was refused has not been filed: it can be sent another time. */
  giveBack(filing: number): void {
    if (!this.#repeats) this.#returned.push(filing);
  }

  get isExhausted(): boolean {
    return this.#isExhausted;
  }

  body(filing: number): Buffer {
    return this.#filings[filing] as Buffer;
  }

  request(filing: number): Buffer {
    const body = this.body(filing);
    let head = this.#heads.get(body.length);
    if (head === undefined) {
      head = Buffer.from(
        `POST /v1/filings HTTP/1.1\r\nHost: ${this.#host}\r\nContent-Type: application/jose\r\nContent-Length: ${body.length}\r\n\r\n`,
      );
      this.#heads.set(body.length, head);
    }
    return Buffer.concat([head, body]);
  }
}

/** Views of one buffer, without copies. */
function linesOf(file: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  for (let start = 0; start < file.length; ) {
    const end = file.indexOf(0x0a, start);
    lines.push(file.subarray(start, end));
    start = end + 1;
  }
  return lines;
}
