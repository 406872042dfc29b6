import { width } from './text.ts';

const BAR = 24;
const EVERY_MS = 100;

/** One line on a terminal that is drawn over; nothing where there is no terminal. */
export class Progress {
  readonly #stream: NodeJS.WriteStream | undefined;
  readonly #now: () => number;
  #drawnAt = Number.NEGATIVE_INFINITY;
  #visible = false;

  constructor(stream: NodeJS.WriteStream | undefined, now: () => number) {
    this.#stream = stream;
    this.#now = now;
  }

  /** `share` of the whole, 0 to 1; undefined when the whole is not known. */
  draw(share: number | undefined, text: string): void {
    const now = this.#now();
    if (this.#stream === undefined || now - this.#drawnAt < EVERY_MS) return;
    this.#drawnAt = now;
    this.#visible = true;
    const bar = share === undefined ? '' : `${barOf(share)} ${String(Math.floor(share * 100)).padStart(3)}%  `;
    this.#stream.write(`\r\u001b[2K${clip(`${bar}${text}`, (this.#stream.columns ?? 80) - 1)}`);
  }

  /** Removes the line, so that whatever is printed next starts clean. */
  clear(): void {
    if (this.#visible) this.#stream?.write('\r\u001b[2K');
    this.#visible = false;
    this.#drawnAt = Number.NEGATIVE_INFINITY;
  }
}

function barOf(share: number): string {
  const filled = Math.round(Math.min(1, Math.max(0, share)) * BAR);
  return '█'.repeat(filled) + '░'.repeat(BAR - filled);
}

function clip(text: string, columns: number): string {
  let fitted = '';
  for (const character of text) {
    if (width(fitted + character) > columns) break;
    fitted += character;
  }
  return fitted;
}
