import type { Clock } from '../std/clock.ts';

/**
 * Whose work it is: the id of a key, the number of a stranger, or nobody's. Not the request itself: a Map keeps what has been its key for longer than it
 * says (see `sweep.ts`).
 */
export type Owner = string | number | undefined;

export interface TurnsOptions {
  readonly perTurn: number;
  /** Whether so much is at work that nothing should begin. */
  readonly hasEnough: () => boolean;
  readonly clock: Clock;
  /** How long work may wait. */
  readonly patienceMs: number;
}

export interface Work {
  /** That it takes up while it waits. */
  readonly bytes: number;
  begin(): void;
  /** Told now and then while it waits. */
  wait(): void;
  /** In place of it, when it has waited for too long. */
  giveUp(): void;
}

interface Waiting {
  readonly work: Work;
  readonly since: number;
}

/** Nobody says when less is at work: it is looked at again after this. */
const LOOK_MS = 2;
/** Between two looks at all that waits, for what has waited for too long. */
const AGE_MS = 100;

/**
 * Lets so many pieces of work begin in a turn of the event loop, and none while enough is at work already; the others begin in the next ones, one of each owner after the other. A loop
 * that began all that has come would get to nothing else meanwhile, neither the database nor the answers that are ready, so that the next
 * turn would find more to begin than this one: its turns get longer and longer, and less and less is done. And who comes with a thousand
 * at once must not have them all done before anybody else's one.
 */
export class Turns {
  readonly #options: TurnsOptions;
  /** By owner; whose turn is next comes first. */
  readonly #waiting = new Map<Owner, Waiting[]>();
  #count = 0;
  #bytes = 0;
  #begun = 0;
  #agedAt = 0;
  #isScheduled = false;

  constructor(options: TurnsOptions) {
    this.#options = options;
  }

  get waiting(): number {
    return this.#count;
  }

  /** What those who wait take up meanwhile. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether what comes now would begin at once. */
  get isFree(): boolean {
    return this.#count === 0 && this.#mayBegin();
  }

  #mayBegin(): boolean {
    return this.#begun < this.#options.perTurn && !this.#options.hasEnough();
  }

  waitingOf(owner: Owner): number {
    return this.#waiting.get(owner)?.length ?? 0;
  }

  /** At once, or when the owner's turn has come. */
  begin(owner: Owner, work: Work): void {
    this.#schedule();
    if (this.isFree) {
      this.#begun++;
      work.begin();
      return;
    }
    work.wait();
    const waiting = { work, since: this.#options.clock.monotonic() };
    this.#count++;
    this.#bytes += work.bytes;
    const own = this.#waiting.get(owner);
    if (own === undefined) this.#waiting.set(owner, [waiting]);
    else own.push(waiting);
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    if (this.#options.hasEnough()) setTimeout(this.#next, LOOK_MS);
    else setImmediate(this.#next);
  }

  readonly #next = (): void => {
    this.#isScheduled = false;
    this.#begun = 0;
    if (this.#count > 0) {
      this.#ageOut();
      this.#schedule();
    }
    for (const [owner, own] of this.#waiting) {
      if (!this.#mayBegin()) break;
      this.#waiting.delete(owner);
      const { work } = own.shift() as Waiting;
      // Behind all the others again; this loop comes to it once more if there is time.
      if (own.length > 0) this.#waiting.set(owner, own);
      this.#forget(work);
      this.#begun++;
      work.begin();
    }
  };

  #ageOut(): void {
    const { clock, patienceMs } = this.#options;
    const now = clock.monotonic();
    if (now - this.#agedAt < AGE_MS) return;
    this.#agedAt = now;
    for (const [owner, own] of this.#waiting) {
      // In the order in which they came.
      const first = own.findIndex(({ since }) => now - since <= patienceMs);
      const late = own.splice(0, first < 0 ? own.length : first);
      if (own.length === 0) this.#waiting.delete(owner);
      for (const { work } of late) {
        this.#forget(work);
        work.giveUp();
      }
      for (const { work } of own) work.wait();
    }
  }

  #forget({ bytes }: Work): void {
    this.#count--;
    this.#bytes -= bytes;
  }
}
