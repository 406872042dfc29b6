import { sha256 } from '../std/bytes.ts';
import { assert } from '../std/errors.ts';
import type { LogContext } from './context.ts';
import { verifyInclusion } from './merkle.ts';
import { inclusionProof } from './nodes.ts';
import { freshCheckpoint, newestCheckpoint } from './tree.ts';

/** First line of the C2SP tlog-proof format. */
const FORMAT = 'c2sp.org/tlog-proof@v1';

/** C2SP tlog-proof without extra data. `checkpoint` is the signed note, verbatim. */
function formatProof(index: number, path: readonly Uint8Array[], checkpoint: string): string {
  const hashes = path.map((hash) => `${Buffer.from(hash).toString('base64')}\n`);
  return `${FORMAT}\nindex ${index}\n${hashes.join('')}\n${checkpoint}`;
}

/**
 * Proof that entry `index` of an office's log is in the newest checkpoint; a newer one is signed when that does not
 * reach so far. The entry must exist, or this answers not-found. Verified against the signed root before it leaves.
 */
export async function filingProof(ctx: LogContext, office: string, index: number): Promise<string> {
  const newest = await newestCheckpoint(ctx, office);
  const checkpoint = newest !== undefined && newest.size > index ? newest : await freshCheckpoint(ctx, office);
  const { leaf, path } = await inclusionProof(ctx, { office, index, size: checkpoint.size });
  const claim = { leaf, index, size: checkpoint.size, path, root: checkpoint.root };
  assert(verifyInclusion(sha256, claim), 'a proof verifies before it leaves');
  return formatProof(index, path, checkpoint.note);
}
