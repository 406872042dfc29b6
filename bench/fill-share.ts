import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { laneOf, type Period } from '../src/domain/filing.ts';
import { filingKey } from '../src/domain/filing-key.ts';
import type { TickRecord, WholeFiling } from '../src/domain/filing-record.ts';
import type { Signer } from '../src/identity/signer.ts';
import { commitment, newSalt, officeLeaf, signTick, stateLeaf } from '../src/ingest/receipt.ts';
import type { LogContext } from '../src/log/context.ts';
import { HeadsFile, headsFileIn } from '../src/log/heads-file.ts';
import { merkleTree } from '../src/log/merkle.ts';
import { freshCheckpoint } from '../src/log/tree.ts';
import { sha256 } from '../src/std/bytes.ts';
import type { Clock } from '../src/std/clock.ts';
import type { Database } from '../src/storage/db.ts';
import { growHeads, insertFilings, insertTick, type OfficeHead } from '../src/storage/filings.ts';
import { commitWithoutWaiting } from '../src/storage/findings.ts';
import { transaction } from '../src/storage/transaction.ts';
import { type CorpusOptions, enterprise, officeOf, vatReturn } from './corpus.ts';
import { type CorpusKey, publicHalf } from './keys.ts';
import { QuickSigner } from './quick-sign.ts';

/** What stands in a filled database: the same for the same values, but for salts, ticks and when it was signed. */
export interface FillPlan {
  readonly corpus: CorpusOptions;
  readonly issuer: string;
  readonly filings: number;
  /** Filings in one tick. */
  readonly tick: number;
}

/** The offices whose number leaves `number` when divided by `of`: no two processes write to one office's log. */
export interface FillShare {
  readonly number: number;
  readonly of: number;
}

export interface FillContext {
  readonly db: Database;
  readonly lanes: number;
  readonly signer: Signer;
  readonly dataDir: string;
}

/** Filings in one transaction, whole ticks. */
const LOT = 4_000;
/** A share's filings after which each of its offices signs a checkpoint: about what a busy gateway signs. */
const CHECKPOINT_EVERY = 25_000;
const PARTIES_AT_ONCE = 2_000;
/** Filings come in over the first days of the month after their period. */
const FILING_DAYS = 14;
const DAY_MS = 86_400_000;

interface Filer {
  readonly index: number;
  readonly uscc: string;
  readonly office: string;
  readonly key: CorpusKey;
  readonly signer: QuickSigner;
}

/** Runs along with the filings: their times are in the months in which such returns are due. */
class FillClock implements Clock {
  #now = 0;

  /** `share` of the time in which the returns of a month come in. */
  move({ to }: Period, share: number): void {
    const due = Date.parse(to) + DAY_MS + Math.floor(share * FILING_DAYS * DAY_MS);
    this.#now = Math.max(this.#now, Math.min(due, Date.now()));
  }

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return performance.now();
  }
}

/**
 * Registers the filers of a share and stores their returns, oldest month first, each signed by its filer, with the leaves,
 * ticks, checkpoints and heads that the gateway's own functions make and store. What is there already is not made again.
 */
export async function fillShare(
  ctx: FillContext,
  plan: FillPlan,
  share: FillShare,
  onStored: (filings: number) => void,
): Promise<void> {
  const filers = filersOf(plan, share);
  await register(ctx, filers);
  const clock = new FillClock();
  const issuer = { iss: plan.issuer, env: 'production' };
  const guard = new HeadsFile(headsFileIn(ctx.dataDir));
  const log: LogContext = { ...ctx, clock, guard, issuer };
  const offices = officesOf(plan, share);
  const lot = new Lot(ctx, plan, issuer, clock, await readHeads(ctx, offices));
  onStored(lot.stored);
  let writing: Promise<void> = Promise.resolve();
  let sinceCheckpoint = 0;
  for (const batch of batches(plan, filers, lot.stored)) {
    const made = lot.make(batch);
    await writing; // the database takes one lot while the next is made
    writing = lot.write(made);
    writing.catch(() => {}); // heard of at the next await
    onStored(batch.length);
    sinceCheckpoint += batch.length;
    if (sinceCheckpoint < CHECKPOINT_EVERY) continue;
    sinceCheckpoint = 0;
    await writing;
    for (const office of offices) await freshCheckpoint(log, office);
  }
  await writing;
  for (const office of offices) await freshCheckpoint(log, office);
  await guard.close();
}

export function officesOf({ corpus }: FillPlan, { number, of }: FillShare): string[] {
  return Array.from({ length: corpus.offices }, (_, i) => i)
    .filter((i) => i % of === number)
    .map(officeOf);
}

function filersOf({ corpus, issuer }: FillPlan, { number, of }: FillShare): Filer[] {
  const filers: Filer[] = [];
  for (let index = 0; index < corpus.filers; index++) {
    if ((index % corpus.offices) % of !== number) continue;
    const { uscc, office, key } = enterprise(corpus, index);
    filers.push({ index, uscc, office, key, signer: new QuickSigner(key, issuer) });
  }
  return filers;
}

async function register({ db }: FillContext, filers: readonly Filer[]): Promise<void> {
  for (let from = 0; from < filers.length; from += PARTIES_AT_ONCE) {
    const rows = filers.slice(from, from + PARTIES_AT_ONCE).map(({ index, uscc, office, key }) => {
      return { id: uscc, name: `压测企业 ${index}`, kid: key.kid, office, jwk: publicHalf(key) };
    });
    await db.sql`
      WITH r AS (
        SELECT * FROM json_to_recordset(${JSON.stringify(rows)}::text::json)
          AS r(id text, name text, kid text, office text, jwk jsonb)
      ), p AS (
        INSERT INTO party (id, kind, name, taxpayer_kind, status) SELECT id, 'filer', name, 'general', 'active' FROM r
        ON CONFLICT DO NOTHING
      ), k AS (
        INSERT INTO party_key (kid, party, alg, jwk, created_at) SELECT kid, id, 'ES256', jwk, 'epoch' FROM r
        ON CONFLICT DO NOTHING
      )
      INSERT INTO registration (filer, office, valid_from) SELECT id, office, '2020-01-01' FROM r
      ON CONFLICT DO NOTHING`;
  }
}

async function readHeads({ db, lanes }: FillContext, offices: readonly string[]): Promise<OfficeHead[]> {
  const rows = await db.sql<{ office: string; size: number }[]>`SELECT office, size FROM office_head`;
  const sizes = new Map(rows.map(({ office, size }) => [office, size]));
  return offices.map((office) => {
    const size = sizes.get(office);
    if (size === undefined) throw new Error(`there is no office ${office}`);
    return { lane: laneOf(office, lanes), office, size, receivedAt: 0 };
  });
}

interface Due {
  readonly filer: Filer;
  readonly back: number;
  /** How much of the month's returns have come in. */
  readonly share: number;
}

/** Whole months but the newest, which ends when there are enough. `done`: of this share's, how many are not wanted. */
function* batches({ corpus, filings }: FillPlan, filers: readonly Filer[], done: number): Generator<Due[]> {
  const months = Math.ceil(filings / corpus.filers);
  const newest = filings - (months - 1) * corpus.filers;
  let at = 0;
  let batch: Due[] = [];
  for (let back = months - 1; back >= 0; back--) {
    for (const [i, filer] of filers.entries()) {
      if (back === 0 && filer.index >= newest) break;
      if (at++ < done) continue;
      batch.push({ filer, back, share: i / filers.length });
      if (batch.length < LOT) continue;
      yield batch;
      batch = [];
    }
  }
  if (batch.length > 0) yield batch;
}

interface MadeLot {
  readonly filings: readonly WholeFiling[];
  readonly ticks: readonly TickRecord[];
  readonly heads: readonly OfficeHead[];
}

/** Makes the rows of many ticks, and stores them in one transaction. */
class Lot {
  readonly #ctx: FillContext;
  readonly #plan: FillPlan;
  readonly #issuer: { readonly iss: string; readonly env: string };
  readonly #clock: FillClock;
  readonly #heads: Map<string, OfficeHead>;
  readonly #versions = new Versions();

  constructor(
    ctx: FillContext,
    plan: FillPlan,
    issuer: { readonly iss: string; readonly env: string },
    clock: FillClock,
    heads: readonly OfficeHead[],
  ) {
    this.#ctx = ctx;
    this.#plan = plan;
    this.#issuer = issuer;
    this.#clock = clock;
    this.#heads = new Map(heads.map((head) => [head.office, head]));
  }

  get stored(): number {
    return [...this.#heads.values()].reduce((sum, { size }) => sum + size, 0);
  }

  make(batch: readonly Due[]): MadeLot {
    const filings: WholeFiling[] = [];
    const ticks: TickRecord[] = [];
    for (let from = 0; from < batch.length; from += this.#plan.tick)
      ticks.push(this.#makeTick(batch.slice(from, from + this.#plan.tick), filings));
    return { filings, ticks, heads: [...this.#heads.values()] };
  }

  #makeTick(batch: readonly Due[], filings: WholeFiling[]): TickRecord {
    const { signer, lanes } = this.#ctx;
    const tick = { lane: laneOf((batch[0] as Due).filer.office, lanes), id: randomUUID() };
    const leaves = batch.map((due, leafIndex) => {
      const filing = this.#makeFiling(due, { ...tick, leafIndex });
      filings.push(filing);
      return stateLeaf(filing, this.#issuer).leaf;
    });
    const at = this.#clock.now();
    const signature = signTick(signer, this.#issuer, merkleTree(sha256, leaves), at);
    return { ...tick, at, leaves: Buffer.concat(leaves), signature };
  }

  #makeFiling({ filer, back, share }: Due, tick: WholeFiling['tick']): WholeFiling {
    const { index: number, uscc, office, key } = filer;
    const { type, period, kind, data } = vatReturn(this.#plan.corpus, uscc, number, back);
    const payload = Buffer.from(JSON.stringify({ type, filer: uscc, period, kind, data }));
    const head = this.#heads.get(office) as OfficeHead;
    this.#clock.move(period, share);
    const receivedAt = this.#clock.now();
    this.#heads.set(office, { ...head, size: head.size + 1, receivedAt });
    const salt = newSalt();
    return {
      lane: head.lane,
      office,
      index: head.size,
      key: filingKey({ type, filer: uscc, period }),
      type,
      version: this.#versions.at(period),
      filer: uscc,
      period,
      kind,
      receivedAt,
      late: false,
      warnings: [],
      digest: sha256(payload),
      salt,
      leaf: officeLeaf({ office, index: head.size, receivedAt }, commitment(salt, payload)),
      tick,
      kid: key.kid,
      content: filer.signer.sign(payload),
      urgent: false,
    };
  }

  /** What is lost with a crash is made again: the whole is made durable at the end. */
  write({ filings, ticks, heads }: MadeLot): Promise<void> {
    return transaction(this.#ctx.db.sql, async (tx) => {
      await commitWithoutWaiting(tx);
      await insertFilings(tx, filings);
      await Promise.all(ticks.map((tick) => insertTick(tx, tick)));
      await growHeads(tx, heads);
    });
  }
}

const TYPE_FILE = fileURLToPath(new URL('../schemas/tax/vat-general/type.json', import.meta.url));

/** The version of the form that a period falls under. */
class Versions {
  readonly #all = (JSON.parse(readFileSync(TYPE_FILE, 'utf8')) as TypeFile).versions;
  readonly #known = new Map<string, string>();

  at({ from }: Period): string {
    let version = this.#known.get(from);
    if (version === undefined) {
      const found = this.#all.find((each) => each.from <= from && (each.to === undefined || from <= each.to));
      if (found === undefined) throw new Error(`no version of the form is in force on ${from}`);
      version = found.version;
      this.#known.set(from, version);
    }
    return version;
  }
}

interface TypeFile {
  readonly versions: readonly { readonly version: string; readonly from: string; readonly to?: string }[];
}

/** Whether so many returns exist. */
export function assertEnough({ corpus, filings }: FillPlan, monthsMax: number): void {
  if (filings <= corpus.filers * monthsMax) return;
  const needed = Math.ceil(filings / monthsMax);
  throw new RangeError(`${corpus.filers} filers have at most ${monthsMax} returns each: ${needed} are needed`);
}
