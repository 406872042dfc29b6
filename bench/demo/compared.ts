import { setTimeout as sleep } from 'node:timers/promises';
import { type Filing, ShenbaoClient } from '../../src/client/client.ts';
import { nodeHash } from '../check.ts';
import { FORGOTTEN_CREDIT } from './samples.ts';
import type { Accepted } from './submit.ts';
import type { DemoWorld } from './world.ts';

/** What came of comparing filings with others of the same filer, which the gateway does after the receipt. */
export interface ComparisonReport {
  readonly compared: number;
  /** How often each rule found something. */
  readonly findings: ReadonlyMap<string, number>;
  readonly faults: readonly string[];
}

const LOOK_EVERY_MS = 500;
/** The gateway compares when it has nothing more urgent to do, and everything that was filed before. */
const PATIENCE_MS = 120_000;

/**
 * Waits until the samples have been compared, and asks each filer's own view for what was found. The VAT returns that forget
 * last month's credit have to be among it.
 */
export async function awaitComparisons(
  gateway: string,
  world: DemoWorld,
  accepted: readonly Accepted[],
  onProgress: (done: number, of: number) => void,
): Promise<ComparisonReport> {
  const samples = accepted.filter(({ job }) => job.reason === 'sample');
  const endMs = performance.now() + PATIENCE_MS;
  const findings = new Map<string, number>();
  const faults: string[] = [];
  let compared = 0;
  for (const sample of samples) {
    const filing = await whenCompared(gateway, world, sample, endMs);
    onProgress(++compared, samples.length);
    if (filing === undefined) {
      faults.push(`${sample.filing.id}: not compared within ${PATIENCE_MS / 1000} s`);
      continue;
    }
    const early = sample.filing.warnings.map(({ rule }) => rule);
    const found = filing.warnings.flatMap(({ rule }) => (rule === undefined || early.includes(rule) ? [] : [rule]));
    for (const rule of found) findings.set(rule, (findings.get(rule) ?? 0) + 1);
    const hasCredit = accepted.some(({ job }) => job.reason === 'credit' && job.filer === sample.job.filer);
    if (filing.type === 'tax.vat.general' && hasCredit && !found.includes(FORGOTTEN_CREDIT))
      faults.push(`${filing.id}: ${FORGOTTEN_CREDIT} was not found`);
  }
  return { compared: samples.length - faults.length, findings, faults };
}

async function whenCompared(
  gateway: string,
  world: DemoWorld,
  { job, filing }: Accepted,
  endMs: number,
): Promise<Filing | undefined> {
  const key = { ...job.filer.key, sub: job.filer.uscc };
  const client = new ShenbaoClient({ gateway, issuer: world.issuer, hash: nodeHash, key });
  for (;;) {
    const found = await client.filing(filing.id);
    if (found.compared) return found;
    if (performance.now() > endMs) return undefined;
    await sleep(LOOK_EVERY_MS);
  }
}
