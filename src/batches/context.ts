import { laneOf } from '../domain/filing.ts';
import type { Clock } from '../std/clock.ts';
import { assert } from '../std/errors.ts';
import type { BatchRow, ConsumerKey } from '../storage/batches.ts';
import type { Database } from '../storage/db.ts';
import type { StoredCheckpoint } from '../storage/log.ts';
import type { OfficeKey } from './cosign.ts';
import { BATCH_STATES, type BatchState } from './state.ts';

/** What batches need of an office's log: checkpoints, whose roots acknowledgements are compared with. */
interface CheckpointSource {
  /** Over all that was committed before the call. */
  fresh(office: string): Promise<StoredCheckpoint>;
  /** Of exactly the first `size` entries. */
  at(office: string, size: number): Promise<StoredCheckpoint>;
}

export interface BatchContext {
  readonly db: Pick<Database, 'sql'>;
  readonly lanes: number;
  readonly clock: Clock;
  readonly checkpoints: CheckpointSource;
  /** Every Ed25519 key that was ever registered to the office, as it is at the call. */
  readonly cosigners: (office: string) => Promise<readonly OfficeKey[]>;
}

/** Whose batches. */
export interface ConsumerName {
  readonly office: string;
  /** `[A-Za-z0-9._-]{1,64}` */
  readonly consumer: string;
}

export function consumerKey(ctx: Pick<BatchContext, 'lanes'>, name: ConsumerName): ConsumerKey {
  return { lane: laneOf(name.office, ctx.lanes), office: name.office, consumer: name.consumer };
}

export interface Lease extends BatchRow {
  readonly state: BatchState;
}

export function leaseOf(row: BatchRow): Lease {
  const state = BATCH_STATES.find((known) => known === row.state);
  assert(state !== undefined, 'a stored batch state is one of the table');
  return { ...row, state };
}
