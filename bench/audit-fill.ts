import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import type { FilingPayload } from '../src/domain/filing.ts';
import { filingKey } from '../src/domain/filing-key.ts';
import { putOffice } from '../src/identity/put-office.ts';
import { putParty } from '../src/identity/put-party.ts';
import type { Signer } from '../src/identity/signer.ts';
import { type CheckedFiling, commitTick } from '../src/ingest/commit.ts';
import { HeadsFile, headsFileIn } from '../src/log/heads-file.ts';
import { nationalRound } from '../src/log/national.ts';
import { freshCheckpoint } from '../src/log/tree.ts';
import { sha256 } from '../src/std/bytes.ts';
import { systemClock } from '../src/std/clock.ts';
import type { Database } from '../src/storage/db.ts';
import { type CorpusOptions, enterprise, officeOf } from './corpus.ts';
import { publicHalf } from './keys.ts';

export interface FillOptions {
  readonly db: Database;
  readonly lanes: number;
  readonly signer: Signer;
  readonly dataDir: string;
  readonly issuer: string;
  readonly corpus: CorpusOptions;
  /** Files of signed filings, one a line. */
  readonly files: readonly string[];
  readonly filings: number;
  /** Filings in one tick. */
  readonly tick: number;
}

/** A checkpoint of every office after so many filings: about what a busy gateway signs. */
const CHECKPOINT_EVERY = 50_000;
const KEYS_AT_ONCE = 5_000;
const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/**
 * Commits signed filings by the gateway's own ticks, without its other steps: what stands in the database afterwards is what
 * a gateway would have stored.
 */
export async function fillDatabase(options: FillOptions, onProgress: (share: number) => void): Promise<void> {
  const { db, lanes, signer, issuer, corpus, dataDir } = options;
  const guard = new HeadsFile(headsFileIn(dataDir));
  const ctx = { db, lanes, clock: systemClock, signer, guard, issuer: { iss: issuer, env: 'production' }, log: silent };
  await register(options);
  const commit = { ...ctx, tickMs: 60_000, lookupMs: 1_000 };
  const offices = Array.from({ length: corpus.offices }, (_, i) => officeOf(i));
  const officeOfFiler = new Map(
    Array.from({ length: corpus.filers }, (_, i) => enterprise(corpus, i)).map((each) => [each.uscc, each]),
  );
  let stored = 0;
  let checkpointAt = CHECKPOINT_EVERY;
  for await (const lines of batches(options)) {
    const filings = lines.map((content) => checked(content, officeOfFiler));
    const outcomes = await commitTick(commit, filings);
    if (outcomes.some(({ kind }) => kind !== 'stored')) throw new Error('a filing was not stored');
    stored += lines.length;
    onProgress(stored / options.filings);
    if (stored < checkpointAt) continue;
    checkpointAt += CHECKPOINT_EVERY;
    for (const office of offices) await freshCheckpoint(ctx, office);
  }
  if (stored < options.filings) throw new Error('there are not so many filings');
  for (const office of offices) await freshCheckpoint(ctx, office);
  await nationalRound(ctx);
  await db.sql.unsafe('VACUUM ANALYZE');
}

function checked(content: string, filers: ReadonlyMap<string, ReturnType<typeof enterprise>>): CheckedFiling {
  const payload = Buffer.from(content.split('.')[1] ?? '', 'base64url');
  const { type, filer, period, kind } = JSON.parse(payload.toString()) as FilingPayload;
  const found = filers.get(filer);
  if (found === undefined) throw new Error('a filing of nobody');
  const facts = { type, filer, period, kind, reference: undefined, supersedes: undefined };
  return {
    ...facts,
    office: found.office,
    candidates: [found.office],
    key: filingKey(facts),
    version: '2026-02',
    receivedAt: systemClock.now(),
    late: false,
    warnings: [],
    digest: sha256(payload),
    payload,
    kid: found.key.kid,
    content,
    urgent: false,
  };
}

async function* batches({ files, filings, tick }: FillOptions): AsyncGenerator<string[]> {
  let left = filings;
  let batch: string[] = [];
  for (const file of files) {
    for await (const line of createInterface({ input: createReadStream(file) })) {
      if (left === 0) break;
      left--;
      batch.push(line);
      if (batch.length < tick) continue;
      yield batch;
      batch = [];
    }
  }
  if (batch.length > 0) yield batch;
}

/** Offices by the gateway's own verb, filers' keys by one statement for thousands of them. */
async function register({ db, issuer, corpus }: FillOptions): Promise<void> {
  const identity = { db, clock: systemClock, issuer };
  for (let i = 0; i < corpus.offices; i++) {
    const [office, name] = [officeOf(i), { zh: `压测税务局 ${i}`, en: `Bench tax bureau ${i}` }];
    await putOffice(identity, { office, agency: 'tax', region: '350100', name });
    await putParty(identity, { id: office, kind: 'office', name: name.zh });
  }
  const now = new Date(0).toISOString();
  for (let from = 0; from < corpus.filers; from += KEYS_AT_ONCE) {
    const count = Math.min(KEYS_AT_ONCE, corpus.filers - from);
    const rows = Array.from({ length: count }, (_, i) => {
      const { uscc, key } = enterprise(corpus, from + i);
      return { kid: key.kid, party: uscc, jwk: publicHalf(key) };
    });
    await db.sql`
      INSERT INTO party_key (kid, party, alg, jwk, created_at)
      SELECT kid, party, 'ES256', jwk, ${now}
      FROM json_to_recordset(${JSON.stringify(rows)}::text::json) AS r(kid text, party text, jwk jsonb)`;
  }
}
