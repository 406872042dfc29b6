/**
 * Whose work it is: the id of a key, the number of a stranger, or nobody's. Not the request itself: a Map keeps what has been its key for longer than it
 * says (see `sweep.ts`).
 */
export type Owner = string | number | undefined;

/** Nobody says when less is at work: it is looked at again after this. */
const LOOK_MS = 2;

/**
 * Lets so many pieces of work begin in a turn of the event loop, and none while enough is at work already; the others begin in the next ones, one of each owner after the other. A loop
 * that began all that has come would get to nothing else meanwhile, neither the database nor the answers that are ready, so that the next
 * turn would find more to begin than this one: its turns get longer and longer, and less and less is done. And who comes with a thousand
 * at once must not have them all done before anybody else's one.
 */
export class Turns {
  readonly #perTurn: number;
  readonly #hasEnough: () => boolean;
  /** By owner; whose turn is next comes first. */
  readonly #waiting = new Map<Owner, (() => void)[]>();
  #count = 0;
  #begun = 0;
  #isScheduled = false;

  /** @param hasEnough whether so much is at work that nothing should begin */
  constructor(perTurn: number, hasEnough: () => boolean = () => false) {
    this.#perTurn = perTurn;
    this.#hasEnough = hasEnough;
  }

  get waiting(): number {
    return this.#count;
  }

  /** Whether what comes now would begin at once. */
  get isFree(): boolean {
    return this.#begun < this.#perTurn && !this.#hasEnough();
  }

  waitingOf(owner: Owner): number {
    return this.#waiting.get(owner)?.length ?? 0;
  }

  /** At once, or when the owner's turn has come. */
  begin(owner: Owner, work: () => void): void {
    this.#schedule();
    if (this.isFree) {
      this.#begun++;
      work();
      return;
    }
    this.#count++;
    const own = this.#waiting.get(owner);
    if (own === undefined) this.#waiting.set(owner, [work]);
    else own.push(work);
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    if (this.#hasEnough()) setTimeout(this.#next, LOOK_MS);
    else setImmediate(this.#next);
  }

  readonly #next = (): void => {
    this.#isScheduled = false;
    this.#begun = 0;
    if (this.#count > 0) this.#schedule();
    for (const [owner, own] of this.#waiting) {
      if (!this.isFree) break;
      this.#waiting.delete(owner);
      const work = own.shift() as () => void;
      // Behind all the others again; this loop comes to it once more if there is time.
      if (own.length > 0) this.#waiting.set(owner, own);
      this.#count--;
      this.#begun++;
      work();
    }
  };
}
