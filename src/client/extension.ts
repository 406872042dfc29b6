import { parseNote } from '../log/checkpoint.ts';
import { verifyConsistency } from '../log/merkle.ts';
import { decodeBase64url } from '../std/base64.ts';
import { ShenbaoError } from './errors.ts';
import { openHead, type Recovery } from './head.ts';
import { type HeadContext, type SignedHead, signedHead } from './note.ts';

/** A checkpoint that was shown to extend an earlier one. */
export interface Extension extends SignedHead {
  /** The signed note: keep it in place of the earlier one. */
  readonly checkpoint: string;
}

/** What the gateway answers when it is asked how its log of `from` entries goes on. */
export interface ConsistencyAnswer {
  readonly path: readonly string[];
  readonly checkpoint: string;
}

/** How to ask the gateway. */
export interface ConsistencySource {
  readonly newest: () => Promise<string>;
  readonly consistency: (from: number) => Promise<ConsistencyAnswer>;
}

/** See {@link OfficeLog.extend}. */
export async function extendCheckpoint(
  context: HeadContext,
  office: string,
  kept: string,
  source: ConsistencySource,
): Promise<Extension> {
  const old = await signedHead(context, office, kept);
  const { path, checkpoint } = await askFor(old.size, source, async () => {
    // Without it what was refused first is told.
    const newest = await source.newest().catch(() => undefined);
    if (newest === undefined) return;
    await signedHead(context, office, newest);
    refuseRecovered(old.size, kept, newest);
  });
  const head = await signedHead(context, office, checkpoint);
  const claim = {
    oldSize: old.size,
    oldRoot: bytesOf(old.root),
    size: head.size,
    root: bytesOf(head.root),
    path: path.map(bytesOf),
  };
  if (!verifyConsistency(context.hash, claim)) {
    refuseRecovered(old.size, kept, checkpoint);
    // Both notes together are the evidence: the caller has one of them, the message the other.
    throw failed(
      `the log does not go on from the checkpoint of ${old.size} entries. The gateway now shows\n${checkpoint}`,
    );
  }
  return { ...head, checkpoint };
}

/** `explain` throws when the log's newest checkpoint says why it is shorter. */
async function askFor(
  size: number,
  source: ConsistencySource,
  explain: () => Promise<void>,
): Promise<ConsistencyAnswer> {
  // Every log begins with the empty one: there is nothing to ask for.
  if (size === 0) return { path: [], checkpoint: await source.newest() };
  try {
    const answer = await source.consistency(size);
    if (Array.isArray(answer?.path) && typeof answer.checkpoint === 'string') return answer;
  } catch (error) {
    if (!(error instanceof ShenbaoError) || error.code !== 'invalid-parameter') throw error;
    await explain();
    throw failed(`the gateway once signed ${size} entries and has fewer now`, error);
  }
  throw failed('the gateway answers without a proof');
}

/** A newer checkpoint tells of every recovery, in lines that the older one does not have. */
function refuseRecovered(size: number, kept: string, newer: string): void {
  const known = recoveriesIn(kept).length;
  const lost = recoveriesIn(newer)
    .slice(known)
    .find((each) => each.kept < size && size <= each.lost);
  if (lost === undefined) return;
  throw failed(
    `the operator recovered the log from an older database: of ${lost.lost} entries that had been signed the first ${lost.kept} were kept. What you have beyond them is no longer in the log: keep it. The gateway now shows\n${newer}`,
  );
}

function recoveriesIn(note: string): readonly Recovery[] {
  return openHead(parseNote(note)?.text ?? '')?.recoveries ?? [];
}

/** What is no base64url becomes no hash, which proves nothing. */
export function bytesOf(text: unknown): Uint8Array {
  return (typeof text === 'string' ? decodeBase64url(text) : undefined) ?? new Uint8Array(0);
}

function failed(what: string, cause?: unknown): ShenbaoError {
  return new ShenbaoError('verification-failed', what, cause === undefined ? {} : { cause });
}
