import { afterAll, beforeAll, expect, test } from 'vitest';
import { SeededRandom, seedNumber } from '../../bench/random.ts';
import { type DamagedTable, Mender } from './damage.ts';
import { type AuditWorld, auditWorld, createAuditWorld } from './world.ts';

const FLIPS = 200;

let world: AuditWorld;
let mender: Mender;
beforeAll(async () => {
  world = await createAuditWorld();
  mender = await Mender.of(world.database);
});
afterAll(() => world?.drop());

/** How a single bit of a column's value is turned over, as text of SQL; undefined where that is no value of its type. */
type Turn = (column: string, random: SeededRandom) => string;

/** A bit of a character that is and stays ASCII; of other characters none. */
const inText: Turn = (column, random) => {
  const [place, bit] = [random.unit(), 2 ** random.integer(0, 6)];
  const at = `(1 + floor(${place} * length(${column})))::int`;
  const turned = `(ascii(substr(${column}, ${at}, 1)) # ${bit})`;
  return `overlay(${column} PLACING CASE WHEN ascii(substr(${column}, ${at}, 1)) < 128 AND ${turned} BETWEEN 1 AND 127 THEN chr(${turned}) ELSE substr(${column}, ${at}, 1) END FROM ${at} FOR 1)`;
};
const inBytes: Turn = (column, random) => {
  const bit = `floor(${random.unit()} * octet_length(${column}) * 8)::int`;
  return `set_bit(${column}, ${bit}, 1 - get_bit(${column}, ${bit}))`;
};
const inInteger =
  (type: string, bits: number): Turn =>
  (column, random) =>
    `${column} # (1::${type} << ${random.integer(0, bits - 1)})`;
/** Dates and times as PostgreSQL counts them: days, and milliseconds, since 2000; high bits are beyond the calendar. */
const inDate: Turn = (column, random) =>
  `date '2000-01-01' + ((${column} - date '2000-01-01') # ${2 ** random.integer(0, 16)})`;
const inTime: Turn = (column, random) =>
  `timestamptz '2000-01-01Z' + make_interval(secs => ((extract(epoch FROM ${column} - timestamptz '2000-01-01Z') * 1000)::bigint # ${2 ** random.integer(0, 40)}::bigint) / 1000.0)`;
const inUuid: Turn = (column, random) => {
  const bit = random.integer(0, 127);
  return `encode(set_bit(uuid_send(${column}), ${bit}, 1 - get_bit(uuid_send(${column}), ${bit})), 'hex')::uuid`;
};
const inJson: Turn = (column, random) => `(${inText(`${column}::text`, random)})::jsonb`;

const bigint = inInteger('bigint', 62);
const integer = inInteger('integer', 30);
const smallint: Turn = (column, random) => `(${column}::integer # ${2 ** random.integer(0, 13)})::smallint`;

/**
 * Every column that an audit answers for. Not there: what is signed by nobody and derived from nothing that is, which
 * docs/audit.md lists.
 */
const COLUMNS: readonly (readonly [table: DamagedTable, column: string, turn: Turn])[] = [
  ...(['type', 'version', 'filer', 'reference', 'kind', 'supersedes', 'kid', 'office'] as const).map(
    (column) => ['filing', column, inText] as const,
  ),
  ...(['key', 'digest', 'salt', 'leaf'] as const).map((column) => ['filing', column, inBytes] as const),
  ...Array.from({ length: 5 }, () => ['filing', 'content', inText] as const),
  ['filing', 'lane', smallint],
  ['filing', 'idx', bigint],
  ['filing', 'period_from', inDate],
  ['filing', 'period_to', inDate],
  ['filing', 'received_at', inTime],
  ['filing', 'tick', inUuid],
  ['filing', 'tick_lane', smallint],
  ['filing', 'tick_leaf', integer],
  ['filing', 'manifest', inUuid],
  ['filing', 'manifest_line', integer],
  ['tick', 'id', inUuid],
  ['tick', 'lane', smallint],
  ['tick', 'at', inTime],
  ['tick', 'leaves', inBytes],
  ['tick', 'signature', inText],
  ['manifest', 'id', inUuid],
  ['manifest', 'lane', smallint],
  ['manifest', 'jws', inText],
  ['manifest', 'leaves', inBytes],
  ['office_head', 'size', bigint],
  ['office_head', 'lane', smallint],
  ['office_head', 'office', inText],
  ['office_tree', 'size', bigint],
  ['office_tree', 'lane', smallint],
  ['tile', 'hashes', inBytes],
  ['tile', 'n', bigint],
  ['tile', 'level', smallint],
  ['tile', 'office', inText],
  ['checkpoint', 'size', bigint],
  ['checkpoint', 'root', inBytes],
  ['checkpoint', 'note', inText],
  ['checkpoint', 'lane', smallint],
  ['cosignature', 'size', bigint],
  ['cosignature', 'kid', inText],
  ['cosignature', 'line', inText],
  ['cosignature', 'cosigned_at', inTime],
  ['national_entry', 'idx', bigint],
  ['national_entry', 'kind', inText],
  ['national_entry', 'office', inText],
  ['national_entry', 'text', inText],
  ['national_entry', 'leaf', inBytes],
  ['recovery', 'kept_size', bigint],
  ['recovery', 'kept_root', inBytes],
  ['recovery', 'lost_size', bigint],
  ['recovery', 'lost_root', inBytes],
  ...(['role', 'party', 'action', 'target', 'result', 'request'] as const).map(
    (column) => ['trail', column, inText] as const,
  ),
  ['trail', 'n', bigint],
  ['trail', 'at', inTime],
  ['trail', 'hash', inBytes],
  ['trail', 'details', inJson],
  ['trail_head', 'n', bigint],
  ['trail_head', 'hash', inBytes],
  ['gateway_key', 'kid', inText],
  ['gateway_key', 'jwk', inJson],
  ['party_key', 'kid', inText],
  ['party_key', 'jwk', inJson],
  ['party_key', 'alg', inText],
  ['mandate', 'jws', inText],
  ['mandate', 'filer', inText],
  ['mandate', 'agent', inText],
  ['mandate', 'valid_from', inText],
  ['mandate', 'signed_at', inTime],
];

/** Turns a bit of one row; the row's place, or undefined when there was nothing there to turn or no value came out. */
async function turnOne(
  random: SeededRandom,
): Promise<{ readonly table: DamagedTable; readonly text: string } | undefined> {
  const [table, column, turn] = random.pick(COLUMNS);
  const { sql } = world.database.db;
  const rows = await sql.unsafe<{ place: string }[]>(
    `SELECT ctid::text AS place FROM ${table} WHERE ${column} IS NOT NULL AND ${column}::text <> '' ORDER BY ${table}::text`,
  );
  const chosen = rows[random.integer(0, Math.max(0, rows.length - 1))];
  const value = turn(column, random);
  if (chosen === undefined) return undefined;
  const statement = `UPDATE ${table} SET ${column} = ${value} WHERE ctid = '${chosen.place}' AND ${column} IS DISTINCT FROM ${value}`;
  const { count } = await sql.unsafe(statement).catch(() => ({ count: 0 }));
  return count === 1 ? { table, text: `${table}.${column} row ${chosen.place}: ${value}` } : undefined;
}

test(`${FLIPS} single bits, turned over anywhere, are all found`, { timeout: 600_000 }, async () => {
  const seed = process.env.AUDIT_SEED ?? String(Date.now());
  process.stdout.write(`AUDIT_SEED=${seed} repeats this run\n`);
  const missed: string[] = [];
  let turned = 0;
  for (let i = 0; turned < FLIPS; i++) {
    const flip = await turnOne(new SeededRandom(seedNumber(seed), i));
    if (flip === undefined) continue;
    turned++;
    const { findings } = await auditWorld(world, { signatures: /content|jws/.test(flip.text) });
    if (findings.length === 0) missed.push(`${i}: ${flip.text}`);
    await mender.mend([flip.table]);
  }
  expect(missed).toEqual([]);
});
