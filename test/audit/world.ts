import { randomBytes, sign } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { audit } from '../../src/audit/audit.ts';
import type { Finding } from '../../src/audit/findings.ts';
import type { FilingKind, FilingPayload } from '../../src/domain/filing.ts';
import { filingKey } from '../../src/domain/filing-key.ts';
import { giveMandate } from '../../src/identity/give-mandate.ts';
import { putOffice } from '../../src/identity/put-office.ts';
import { putParty } from '../../src/identity/put-party.ts';
import { openSigner } from '../../src/identity/signer.ts';
import { type CheckedFiling, type CommitContext, commitTick } from '../../src/ingest/commit.ts';
import type { LogContext } from '../../src/log/context.ts';
import { logKey } from '../../src/log/context.ts';
import { cosignNote } from '../../src/log/cosignature.ts';
import { HeadsFile, headsFileIn } from '../../src/log/heads-file.ts';
import { nationalRound } from '../../src/log/national.ts';
import { recoverLogs } from '../../src/log/recover.ts';
import { freshCheckpoint } from '../../src/log/tree.ts';
import { sha256 } from '../../src/std/bytes.ts';
import { systemClock } from '../../src/std/clock.ts';
import { insertCosignature } from '../../src/storage/cosignatures.ts';
import { appendToTrail } from '../../src/trail/record.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { flattened, newParty, type SigningParty } from '../support/filer.ts';
import { HandClock } from '../support/identity.ts';
import { silentLogger } from '../support/logger.ts';
import { freshUscc } from '../support/parties.ts';
import { rootOfLeaves } from '../support/receipt-verifier.ts';

const ISSUER = 'https://gateway.example';
export const MAIN = 'office-main';
export const SECOND = 'office-second';
export const EMPTY = 'office-empty';

/** A database with something of everything that an audit looks at. */
export interface AuditWorld {
  readonly database: TestDatabase;
  readonly folder: string;
  /** Ids of filings by what they are examples of. */
  readonly ids: Readonly<
    Record<
      'plain' | 'flattened' | 'line' | 'corrected' | 'correction' | 'voiding' | 'again' | 'supplement' | 'last',
      string
    >
  >;
  readonly filings: number;
  /** Commits one more filing, the clock having been put back by an hour, as no gateway would. */
  commitBackwards(): Promise<string>;
  drop(): Promise<void>;
}

interface Maker {
  readonly commit: CommitContext;
  readonly filer: SigningParty;
  readonly clock: HandClock;
}

type Changes = Partial<Pick<FilingPayload, 'kind' | 'supersedes' | 'period' | 'reference' | 'type'>>;

let lastReference = 0;

function newPayload(filer: string, changes: Changes = {}): FilingPayload {
  const day = '2026-10-08';
  return {
    type: 'psb.lodging',
    version: '2026-01',
    filer,
    period: { from: day, to: day },
    reference: `号-${++lastReference}`,
    kind: 'original',
    data: { nights: lastReference, guest: '示例' },
    ...changes,
  };
}

function checkedOf(maker: Maker, office: string, payload: Buffer, content: string): CheckedFiling {
  const {
    type,
    version = '',
    filer,
    period,
    reference,
    kind,
    supersedes,
  } = JSON.parse(payload.toString()) as FilingPayload;
  const facts = { type, filer, period, reference, kind: kind as FilingKind, supersedes };
  return {
    ...facts,
    office,
    candidates: [office],
    key: filingKey(facts),
    version,
    receivedAt: maker.clock.now(),
    late: false,
    warnings: [],
    digest: sha256(payload),
    payload,
    kid: maker.filer.kid,
    content,
    urgent: false,
  };
}

/** Commits filings in one tick; resolves with their ids. */
async function commit(maker: Maker, filings: readonly CheckedFiling[]): Promise<string[]> {
  maker.clock.pass(1_234);
  return (await commitTick(maker.commit, filings)).map((outcome) => {
    if (outcome.kind !== 'stored') throw new Error(`not stored: ${JSON.stringify(outcome)}`);
    return `${outcome.record.office}.${outcome.record.index}`;
  });
}

function single(
  maker: Maker,
  office: string,
  changes: Changes = {},
  form: 'compact' | 'flattened' = 'compact',
): CheckedFiling {
  const payload = Buffer.from(JSON.stringify(newPayload(maker.filer.id, changes)));
  const jws = maker.filer.filing(ISSUER, payload);
  return checkedOf(maker, office, payload, form === 'compact' ? jws : flattened(jws));
}

function bulk(maker: Maker, office: string, count: number): CheckedFiling[] {
  const lines = Array.from({ length: count }, () => Buffer.from(JSON.stringify(newPayload(maker.filer.id))));
  const leaves = lines.map((line) => sha256(Buffer.concat([Buffer.of(0), line])));
  const jws = maker.filer.filing(ISSUER, { count, root: rootOfLeaves(leaves).toString('base64url') });
  const id = `${sha256(Buffer.from(jws)).toString('hex').slice(0, 8)}-0000-8000-8000-000000000000`;
  return lines.map((payload, line) => ({
    ...checkedOf(maker, office, payload, payload.toString()),
    manifest: { id, jws, leaves: Buffer.concat(leaves), line },
  }));
}

export async function createAuditWorld(): Promise<AuditWorld> {
  const database = await createTestDatabase();
  const folder = mkdtempSync(path.join(os.tmpdir(), 'shenbao-audit-'));
  const clock = new HandClock();
  const { db, lanes } = database;
  const identity = { db, clock, issuer: ISSUER };
  const signer = await openSigner({ db, clock, random: randomBytes, dataDir: folder } as Parameters<
    typeof openSigner
  >[0]);
  const guard = new HeadsFile(headsFileIn(folder));
  const issuer = { iss: ISSUER, env: 'sandbox' };
  const log: LogContext = { db, lanes, clock, signer, guard, issuer };
  const trail = { sql: db.sql, clock };
  for (const office of [MAIN, SECOND, EMPTY]) {
    await putOffice(identity, { office, agency: 'psb', region: '350100', name: { zh: '公安局', en: 'Police' } });
    await putParty(identity, { id: office, kind: 'office', name: '公安局' });
  }
  const filer = await addSigner(database, identity, freshUscc(), 'filer', 'ES256');
  const other = await addSigner(database, identity, freshUscc(), 'filer', 'RS256');
  const cosigner = newParty(MAIN, 'EdDSA');
  await insertKey(database, cosigner);
  const maker: Maker = {
    commit: { ...log, db, signer, issuer, log: silentLogger, tickMs: 20_000, lookupMs: 5_000 },
    filer,
    clock,
  };
  await commit(
    maker,
    Array.from({ length: 150 }, (_, i) => single(maker, i % 5 === 0 ? SECOND : MAIN)),
  );
  await freshCheckpoint(log, MAIN);
  await nationalRound(log);
  const [plain = '', flat = ''] = await commit(maker, [single(maker, MAIN), single(maker, MAIN, {}, 'flattened')]);
  const lines = await commit(maker, bulk(maker, MAIN, 7));
  const ids = await chains(maker);
  // Two gateways: each commits with a connection of its own, and their ticks are of the same offices.
  const mine = Array.from({ length: 190 }, () => single(maker, MAIN));
  const theirs = Array.from({ length: 40 }, () => single({ ...maker, filer: other }, SECOND));
  await Promise.all([commit(maker, mine), commit({ ...maker, filer: other }, theirs)]);
  const { note, size } = await freshCheckpoint(log, MAIN);
  await cosign(log, cosigner, note, size);
  await freshCheckpoint(log, SECOND);
  for (const n of [1, 2, 3])
    await appendToTrail(trail, [
      { role: 'operator', party: 'op', action: 'putOffice', target: MAIN, result: 'begun', request: `r${n}` },
      {
        role: 'operator',
        party: 'op',
        action: 'putOffice',
        target: MAIN,
        result: '200',
        request: `r${n}`,
        details: { n, ok: true },
      },
    ]);
  clock.pass(120_000);
  await nationalRound(log);
  await recovered(log, folder);
  await commit(
    maker,
    Array.from({ length: 30 }, (_, i) => single(maker, i % 3 === 0 ? SECOND : MAIN)),
  );
  await freshCheckpoint(log, SECOND);
  const [last = ''] = await commit(maker, [single(maker, MAIN)]);
  await freshCheckpoint(log, MAIN);
  clock.pass(120_000);
  await nationalRound(log);
  const agent = await addSigner(database, identity, freshUscc(), 'agent', 'EdDSA');
  const terms = {
    id: 'm-1',
    agent: agent.id,
    filer: filer.id,
    types: ['psb.*'],
    from: '2026-01-01',
    iat: Math.floor(clock.now() / 1000),
  };
  const jws = filer.jws(JSON.stringify(terms), { typ: 'mandate+jws', aud: ISSUER });
  await giveMandate({ ...identity, checkTerms: () => [] }, { jws, begin: async () => {} });
  await guard.close();
  const [count] = await db.sql<{ count: number }[]>`SELECT count(*) AS count FROM filing`;
  return {
    database,
    folder,
    ids: { plain, flattened: flat, line: lines[3] ?? '', last, ...ids },
    filings: count?.count ?? 0,
    commitBackwards: async () => {
      clock.pass(-3_600_000);
      await db.sql`UPDATE office_head SET received_at = received_at - interval '1 hour' WHERE office = ${MAIN}`;
      const [id = ''] = await commit(maker, [single(maker, MAIN)]);
      return id;
    },
    drop: async () => {
      await database.drop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function chains(maker: Maker) {
  const [corrected = ''] = await commit(maker, [single(maker, MAIN, { reference: 'chain' })]);
  const next = async (kind: FilingKind, supersedes: string): Promise<string> => {
    const [id = ''] = await commit(maker, [single(maker, MAIN, { reference: 'chain', kind, supersedes })]);
    return id;
  };
  const correction = await next('correction', corrected);
  const supplement = await next('supplement', correction);
  const voiding = await next('void', supplement);
  const again = await next('original', voiding);
  return { corrected, correction, supplement, voiding, again };
}

async function addSigner(
  database: TestDatabase,
  identity: Parameters<typeof putParty>[0],
  id: string,
  kind: 'filer' | 'agent',
  alg: 'ES256' | 'EdDSA' | 'RS256',
): Promise<SigningParty> {
  await putParty(identity, { id, kind, name: '示范' });
  const party = newParty(id, alg);
  await insertKey(database, party);
  return party;
}

async function insertKey({ db }: TestDatabase, { kid, id, alg, publicJwk }: SigningParty): Promise<void> {
  await db.sql`
    INSERT INTO party_key (kid, party, alg, jwk, created_at)
    VALUES (${kid}, ${id}, ${alg}, ${JSON.stringify(publicJwk)}::text::jsonb, '2020-01-01T00:00:00Z')`;
}

async function cosign(log: LogContext, party: SigningParty, note: string, size: number): Promise<void> {
  const time = Math.floor(log.clock.now() / 1000);
  const key = {
    publicKey: Buffer.from(String(party.publicJwk.x), 'base64url'),
    sign: (data: Uint8Array) => sign(null, data, party.privateKey),
  };
  const origin = note.slice(0, note.indexOf('\n'));
  const line = await cosignNote(sha256, { note, origin, time, key });
  if (line === undefined) throw new Error('not cosigned');
  const row = { size, kid: party.kid, line, cosignedAt: time * 1000 };
  await log.db.sql.begin((tx) => insertCosignature(tx, logKey(log, MAIN), row));
}

/** The second office's log went on although more had been signed of it. */
async function recovered(log: LogContext, folder: string): Promise<void> {
  const { size, root, signedAt } = await freshCheckpoint(log, SECOND);
  const lost = { office: SECOND, size: size + 4, root: randomBytes(32), signedAt };
  const loss = { office: SECOND, kind: 'shorter' as const, lost, held: size, kept: { size, root } };
  await recoverLogs(log, headsFileIn(folder), [loss], 'restored from a backup');
}

export interface Audited {
  readonly findings: readonly Finding[];
  readonly filings: number;
  readonly isWhole: boolean;
}

export async function auditWorld(world: AuditWorld, options: { readonly signatures?: boolean } = {}): Promise<Audited> {
  const findings: Finding[] = [];
  const { filings, isWhole } = await audit({
    address: world.database.address,
    clock: systemClock,
    signatures: options.signatures ?? false,
    threads: 0,
    onFinding: (found) => findings.push(found),
    onProgress: () => {},
    onResume: () => {},
  });
  return { findings, filings, isWhole };
}

/** `kind place`, sorted: what is wrong, and where, but for ids that are new each time. */
export function placesOf(findings: readonly Finding[]): string[] {
  const fixed = (place = ''): string => place.replace(/ \d+\/[0-9a-f-]{36}$| [\w-]{43}$/, '');
  return findings.map(({ kind, id, row, office }) => `${kind} ${fixed(id ?? row ?? office)}`).sort();
}
