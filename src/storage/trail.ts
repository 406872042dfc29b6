import type { Sql, TransactionSql } from 'postgres';
import type { Json } from '../std/canonical.ts';
import { formatInstant, parseInstant } from '../std/clock.ts';
import { assert } from '../std/errors.ts';
import type { Executor } from './identity.ts';

// The statements of the audit trail. One chain for the whole gateway: all of it in lane 0.

/** The newest row of the chain. */
export interface TrailHead {
  /** 0: there is none yet. */
  readonly n: number;
  /** 32 bytes. */
  readonly hash: Buffer;
}

export interface StoredTrailRow {
  readonly n: number;
  /** RFC 3339, UTC, milliseconds. */
  readonly at: string;
  readonly role: string;
  readonly party: string;
  readonly action: string;
  readonly target: string;
  readonly result: string;
  readonly request: string;
  readonly details?: Readonly<Record<string, Json>>;
  /** 32 bytes. */
  readonly hash: Buffer;
}

/** The head, locked: nobody else can add rows until the transaction ends. */
export async function lockTrailHead(tx: TransactionSql): Promise<TrailHead> {
  const lock = () => tx<TrailHead[]>`SELECT n, hash FROM trail_head WHERE lane = 0 FOR UPDATE`;
  const [head] = await lock();
  if (head !== undefined) return head;
  await tx`INSERT INTO trail_head (lane, n, hash) VALUES (0, 0, ${Buffer.alloc(32)}) ON CONFLICT (lane) DO NOTHING`;
  const [made] = await lock();
  assert(made !== undefined, 'the trail has a head once one was inserted');
  return made;
}

/** Undefined before the first row. */
export async function readTrailHead(sql: Executor): Promise<TrailHead | undefined> {
  const [head] = await sql<TrailHead[]>`SELECT n, hash FROM trail_head WHERE lane = 0 AND n > 0`;
  return head;
}

export async function updateTrailHead(tx: TransactionSql, head: TrailHead): Promise<void> {
  await tx`UPDATE trail_head SET n = ${head.n}, hash = ${head.hash} WHERE lane = 0`;
}

/** The newest row, and when it was added, milliseconds since the epoch; undefined before the first. */
export async function readNewestTrailTime(tx: TransactionSql): Promise<{ n: number; at: number } | undefined> {
  const [row] = await tx<{ n: number; at: string }[]>`
    SELECT n, at FROM trail WHERE lane = 0 ORDER BY n DESC LIMIT 1`;
  return row && { n: row.n, at: instantOf(row.at) };
}

/** When row `n` was added, milliseconds since the epoch; undefined when there is no such row. */
export async function readTrailTime(sql: Executor, n: number): Promise<number | undefined> {
  const [row] = await sql<{ at: string }[]>`SELECT at FROM trail WHERE lane = 0 AND n = ${n}`;
  return row === undefined ? undefined : instantOf(row.at);
}

/** All rows as one JSON parameter: one statement text for any number of them. */
export async function insertTrailRows(tx: TransactionSql, rows: readonly StoredTrailRow[]): Promise<void> {
  const values = JSON.stringify(rows.map((row) => ({ ...row, hash: row.hash.toString('hex') })));
  await tx`
    INSERT INTO trail (lane, n, at, role, party, action, target, result, request, details, hash)
    SELECT 0, n, at, role, party, action, target, result, request, details, decode(hash, 'hex')
    FROM json_to_recordset(${values}::text::json)
      AS r(n bigint, at timestamptz, role text, party text, action text, target text, result text, request text,
           details jsonb, hash text)`;
}

const columns = (sql: Executor) => sql`n, at, role, party, action, target, result, request, details, hash`;

type Row = Omit<StoredTrailRow, 'details'> & { readonly details: StoredTrailRow['details'] | null };

/** Rows after `after` up to `to`, in their order, at most `limit`. */
export async function readTrailRows(
  sql: Executor,
  after: number,
  to: number,
  limit: number,
): Promise<StoredTrailRow[]> {
  const rows = await sql<Row[]>`
    SELECT ${columns(sql)} FROM trail WHERE lane = 0 AND n > ${after} AND n <= ${to} ORDER BY n LIMIT ${limit}`;
  return rows.map(storedRow);
}

/** Classes of results, as LIKE patterns. */
const RESULT_PATTERNS = {
  begun: ['begun'],
  done: ['1__', '2__', '3__', 'done'],
  refused: ['4%'],
  failed: ['5%', 'failed%'],
  'cut-short': ['%cut-short'],
} as const;
export const TRAIL_RESULTS = Object.keys(RESULT_PATTERNS) as readonly TrailResult[];
export type TrailResult = keyof typeof RESULT_PATTERNS;

export interface TrailFilter {
  readonly party?: string | undefined;
  readonly action?: string | undefined;
  readonly target?: string | undefined;
  readonly result?: TrailResult | undefined;
  /** Rows from `from` on, below `before`. */
  readonly from: number;
  readonly before: number;
}

/** How many rows of a party, of a target or of all one page looks at: what is rare is found over several. */
const ROWS_LOOKED_AT = 50_000;

const looked = (sql: Sql, { party, target, from, before }: TrailFilter) => sql`
  WHERE lane = 0 AND n >= ${from} AND n < ${before}
    ${party === undefined ? sql`` : sql`AND party = ${party}`} ${target === undefined ? sql`` : sql`AND target = ${target}`}
  ORDER BY n DESC`;

/** The newest rows that fit, newest first, at most `limit`. */
export async function listTrailRows(sql: Sql, filter: TrailFilter, limit: number): Promise<StoredTrailRow[]> {
  const { action, result } = filter;
  const patterns = result === undefined ? [] : [...RESULT_PATTERNS[result]];
  const rows = await sql<Row[]>`
    SELECT ${columns(sql)} FROM (SELECT * FROM trail ${looked(sql, filter)} LIMIT ${ROWS_LOOKED_AT}) AS seen
    WHERE true ${action === undefined ? sql`` : sql`AND action = ${action}`}
      ${result === undefined ? sql`` : sql`AND result LIKE ANY (${patterns}::text[])`}
    ORDER BY n DESC LIMIT ${limit}`;
  return rows.map(storedRow);
}

/** The oldest row that `listTrailRows` has looked at, when there may be more beyond it. */
export async function endOfLook(sql: Sql, filter: TrailFilter): Promise<number | undefined> {
  const [row] = await sql<{ n: number }[]>`
    SELECT n FROM trail ${looked(sql, filter)} OFFSET ${ROWS_LOOKED_AT - 1} LIMIT 1`;
  return row?.n;
}

function storedRow({ details, ...row }: Row): StoredTrailRow {
  return { ...row, at: formatInstant(instantOf(row.at)), ...(details === null ? {} : { details: details as never }) };
}

function instantOf(text: string): number {
  const at = parseInstant(text);
  assert(at !== undefined, 'PostgreSQL writes instants with a zone');
  return at;
}
