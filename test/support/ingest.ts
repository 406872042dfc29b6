import { createPublicKey } from 'node:crypto';
import { buildCatalogue } from '../../src/domain/catalogue.ts';
import type { Agency } from '../../src/domain/filing.ts';
import type { Catalogue } from '../../src/domain/filing-type.ts';
import type {
  Directory,
  Mandate,
  Office,
  Party,
  Registration,
  SignatureAlgorithm,
  SigningKey,
} from '../../src/identity/records.ts';
import { type CheckedFiling, type CommitContext, commitTick } from '../../src/ingest/commit.ts';
import { Deferrals } from '../../src/ingest/deferrals.ts';
import { originals } from '../../src/ingest/originals.ts';
import { type Accepted, type IngestContext, submit } from '../../src/ingest/pipeline.ts';
import { Pool, type PoolOptions } from '../../src/ingest/pool.ts';
import { holdsHere, type Signatures } from '../../src/ingest/signatures.ts';
import { readSchemaFiles } from '../../src/ops/schemas.ts';
import { settingsWith } from './calendar.ts';
import { commitContext, createOffices } from './commit.ts';
import type { TestDatabase } from './database.ts';
import { newParty, type Payload, type SigningParty } from './filer.ts';
import { HandClock } from './identity.ts';

export const GATEWAY = 'http://gateway.test';

/** Everything that ingest asks of identity, in maps that a test changes as it likes. */
export class MemoryDirectory implements Directory {
  readonly keys = new Map<string, SigningKey>();
  readonly parties = new Map<string, Party>();
  readonly officesByCode = new Map<string, Office>();
  readonly mandateList: Mandate[] = [];

  addOffice(code: string, agency: Agency): void {
    this.officesByCode.set(code, { code, agency, region: '350100', name: { zh: '机关', en: 'Office' }, lane: 0 });
  }

  /** A party with a key of its own. */
  addParty(
    id: string,
    registrations: readonly Partial<Registration>[] = [],
    options: { readonly kind?: Party['kind']; readonly alg?: SignatureAlgorithm } = {},
  ): SigningParty {
    const { kind = 'filer', alg = 'ES256' } = options;
    const signer = newParty(id, alg);
    this.addKey(signer);
    this.setParty(id, { kind, registrations: registrations.map(registration) });
    return signer;
  }

  addKey(signer: SigningParty, dates: Partial<SigningKey> = {}): void {
    const publicKey = createPublicKey({ key: signer.publicJwk as never, format: 'jwk' });
    const { kid, id: party } = signer;
    const jwk = JSON.stringify(signer.publicJwk);
    this.keys.set(kid, { kid, party, alg: signer.alg as SignatureAlgorithm, jwk, publicKey, ...dates });
  }

  setParty(id: string, changes: Partial<Party>): void {
    const known = this.parties.get(id) ?? { id, kind: 'filer', name: '示范', status: 'active', registrations: [] };
    this.parties.set(id, { ...known, ...changes });
  }

  key = async (kid: string): Promise<SigningKey | undefined> => this.keys.get(kid);
  party = async (id: string): Promise<Party | undefined> => this.parties.get(id);
  office = async (code: string): Promise<Office | undefined> => this.officesByCode.get(code);
  mandates = async (agent: string, filer: string): Promise<readonly Mandate[]> =>
    this.mandateList.filter((mandate) => mandate.agent === agent && mandate.filer === filer);
  filersOf = async (): Promise<readonly string[]> => [];
  offices = async (agency: Agency): Promise<readonly Office[]> =>
    [...this.officesByCode.values()].filter((office) => office.agency === agency);
}

export function registration(changes: Partial<Registration>): Registration {
  return { office: '', from: '2020-01-01', withdrawn: false, ...changes };
}

export interface TestIngest {
  readonly ctx: IngestContext;
  readonly directory: MemoryDirectory;
  readonly clock: HandClock;
  readonly commit: CommitContext;
}

const catalogues: Catalogue[] = [];

async function shippedTypes(): Promise<Catalogue> {
  if (catalogues[0] === undefined) {
    const { catalogue, problems } = buildCatalogue(await readSchemaFiles());
    if (catalogue === undefined) throw new Error(JSON.stringify(problems));
    catalogues.push(catalogue);
  }
  return catalogues[0] as Catalogue;
}

/** In this thread: the sources cannot run in another one. */
export const signaturesHere: Signatures = {
  hold: async (task) => holdsHere({ ...task, signingInput: Buffer.from(task.signingInput, 'latin1') }),
};

/** A pipeline on a real database, with identity in memory and offices that exist. */
export async function testIngest(
  database: TestDatabase,
  offices: Readonly<Record<string, Agency>>,
  options: Partial<PoolOptions<CheckedFiling, never>> & { readonly commit?: Partial<CommitContext> } = {},
): Promise<TestIngest> {
  const { commit: commitOptions, ...poolOptions } = options;
  const catalogue = await shippedTypes();
  const directory = new MemoryDirectory();
  const clock = new HandClock();
  const missing = [];
  for (const [code, agency] of Object.entries(offices)) {
    directory.addOffice(code, agency);
    const rows = await database.db.sql`SELECT 1 FROM office_head WHERE office = ${code}`;
    if (rows.length === 0) missing.push(code);
  }
  await createOffices(database, missing);
  const commit = commitContext(database, { issuer: { iss: GATEWAY, env: 'sandbox' }, ...commitOptions });
  const ctx: IngestContext = {
    directory,
    catalogue: () => catalogue,
    settings: settingsWith(),
    db: database.db,
    lanes: database.lanes,
    issuer: GATEWAY,
    env: 'sandbox',
    pool: new Pool({
      flush: (filings: readonly CheckedFiling[]) => commitTick(commit, filings),
      clock,
      maxItems: 4_096,
      maxBytes: 64 * 1024 * 1024,
      maxTickItems: 1_024,
      maxTickBytes: 16 * 1024 * 1024,
      maxWaitMs: 4_000,
      ...poolOptions,
    }),
    originals: originals({ db: database.db, lanes: database.lanes, env: 'sandbox', clock }),
    limits: { blocked: () => undefined, take: () => {} },
    deferrals: new Deferrals(clock),
    signatures: signaturesHere,
    metrics: { count: () => {}, observe: () => {}, gauge: () => {} },
  };
  return { ctx, directory, clock, commit };
}

/** Signs and submits as a client does. */
export function file(ingest: TestIngest, signer: SigningParty, payload: Payload | string): Promise<Accepted> {
  const content = signer.filing(GATEWAY, payload);
  return submit(ingest.ctx, { content, form: 'compact', receivedAt: ingest.clock.now() });
}
