import { treeRoot } from '../src/log/merkle.ts';
import { sha256 } from '../src/std/bytes.ts';
import { type CorpusOptions, importLines, MONTHS_MAX, officeOf, usccOf, vatReturn } from './corpus.ts';
import { type CorpusKey, filerSigner, makeKey, publicHalf, signPayload } from './keys.ts';

/** Who signs the uploads: a bookkeeping agent with a mandate of each filer. */
export interface BulkAgent {
  readonly uscc: string;
  readonly key: CorpusKey;
}

/** `manifest`: one signature over all lines (form B). `jws`: each line signed by itself (form A). */
export type BulkForm = 'manifest' | 'jws';

export function bulkAgent({ seed, filers }: CorpusOptions): BulkAgent {
  return { uscc: usccOf(seed, filers), key: makeKey(`${seed} agent`, 0) };
}

/** Offices, filers and their keys as for other benches, then the agent with its mandates. */
export function* bulkImportLines(corpus: CorpusOptions): Generator<string> {
  yield* importLines(corpus);
  const agent = bulkAgent(corpus);
  yield JSON.stringify({ op: 'party', id: agent.uscc, kind: 'agent', name: '压测代账公司' });
  yield JSON.stringify({ op: 'key', party: agent.uscc, jwk: publicHalf(agent.key) });
  for (let i = 0; i < corpus.filers; i++) {
    const mandate = { id: `bulk-${i}`, agent: agent.uscc, filer: usccOf(corpus.seed, i), types: ['tax.*'] };
    yield JSON.stringify({ op: 'mandate', ...mandate, from: '2020-01-01' });
  }
}

/** How many different filings a corpus has. */
export function filingsOf({ filers }: CorpusOptions): number {
  return filers * MONTHS_MAX;
}

/**
 * Filing `number` of the corpus as its payload: month after month, one for each filer.
 * @param lineBytes blanks, which JSON allows, fill a shorter line up to this length with its newline
 */
export function bulkPayload(corpus: CorpusOptions, number: number, lineBytes = 0): string {
  const index = number % corpus.filers;
  const filing = vatReturn(corpus, usccOf(corpus.seed, index), index, Math.floor(number / corpus.filers));
  const payload = JSON.stringify(filing);
  const missing = lineBytes - 1 - Buffer.byteLength(payload);
  return missing <= 0 ? payload : `{${' '.repeat(missing)}${payload.slice(1)}`;
}

export interface UploadOptions {
  readonly corpus: CorpusOptions;
  readonly issuer: string;
  readonly form: BulkForm;
  /** Filings `from` to `to` - 1 of the corpus. */
  readonly from: number;
  readonly to: number;
  /** Makes large uploads of few filings. */
  readonly lineBytes?: number | undefined;
}

/** The body of one upload. */
export function uploadBody({ corpus, issuer, form, from, to, lineBytes = 0 }: UploadOptions): Buffer {
  const signer = filerSigner(bulkAgent(corpus).key, issuer);
  const payloads = Array.from({ length: to - from }, (_, i) => bulkPayload(corpus, from + i, lineBytes));
  if (form === 'jws') {
    return Buffer.from(payloads.map((payload) => `"${signPayload(signer, payload)}"\n`).join(''));
  }
  const root = treeRoot(
    sha256,
    payloads.map((payload) => sha256(`\0${payload}`)),
  );
  const manifest = { count: payloads.length, root: Buffer.from(root).toString('base64url') };
  const first = JSON.stringify(signPayload(signer, JSON.stringify(manifest)));
  return Buffer.from(`${[first, ...payloads].join('\n')}\n`);
}

/** A filer's office, for whoever makes rows without a gateway. */
export function officeOfFiling(corpus: CorpusOptions, number: number): string {
  return officeOf((number % corpus.filers) % corpus.offices);
}
