import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Payload } from './filer.ts';

const file = fileURLToPath(
  new URL('../../schemas/tax/vat-general/2021-08/examples/valid-input-exceeds-output.json', import.meta.url),
);

type Line = Record<string, number>;

/**
 * A VAT return of which more goes in than out: it opens with a credit (line 13) and carries one forward (line 20). It keeps
 * all rules that look at it alone, whatever it opens with.
 */
export function vatReturn(filer: string, month: string, openingFen: number, changes: Payload = {}): Payload {
  const { version: _, data, ...rest } = JSON.parse(readFileSync(file, 'utf8')) as Payload;
  const lines = structuredClone((data as { lines: Record<string, Line> }).lines);
  const more = openingFen - (lines['13']?.generalMonth ?? 0);
  for (const number of ['13', '17', '20']) {
    const line = lines[number] as Line;
    line.generalMonth = (line.generalMonth ?? 0) + more;
  }
  const days = new Date(Date.UTC(Number(month.slice(0, 4)), Number(month.slice(5)), 0)).getUTCDate();
  return { ...rest, filer, period: { from: `${month}-01`, to: `${month}-${days}` }, data: { lines }, ...changes };
}

/** What such a return carries forward when it opens with nothing. */
export const CARRIED_FEN = 650_000;

/** The rule that line 13 is line 20 of the return of the period before. */
export const CARRIED_RULE = 'VAT-13-CARRIED';
