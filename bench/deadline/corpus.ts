import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { CORPUS_FORMAT } from '../corpus.ts';
import { CACHE, onAllCores, TYPE_VERSION } from '../signed.ts';

export interface NightCorpus {
  readonly issuer: string;
  readonly seed: string;
  readonly filers: number;
  readonly offices: number;
  readonly agents: number;
  readonly clients: number;
}

/** Filers `from` to `to` - 1, or one agent with its clients: who they are, and their filings. */
export interface CorpusPart {
  /** Compact JWS, one a line. */
  readonly filings: string;
  /** NDJSON for `POST /v1/import`. */
  readonly parties: string;
  readonly count: number;
  readonly of: { readonly from: number; readonly to: number } | { readonly agent: number };
}

export interface CorpusWork {
  readonly corpus: NightCorpus;
}

/** Filers in one file. */
const SLICE = 5_000;
const WORKER = fileURLToPath(new URL('./corpus-worker.ts', import.meta.url));

/**
 * Everybody who files in a deadline night, with one signed return each, in files: filers first, then the agents. What is not
 * in the cache is made now, on all cores; a larger night uses the files of a smaller one.
 */
export async function nightCorpus(
  corpus: NightCorpus,
  onProgress: (share: number) => void,
): Promise<readonly CorpusPart[]> {
  const { issuer, seed, offices, clients } = corpus;
  const identity = JSON.stringify(['deadline', CORPUS_FORMAT, TYPE_VERSION, issuer, seed, offices, clients]);
  const folder = path.join(CACHE, createHash('sha256').update(identity).digest('hex').slice(0, 16));
  const part = (name: string, count: number, of: CorpusPart['of']): CorpusPart => ({
    filings: path.join(folder, `${name}.jws`),
    parties: path.join(folder, `${name}.ndjson`),
    count,
    of,
  });
  const parts: CorpusPart[] = [];
  for (let from = 0; from < corpus.filers; from += SLICE) {
    const to = Math.min(from + SLICE, corpus.filers);
    parts.push(part(`filers-${from}-${to}`, to - from, { from, to }));
  }
  for (let agent = 0; agent < corpus.agents; agent++) parts.push(part(`agent-${agent}`, clients, { agent }));
  const missing = parts.filter(({ filings, parties }) => !existsSync(filings) || !existsSync(parties));
  const work: CorpusWork = { corpus };
  await onAllCores({ program: WORKER, setup: work, tasks: missing, sizeOf: ({ count }) => count }, onProgress);
  return parts;
}
