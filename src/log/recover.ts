import { formatInstant } from '../std/clock.ts';
import { assert } from '../std/errors.ts';
import type { TransactionSql } from '../storage/db.ts';
import { insertRecovery, type RecoveryRecord } from '../storage/recovery.ts';
import { transaction } from '../storage/transaction.ts';
import type { LogContext } from './context.ts';
import { compactHeadsFile, readHeadsFile } from './heads-file.ts';
import { type Log, NATIONAL_LOG } from './logs.ts';
import { addNational, type NationalText } from './national.ts';
import { compareHeads, type Loss, logOf, type RollbackContext } from './rollback.ts';
import { growAndSign, lockLog } from './tree.ts';

/** What was signed and is not in the database; nothing is changed. The file is that of `HeadsFile`. */
export async function findLosses(ctx: RollbackContext, file: string): Promise<readonly Loss[]> {
  return (await compareHeads(ctx, await readHeadsFile(file))).losses;
}

/**
 * Goes on with a database that lacks what was signed. In one transaction: a row for each log tells what was lost, an entry
 * of the national log says it to everybody, and each log is signed again as it is now, with a line that says so in every
 * checkpoint from then on. Then the heads outside the database are those that it has. No gateway may run meanwhile.
 */
export async function recoverLogs(
  ctx: LogContext,
  file: string,
  losses: readonly Loss[],
  reason: string,
): Promise<readonly RecoveryRecord[]> {
  const recoveries = recordsOf(ctx, losses, reason);
  await transaction(ctx.db.sql, async (tx) => {
    await lockLog(tx, NATIONAL_LOG.key);
    for (const recovery of recoveries) await insertRecovery(tx, logOf(ctx, recovery.office).key.lane, recovery);
    const size = await addNational(
      ctx,
      tx,
      recoveries.map((recovery) => entryOf(ctx, recovery)),
    );
    for (const office of new Set(losses.map((loss) => loss.office))) {
      const log = logOf(ctx, office);
      const held = office === '' ? size : (await log.readState(tx))?.size;
      // An office that is gone with its log is signed for again when it has been registered again.
      if (held !== undefined) await signAnew(ctx, tx, log, held);
    }
    if (!losses.some(({ office }) => office === '')) await signAnew(ctx, tx, NATIONAL_LOG, size);
  });
  await compactHeadsFile(file, async (signed) => {
    const { losses: left, heads } = await compareHeads(ctx, signed);
    assert(left.length === 0, 'a recovery tells of everything that was lost');
    return heads;
  });
  return recoveries;
}

/** A millisecond apart: two different roots may have been signed for one log. */
function recordsOf(ctx: LogContext, losses: readonly Loss[], reason: string): RecoveryRecord[] {
  const now = ctx.clock.now();
  return losses.map(({ office, kept, lost }, i) => ({
    office,
    at: now + i,
    keptSize: kept.size,
    keptRoot: Buffer.from(kept.root),
    lostSize: lost.size,
    lostRoot: lost.root,
    reason,
  }));
}

function entryOf(ctx: LogContext, recovery: RecoveryRecord): NationalText {
  const { office, at, keptSize, keptRoot, lostSize, lostRoot } = recovery;
  const lines = [
    logOf(ctx, office).origin(ctx.issuer.iss),
    'recovered',
    `${keptSize} ${keptRoot.toString('base64')}`,
    `${lostSize} ${lostRoot.toString('base64')}`,
    formatInstant(at),
  ];
  return { kind: 'recovery', office, text: lines.map((line) => `${line}\n`).join('') };
}

/** That the log is not what was signed is known here, and is what the new checkpoint says. */
async function signAnew(ctx: LogContext, tx: TransactionSql, log: Log, size: number): Promise<void> {
  const knowing = { ...ctx, guard: { record: async () => {}, newest: async () => undefined } };
  while ((await growAndSign(knowing, tx, log, size, { again: true })) === undefined);
}
