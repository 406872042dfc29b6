import type { KeyObject } from 'node:crypto';
import { laneOf } from '../domain/filing.ts';
import type { Clock } from '../std/clock.ts';
import type { Database } from '../storage/db.ts';
import type { LogKey, StoredCheckpoint } from '../storage/log.ts';

/** The gateway's own Ed25519 key, as far as checkpoints need it. */
interface CheckpointSigner {
  readonly publicKey: KeyObject;
  sign(data: Uint8Array): Uint8Array;
}

/** Keeps the newest signed heads outside the database: see `HeadsFile`. */
export interface HeadGuard {
  /**
   * Resolves when the head is on disk, at once when it is there already. A checkpoint leaves the process only after that.
   * `office` is empty for the national log.
   */
  record(office: string, head: Pick<StoredCheckpoint, 'size' | 'root' | 'signedAt'>): Promise<void>;
  /** The largest head of a log that is known to have been signed, by whichever process that shares the guard's file. */
  newest(office: string): Promise<Pick<StoredCheckpoint, 'size' | 'root'> | undefined>;
}

/** What the verbs of a log work with. */
export interface LogContext {
  readonly db: Pick<Database, 'sql'>;
  readonly lanes: number;
  readonly clock: Clock;
  readonly signer: CheckpointSigner;
  readonly guard: HeadGuard;
  /** `iss` is the gateway's public URL: without its scheme it begins every log's origin. */
  readonly issuer: { readonly iss: string };
  /** Between two rounds of the national log, milliseconds; a minute when absent. */
  readonly nationalRoundMs?: number;
}

export function logKey(ctx: Pick<LogContext, 'lanes'>, office: string): LogKey {
  return { lane: laneOf(office, ctx.lanes), office };
}
