import { sha256 } from '../std/bytes.ts';
import { formatInstant } from '../std/clock.ts';
import { assert, GatewayError } from '../std/errors.ts';
import type { Text } from '../std/text.ts';
import { readCheckpoint } from '../storage/log.ts';
import { type RecoveryRecord, readRecoveries } from '../storage/recovery.ts';
import type { LogContext } from './context.ts';
import { type Log, officeLog } from './logs.ts';
import { sameBytes, verifyConsistency } from './merkle.ts';
import { consistencyProof } from './nodes.ts';
import { freshHead, headAt } from './tree.ts';

/** That the signed tree of the first `to` entries begins with the tree of the first `from`. */
export interface SignedConsistency {
  readonly from: number;
  readonly to: number;
  /** RFC 6962 section 2.1.2, from the leaves upwards. */
  readonly path: readonly Uint8Array[];
  /** Signed note over exactly `to` entries. */
  readonly checkpoint: string;
}

/** See {@link logConsistency}, for an office's log. */
export function signedConsistency(
  ctx: LogContext,
  input: { readonly office: string; readonly from: number; readonly to: number | undefined },
): Promise<SignedConsistency> {
  return logConsistency(ctx, officeLog(ctx, input.office), input);
}

/**
 * Proof that a log of `to` entries, by default of all that is committed, begins with that of `from`. Verified against
 * the signed root of `to`, and the one of `from` if that was ever signed, before it leaves.
 */
export async function logConsistency(
  ctx: LogContext,
  log: Log,
  input: { readonly from: number; readonly to: number | undefined },
): Promise<SignedConsistency> {
  const { from } = input;
  const newest = await freshHead(ctx, log);
  const to = input.to ?? newest.size;
  if (from > 0 && Math.max(from, to) > newest.size)
    refuseBeyond(newest.size, await readRecoveries(ctx.db.sql, log.key), from);
  requireOrder(from, to);
  const { oldRoot, path } = await consistencyProof(ctx, log, { oldSize: from, size: to });
  // First, because signing `to` would be a second lie.
  const signed = await readCheckpoint(ctx.db.sql, log.key, from);
  assert(
    signed === undefined || sameBytes(signed.root, oldRoot),
    `${log.name} still begins with its checkpoint of size ${from}`,
  );
  const { note, root } = await headAt(ctx, log, to);
  const claim = { oldSize: from, oldRoot, size: to, root, path };
  assert(verifyConsistency(sha256, claim), 'a consistency proof verifies before it leaves');
  return { from, to, path, checkpoint: note };
}

function refuseBeyond(newest: number, recoveries: readonly RecoveryRecord[], from: number): never {
  const lost = recoveries.findLast(({ keptSize, lostSize }) => keptSize < from && from <= lostSize);
  if (lost === undefined) {
    throw refused({
      zh: `该日志的最新检查点为 ${newest} 份，from 和 to 均不得大于它。若您保存有更大的检查点，说明日志已被截断：请保留该检查点并联系运营方。`,
      en: `The newest checkpoint of this log has ${newest} entries; from and to must not be beyond it. If you kept a larger one, the log was cut short: keep it and call the operator.`,
    });
  }
  const { keptSize, lostSize } = lost;
  const at = formatInstant(lost.at);
  throw refused({
    zh: `该日志于 ${at} 由运营方恢复：此前已签名至 ${lostSize} 份，仅保留前 ${keptSize} 份，其后的已丢失，无法证明与之一致。此后的每个检查点都注明了这一点。请保留您的检查点，并请申报方重新提交。`,
    en: `The operator recovered this log at ${at}: ${lostSize} entries had been signed and the first ${keptSize} were kept, so nothing can be shown to go on from beyond them. Every checkpoint since then says so. Keep yours, and have what is missing filed again.`,
  });
}

function requireOrder(from: number, to: number): void {
  if (from === 0) {
    throw refused({
      zh: '任何日志都以空日志开头，无需证明。from 应为您保存的检查点的份数，至少为 1。',
      en: 'Every log begins with the empty one, which needs no proof. Give the size of a checkpoint that you kept, 1 or more, as from.',
    });
  }
  if (from > to) {
    throw refused({
      zh: 'from 不得大于 to：from 为较早检查点的份数，to 为较晚检查点的份数。',
      en: 'from must not be greater than to: from is the size of the earlier checkpoint, to that of the later one.',
    });
  }
}

function refused(detail: Text): GatewayError {
  return new GatewayError('invalid-parameter', { detail });
}
