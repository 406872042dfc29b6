import type { Clock } from '../std/clock.ts';
import { GatewayError, type Violation } from '../std/errors.ts';
import type { Text } from '../std/text.ts';
import type { Database, Sql, TransactionSql } from '../storage/db.ts';
import { nextIdentityChange } from '../storage/identity-writes.ts';
import { transaction } from '../storage/transaction.ts';
import { IdentityState, type Needs } from './state.ts';
import { Turns } from './turns.ts';

/** What the verbs of this folder work with. */
export interface IdentityContext {
  readonly db: Database;
  readonly clock: Clock;
  /** The gateway's public URL: the audience of proofs and assertions. */
  readonly issuer: string;
  /** Told what has just been committed, so that this process sees its own changes at once; others see the change feed. */
  readonly changed?: (subjects: readonly string[]) => void;
}

/** `created`: 201 on the wire, otherwise 200. */
export interface Outcome<R> {
  readonly created: boolean;
  readonly resource: R;
}

/** One change to identity, parsed and checked as far as it can be without the database. */
export interface Change<R> {
  readonly needs: Needs;
  /** Decides and sets rows; throws a GatewayError before it has set any. */
  apply(state: IdentityState): Outcome<R>;
}

/**
 * All changes wait for one row. Without a bound of their own they would wait on every connection of the pool, and filings
 * would get none.
 */
const BOUNDS = { atOnce: 2, mayWait: 300 };
const turnsOf = new WeakMap<Sql, Turns>();

function inTurn<T>(sql: Sql, work: () => Promise<T>): Promise<T> {
  const turns = turnsOf.get(sql) ?? new Turns(BOUNDS);
  turnsOf.set(sql, turns);
  return turns.take(work);
}

/**
 * Applies changes in order in one transaction; a refused one stops no other. The result has an outcome or the refusal
 * for each. Throws when the transaction failed as a whole: then nothing was changed, or, when the connection was lost during
 * COMMIT, possibly everything; every change is idempotent, so that it can be sent again. Throws `overloaded` when too many
 * wait.
 */
export async function applyChanges<R>(
  ctx: IdentityContext,
  changes: readonly Change<R>[],
): Promise<(Outcome<R> | GatewayError)[]> {
  const inTransaction = async (tx: TransactionSql) => {
    const n = await nextIdentityChange(tx);
    const state = await IdentityState.load(
      tx,
      ctx.clock,
      changes.map((change) => change.needs),
    );
    const results = changes.map((change) => attempt(change, state));
    await state.write(tx, n);
    return { results, subjects: state.subjects };
  };
  const { sql } = ctx.db;
  const { results, subjects } = await inTurn(sql, () => transaction(sql, inTransaction));
  if (subjects.length > 0) ctx.changed?.(subjects);
  return results;
}

function attempt<R>(change: Change<R>, state: IdentityState): Outcome<R> | GatewayError {
  try {
    return change.apply(state);
  } catch (error) {
    if (error instanceof GatewayError) return error;
    throw error;
  }
}

/** Applies one change; throws its refusal. */
export async function applyChange<R>(ctx: IdentityContext, change: Change<R>): Promise<Outcome<R>> {
  const [result] = await applyChanges(ctx, [change]);
  if (result === undefined || result instanceof GatewayError) throw result ?? new Error('no outcome');
  return result;
}

/** A finding in the resource that was sent. */
export function finding(pointer: string, code: string, message: Text): Violation {
  return { pointer, code, severity: 'error', message };
}

export function refuseIfAny(violations: readonly Violation[]): void {
  if (violations.length > 0) throw new GatewayError('invalid-resource', { errors: violations });
}

export function refuse(pointer: string, code: string, zh: string, en: string): GatewayError {
  return new GatewayError('invalid-resource', { errors: [finding(pointer, code, { zh, en })] });
}

export function conflict(zh: string, en: string): GatewayError {
  return new GatewayError('conflict', { detail: { zh, en } });
}

export function notFound(zh: string, en: string): GatewayError {
  return new GatewayError('not-found', { detail: { zh, en } });
}
