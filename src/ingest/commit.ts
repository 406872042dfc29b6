import { randomUUID } from 'node:crypto';
import { filingId, laneOf } from '../domain/filing.ts';
import type { FilingRecord, ManifestRecord, WholeFiling } from '../domain/filing-record.ts';
import { merkleTree } from '../log/merkle.ts';
import { sha256 } from '../std/bytes.ts';
import type { Clock } from '../std/clock.ts';
import { assert, GatewayError } from '../std/errors.ts';
import type { Logger } from '../std/telemetry.ts';
import type { Database, Sql, TransactionSql } from '../storage/db.ts';
import { isUnavailable, isUniqueViolation } from '../storage/failures.ts';
import {
  findByKeys,
  findManifests,
  growHeads,
  insertFilings,
  insertManifest,
  insertTick,
  lockHeads,
  type OfficeHead,
  type OfficePosition,
  type StandingFiling,
} from '../storage/filings.ts';
import { selectIdentityHead } from '../storage/identity-feed.ts';
import { transaction } from '../storage/transaction.ts';
import { findMoved } from './moved.ts';
import {
  commitment,
  type Issuer,
  newSalt,
  officeLeaf,
  type ReceiptSigner,
  SignedTick,
  signTick,
  stateLeaf,
} from './receipt.ts';

/** A filing that has passed every check: all that its row needs but what the tick decides. */
export interface CheckedFiling extends Omit<WholeFiling, 'lane' | 'index' | 'salt' | 'leaf' | 'tick' | 'manifest'> {
  /** Offices whose heads are locked with it: all that could hold a filing of the same key. Includes its own. */
  readonly candidates: readonly string[];
  /** The identity change up to which the candidates are all there are; undefined: not known. */
  readonly asOf?: number | undefined;
  readonly payload: Buffer;
  readonly manifest?: (ManifestRecord & { readonly line: number }) | undefined;
}

/** What became of one filing. */
export type CommitOutcome =
  | { readonly kind: 'stored'; readonly record: FilingRecord; readonly tick: SignedTick }
  /** The key was taken: by the same content (a replay) or by other content (a conflict). The caller compares digests. */
  | { readonly kind: 'standing'; readonly filing: StandingFiling }
  | { readonly kind: 'failed'; readonly error: unknown };

export interface CommitContext {
  readonly db: Database;
  readonly lanes: number;
  readonly clock: Clock;
  readonly signer: ReceiptSigner;
  readonly issuer: Issuer;
  readonly log: Logger;
  /** How long a tick may take before its senders are told to come again. */
  readonly tickMs: number;
  /** How long to look for rows whose COMMIT got no answer. */
  readonly lookupMs: number;
}

/**
 * Commits one tick: all of its filings in one transaction with one fsync, then one outcome each.
 *
 * A tick that the database refuses for its content is halved until the filing at fault stands alone, so one bad row
 * never fails its neighbours. A tick that fails for another reason fails whole, and is safe to send again.
 */
export async function commitTick(
  ctx: CommitContext,
  filings: readonly CheckedFiling[],
  again = false,
): Promise<CommitOutcome[]> {
  const attempt = new TickAttempt(ctx, filings);
  try {
    return await attempt.run();
  } catch (error) {
    // Two offices of one filer can race when a registration is seconds old; the second look finds the first's row.
    if (isUniqueViolation(error) && !again) return await commitTick(ctx, filings, true);
    if (isUnavailable(error)) {
      if (attempt.commitSent) return await attempt.resolveUnknown();
      throw new GatewayError('unavailable', { cause: error });
    }
    if (filings.length === 1) return [{ kind: 'failed', error }];
    const middle = filings.length >> 1;
    const left = await commitTick(ctx, filings.slice(0, middle));
    return [...left, ...(await commitTick(ctx, filings.slice(middle)))];
  }
}

/** The database has not answered in time, though the connection stands. Classified like a lost connection. */
class DatabaseSilent extends Error {
  readonly code = 'ETIMEDOUT';
}

class TickAttempt {
  readonly #ctx: CommitContext;
  readonly #filings: readonly CheckedFiling[];
  readonly #id = randomUUID();
  #outcomes: CommitOutcome[] = [];
  #moved: ReadonlySet<CheckedFiling> = new Set();
  #manifestsThere: ReadonlySet<string> = new Set();
  /** Its senders were told to come again: nothing more is written for them. */
  #abandoned = false;
  /** True from the moment in which the database may have committed, whatever we hear of it. */
  commitSent = false;

  constructor(ctx: CommitContext, filings: readonly CheckedFiling[]) {
    this.#ctx = ctx;
    this.#filings = filings;
  }

  /** COMMIT, inside `transaction`, is the commit point: before it nothing is visible, after it nobody can undo. */
  async run(): Promise<CommitOutcome[]> {
    const { tickMs } = this.#ctx;
    let timer: NodeJS.Timeout | undefined;
    const silence = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        this.#abandoned = true;
        reject(new DatabaseSilent());
      }, tickMs);
    });
    const running = this.#commit();
    running.catch(() => undefined); // after a silence nobody else is there to hear of it
    try {
      await Promise.race([running, silence]);
    } finally {
      clearTimeout(timer);
    }
    return this.#outcomes;
  }

  async #commit(): Promise<void> {
    await transaction(this.#ctx.db.sql, async (tx) => {
      const [heads, standing] = await this.#lockAndLook(tx);
      const fresh = this.#assign(heads, standing);
      if (this.#abandoned) throw new DatabaseSilent();
      if (fresh.length > 0) await this.#write(tx, heads, fresh);
      if (this.#abandoned) throw new DatabaseSilent();
      this.commitSent = true;
    });
  }

  /** Sent together: the second statement begins, and takes its snapshot, when the first holds the locks. */
  async #lockAndLook(tx: TransactionSql): Promise<[Map<string, OfficeHead>, Map<string, StandingFiling>]> {
    const { lanes } = this.#ctx;
    const offices = new Map<string, OfficePosition>();
    const keys: { lane: number; key: Buffer }[] = [];
    for (const filing of this.#filings) {
      const keyLanes = new Set<number>();
      for (const office of filing.candidates) {
        const lane = laneOf(office, lanes);
        offices.set(office, { lane, office });
        keyLanes.add(lane);
      }
      for (const lane of keyLanes) keys.push({ lane, key: filing.key });
    }
    const manifests = this.#manifests();
    const [heads, standing, newest, there] = await Promise.all([
      lockHeads(tx, [...offices.values()]),
      findByKeys(tx, keys),
      selectIdentityHead(tx),
      manifests.length === 0 ? [] : findManifests(tx, manifests),
    ]);
    this.#manifestsThere = new Set(there.map(({ lane, id }) => `${lane}.${id}`));
    assert(heads.length === offices.size, 'every office has a head');
    this.#moved = await findMoved(tx, this.#filings, newest);
    return [
      new Map(heads.map((head) => [head.office, head])),
      new Map(standing.map((filing) => [filing.key.toString('latin1'), filing])),
    ];
  }

  /** Gives the filings that are new the next indexes of their offices, in the order in which they arrived. */
  #assign(heads: Map<string, OfficeHead>, standing: Map<string, StandingFiling>): WholeFiling[] {
    const fresh: WholeFiling[] = [];
    const freshOf: (FilingRecord | undefined)[] = [];
    const tickLane = laneOf((this.#filings[0] as CheckedFiling).office, this.#ctx.lanes);
    for (const filing of this.#filings) {
      const key = filing.key.toString('latin1');
      const head = heads.get(filing.office);
      assert(head !== undefined, "the head of the filing's office is locked");
      if (standing.has(key) || this.#moved.has(filing)) {
        freshOf.push(undefined);
        continue;
      }
      // receivedAt never runs backwards in an office, whatever the clocks of several gateways do.
      const receivedAt = Math.max(filing.receivedAt, head.receivedAt);
      const record = newRecord(
        filing,
        { lane: head.lane, index: head.size, receivedAt },
        { lane: tickLane, id: this.#id, leafIndex: fresh.length },
      );
      heads.set(filing.office, { ...head, size: head.size + 1, receivedAt });
      standing.set(key, { ...record, tick: this.#id });
      fresh.push(record);
      freshOf.push(record);
    }
    this.#outcomes = this.#outcomesOf(fresh, freshOf, standing);
    return fresh;
  }

  #outcomesOf(
    fresh: readonly FilingRecord[],
    freshOf: readonly (FilingRecord | undefined)[],
    standing: ReadonlyMap<string, StandingFiling>,
  ): CommitOutcome[] {
    const tick = fresh.length > 0 ? this.#sign(fresh) : undefined;
    return this.#filings.map((filing, i) => {
      const record = freshOf[i];
      if (record !== undefined && tick !== undefined) return { kind: 'stored', record, tick };
      const found = standing.get(filing.key.toString('latin1'));
      if (found === undefined && this.#moved.has(filing))
        return { kind: 'failed', error: new GatewayError('unavailable', { retryAfterSeconds: 1 }) };
      assert(found !== undefined, 'a filing is new or stands already');
      return { kind: 'standing', filing: found };
    });
  }

  #leaves: Buffer[] = [];
  #signature = '';
  #signedAt = 0;

  #sign(fresh: readonly FilingRecord[]): SignedTick {
    const { signer, issuer, clock } = this.#ctx;
    const stated = fresh.map((record) => stateLeaf(record, issuer));
    this.#leaves = stated.map(({ leaf }) => leaf);
    const tree = merkleTree(sha256, this.#leaves);
    this.#signedAt = clock.now();
    this.#signature = signTick(signer, issuer, tree, this.#signedAt);
    return new SignedTick(tree, this.#signature, issuer, stated);
  }

  async #write(
    tx: TransactionSql,
    heads: ReadonlyMap<string, OfficeHead>,
    fresh: readonly WholeFiling[],
  ): Promise<void> {
    const grown = new Set(fresh.map((record) => record.office));
    const tickLane = (fresh[0] as FilingRecord).tick.lane;
    const tick = {
      lane: tickLane,
      id: this.#id,
      at: this.#signedAt,
      leaves: Buffer.concat(this.#leaves),
      signature: this.#signature,
    };
    // Sent together, the filings last. All are waited for, whatever fails: a ROLLBACK amid the filings would be taken for data.
    const written = await Promise.allSettled([
      insertTick(tx, tick),
      growHeads(
        tx,
        [...heads.values()].filter((head) => grown.has(head.office)),
      ),
      ...this.#newManifests(fresh).map(({ lane, manifest }) => insertManifest(tx, lane, manifest)),
      insertFilings(tx, fresh),
    ]);
    for (const each of written) if (each.status === 'rejected') throw each.reason;
  }

  /** Of uploads in form B, in each lane that has lines of theirs. */
  #manifests(): { lane: number; id: string; manifest: ManifestRecord }[] {
    const wanted = new Map<string, { lane: number; id: string; manifest: ManifestRecord }>();
    for (const { office, manifest } of this.#filings) {
      if (manifest === undefined) continue;
      const lane = laneOf(office, this.#ctx.lanes);
      wanted.set(`${lane}.${manifest.id}`, { lane, id: manifest.id, manifest });
    }
    return [...wanted.values()];
  }

  /** A manifest has 32 bytes for each line of its upload, whose lines come in several ticks: it is not sent again each time. */
  #newManifests(fresh: readonly FilingRecord[]): { lane: number; manifest: ManifestRecord }[] {
    const used = new Set(fresh.map(({ lane, manifest }) => manifest && `${lane}.${manifest.id}`));
    return this.#manifests().filter(({ lane, id }) => {
      const place = `${lane}.${id}`;
      return used.has(place) && !this.#manifestsThere.has(place);
    });
  }

  /**
   * COMMIT was sent and its answer never came. The rows say what happened: a transaction is all or nothing, so one of
   * its filings stands for all. Until a row is seen nobody is told 2xx, and nobody is told that nothing was stored.
   */
  async resolveUnknown(): Promise<CommitOutcome[]> {
    const stored = this.#outcomes.find((outcome) => outcome.kind === 'stored');
    if (stored?.kind !== 'stored') throw new GatewayError('unavailable');
    const { key, lane } = stored.record;
    const deadline = this.#ctx.clock.monotonic() + this.#ctx.lookupMs;
    for (let left = this.#ctx.lookupMs; left > 0; left = deadline - this.#ctx.clock.monotonic()) {
      // The connection of the lookup may be as silent as the one of the COMMIT.
      const found = await Promise.race([findTick(this.#ctx.db.sql, lane, key), pause(left)]);
      if (found === this.#id) return this.#outcomes;
      await pause(LOOKUP_EVERY_MS);
    }
    this.#ctx.log.warn(
      { tick: this.#id, filing: filingId(stored.record.office, stored.record.index) },
      'outcome of COMMIT unknown',
    );
    throw new GatewayError('outcome-unknown');
  }
}

const LOOKUP_EVERY_MS = 50;

function pause(ms: number): Promise<undefined> {
  return new Promise((resolve) => setTimeout(resolve, ms, undefined));
}

/** Undefined when no tick is known to have stored that key. */
async function findTick(sql: Sql, lane: number, key: Buffer): Promise<string | undefined> {
  try {
    return (await findByKeys(sql, [{ lane, key }]))[0]?.tick;
  } catch (error) {
    if (!isUnavailable(error)) throw error;
    return undefined;
  }
}

function newRecord(
  filing: CheckedFiling,
  place: { readonly lane: number; readonly index: number; readonly receivedAt: number },
  tick: FilingRecord['tick'],
): WholeFiling {
  const { office, manifest } = filing;
  const salt = newSalt();
  const leaf = officeLeaf(
    { office, index: place.index, receivedAt: place.receivedAt },
    commitment(salt, filing.payload),
  );
  // Written out: taking the rest of an object apart costs as much as the hash of its statement.
  return {
    lane: place.lane,
    office,
    index: place.index,
    key: filing.key,
    type: filing.type,
    version: filing.version,
    filer: filing.filer,
    period: filing.period,
    reference: filing.reference,
    kind: filing.kind,
    supersedes: filing.supersedes,
    receivedAt: place.receivedAt,
    late: filing.late,
    warnings: filing.warnings,
    digest: filing.digest,
    salt,
    leaf,
    tick,
    kid: filing.kid,
    manifest: manifest && { id: manifest.id, line: manifest.line },
    content: filing.content,
    urgent: filing.urgent,
  };
}
