import { logOrigin, nationalOrigin } from '../log/checkpoint.ts';
import { verifyConsistency } from '../log/merkle.ts';
import { ShenbaoError } from './errors.ts';
import { bytesOf, type ConsistencyAnswer } from './extension.ts';
import { type NationalReport, verifyNationalProof } from './national.ts';
import { type HeadContext, type SignedHead, signedHead } from './note.ts';
import { parseProof } from './proof.ts';

/** That the national log covers a checkpoint of an office's log. */
export interface Coverage {
  /** The national checkpoint: a signed note. Compare it with one that was published. */
  readonly checkpoint: string;
  readonly national: SignedHead;
  /** Which entry of the national log. */
  readonly index: number;
  /** The head of the office's log in that entry: the checkpoint's own, or a later one. */
  readonly head: SignedHead;
}

/** How to ask the gateway. */
export interface CoverageSource {
  /** `GET /v1/national/proofs/{office}?size=` */
  readonly proof: (size: number) => Promise<string>;
  /** `GET /v1/offices/{office}/consistency?from=&to=` */
  readonly consistency: (from: number, to: number) => Promise<ConsistencyAnswer>;
}

/** See {@link OfficeLog.covered}. */
export async function coverCheckpoint(
  context: HeadContext,
  office: string,
  kept: string,
  source: CoverageSource,
): Promise<Coverage> {
  const own = await signedHead(context, office, kept);
  const proof = await source.proof(own.size);
  const { index, entry, head: national } = await provedEntry(context, office, proof);
  if (entry.kind !== 'office') throw failed('the national log answers with an entry of another kind');
  await requireExtension(context, own, entry, source);
  return {
    checkpoint: parseProof(proof)?.checkpoint ?? '',
    national: { size: national.size, root: national.root },
    index,
    head: { size: entry.size, root: entry.root },
  };
}

async function provedEntry(
  context: HeadContext,
  office: string,
  proof: string,
): Promise<Extract<NationalReport, { ok: true }>> {
  const issuer = await context.issuer();
  const options = { origin: nationalOrigin(issuer), office: logOrigin(issuer, office), hash: context.hash };
  let report = await verifyNationalProof(proof, await context.jwks(), options);
  // The gateway may have a new key since the key set was fetched.
  if (!report.ok) report = await verifyNationalProof(proof, await context.jwks(true), options);
  if (report.ok) return report;
  throw failed(`the proof that the national log holds the office does not hold: ${report.reason}`);
}

async function requireExtension(
  context: HeadContext,
  own: SignedHead,
  head: SignedHead,
  source: CoverageSource,
): Promise<void> {
  const path =
    own.size === 0 || own.size === head.size ? [] : (await source.consistency(own.size, head.size)).path.map(bytesOf);
  const claim = { oldSize: own.size, oldRoot: bytesOf(own.root), size: head.size, root: bytesOf(head.root), path };
  if (verifyConsistency(context.hash, claim)) return;
  throw failed(
    `the head of ${head.size} entries in the national log does not go on from the checkpoint of ${own.size} entries`,
  );
}

function failed(what: string): ShenbaoError {
  return new ShenbaoError('verification-failed', what);
}
