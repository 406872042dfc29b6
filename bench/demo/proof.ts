import { type Jwks, type PullState, ShenbaoClient, ShenbaoError, verifyReceipt } from '../../src/client/client.ts';
import { nodeHash } from '../check.ts';
import type { Accepted, Outcome } from './submit.ts';
import type { DemoOffice, DemoWorld } from './world.ts';

/** What one office found in its log. */
export interface OfficeReport {
  readonly office: DemoOffice;
  /** All of the log, former runs included. */
  readonly entries: number;
  /** Of this run. */
  readonly ours: number;
  readonly batches: number;
  /** base64url; absent when something did not hold. */
  readonly root?: string;
  readonly fault?: string;
}

/**
 * Pulls an office's whole log as the office: every leaf, every place, every signed root; then compares it with what the
 * filers were told. `pending` are the filings that the office must have; those found are taken out.
 */
export async function pullAs(
  gateway: string,
  world: DemoWorld,
  office: DemoOffice,
  pending: Map<string, Accepted>,
): Promise<OfficeReport> {
  const key = { ...office.key, sub: office.code };
  const client = new ShenbaoClient({ gateway, issuer: world.issuer, hash: nodeHash, key });
  let state: PullState | undefined;
  let ours = 0;
  let batches = 0;
  let root = '';
  try {
    for (;;) {
      const pulled = await client.office(office.code).pull(`demo-${world.run}`, {
        max: 2_000,
        ...(state === undefined ? {} : { state }),
        onEntry: ({ entry, payload }) => {
          const sent = pending.get(entry.id);
          if (sent === undefined) return;
          if (!Buffer.from(payload).equals(sent.bytes)) throw new ShenbaoError('verification-failed', 'other content');
          pending.delete(entry.id);
          ours++;
        },
        save: () => {},
      });
      if (pulled === undefined) break;
      ({ state, root } = pulled);
      batches++;
    }
    return { office, entries: state?.size ?? 0, ours, batches, root };
  } catch (error) {
    if (!(error instanceof ShenbaoError)) throw error;
    return { office, entries: state?.size ?? 0, ours, batches, fault: `${error.code}: ${error.message}` };
  }
}

export interface ReceiptsReport {
  readonly verified: number;
  readonly faults: readonly string[];
}

/** Verifies every receipt with the gateway's published keys alone, over the bytes that were sent. */
export async function verifyReceipts(
  accepted: readonly Accepted[],
  jwks: Jwks,
  issuer: string,
  onProgress: (done: number) => void,
): Promise<ReceiptsReport> {
  const faults: string[] = [];
  for (const [i, { filing, bytes }] of accepted.entries()) {
    const report = await verifyReceipt(filing.receipt, jwks, { payloadBytes: bytes, issuer, hash: nodeHash });
    const same = report.statement?.id === filing.id && report.statement.digest === filing.digest;
    if (!report.ok || !same) faults.push(`${filing.id}: ${report.steps.at(-1)?.text.en ?? 'malformed'}`);
    onProgress(i + 1);
  }
  return { verified: accepted.length - faults.length, faults };
}

/** A replay must bring the original receipt back, member for member. */
export function differingReplays(outcomes: readonly Outcome[], accepted: readonly Accepted[]): string[] {
  const receipts = new Map(accepted.map(({ filing }) => [filing.id, JSON.stringify(filing.receipt)]));
  return outcomes.flatMap(({ replayed }) =>
    replayed === undefined || receipts.get(replayed.id) === JSON.stringify(replayed.receipt) ? [] : [replayed.id],
  );
}
