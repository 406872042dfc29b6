import { createHash } from 'node:crypto';

/** Numbers that depend on a seed and nothing else (sfc32), so that a corpus is the same on every machine. Not for secrets. */
export class SeededRandom {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  /** Cheap enough for one generator a filing: `seed` was hashed before, `one` and `two` tell its uses apart. */
  constructor(seed: number, one: number, two = 0) {
    this.#a = seed | 0;
    this.#b = Math.imul(one + 1, 0x9e3779b1) | 0;
    this.#c = Math.imul(two + 1, 0x85ebca6b) | 0;
    for (let i = 0; i < 12; i++) this.#next();
  }

  #next(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum;
    return sum >>> 0;
  }

  /** In [0, 1). */
  unit(): number {
    return this.#next() / 2 ** 32;
  }

  /** A whole number from `least` to `most`, both included. */
  integer(least: number, most: number): number {
    return least + Math.floor(this.unit() * (most - least + 1));
  }

  chance(share: number): boolean {
    return this.unit() < share;
  }

  pick<T>(values: readonly T[]): T {
    return values[this.integer(0, values.length - 1)] as T;
  }
}

/** 32 bits of a text, for {@link SeededRandom}. */
export function seedNumber(text: string): number {
  return createHash('sha256').update(text).digest().readUInt32BE(0);
}
