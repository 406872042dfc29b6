import { toBase64url } from '../std/bytes.ts';
import {
  endOfLook,
  listTrailRows,
  readTrailHead,
  readTrailRows,
  readTrailTime,
  type StoredTrailRow,
  TRAIL_RESULTS,
  type TrailResult,
} from '../storage/trail.ts';
import type { TrailRow } from './chain.ts';
import type { TrailContext } from './record.ts';

/** Classes of results: see docs/trail.md. */
export const RESULT_CLASSES = TRAIL_RESULTS;

/** A row as it is handed out. */
export interface HashedRow extends TrailRow {
  /** Over the row and the hash before it, base64url. */
  readonly hash: string;
}

export interface TrailQuery {
  readonly party?: string | undefined;
  readonly action?: string | undefined;
  readonly target?: string | undefined;
  readonly result?: TrailResult | undefined;
  /** Milliseconds since the epoch: from this instant on, and before that one. */
  readonly fromMs?: number | undefined;
  readonly toMs?: number | undefined;
  /** Rows below this number. */
  readonly before?: number | undefined;
  readonly limit: number;
}

export interface TrailPage {
  /** Newest first. */
  readonly items: readonly HashedRow[];
  /** `before` of the next page; undefined when nothing is left. A page may be short, and even empty, before that. */
  readonly next: number | undefined;
}

/** Rows that fit, newest first. */
export async function listTrail({ sql }: Pick<TrailContext, 'sql'>, query: TrailQuery): Promise<TrailPage> {
  const { party, action, target, result, fromMs, toMs, limit } = query;
  const head = (await readTrailHead(sql))?.n ?? 0;
  const timeOf = (n: number) => readTrailTime(sql, n);
  const from = fromMs === undefined ? 1 : await firstRowSince(timeOf, head, fromMs);
  const end = toMs === undefined ? head + 1 : await firstRowSince(timeOf, head, toMs);
  const before = Math.min(end, query.before ?? end);
  const filter = { party, action, target, result, from, before };
  const rows = await listTrailRows(sql, filter, limit);
  const next = rows.length === limit ? rows.at(-1)?.n : await endOfLook(sql, filter);
  return { items: rows.map(hashedRow), next: next === undefined || next <= from ? undefined : next };
}

/** The first of the rows 1 to `head` that is not before `at`; `head + 1` when all are. Times never run backwards. */
export async function firstRowSince(
  timeOf: (n: number) => Promise<number | undefined>,
  head: number,
  at: number,
): Promise<number> {
  let [low, high] = [1, head + 1];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const time = await timeOf(middle);
    if (time !== undefined && time < at) low = middle + 1;
    else high = middle;
  }
  return low;
}

const ROWS_A_PART = 2_000;

/** Rows after `after`, up to the newest when this is called, in their order; read as they are asked for. */
export async function exportTrail(
  { sql }: Pick<TrailContext, 'sql'>,
  after: number,
): Promise<AsyncIterable<readonly HashedRow[]>> {
  const to = (await readTrailHead(sql))?.n ?? 0;
  return (async function* () {
    for (let last = after; last < to; ) {
      const rows = await readTrailRows(sql, last, to, ROWS_A_PART);
      // A row that is missing is for the reader to find out: the chain breaks there.
      const newest = rows.at(-1)?.n;
      if (newest === undefined) return;
      last = newest;
      yield rows.map(hashedRow);
    }
  })();
}

function hashedRow({ hash, ...row }: StoredTrailRow): HashedRow {
  return { ...row, hash: toBase64url(hash) };
}
