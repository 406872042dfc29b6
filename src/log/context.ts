import type { KeyObject } from 'node:crypto';
import { laneOf } from '../domain/filing.ts';
import type { Clock } from '../std/clock.ts';
import type { Database } from '../storage/db.ts';
import type { LogKey } from '../storage/log.ts';

/** The gateway's own Ed25519 key, as far as checkpoints need it. */
interface CheckpointSigner {
  readonly publicKey: KeyObject;
  sign(data: Uint8Array): Uint8Array;
}

/** What the verbs of an office's log work with. */
export interface LogContext {
  readonly db: Pick<Database, 'sql'>;
  readonly lanes: number;
  readonly clock: Clock;
  readonly signer: CheckpointSigner;
  /** `iss` is the gateway's public URL: without its scheme it begins every log's origin. */
  readonly issuer: { readonly iss: string };
}

export function logKey(ctx: Pick<LogContext, 'lanes'>, office: string): LogKey {
  return { lane: laneOf(office, ctx.lanes), office };
}
