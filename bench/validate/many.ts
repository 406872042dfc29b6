import type { FilingPayload } from '../../src/domain/filing.ts';
import { makeResidentId } from '../../src/domain/identifiers.ts';

type Share = Readonly<Record<string, number>>;

interface Insured {
  readonly personCount: number;
  readonly totals: Readonly<Record<string, Share>>;
  readonly totalDue: number;
  readonly persons: readonly object[];
}

interface Withheld {
  readonly personCount: number;
  readonly totals: Share;
  readonly persons: readonly object[];
}

/** A social insurance filing of one person as one of `count` persons with the same wage: every total is so many times as high. */
export function manyPersons(one: FilingPayload, count: number): FilingPayload {
  const data = one.data as Insured;
  const totals = Object.fromEntries(Object.entries(data.totals).map(([name, share]) => [name, times(share, count)]));
  const more = { personCount: count, totals, totalDue: data.totalDue * count, persons: copies(data.persons, count) };
  return { ...one, data: { ...data, ...more } };
}

/** The same of withheld income tax. */
export function manyWithheld(one: FilingPayload, count: number): FilingPayload {
  const data = one.data as Withheld;
  const more = { personCount: count, totals: times(data.totals, count), persons: copies(data.persons, count) };
  return { ...one, data: { ...data, ...more } };
}

function times(amounts: Share, count: number): Share {
  return Object.fromEntries(Object.entries(amounts).map(([name, amount]) => [name, amount * count]));
}

/** The one person under `count` numbers: 998 to a day of birth, as the number allows. */
function copies([person]: readonly object[], count: number): object[] {
  return Array.from({ length: count }, (_, i) => {
    const day = Math.floor(i / 998);
    const birth = `${1960 + Math.floor(day / 28)}-01-${String((day % 28) + 1).padStart(2, '0')}`;
    return { ...person, idType: 'resident-id', idNumber: makeResidentId(birth, (i % 998) + 1, '350102') };
  });
}
