import type { FilingPayload } from '../domain/filing.ts';
import { GatewayError, type Violation } from '../std/errors.ts';
import { authorizeFiling } from './authorize.ts';
import { type IngestContext, parsePayload, read, type Submission, verify } from './pipeline.ts';
import { validateFiling } from './validate.ts';

/** The verdict that a real submission would get. */
export interface DryRun {
  readonly valid: boolean;
  readonly errors: readonly Violation[];
  readonly warnings: readonly Violation[];
  /** Violations beyond those listed. */
  readonly more: number;
}

/** A signed filing goes through every step but the pool. Refusals for other reasons than its content are thrown. */
export function dryRun(ctx: IngestContext, submission: Submission): Promise<DryRun> {
  return asVerdict(async () => {
    const jws = read(submission);
    const signer = await verify(ctx, jws, submission.receivedAt);
    const payload = parsePayload(jws.payload);
    await authorizeFiling(ctx, signer, payload, submission.receivedAt);
    return await judge(ctx, payload, submission.receivedAt);
  });
}

/** An unsigned payload: its content alone is judged, since nobody claims it yet. */
export function dryRunUnsigned(ctx: IngestContext, payload: Buffer, receivedAt: number): Promise<DryRun> {
  return asVerdict(() => judge(ctx, parsePayload(payload), receivedAt));
}

async function judge(ctx: IngestContext, payload: FilingPayload, receivedAt: number): Promise<DryRun> {
  const result = await validateFiling(
    { catalogue: ctx.catalogue, sql: ctx.db.sql, lanes: ctx.lanes },
    payload,
    receivedAt,
  );
  return { valid: result.errors.length === 0, errors: result.errors, warnings: result.warnings, more: result.more };
}

async function asVerdict(judging: () => Promise<DryRun>): Promise<DryRun> {
  try {
    return await judging();
  } catch (error) {
    if (!(error instanceof GatewayError) || error.code !== 'invalid-filing') throw error;
    return { valid: false, errors: error.details.errors ?? [], warnings: [], more: error.details.more ?? 0 };
  }
}
