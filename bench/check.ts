import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
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
  readonly outcomes: readonly (Pick<LoadOutcome, 'statuses' | 'sent' | 'unanswered' | 'samples'> &
    Partial<Pick<LoadOutcome, 'doubtful'>>)[];
  /** Entries that were in the logs before. */
  readonly before: ReadonlyMap<string, number>;
}

export function nodeHash(data: Uint8Array): Uint8Array {
  return createHash('sha256').update(data).digest();
}

/**
 * Pulls every office's log from index 0 to its end, which proves that its indexes are dense and its root is the signed one,
 * and compares: rows stored are the 201s counted and what was settled, nothing was left without an answer, sampled receipts verify offline.
 */
export async function checkRun(input: CheckInput, onProgress: (read: number) => void): Promise<CheckResult> {
  const faults: string[] = [];
  const files = new FilingFiles(input.files);
  const doubtful = input.outcomes.flatMap((outcome) => outcome.doubtful ?? []);
  const settled = await settle(input.gateway, files, doubtful, faults);
  const created = sum(input.outcomes.map(({ statuses }) => statuses[201] ?? 0)) + settled;
  const sent = sum(input.outcomes.map((outcome) => outcome.sent));
  const unanswered = sum(input.outcomes.map((outcome) => outcome.unanswered));
  if (unanswered > 0) faults.push(`${unanswered} of ${sent} requests were not answered`);
  const samples = input.outcomes.flatMap((outcome) => outcome.samples);
  const sampled = { ...input, created, samples, payload: (number: number) => files.payload(number) };
  const checked = await checkStored(sampled, onProgress);
  faults.push(...checked.faults);
  return { ok: faults.length === 0, offices: input.corpus.offices, ...checked, faults };
}

const SETTLE_TRIES = 60;
const SETTLE_PAUSE_MS = 500;

/**
 * Sends what was answered 503 again, as every client has to: a gateway that could not say whether it had stored a filing says so
 * now (200), or stores it now (201). How many there are; each is a row.
 */
async function settle(
  gateway: string,
  files: FilingFiles,
  doubtful: readonly number[],
  faults: string[],
): Promise<number> {
  let settled = 0;
  for (const number of doubtful) {
    let status = 503;
    for (let tries = 0; status === 503 && tries < SETTLE_TRIES; tries++) {
      if (tries > 0) await sleep(SETTLE_PAUSE_MS);
      const headers = { 'content-type': 'application/jose' };
      const answer = await fetch(`${gateway}/v1/filings`, { method: 'POST', headers, body: files.jws(number) });
      await answer.arrayBuffer();
      status = answer.status;
    }
    if (status === 200 || status === 201) settled++;
    else faults.push(`filing ${number}, sent again after a 503, was answered ${status}`);
  }
  return settled;
}

/** What is compared, however it was sent. */
export interface StoredInput extends Pick<CheckInput, 'gateway' | 'issuer' | 'corpus' | 'before'> {
  /** 201s counted. */
  readonly created: number;
  readonly samples: readonly { readonly filing: number; readonly body: string }[];
  /** The bytes that filing `number` of the corpus signed. */
  readonly payload: (number: number) => Uint8Array;
}

/** Logs dense and with the signed roots, rows stored = 201s, sampled receipts. */
export async function checkStored(
  input: StoredInput,
  onProgress: (read: number) => void,
): Promise<Pick<CheckResult, 'stored' | 'receipts' | 'faults'>> {
  const faults: string[] = [];
  let stored = 0;
  for (let i = 0; i < input.corpus.offices; i++) {
    const office = officeOf(i);
    try {
      stored += await pullOffice(input, office, (read) => onProgress(stored + read));
    } catch (error) {
      faults.push(`office ${office}: ${String(error)}`);
    }
  }
  if (stored !== input.created) faults.push(`${input.created} times 201, but ${stored} rows stored`);
  const receipts = await checkReceipts(input, faults);
  if (input.created > 0 && receipts === 0) faults.push('no receipt was sampled');
  return { stored, receipts, faults };
}

async function pullOffice(input: StoredInput, office: string, onProgress: (read: number) => void): Promise<number> {
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

/** How many of the sampled receipts verify offline. */
export async function checkReceipts(
  { gateway, issuer, samples, payload }: Pick<StoredInput, 'gateway' | 'issuer' | 'samples' | 'payload'>,
  faults: string[],
): Promise<number> {
  const jwks = await new ShenbaoClient({ gateway, issuer }).jwks();
  let verified = 0;
  for (const { filing: number, body } of samples) {
    const filing = JSON.parse(body) as Filing;
    const report = await verifyReceipt(filing.receipt, jwks, {
      payloadBytes: payload(number),
      issuer,
      hash: nodeHash,
    });
    if (report.ok) verified++;
    else faults.push(`receipt of ${filing.id}: ${report.steps.at(-1)?.text.en ?? 'malformed'} does not hold`);
  }
  return verified;
}

/** Payloads by their number over all files, reading each file once. */
export class FilingFiles {
  readonly #files: readonly string[];
  readonly #lines: string[][] = [];

  constructor(files: readonly string[]) {
    this.#files = files;
  }

  payload(number: number): Uint8Array {
    return Buffer.from(this.jws(number).split('.')[1] ?? '', 'base64url');
  }

  jws(number: number): string {
    let first = 0;
    for (const [i, file] of this.#files.entries()) {
      this.#lines[i] ??= readFileSync(file, 'latin1').trimEnd().split('\n');
      const lines = this.#lines[i] as string[];
      const line = lines[number - first];
      if (line !== undefined) return line;
      first += lines.length;
    }
    throw new RangeError(`there is no filing ${number}`);
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
