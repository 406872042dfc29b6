import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

interface Answers {
  readonly zone: number;
  readonly answers: Readonly<Record<string, string>>;
}

/** What a process of its own, in a zone of its own, takes for the deadlines. */
function askIn(zone: string): Answers {
  const args = ['--import', 'tsx', 'test/support/deadlines-program.ts'];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: root,
    encoding: 'utf8',
    env: { PATH: process.env.PATH, HOME: process.env.HOME, TZ: zone },
  });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as Answers;
}

const ZONES = { UTC: 0, 'Asia/Shanghai': -480, 'America/Los_Angeles': 480 };
const asked = Object.keys(ZONES).map(askIn);

describe('in processes of three time zones', () => {
  test('the zones are what they should be, and the answers are all the same', () => {
    expect(asked.map(({ zone }) => zone)).toEqual(Object.values(ZONES));
    for (const { answers } of asked) expect(answers).toEqual(asked[0]?.answers);
    expect(Object.keys(asked[0]?.answers ?? {}).length).toBeGreaterThan(400);
  });

  test.each([
    // The quarter's returns: the tax period of the month after it, with the long holiday of October.
    ['tax.vat.small 2026-07-01/2026-09-30 350102', '2026-10-26 2026-10-26T16:00:00.000Z'],
    ['tax.fs 2025-10-01/2025-12-31 350102', '2026-01-20 2026-01-20T16:00:00.000Z'],
    ['tax.fs 2025-01-01/2025-12-31 350102', '2026-06-01 2026-06-01T16:00:00.000Z'],
    ['tax.cit.prepay 2025-10-01/2025-12-31 350102', '2026-01-20 2026-01-20T16:00:00.000Z'],
    // A fixed day of a month after a quarter, a half-year, a year: the last day of February is a Saturday worked in exchange, 31 August
    // 2025 a Sunday; 31 May 2025 begins the Dragon Boat Festival. 30 June is not moved where the rule does not say so.
    ['test.quarter 2025-01-01/2025-03-31 350102', '2025-04-15 2025-04-15T16:00:00.000Z'],
    ['test.quarter 2026-07-01/2026-09-30 350102', '2026-10-15 2026-10-15T16:00:00.000Z'],
    ['test.half 2025-07-01/2025-12-31 350102', '2026-02-28 2026-02-28T16:00:00.000Z'],
    ['test.half 2025-01-01/2025-06-30 350102', '2025-09-01 2025-09-01T16:00:00.000Z'],
    ['test.year 2024-01-01/2024-12-31 350102', '2025-06-03 2025-06-03T16:00:00.000Z'],
    ['test.year 2025-01-01/2025-12-31 350102', '2026-06-01 2026-06-01T16:00:00.000Z'],
    ['test.annual 2025-01-01/2025-12-31 350102', '2026-06-30 2026-06-30T16:00:00.000Z'],
    ['amr.annual 2026-01-01/2026-12-31 350102', '2027-06-30 2027-06-30T16:00:00.000Z'],
    // Events: hours run from the end of the day, working days leave the holidays out and count the days worked in exchange.
    ['test.hours 2026-01-01/2026-01-01 350102', '2026-01-02 2026-01-02T16:00:00.000Z'],
    ['test.days 2024-02-29/2024-02-29 350102', '2024-03-30 2024-03-30T16:00:00.000Z'],
    ['test.working-days 2026-09-30/2026-09-30 350102', '2026-10-20 2026-10-20T16:00:00.000Z'],
    ['test.working-days 2026-12-31/2026-12-31 350102', '2027-01-14? 2027-01-14T16:00:00.000Z'],
    // What an operator sets: a city's date for one month before its province's rule, rolled over New Year, before the type's own.
    ['test.set 2025-12-01/2025-12-31 350102', '2026-01-31 2026-01-31T16:00:00.000Z'],
    ['test.set 2025-12-01/2025-12-31 350203', '2026-01-04 2026-01-04T16:00:00.000Z'],
    ['test.set 2025-12-01/2025-12-31 110101', '2026-01-20 2026-01-20T16:00:00.000Z'],
  ])('%s is due on %s', (key, expected) => {
    for (const { answers } of asked) expect(answers[key]).toBe(expected);
  });
});
