import { sha256 } from '../std/bytes.ts';
import { assert, GatewayError } from '../std/errors.ts';
import type { Sql, TransactionSql } from '../storage/db.ts';
import { readCheckpoint, readNewestCheckpoint, type StoredCheckpoint } from '../storage/log.ts';
import {
  insertNationalEntries,
  type NationalKind,
  type NationalRecord,
  readLastTexts,
  readNationalEntries,
  readNationalSize,
  readNewestNational,
  readNewestNotes,
  readNextNational,
  readTrailEnd,
} from '../storage/national.ts';
import { transaction } from '../storage/transaction.ts';
import { parseNote, parseTreeHead, withoutScheme } from './checkpoint.ts';
import { logConsistency, type SignedConsistency } from './consistency.ts';
import type { LogContext } from './context.ts';
import { NATIONAL_LOG } from './logs.ts';
import { leafHash } from './merkle.ts';
import { logProof } from './proof.ts';
import { freshHead, growAndSign, lockLog, newestHead } from './tree.ts';

/** At most one round in this time, in all processes together, unless the context says another. */
export const ROUND_MS = 60_000;
/** Entries read and held at a time while a range is sent: some 15 kB, since anybody may ask and then not read. */
const PART_ENTRIES = 64;

/** What is to be added to the national log. */
export interface NationalText {
  readonly kind: NationalKind;
  /** The office's code; empty for what is of no office. */
  readonly office: string;
  readonly text: string;
}

/** The newest signed checkpoint; that of the empty log when there was no round yet. */
export async function nationalCheckpoint(ctx: LogContext): Promise<StoredCheckpoint> {
  return (await newestHead(ctx, NATIONAL_LOG)) ?? (await freshHead(ctx, NATIONAL_LOG));
}

/**
 * Takes up the heads of the offices' logs that changed, and the end of the audit trail, and signs. Does nothing when
 * nothing changed, or when the last round, in whatever process, is too young: the lock on the tree's row lets
 * one at a time find that out.
 */
export async function nationalRound(ctx: LogContext): Promise<StoredCheckpoint | undefined> {
  // Without the lock first, because most of the time there is nothing to do.
  if (!isDue(ctx, await readNewestCheckpoint(ctx.db.sql, NATIONAL_LOG.key))) return undefined;
  const texts = await transaction(ctx.db.sql, async (tx) => {
    await lockLog(tx, NATIONAL_LOG.key);
    const newest = await readNewestCheckpoint(tx, NATIONAL_LOG.key);
    if (!isDue(ctx, newest)) return undefined;
    const changed = await changedTexts(ctx, tx);
    const size = await addNational(ctx, tx, changed);
    if (newest !== undefined && size === newest.size) return undefined;
    await growAndSign(ctx, tx, NATIONAL_LOG, size);
    return changed;
  });
  if (texts === undefined) return undefined;
  await recordHeads(ctx, texts);
  // The checkpoint was signed above, unless there was more than one transaction may take up.
  return freshHead(ctx, NATIONAL_LOG);
}

/** What the national log publishes of an office has left the house: it stands outside the database too, whoever signed it. */
async function recordHeads(ctx: LogContext, texts: readonly NationalText[]): Promise<void> {
  const signedAt = ctx.clock.now();
  const heads = texts.flatMap(({ kind, office, text }) => {
    const head = kind === 'office' ? parseTreeHead(text) : undefined;
    return head === undefined ? [] : [{ office, size: head.size, root: Buffer.from(head.root), signedAt }];
  });
  await Promise.all(heads.map(({ office, ...head }) => ctx.guard.record(office, head)));
}

/** A clock that was put back by more than a round must not stop the rounds. */
function isDue(ctx: LogContext, newest: StoredCheckpoint | undefined): boolean {
  if (newest === undefined || newest.size === 0) return true;
  return Math.abs(ctx.clock.now() - newest.signedAt) >= (ctx.nationalRoundMs ?? ROUND_MS);
}

/** Appends, in this order, and returns the log's size. The caller holds the lock on the tree's row. */
export async function addNational(
  ctx: Pick<LogContext, 'clock'>,
  tx: TransactionSql,
  texts: readonly NationalText[],
): Promise<number> {
  const size = await readNationalSize(tx);
  const at = ctx.clock.now();
  const entries = texts.map((each, i) => ({
    ...each,
    index: size + i,
    leaf: Buffer.from(leafHash(sha256, Buffer.from(each.text))),
    at,
  }));
  await insertNationalEntries(tx, entries);
  return size + entries.length;
}

async function changedTexts(ctx: LogContext, tx: TransactionSql): Promise<NationalText[]> {
  const newest = await readNewestNotes(tx);
  const known = await readLastTexts(
    tx,
    newest.map(({ office }) => office),
  );
  const heads = newest.flatMap(({ office, note }): NationalText[] => {
    const text = parseNote(note)?.text;
    return text === undefined || text === known.get(office) ? [] : [{ kind: 'office', office, text }];
  });
  return [...heads, ...(await changedTrail(ctx, tx))];
}

async function changedTrail(ctx: LogContext, tx: TransactionSql): Promise<NationalText[]> {
  const end = await readTrailEnd(tx);
  if (end === undefined) return [];
  const text = `${withoutScheme(ctx.issuer.iss)}/trail\n${end.n}\n${end.hash.toString('base64')}\n`;
  const last = await readNewestNational(tx, 'trail', '');
  return last?.text === text ? [] : [{ kind: 'trail', office: '', text }];
}

/** A range [from, to) of the national log; its records are read as they are asked for. */
export interface NationalRange {
  readonly to: number;
  readonly checkpointSize: number;
  readonly parts: AsyncIterable<readonly NationalRecord[]>;
}

/** Entries from index `from` on, at most `limit`, ending at the newest checkpoint. */
export async function nationalEntries(
  ctx: LogContext,
  { from, limit }: { readonly from: number; readonly limit: number },
): Promise<NationalRange> {
  const { size } = await nationalCheckpoint(ctx);
  const to = Math.max(from, Math.min(from + limit, size));
  return { to, checkpointSize: size, parts: readParts(ctx.db.sql, from, to) };
}

async function* readParts(sql: Sql, from: number, to: number): AsyncGenerator<readonly NationalRecord[]> {
  for (let next = from; next < to; next += PART_ENTRIES)
    yield await readNationalEntries(sql, next, Math.min(next + PART_ENTRIES, to));
}

/**
 * tlog-proof that a head of the office's log stands in the national log, with the leaf's text as its extra data: the
 * newest head, or the first of at least `size` entries. Not-found while there is none.
 */
export async function nationalProof(ctx: LogContext, office: string, size: number | undefined): Promise<string> {
  const newest = await readNewestNational(ctx.db.sql, 'office', office);
  if (newest === undefined || sizeOf(newest) < (size ?? 0)) throw new GatewayError('not-found');
  const found = size === undefined ? newest : await firstOf(ctx.db.sql, newest, size);
  return logProof(ctx, NATIONAL_LOG, found.index, Buffer.from(found.text));
}

/**
 * Proof that the national log of `to` entries, by default of all, begins with that of `from`. `to` must have been signed:
 * anybody may ask, and asking must not make the gateway sign and store.
 */
export async function nationalConsistency(
  ctx: LogContext,
  input: { readonly from: number; readonly to: number | undefined },
): Promise<SignedConsistency> {
  const { to } = input;
  const { size } = await nationalCheckpoint(ctx);
  const isUnsigned =
    to !== undefined && to <= size && (await readCheckpoint(ctx.db.sql, NATIONAL_LOG.key, to)) === undefined;
  if (isUnsigned) throw new GatewayError('invalid-parameter', { detail: NEVER_SIGNED });
  return logConsistency(ctx, NATIONAL_LOG, input);
}

const NEVER_SIGNED = {
  zh: 'to 应为某个已签名检查点的条数；省略时为最新的检查点。',
  en: 'to must be the size of a checkpoint that was signed; leave it out for the newest.',
};

/**
 * By bisection over the national log's indexes, because sizes are inside the texts: an office's sizes only grow, but for
 * a recovery, and what stood before the last one may be lost.
 */
async function firstOf(sql: Sql, newest: NationalRecord, size: number): Promise<NationalRecord> {
  const recovered = await readNewestNational(sql, 'recovery', newest.office);
  let low = recovered === undefined ? 0 : recovered.index + 1;
  let high = newest.index;
  let found = newest;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const next = (await readNextNational(sql, newest.office, middle)) ?? newest;
    if (sizeOf(next) < size) low = next.index + 1;
    else [high, found] = [middle, next];
  }
  return found;
}

function sizeOf({ text }: NationalRecord): number {
  const head = parseTreeHead(text);
  assert(head !== undefined, 'a leaf about an office is a checkpoint');
  return head.size;
}
