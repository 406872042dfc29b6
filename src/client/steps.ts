import type { Text } from '../std/text.ts';

/** One thing that was checked, in words. */
export interface VerificationStep<Name extends string = string> {
  readonly step: Name;
  readonly ok: boolean;
  /** What holds when `ok`. */
  readonly text: Text;
  /** What was computed, what it was compared with, and why that shows it. */
  readonly reason: Text;
  /** The two values, where there are two; as found in the documents, so not to be trusted as text. */
  readonly compared?: Compared;
}

export interface Compared {
  readonly computed: string;
  readonly stated: string;
}

/** What a step says, whichever way it goes. */
export interface Words {
  readonly text: Text;
  readonly reason: Text;
}

/** Steps in order. Who verifies stops at the first that fails. */
export class StepList<Name extends string> {
  readonly steps: VerificationStep<Name>[] = [];
  readonly #words: Readonly<Record<Name, Words>>;

  constructor(words: Readonly<Record<Name, Words>>) {
    this.#words = words;
  }

  /** Notes a step and returns whether it holds. */
  check(step: Name, ok: boolean, compared?: Compared): boolean {
    this.steps.push({ step, ok, ...this.#words[step], ...(compared === undefined ? {} : { compared }) });
    return ok;
  }

  /** Notes a step that holds when both values are the same. */
  same(step: Name, computed: string, stated: string): boolean {
    return this.check(step, computed === stated, { computed, stated });
  }

  /** The step that failed; undefined when none did. */
  get failed(): Name | undefined {
    const last = this.steps.at(-1);
    return last?.ok === false ? last.step : undefined;
  }
}
