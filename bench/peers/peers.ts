import { verifyCost } from '../calibrate.ts';
import type { OnProgress } from '../command.ts';
import { commitName } from '../commit-name.ts';
import { type CorpusOptions, MONTHS_MAX } from '../corpus.ts';
import { type BenchResult, machineNow } from '../figure.ts';
import { BENCH_ISSUER } from '../gateway.ts';
import { signedCorpus } from '../signed.ts';
import { peersBars, peersFigures, type Round } from './figures.ts';
import { hasPgbench } from './pgbench.ts';
import {
  gatewaySubject,
  insertSubject,
  type Slice,
  type Subject,
  type SubjectSetup,
  serverSubject,
} from './subjects.ts';

export interface PeersOptions {
  readonly seconds: number;
  readonly rounds: number;
  readonly connections: number;
  readonly filers: number;
  readonly offices: number;
  readonly workers: number;
  readonly seed: string;
}

export interface PeersResult extends BenchResult {
  readonly bench: 'peers';
  readonly options: PeersOptions;
  readonly names: readonly string[];
  readonly rounds: readonly Round[];
  readonly faults: readonly string[];
}

/** More than the fastest of them that keeps what it is sent has done, on this size of machine. */
const FILINGS_A_SECOND = 14_000;
const PAUSE_MS = 500;

/** The gateway, what its parts cost alone, and others' ways of doing the same: in turn, several rounds. */
export async function benchPeers(options: PeersOptions, onProgress: OnProgress): Promise<PeersResult> {
  const machine = machineNow();
  const { seed, filers, offices, connections } = options;
  const corpus: CorpusOptions = { seed, filers, offices, shape: 'usual' };
  const issuer = BENCH_ISSUER;
  const files = await signedCorpus({ ...corpus, issuer, months: monthsNeeded(options) }, (share) =>
    onProgress('signing filings', share),
  );
  const subjects: Subject[] = [];
  try {
    await startAll({ corpus, files, connections }, options, subjects, onProgress);
    const rounds: Round[] = [];
    for (let round = 1; round <= options.rounds; round++) {
      rounds.push(
        await oneRound(subjects, options.seconds, (text, share) =>
          onProgress(`round ${round} of ${options.rounds}: ${text}`, share),
        ),
      );
    }
    const names = subjects.map(({ name }) => name);
    const faults: string[] = [];
    for (const subject of subjects) {
      for (const fault of await subject.check((text) => onProgress(`checking: ${text}`)))
        faults.push(`${subject.name}: ${fault}`);
    }
    return {
      bench: 'peers',
      commit: commitName(),
      at: new Date().toISOString(),
      machine,
      options,
      figures: peersFigures(names, rounds),
      bars: peersBars(names, rounds),
      names,
      rounds,
      faults,
    };
  } finally {
    for (const subject of subjects.reverse()) await subject.end();
  }
}

/** Each that was started is in `subjects`, whatever happens to the next. */
async function startAll(
  setup: SubjectSetup,
  { workers }: PeersOptions,
  subjects: Subject[],
  onProgress: OnProgress,
): Promise<void> {
  onProgress('starting the gateway');
  subjects.push(await gatewaySubject(setup, workers, onProgress));
  for (const kind of ['hono', 'fastify', 'constant'] as const) {
    onProgress(`starting peers: ${kind}`);
    subjects.push(await serverSubject(setup, kind));
  }
  for (const mode of ['one-row', 'multi-row', ...(hasPgbench() ? (['pgbench'] as const) : [])] as const) {
    onProgress(`starting peers: ${mode}`);
    subjects.push(await insertSubject(setup, mode));
  }
}

async function oneRound(subjects: readonly Subject[], seconds: number, onProgress: OnProgress): Promise<Round> {
  const verifyUs = verifyCost();
  const slices: Record<string, Slice> = {};
  for (const { name, slice } of subjects) {
    slices[name] = await slice(seconds, (text, share) => onProgress(`${name} ${text}`, share));
    // What the one before has left to do in the background is its own.
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  return { verifyUs, slices };
}

function monthsNeeded({ seconds, rounds, filers }: PeersOptions): number {
  const months = 1 + Math.ceil((seconds * rounds * FILINGS_A_SECOND) / filers);
  if (months > MONTHS_MAX) throw new RangeError(`${filers} filers have at most ${MONTHS_MAX} returns each: take more`);
  return months;
}
