import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type Filing, type Jwk, type PullState, ShenbaoClient, verifyReceipt } from '../src/client/client.ts';
import { type CorpusOptions, officeKey, officeOf } from './corpus.ts';
import type { LoadOutcome } from './load.ts';

/** What a run left behind. Every figure that it printed depends on all of this being in order. */
export interface CheckResult {
  readonly ok: boolean;
  /** Entries in the offices' logs that this run added. */
  readonly stored: number;
  readonly offices: number;
  readonly receipts: number;
  readonly faults: readonly string[];
}

export interface CheckInput {
  readonly gateway: string;
  readonly issuer: string;
  readonly corpus: CorpusOptions;
  readonly files: readonly string[];
  /** The warm-up and the measured run. */
  readonly outcomes: readonly LoadOutcome[];
  /** Entries that were in the logs before. */
  readonly before: ReadonlyMap<string, number>;
}

export function nodeHash(data: Uint8Array): Uint8Array {
  return createHash('sha256').update(data).digest();
}

/**
 * Pulls every office's log from index 0 to its end, which proves that its indexes are dense and its root is the signed one,
 * and compares: rows stored are the 201s counted, nothing was left without an answer, sampled receipts verify offline.
 */
export async function checkRun(input: CheckInput, onProgress: (read: number) => void): Promise<CheckResult> {
  const faults: string[] = [];
  const created = sum(input.outcomes.map(({ statuses }) => statuses[201] ?? 0));
  const sent = sum(input.outcomes.map((outcome) => outcome.sent));
  const unanswered = sum(input.outcomes.map((outcome) => outcome.unanswered));
  if (unanswered > 0) faults.push(`${unanswered} of ${sent} requests were not answered`);
  let stored = 0;
  for (let i = 0; i < input.corpus.offices; i++) {
    const office = officeOf(i);
    try {
      stored += await pullOffice(input, office, (read) => onProgress(stored + read));
    } catch (error) {
      faults.push(`office ${office}: ${String(error)}`);
    }
  }
  if (stored !== created) faults.push(`${created} times 201, but ${stored} rows stored`);
  const receipts = await checkReceipts(input, faults);
  if (created > 0 && receipts === 0) faults.push('no receipt was sampled');
  return { ok: faults.length === 0, stored, offices: input.corpus.offices, receipts, faults };
}

async function pullOffice(input: CheckInput, office: string, onProgress: (read: number) => void): Promise<number> {
  const key: Jwk = { ...officeKey(input.corpus.seed, office), sub: office };
  const client = new ShenbaoClient({ gateway: input.gateway, issuer: input.issuer, key, hash: nodeHash });
  const before = input.before.get(office) ?? 0;
  let added = 0;
  let state: PullState | undefined;
  for (;;) {
    const pulled = await client.office(office).pull('bench', {
      ...(state === undefined ? {} : { state }),
      onEntry: ({ entry }) => {
        if (entry.index >= before) added++;
        if (added % 1_000 === 0) onProgress(added);
      },
      save: () => {},
    });
    if (pulled === undefined) break;
    state = pulled.state;
  }
  return added;
}

async function checkReceipts({ gateway, issuer, files, outcomes }: CheckInput, faults: string[]): Promise<number> {
  const jwks = await new ShenbaoClient({ gateway, issuer }).jwks();
  const filings = new FilingFiles(files);
  let verified = 0;
  for (const { filing: number, body } of outcomes.flatMap(({ samples }) => samples)) {
    const filing = JSON.parse(body) as Filing;
    const report = await verifyReceipt(filing.receipt, jwks, {
      payloadBytes: filings.payload(number),
      issuer,
      hash: nodeHash,
    });
    if (report.ok) verified++;
    else faults.push(`receipt of ${filing.id}: ${report.steps.at(-1)?.text.en ?? 'malformed'} does not hold`);
  }
  return verified;
}

/** Payloads by their number over all files, reading each file once. */
class FilingFiles {
  readonly #files: readonly string[];
  readonly #lines: string[][] = [];

  constructor(files: readonly string[]) {
    this.#files = files;
  }

  payload(number: number): Uint8Array {
    let first = 0;
    for (const [i, file] of this.#files.entries()) {
      this.#lines[i] ??= readFileSync(file, 'latin1').trimEnd().split('\n');
      const lines = this.#lines[i] as string[];
      const line = lines[number - first];
      if (line !== undefined) return Buffer.from(line.split('.')[1] ?? '', 'base64url');
      first += lines.length;
    }
    throw new RangeError(`there is no filing ${number}`);
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
