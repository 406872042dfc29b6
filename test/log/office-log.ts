import { type KeyObject, sign } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { buildCatalogue } from '../../src/domain/catalogue.ts';
import { laneOf } from '../../src/domain/filing.ts';
import type { Catalogue } from '../../src/domain/filing-type.ts';
import { type CheckedFiling, type CommitContext, commitTick } from '../../src/ingest/commit.ts';
import type { LogContext } from '../../src/log/context.ts';
import type { HeadsContext } from '../../src/log/heads.ts';
import { HeadsFile, headsFileIn } from '../../src/log/heads-file.ts';
import { readSchemaFiles } from '../../src/ops/schemas.ts';
import { type Clock, systemClock } from '../../src/std/clock.ts';
import { generateKeyPair } from '../../src/std/key-pair.ts';
import type { Database } from '../../src/storage/db.ts';
import { checkedFiling, testSigner } from '../support/commit.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { silentLogger } from '../support/logger.ts';

export const ISSUER = 'https://gateway.example';

/** A database with offices whose logs grow as in the gateway, and what the verbs of the log work with. */
export interface OfficeLogs {
  readonly database: TestDatabase;
  readonly ctx: LogContext & HeadsContext;
  readonly commit: CommitContext;
  readonly publicKey: KeyObject;
  /** Where the signed heads are kept outside the database. */
  readonly headsFile: string;
  addOffice(office: string, agency?: string): Promise<void>;
  /** Files `count` filings in one tick through the gateway's own commit; resolves with their indexes. */
  file(office: string, count: number, change?: (filing: CheckedFiling, i: number) => CheckedFiling): Promise<number[]>;
  drop(): Promise<void>;
}

export async function createOfficeLogs(options: { clock?: Clock } = {}): Promise<OfficeLogs> {
  const database = await createTestDatabase();
  const { publicKey, privateKey } = generateKeyPair('Ed25519');
  const signer = { ...testSigner(privateKey), sign: (data: Uint8Array) => sign(null, data, privateKey) };
  const clock = options.clock ?? systemClock;
  const folder = mkdtempSync(path.join(os.tmpdir(), 'shenbao-heads-'));
  const guard = new HeadsFile(headsFileIn(folder));
  const facts = { db: database.db, lanes: database.lanes, clock, signer, issuer: { iss: ISSUER, env: 'test' } };
  const catalogue = await shippedCatalogue();
  const ctx = { ...facts, guard, catalogue: () => catalogue };
  const commit = { ...facts, log: silentLogger, tickMs: 20_000, lookupMs: 5_000 };
  return {
    database,
    ctx,
    commit,
    publicKey,
    headsFile: headsFileIn(folder),
    addOffice: (office, agency) => addOffice(database.db, database.lanes, office, agency),
    file: (office, count, change = (filing) => filing) => {
      const filings = Array.from({ length: count }, (_, i) => change(newFiling(office), i));
      return commitFilings(commit, filings);
    },
    drop: async () => {
      await database.drop();
      await guard.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Unchecked, which is a matter of other tests and takes seconds. */
async function shippedCatalogue(): Promise<Catalogue> {
  const { catalogue } = buildCatalogue(await readSchemaFiles(), { alreadyChecked: true });
  if (catalogue === undefined) throw new Error('the shipped filing types do not load');
  return catalogue;
}

/** What registering an office writes. */
async function addOffice(db: Database, lanes: number, office: string, agency = 'tax'): Promise<void> {
  const lane = laneOf(office, lanes);
  await db.sql`
    INSERT INTO office (code, agency, region, name_zh, name_en, lane)
    VALUES (${office}, ${agency}, '350100', '测试机关', 'Test office', ${lane})`;
  await db.sql`
    INSERT INTO office_head (lane, office, size, received_at, txid)
    VALUES (${lane}, ${office}, 0, '1970-01-01T00:00:00Z', pg_current_xact_id())`;
}

/** A filing as it leaves the checks, in a compact JWS, with a key of its own. */
export function newFiling(office: string): CheckedFiling {
  const filing = checkedFiling({ office });
  return { ...filing, content: [base64url('{"alg":"EdDSA"}'), filing.payload.toString('base64url'), 'c2ln'].join('.') };
}

async function commitFilings(ctx: CommitContext, filings: readonly CheckedFiling[]): Promise<number[]> {
  const outcomes = await commitTick(ctx, filings);
  return outcomes.map((outcome) => {
    if (outcome.kind !== 'stored') throw new Error(`not stored: ${outcome.kind}`);
    return outcome.record.index;
  });
}

function base64url(text: string): string {
  return Buffer.from(text).toString('base64url');
}
