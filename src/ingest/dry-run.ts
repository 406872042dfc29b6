import type { FilingPayload } from '../domain/filing.ts';
import { filingKey } from '../domain/filing-key.ts';
import { sha256 } from '../std/bytes.ts';
import { GatewayError, type Violation } from '../std/errors.ts';
import { authorizeFiling, authorizeSigner, type Destination } from './authorize.ts';
import { compareFiling } from './compare-filing.ts';
import {
  admit,
  conflict,
  findStanding,
  type IngestContext,
  parsePayload,
  read,
  type Submission,
  verify,
} from './pipeline.ts';
import { type ValidateOptions, validateFiling } from './validate.ts';

/** The verdict that a real submission would get. */
export interface DryRun {
  readonly valid: boolean;
  readonly errors: readonly Violation[];
  readonly warnings: readonly Violation[];
  /** Violations beyond those listed. */
  readonly more: number;
}

/**
 * A signed filing goes through every step but the pool, and is compared with what stands under its key, and with the
 * filer's other filings as after acceptance. Refusals for other reasons than its content are thrown.
 */
export function dryRun(ctx: IngestContext, submission: Submission): Promise<DryRun> {
  return asVerdict(ctx, submission.content.length, async () => {
    const jws = read(submission);
    const key = await verify(ctx, jws);
    const payload = parsePayload(jws.payload);
    const signer = await authorizeSigner(ctx, key, submission.receivedAt);
    const destination = await authorizeFiling(ctx, signer, payload, submission.receivedAt);
    const options = { region: destination.office.region, others: 'looked-up' } as const;
    const verdict = await judge(ctx, payload, submission.receivedAt, options);
    if (!verdict.valid) return verdict;
    await refuseConflict(ctx, payload, sha256(jws.payload), destination);
    const found = await compareFiling(
      { ...ctx, sql: ctx.db.sql },
      { payload, version: payload.version, region: options.region },
    );
    return { ...verdict, warnings: [...verdict.warnings, ...found] };
  });
}

async function refuseConflict(
  ctx: IngestContext,
  payload: FilingPayload,
  digest: Buffer,
  destination: Destination,
): Promise<void> {
  const candidates = destination.candidates.map((office) => office.code);
  const standing = await findStanding(ctx, filingKey(payload), candidates);
  if (standing === undefined || standing.digest.equals(digest)) return;
  throw await conflict(ctx, { supersedes: payload.supersedes, digest, candidates }, standing);
}

/**
 * An unsigned payload: its content alone is judged. Nobody has claimed it, so nothing is said of what stands: a stranger
 * could ask in this way who has filed what. The figures are those of the office that it names, else the country's.
 */
export function dryRunUnsigned(ctx: IngestContext, bytes: Buffer, receivedAt: number): Promise<DryRun> {
  return asVerdict(ctx, bytes.length, async () => {
    const payload = parsePayload(bytes);
    const region = payload.office && (await ctx.directory.office(payload.office))?.region;
    return await judge(ctx, payload, receivedAt, { region, others: 'unseen' });
  });
}

async function judge(
  ctx: IngestContext,
  payload: FilingPayload,
  receivedAt: number,
  options: ValidateOptions,
): Promise<DryRun> {
  const result = await validateFiling(ctx, payload, receivedAt, options);
  return { valid: result.errors.length === 0, errors: result.errors, warnings: result.warnings, more: result.more };
}

/** Takes a place like a submission: what is only tried costs as much as what is stored, but for the disk. */
async function asVerdict(ctx: IngestContext, bytes: number, judging: () => Promise<DryRun>): Promise<DryRun> {
  const place = admit(ctx, bytes);
  try {
    return await judging();
  } catch (error) {
    if (!(error instanceof GatewayError) || error.code !== 'invalid-filing') throw error;
    return { valid: false, errors: error.details.errors ?? [], warnings: [], more: error.details.more ?? 0 };
  } finally {
    place.leave();
  }
}
