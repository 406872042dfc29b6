import type { KeyObject } from 'node:crypto';
import type { Agency } from '../domain/filing.ts';
import type { Clock, PlainDate } from '../std/clock.ts';
import type { Logger } from '../std/telemetry.ts';
import type { Database } from '../storage/db.ts';
import {
  type KeyRow,
  type MandateTermsRow,
  type OfficeRow,
  type PartyRow,
  type RegistrationRow,
  selectFilersOf,
  selectKeyring,
  selectMandatesBetween,
  selectOffices,
  selectOfficesOfAgency,
  selectParties,
  selectRegistrations,
} from '../storage/identity.ts';
import { BatchedCache } from './cache.ts';
import { ChangeFeed } from './feed.ts';
import { type PublicJwk, publicKeyOfText, publicKeyText } from './jwk.ts';
import type {
  Directory,
  Mandate,
  Office,
  Party,
  PartyKind,
  Registration,
  SignatureAlgorithm,
  SigningKey,
} from './records.ts';
import { ANYTHING, parseSubject } from './subjects.ts';

export interface DirectoryContext {
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Logger;
  /** Entries of each cache. A filer with its key takes about 1 kB; a key that was imported here, 5 kB more outside the heap. */
  readonly cacheSize?: number;
  /** Milliseconds between polls of the change feed. */
  readonly pollMs?: number;
  /**
   * For parts that keep something of their own: told every subject, of changes of this process at once and once more when the
   * feed brings them; {@link ANYTHING} when changes may have been missed, at the start too. Must not throw.
   */
  readonly onSubjects?: (subjects: readonly string[]) => void;
}

/** China has about 3,000 tax offices; an agency with more than this is a mistake. */
const MAX_OFFICES_OF_AGENCY = 10_000;
const MAX_FILERS_OF_AGENT = 10_000;

/** The directory on a database, with caches that the change feed keeps true. `start` it before use; `stop` ends the polling. */
export class DatabaseDirectory implements Directory {
  readonly #db: Database;
  readonly #feed: ChangeFeed;
  readonly #onSubjects: DirectoryContext['onSubjects'];
  readonly #keys: BatchedCache<SigningKey>;
  readonly #parties: BatchedCache<Party>;
  readonly #offices: BatchedCache<Office>;
  readonly #officeLists: BatchedCache<readonly Office[]>;
  readonly #mandates: BatchedCache<readonly Mandate[]>;

  constructor(ctx: DirectoryContext) {
    this.#db = ctx.db;
    this.#onSubjects = ctx.onSubjects;
    this.#feed = new ChangeFeed({
      sql: ctx.db.sql,
      clock: ctx.clock,
      log: ctx.log,
      ...(ctx.pollMs === undefined ? {} : { pollMs: ctx.pollMs }),
      onChange: (subjects) => this.forget(subjects),
      onGap: () => this.#clear(),
    });
    const size = ctx.cacheSize ?? 30_000;
    const common = { trusted: () => this.#feed.isFresh(), now: () => ctx.clock.monotonic() };
    this.#keys = new BatchedCache({ ...common, size, load: (kids) => this.#loadKeys(kids) });
    this.#parties = new BatchedCache({ ...common, size, load: (ids) => this.#loadParties(ids) });
    this.#mandates = new BatchedCache({ ...common, size, load: (pairs) => this.#loadMandates(pairs) });
    this.#offices = new BatchedCache({ ...common, size: 20_000, load: (codes) => this.#loadOffices(codes) });
    this.#officeLists = new BatchedCache({ ...common, size: 16, load: (agencies) => this.#loadOfficeLists(agencies) });
  }

  start(): Promise<void> {
    return this.#feed.start();
  }

  stop(): Promise<void> {
    return this.#feed.stop();
  }

  heard(): number {
    return this.#feed.heard;
  }

  /** Without waiting; undefined: ask {@link key}. */
  peekKey(kid: string): SigningKey | undefined {
    return this.#keys.peek(kid);
  }

  peekParty(id: string): Party | undefined {
    return this.#parties.peek(id);
  }

  peekOffice(code: string): Office | undefined {
    return this.#offices.peek(code);
  }

  key(kid: string): Promise<SigningKey | undefined> {
    return this.#keys.get(kid);
  }

  party(id: string): Promise<Party | undefined> {
    return this.#parties.get(id);
  }

  office(code: string): Promise<Office | undefined> {
    return this.#offices.get(code);
  }

  async mandates(agent: string, filer: string): Promise<readonly Mandate[]> {
    return (await this.#mandates.get(pairKey(agent, filer))) ?? [];
  }

  filersOf(agent: string, date: PlainDate): Promise<readonly string[]> {
    return selectFilersOf(this.#db.sql, agent, date, MAX_FILERS_OF_AGENT);
  }

  async offices(agency: Agency): Promise<readonly Office[]> {
    return (await this.#officeLists.get(agency)) ?? [];
  }

  /** Drops what is cached about these subjects: what {@link IdentityContext.changed} is for in the process that wrote. */
  forget(subjects: readonly string[]): void {
    for (const subject of subjects) {
      const parsed = parseSubject(subject);
      if (parsed === undefined) continue;
      if (parsed.kind === 'key') this.#keys.invalidate(parsed.id);
      else if (parsed.kind === 'party') this.#parties.invalidate(parsed.id);
      else if (parsed.kind === 'mandates') this.#mandates.invalidate(parsed.id);
      else if (parsed.kind === 'office') {
        this.#offices.invalidate(parsed.id);
        this.#officeLists.clear();
      }
    }
    this.#onSubjects?.(subjects);
  }

  #clear(): void {
    for (const cache of [this.#keys, this.#parties, this.#offices, this.#officeLists, this.#mandates]) cache.clear();
    this.#onSubjects?.([ANYTHING]);
  }

  /** Brings the keys' parties along: who asks for a key asks for its party next. */
  async #loadKeys(kids: readonly string[]): Promise<Map<string, SigningKey>> {
    const mark = this.#parties.mark();
    const keys = new Map<string, SigningKey>();
    for (const row of await selectKeyring(this.#db.sql, storable(kids))) {
      keys.set(row.kid, new RegisteredKey(row));
      this.#parties.prime(row.id, toParty(row, row.registrations), mark);
    }
    return keys;
  }

  async #loadParties(wanted: readonly string[]): Promise<Map<string, Party>> {
    const ids = storable(wanted);
    const [parties, registrations] = await Promise.all([
      selectParties(this.#db.sql, ids),
      selectRegistrations(this.#db.sql, ids),
    ]);
    const byFiler = groupBy(registrations, (row) => row.filer);
    return new Map(parties.map((row) => [row.id, toParty(row, byFiler.get(row.id) ?? [])]));
  }

  async #loadMandates(pairs: readonly string[]): Promise<Map<string, readonly Mandate[]>> {
    const split = storable(pairs).map(splitPair);
    const rows = await selectMandatesBetween(
      this.#db.sql,
      split.map((pair) => pair.agent),
      split.map((pair) => pair.filer),
    );
    const found = groupBy(rows, (row) => pairKey(row.agent, row.filer));
    return new Map(pairs.map((pair) => [pair, (found.get(pair) ?? []).map(toMandate)]));
  }

  async #loadOffices(codes: readonly string[]): Promise<Map<string, Office>> {
    return new Map((await selectOffices(this.#db.sql, storable(codes))).map((row) => [row.code, toOffice(row)]));
  }

  async #loadOfficeLists(agencies: readonly string[]): Promise<Map<string, readonly Office[]>> {
    const lists = new Map<string, readonly Office[]>();
    for (const agency of agencies) {
      const rows = await selectOfficesOfAgency(this.#db.sql, agency as Agency, MAX_OFFICES_OF_AGENCY);
      lists.set(agency, rows.map(toOffice));
    }
    return lists;
  }
}

/** What could stand in the database at all. One key that PostgreSQL cannot read would fail the query of all others. */
function storable(keys: readonly string[]): string[] {
  return keys.filter((key) => /^[\x21-\x7e]{1,200}$/.test(key));
}

/** Ids hold no colon: see the checks of put-party. */
function pairKey(agent: string, filer: string): string {
  return `${agent}:${filer}`;
}

function splitPair(pair: string): { agent: string; filer: string } {
  const colon = pair.indexOf(':');
  return { agent: pair.slice(0, colon), filer: pair.slice(colon + 1) };
}

function groupBy<T>(rows: readonly T[], keyOf: (row: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const row of rows) {
    const group = groups.get(keyOf(row));
    if (group === undefined) groups.set(keyOf(row), [row]);
    else group.push(row);
  }
  return groups;
}

/** Imports its public key when it is first used, if ever: 67 us for EC. Filings are verified elsewhere. */
class RegisteredKey implements SigningKey {
  readonly kid: string;
  readonly party: string;
  readonly alg: SignatureAlgorithm;
  readonly jwk: string;
  readonly notBefore?: number;
  readonly notAfter?: number;
  readonly revokedAt?: number;
  #publicKey: KeyObject | undefined;

  constructor(row: KeyRow) {
    this.kid = row.kid;
    this.party = row.party;
    this.alg = row.alg as SignatureAlgorithm;
    this.jwk = publicKeyText(row.jwk as PublicJwk);
    if (row.notBefore !== null) this.notBefore = row.notBefore;
    if (row.notAfter !== null) this.notAfter = row.notAfter;
    if (row.revokedAt !== null) this.revokedAt = row.revokedAt;
  }

  get publicKey(): KeyObject {
    this.#publicKey ??= publicKeyOfText(this.jwk);
    return this.#publicKey;
  }
}

function toParty(row: PartyRow, registrations: readonly Omit<RegistrationRow, 'filer'>[]): Party {
  return {
    id: row.id,
    kind: row.kind as PartyKind,
    name: row.name,
    ...(row.taxpayerKind === null ? {} : { taxpayerKind: row.taxpayerKind as 'general' | 'small' }),
    status: row.status as Party['status'],
    registrations: registrations.map(toRegistration),
  };
}

function toRegistration(row: Omit<RegistrationRow, 'filer'>): Registration {
  return { office: row.office, from: row.from, ...(row.to === null ? {} : { to: row.to }), withdrawn: row.withdrawn };
}

function toOffice(row: OfficeRow): Office {
  return {
    code: row.code,
    agency: row.agency,
    region: row.region,
    name: { zh: row.nameZh, en: row.nameEn },
    lane: row.lane,
  };
}

function toMandate(row: MandateTermsRow): Mandate {
  const { to, ...rest } = row;
  return { ...rest, ...(to === null ? {} : { to }) };
}
