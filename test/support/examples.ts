import type { FilingPayload } from '../../src/domain/filing.ts';

/** A filing, with what its rules look at beside it. */
export interface WholeExample {
  readonly filing: FilingPayload;
  readonly others?: Readonly<Record<string, readonly FilingPayload[]>>;
  readonly figures?: Readonly<Record<string, number>>;
}

/** An example of a filing type, which may be a filing alone. */
export function wholeExample(text: string): WholeExample {
  const value = JSON.parse(text) as FilingPayload | WholeExample;
  return 'filing' in value ? value : { filing: value };
}
