import { sha256 } from '../std/bytes.ts';
import { assert, GatewayError } from '../std/errors.ts';
import type { Text } from '../std/text.ts';
import { readCheckpoint } from '../storage/log.ts';
import { type LogContext, logKey } from './context.ts';
import { sameBytes, verifyConsistency } from './merkle.ts';
import { consistencyProof } from './nodes.ts';
import { checkpointAt, freshCheckpoint } from './tree.ts';

/** That the signed tree of the first `to` entries begins with the tree of the first `from`. */
export interface SignedConsistency {
  readonly from: number;
  readonly to: number;
  /** RFC 6962 section 2.1.2, from the leaves upwards. */
  readonly path: readonly Uint8Array[];
  /** Signed note over exactly `to` entries. */
  readonly checkpoint: string;
}

/**
 * Proof that an office's log of `to` entries, by default of all that is committed, begins with that of `from`. Verified
 * against the signed root of `to`, and the one of `from` if that was ever signed, before it leaves.
 */
export async function signedConsistency(
  ctx: LogContext,
  input: { readonly office: string; readonly from: number; readonly to: number | undefined },
): Promise<SignedConsistency> {
  const { office, from } = input;
  const newest = await freshCheckpoint(ctx, office);
  const to = input.to ?? newest.size;
  requireSizes(from, input.to, newest.size);
  const { oldRoot, path } = await consistencyProof(ctx, { office, oldSize: from, size: to });
  // First, because signing `to` would be a second lie.
  const signed = await readCheckpoint(ctx.db.sql, logKey(ctx, office), from);
  assert(
    signed === undefined || sameBytes(signed.root, oldRoot),
    `the log of office ${office} still begins with its checkpoint of size ${from}`,
  );
  const { note, root } = await checkpointAt(ctx, office, to);
  const claim = { oldSize: from, oldRoot, size: to, root, path };
  assert(verifyConsistency(sha256, claim), 'a consistency proof verifies before it leaves');
  return { from, to, path, checkpoint: note };
}

function requireSizes(from: number, to: number | undefined, newest: number): void {
  if (from === 0) {
    throw refused({
      zh: '任何日志都以空日志开头，无需证明。from 应为您保存的检查点的份数，至少为 1。',
      en: 'Every log begins with the empty one, which needs no proof. Give the size of a checkpoint that you kept, 1 or more, as from.',
    });
  }
  if (Math.max(from, to ?? 0) > newest) {
    throw refused({
      zh: `该机关日志的最新检查点为 ${newest} 份，from 和 to 均不得大于它。若您保存有更大的检查点，说明日志已被截断：请保留该检查点并联系运营方。`,
      en: `The newest checkpoint of this log has ${newest} entries; from and to must not be beyond it. If you kept a larger one, the log was cut short: keep it and call the operator.`,
    });
  }
  if (to !== undefined && from > to) {
    throw refused({
      zh: 'from 不得大于 to：from 为较早检查点的份数，to 为较晚检查点的份数。',
      en: 'from must not be greater than to: from is the size of the earlier checkpoint, to that of the later one.',
    });
  }
}

function refused(detail: Text): GatewayError {
  return new GatewayError('invalid-parameter', { detail });
}
