import type { KeyObject } from 'node:crypto';
import { LRUCache } from 'lru-cache';

/** Of the keys that find all places taken, one in so many gets that of the key that was used least recently. */
const KEPT_OF_NEWCOMERS = 32;

/**
 * Keys that were imported: an EC key costs as much as two verifications, and takes about 5 kB that V8 knows nothing of. A key that was
 * kept and let go waits for a collection of old objects, which a thread with a heap as small as this hardly ever needs, while one that
 * was never kept goes with the young. So hundreds of thousands who file once each, as before a deadline, must not push one another out;
 * who files often gets a place all the same.
 */
export class KeptKeys {
  readonly #max: number;
  readonly #importKey: (text: string) => KeyObject;
  readonly #keys: LRUCache<string, KeyObject>;
  #newcomers = 0;

  constructor(max: number, importKey: (text: string) => KeyObject) {
    this.#max = max;
    this.#importKey = importKey;
    this.#keys = new LRUCache({ max });
  }

  get(text: string): KeyObject {
    const kept = this.#keys.get(text);
    if (kept !== undefined) return kept;
    const key = this.#importKey(text);
    if (this.#keys.size < this.#max || ++this.#newcomers % KEPT_OF_NEWCOMERS === 0) this.#keys.set(text, key);
    return key;
  }
}
