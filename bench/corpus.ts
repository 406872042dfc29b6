import type { FilingPayload, Period } from '../src/domain/filing.ts';
import { makeUscc } from '../src/domain/identifiers.ts';
import { lastDayOfMonth } from '../src/domain/period-kinds.ts';
import { type CorpusKey, makeKey, publicHalf } from './keys.ts';
import { SeededRandom, seedNumber } from './random.ts';
import { type VatShape, vatFigures, vatLines } from './vat.ts';

/** Raise it when the same seed gives other filings than before: caches of the old ones are not used then. */
export const CORPUS_FORMAT = 1;

export interface CorpusOptions {
  readonly seed: string;
  readonly filers: number;
  readonly offices: number;
  readonly shape: VatShape;
}

export interface Enterprise {
  readonly uscc: string;
  readonly key: CorpusKey;
  readonly office: string;
}

/** Returns go back from this month, one a filer and month; the form's first modelled version begins in 2021-08. */
const LAST_MONTH = { year: 2026, month: 10 };
export const MONTHS_MAX = 60;

/** Serials of one seed lie together; those of another seed begin elsewhere among 31^6. */
const SERIALS = 31 ** 6;

export function usccOf(seed: string, index: number): string {
  return makeUscc((seedNumber(`serial ${seed}`) + index) % SERIALS);
}

/** Codes of the shape of the real ones, in regions that do not exist. */
export function officeOf(index: number): string {
  return `1359${String(index).padStart(3, '0')}0000`;
}

export function enterprise({ seed, offices }: CorpusOptions, index: number): Enterprise {
  return { uscc: usccOf(seed, index), key: makeKey(seed, index), office: officeOf(index % offices) };
}

/** `back` months before the last one. */
export function monthPeriod(back: number): Period {
  const months = LAST_MONTH.year * 12 + LAST_MONTH.month - 1 - back;
  const from = `${Math.floor(months / 12)}-${String((months % 12) + 1).padStart(2, '0')}-01`;
  return { from, to: lastDayOfMonth(from) };
}

/** The return of one filer for one month: the same for the same seed, always. */
export function vatReturn(options: CorpusOptions, uscc: string, index: number, back: number): FilingPayload {
  const figures = vatFigures(new SeededRandom(seedNumber(options.seed), index, back));
  const period = monthPeriod(back);
  const lines = vatLines(figures, options.shape, Number(period.from.slice(5, 7)));
  return { type: 'tax.vat.general', filer: uscc, period, kind: 'original', data: { lines } };
}

/** Key of an office, beside the filers' keys of the same seed. */
export function officeKey(seed: string, office: string): CorpusKey {
  return makeKey(`${seed} office ${office}`, 0);
}

/** NDJSON lines for `POST /v1/import`: offices with their keys, then every filer with key and registration. */
export function* importLines(options: CorpusOptions): Generator<string> {
  for (let i = 0; i < options.offices; i++) {
    const office = officeOf(i);
    const name = { zh: `压测税务局 ${i}`, en: `Bench tax bureau ${i}` };
    yield JSON.stringify({ op: 'office', office, agency: 'tax', region: '350100', name });
    yield JSON.stringify({ op: 'party', id: office, kind: 'office', name: name.zh });
    yield JSON.stringify({ op: 'key', party: office, jwk: publicHalf(officeKey(options.seed, office)) });
  }
  for (let i = 0; i < options.filers; i++) {
    const { uscc, key, office } = enterprise(options, i);
    yield JSON.stringify({ op: 'party', id: uscc, kind: 'filer', name: `压测企业 ${i}`, taxpayerKind: 'general' });
    yield JSON.stringify({ op: 'key', party: uscc, jwk: publicHalf(key) });
    yield JSON.stringify({ op: 'registration', filer: uscc, registrations: [{ office, from: '2020-01-01' }] });
  }
}
