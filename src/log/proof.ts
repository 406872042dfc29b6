import { sha256 } from '../std/bytes.ts';
import { assert } from '../std/errors.ts';
import { parseNote, parseTreeHead } from './checkpoint.ts';
import type { LogContext } from './context.ts';
import { type Log, officeLog } from './logs.ts';
import { verifyInclusion } from './merkle.ts';
import { inclusionProof } from './nodes.ts';
import { freshHead, newestHead } from './tree.ts';

/** First line of the C2SP tlog-proof format. */
const FORMAT = 'c2sp.org/tlog-proof@v1';

/** C2SP tlog-proof. `checkpoint` is the signed note, verbatim. */
function formatProof(
  index: number,
  path: readonly Uint8Array[],
  checkpoint: string,
  extra: Uint8Array | undefined,
): string {
  const line = extra === undefined ? '' : `extra ${Buffer.from(extra).toString('base64')}\n`;
  const hashes = path.map((hash) => `${Buffer.from(hash).toString('base64')}\n`);
  return `${FORMAT}\n${line}index ${index}\n${hashes.join('')}\n${checkpoint}`;
}

/** See {@link logProof}, for a filing. `checkpoint`: a signed note of the log over it, in place of the newest. */
export async function filingProof(
  ctx: LogContext,
  office: string,
  index: number,
  checkpoint?: string,
): Promise<string> {
  const log = officeLog(ctx, office);
  if (checkpoint === undefined) return await logProof(ctx, log, index);
  const head = parseTreeHead(parseNote(checkpoint)?.text ?? '');
  assert(head !== undefined, 'what was verified as a checkpoint is one');
  return await proofUnder(ctx, log, index, { ...head, note: checkpoint });
}

/**
 * Proof that entry `index` of a log is in the newest checkpoint; a newer one is signed when that does not reach so far.
 * The entry must exist, or this answers not-found. Verified against the signed root before it leaves. `extra` is what
 * the format allows beside the proof.
 */
export async function logProof(ctx: LogContext, log: Log, index: number, extra?: Uint8Array): Promise<string> {
  const newest = await newestHead(ctx, log);
  const checkpoint = newest !== undefined && newest.size > index ? newest : await freshHead(ctx, log);
  return await proofUnder(ctx, log, index, checkpoint, extra);
}

async function proofUnder(
  ctx: LogContext,
  log: Log,
  index: number,
  { size, root, note }: { readonly size: number; readonly root: Uint8Array; readonly note: string },
  extra?: Uint8Array,
): Promise<string> {
  const { leaf, path } = await inclusionProof(ctx, log, { index, size });
  assert(verifyInclusion(sha256, { leaf, index, size, path, root }), 'a proof verifies before it leaves');
  return formatProof(index, path, note, extra);
}
