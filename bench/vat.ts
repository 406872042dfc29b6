import type { SeededRandom } from './random.ts';

type Column = 'generalMonth' | 'generalYear' | 'refundMonth' | 'refundYear';
export type VatLines = Record<string, Partial<Record<Column, number>>>;

/** Amounts of the general items' month by line number, integer fen; what is absent is 0. */
export type VatFigures = Record<number, number>;

export type VatShape = 'usual' | 'full';

const LINES = 41;
const ALL: readonly Column[] = ['generalMonth', 'generalYear', 'refundMonth', 'refundYear'];
const MONTHS: readonly Column[] = ['generalMonth', 'refundMonth'];
const GENERAL: readonly Column[] = ['generalMonth', 'generalYear'];

/** The form's cells; the others are printed "—" and must be absent. */
const COLUMNS: Readonly<Record<number, readonly Column[]>> = {
  7: GENERAL,
  8: GENERAL,
  9: GENERAL,
  10: GENERAL,
  17: MONTHS,
  26: MONTHS,
  28: MONTHS,
  29: ['generalMonth'],
  33: MONTHS,
  34: MONTHS,
  35: ['refundMonth', 'refundYear'],
  36: GENERAL,
  37: GENERAL,
};

/** Rounded half up, as the form wants it; amounts are not negative here. */
export function percentOf(amountFen: number, percent: number): number {
  return Math.floor((amountFen * percent + 50) / 100);
}

/** A month of a trader in goods: sales at 13 %, input tax, last month's tax paid, surcharges. Every rule of the form holds. */
export function vatFigures(random: SeededRandom): VatFigures {
  const sales = random.integer(200_000, 90_000_000);
  const paid = random.integer(10_000, 900_000);
  return settle({ 1: sales, 2: sales, 12: percentOf(sales, random.integer(4, 11)), 25: paid, 30: paid });
}

/** Computes what the form computes out of the lines that are given. */
export function settle(given: VatFigures): VatFigures {
  const f = { ...given };
  const at = (line: number): number => f[line] ?? 0;
  f[11] = percentOf(at(1), 13);
  f[17] = at(12) + at(13) - at(14) - at(15) + at(16);
  f[18] = Math.min(at(17), at(11));
  f[19] = at(11) - at(18);
  f[20] = at(17) - at(18);
  f[24] = at(19) + at(21) - at(23);
  f[27] = at(28) + at(29) + at(30) + at(31);
  f[32] = at(24) + at(25) + at(26) - at(27);
  f[33] = Math.max(at(25) + at(26) - at(27), 0);
  f[34] = at(24) - at(28) - at(29);
  f[39] = percentOf(Math.max(at(34), 0), 7);
  f[40] = percentOf(Math.max(at(34), 0), 3);
  f[41] = percentOf(Math.max(at(34), 0), 2);
  return f;
}

/**
 * The lines of the form: `usual` leaves lines of 0 out, as accounting software does; `full` fills every cell that the form
 * has, with the year as so many equal months.
 */
export function vatLines(figures: VatFigures, shape: VatShape, monthsOfYear = 1): VatLines {
  const lines: VatLines = {};
  for (let line = 1; line <= LINES; line++) {
    const amount = figures[line] ?? 0;
    if (shape === 'full') {
      const cells = (COLUMNS[line] ?? ALL).map((column) => [column, cell(column, amount, monthsOfYear)] as const);
      lines[line] = Object.fromEntries(cells);
    } else if (amount !== 0) {
      lines[line] = { generalMonth: amount };
    }
  }
  return lines;
}

function cell(column: Column, amount: number, monthsOfYear: number): number {
  if (column === 'generalMonth') return amount;
  return column === 'generalYear' ? amount * monthsOfYear : 0;
}
