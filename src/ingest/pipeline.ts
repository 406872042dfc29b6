import { AGENCIES, type FilingPayload, filingId, laneOf } from '../domain/filing.ts';
import { filingKey } from '../domain/filing-key.ts';
import type { FilingRecord, ManifestRecord } from '../domain/filing-record.ts';
import type { Catalogue } from '../domain/filing-type.ts';
import { checkEnvelope } from '../domain/payload.ts';
import { isUrgent } from '../domain/urgent.ts';
import type { Directory, PartyKind, SigningKey } from '../identity/records.ts';
import type { Settings } from '../settings/records.ts';
import { decodeUtf8, sha256, toBase64url } from '../std/bytes.ts';
import { formatInstant } from '../std/clock.ts';
import { assert, GatewayError, type Violation } from '../std/errors.ts';
import { parseStrictJson } from '../std/json.ts';
import type { Metrics } from '../std/telemetry.ts';
import type { Database } from '../storage/db.ts';
import { loadFiling } from '../storage/filing-lookup.ts';
import { findByKeys, type StandingFiling } from '../storage/filings.ts';
import { authorizeFiling, authorizeSigner, type Destination } from './authorize.ts';
import { headOfChain } from './chain.ts';
import type { CheckedFiling, CommitOutcome } from './commit.ts';
import type { Deferrals } from './deferrals.ts';
import { type ParsedJws, parseCompactJws, parseFlattenedJws } from './jws.ts';
import type { Original, Originals } from './originals.ts';
import type { Place, Pool } from './pool.ts';
import type { Signatures } from './signatures.ts';
import { unknownType, type Validation, validateFiling } from './validate.ts';
import { findKey, verifySignature } from './verify.ts';
import { type FilingView, filingView } from './view.ts';

/** Keeps one party from using up what all share. */
export interface RateLimiter {
  /** Seconds until the party may come again, or undefined when it may now. Takes nothing. */
  blocked(party: string, kind: PartyKind): number | undefined;
  take(party: string, kind: PartyKind): void;
}

export interface IngestContext {
  readonly directory: Directory;
  readonly catalogue: () => Catalogue;
  readonly settings: Settings;
  readonly db: Database;
  readonly lanes: number;
  readonly issuer: string;
  readonly env: string;
  readonly pool: Pool<CheckedFiling, CommitOutcome>;
  readonly originals: Originals;
  readonly limits: RateLimiter;
  readonly deferrals: Deferrals;
  readonly signatures: Signatures;
  readonly metrics: Metrics;
}

/**
 * Keeps the filings of one upload in its order: each enters the pool when the one before it has entered, or has failed.
 * Whoever hands a turn out calls `pass` at the latest when the filing is settled.
 */
export interface Turn {
  readonly come: Promise<void>;
  pass(): void;
}

/** One JWS as it came in. */
export interface Submission {
  readonly content: string;
  readonly form: 'compact' | 'flattened';
  /** When the whole request had arrived: the legal time of filing. Milliseconds since the epoch. */
  readonly receivedAt: number;
  readonly turn?: Turn | undefined;
}

export interface Accepted {
  readonly kind: 'stored' | 'replayed';
  readonly filing: FilingView;
}

/**
 * The way of a filing. Throws a GatewayError for whatever is wrong with it; returns only once the database has it on
 * disk. The same steps serve single filings, bulk uploads and the command line.
 */
export async function submit(ctx: IngestContext, submission: Submission, admitted?: Place): Promise<Accepted> {
  const place = admitted ?? admit(ctx, submission.content.length);
  try {
    const jws = read(submission);
    // Uploads wait for their places, and are bounded by their own windows.
    const key = await verify(ctx, jws, admitted === undefined ? place : undefined);
    const { receivedAt, turn } = submission;
    return await file(ctx, { key, payload: jws.payload, content: jws.content, receivedAt, turn });
  } finally {
    place.leave();
  }
}

/** A payload whose signature holds: its own JWS's, or that of the manifest of its bulk upload. */
export interface SignedPayload {
  readonly key: SigningKey;
  readonly payload: Buffer;
  readonly content: string;
  readonly receivedAt: number;
  readonly manifest?: (ManifestRecord & { readonly line: number }) | undefined;
  readonly turn?: Turn | undefined;
}

/** The steps after the signature. */
async function file(ctx: IngestContext, signed: SignedPayload): Promise<Accepted> {
  const checked = await check(ctx, signed);
  if (checked.kind === 'replayed') return checked;
  await signed.turn?.come;
  const committing = ctx.pool.submit(checked.filing, signed.content.length);
  signed.turn?.pass();
  return await answer(ctx, checked.filing, await committing);
}

/** Ready for the pool, or answered already. */
export type Checked = { readonly kind: 'checked'; readonly filing: CheckedFiling } | Replayed;

type Replayed = Accepted & { readonly kind: 'replayed' };

/** The steps between the signature and the pool. */
export async function check(ctx: IngestContext, signed: SignedPayload): Promise<Checked> {
  const payload = parsePayload(signed.payload);
  const asOf = ctx.directory.heard?.();
  try {
    const signer = await authorizeSigner(ctx, signed.key, signed.receivedAt);
    const destination = await authorizeFiling(ctx, signer, payload, signed.receivedAt);
    const validation = await validate(ctx, payload, destination, signed.receivedAt);
    const filing = prepare(ctx, signed, payload, { ...destination, asOf }, validation);
    return { kind: 'checked', filing };
  } catch (error) {
    const replay = await replayOf(ctx, signed, payload, error);
    if (replay === undefined) throw error;
    return replay;
  }
}

/** Before anything is computed for it: a full gateway says so at once. */
export function admit(ctx: Pick<IngestContext, 'pool'>, bytes: number): Place {
  const place = ctx.pool.tryEnter(bytes);
  if (place === undefined) throw new GatewayError('overloaded');
  return place;
}

export function read(submission: Pick<Submission, 'content' | 'form'>): ParsedJws {
  return submission.form === 'compact' ? parseCompactJws(submission.content) : parseFlattenedJws(submission.content);
}

/** The key, once the signature holds. A party over its limit, or its share of the room, costs no signature check. */
export async function verify(ctx: IngestContext, jws: ParsedJws, place?: Place): Promise<SigningKey> {
  const key = await findKey(ctx, jws);
  const kind = (await ctx.directory.party(key.party))?.kind ?? 'filer';
  const refusal =
    blocked(ctx, key.party, kind) ?? (place?.claim(key.party) === false ? new GatewayError('overloaded') : undefined);
  if (refusal !== undefined) {
    ctx.deferrals.defer(key.kid, refusal);
    throw refusal;
  }
  await verifySignature(ctx.signatures, key, jws);
  takeFromLimit(ctx, key.party, kind);
  return key;
}

function blocked({ limits }: Pick<IngestContext, 'limits'>, party: string, kind: PartyKind): GatewayError | undefined {
  const retryAfterSeconds = limits.blocked(party, kind);
  if (retryAfterSeconds === undefined) return undefined;
  return new GatewayError('rate-limited', { retryAfterSeconds, limited: { party, kind } });
}

/** Counts one filing of a party that has proved itself. Asks once more: many may have been verified at the same time. */
export function takeFromLimit(ctx: Pick<IngestContext, 'limits'>, party: string, kind: PartyKind): void {
  const refusal = blocked(ctx, party, kind);
  if (refusal !== undefined) throw refusal;
  ctx.limits.take(party, kind);
}

export const PAYLOAD_LIMITS = { depth: 32, values: 2_000_000 };

/** Payload bytes to an envelope whose members have the right form; all that is wrong with them at once. */
export function parsePayload(bytes: Buffer): FilingPayload {
  const text = decodeUtf8(bytes);
  const parsed = text === undefined ? undefined : parseStrictJson(text, PAYLOAD_LIMITS);
  if (parsed === undefined) {
    throw new GatewayError('malformed-json', { detail: { zh: '载荷不是 UTF-8。', en: 'The payload is not UTF-8.' } });
  }
  if (!parsed.ok)
    throw new GatewayError('malformed-json', { members: { reason: parsed.fault.reason, at: parsed.fault.at } });
  const envelope = checkEnvelope(parsed.value);
  if ('errors' in envelope) throw invalid(envelope.errors, 0);
  const { payload } = envelope;
  if (!AGENCIES.some((agency) => payload.type.startsWith(`${agency}.`))) throw invalid([unknownType()], 0);
  return payload;
}

async function validate(
  ctx: IngestContext,
  payload: FilingPayload,
  { office }: Destination,
  receivedAt: number,
): Promise<Validation> {
  const options = { region: office.region, others: 'looked-up' } as const;
  const validation = await validateFiling(ctx, payload, receivedAt, options);
  if (validation.errors.length > 0) throw invalid([...validation.errors, ...validation.warnings], validation.more);
  return validation;
}

function invalid(errors: readonly Violation[], more: number): GatewayError {
  return new GatewayError('invalid-filing', { errors, more });
}

function prepare(
  ctx: Pick<IngestContext, 'catalogue'>,
  signed: SignedPayload,
  payload: FilingPayload,
  destination: Destination & { readonly asOf: number | undefined },
  validation: Validation,
): CheckedFiling {
  const { type, filer, period, reference, kind, supersedes } = payload;
  return {
    office: destination.office.code,
    candidates: destination.candidates.map((office) => office.code),
    asOf: destination.asOf,
    key: filingKey(payload),
    type,
    version: validation.version ?? '',
    filer,
    period,
    reference,
    kind,
    supersedes,
    receivedAt: signed.receivedAt,
    late: validation.late,
    warnings: validation.warnings,
    digest: sha256(signed.payload),
    payload: signed.payload,
    kid: signed.key.kid,
    content: signed.content,
    urgent: isUrgent(ctx.catalogue().types.get(type)?.metadata, payload),
    manifest: signed.manifest,
  };
}

/** What its tick came to for one filing. */
export async function answer(ctx: IngestContext, filing: CheckedFiling, outcome: CommitOutcome): Promise<Accepted> {
  if (outcome.kind === 'failed') throw outcome.error;
  if (outcome.kind === 'stored') {
    ctx.metrics.count('filings_stored');
    return { kind: 'stored', filing: filingView(outcome.record, outcome.tick, 'accepted') };
  }
  const { filing: standing } = outcome;
  if (!standing.digest.equals(filing.digest)) throw await conflict(ctx, filing, standing);
  return replay(ctx, await original(ctx, standing, filing.candidates));
}

async function original(
  { originals }: Pick<IngestContext, 'originals'>,
  { lane, office, index }: StandingFiling,
  offices: readonly string[],
): Promise<Original> {
  const found = await originals.submit({ lane, office, index, offices }, 0);
  assert(found !== undefined, 'a filing that stands can be read');
  return found;
}

/** The original answer again. Everything in its receipt was stored, so its bytes are the same. */
function replay(ctx: IngestContext, found: Original): Replayed {
  ctx.metrics.count('filings_replayed');
  return { kind: 'replayed', filing: found.view() };
}

/** Other content under the same key. For a correction that means: what it corrects has been superseded already. */
export async function conflict(
  ctx: Pick<IngestContext, 'db' | 'lanes'>,
  filing: Pick<CheckedFiling, 'supersedes' | 'digest' | 'candidates'>,
  standing: StandingFiling,
): Promise<GatewayError> {
  const existing = {
    id: filingId(standing.office, standing.index),
    digest: toBase64url(standing.digest),
    receivedAt: formatInstant(standing.receivedAt),
  };
  const members = { existing, digest: toBase64url(filing.digest) };
  if (filing.supersedes === undefined) return new GatewayError('filing-conflict', { members });
  const found = await loadFiling(ctx.db.sql, standing.lane, standing.office, standing.index);
  const head = found && (await headOfChain({ sql: ctx.db.sql, lanes: ctx.lanes }, found.record, filing.candidates));
  return new GatewayError('superseded', { members: { ...members, head: head && filingId(head.office, head.index) } });
}

/** Refusals that may have become true only after the filing was first accepted. */
const LATER_REFUSALS: ReadonlySet<string> = new Set([
  'no-mandate',
  'not-registered',
  'party-suspended',
  'key-revoked',
  'key-not-in-force',
  'invalid-filing',
]);

/**
 * A lost answer costs nothing, at any time: a filing that stands is replayed even when its key or its mandate has ended,
 * its filer has moved or was suspended, or its rules have changed since.
 */
async function replayOf(
  ctx: IngestContext,
  signed: SignedPayload,
  payload: FilingPayload,
  error: unknown,
): Promise<Replayed | undefined> {
  if (!(error instanceof GatewayError) || !LATER_REFUSALS.has(error.code)) return undefined;
  const offices = (await ctx.directory.party(payload.filer))?.registrations.map(({ office }) => office) ?? [];
  const standing = await findStanding(ctx, filingKey(payload), offices);
  if (standing === undefined || !standing.digest.equals(sha256(signed.payload))) return undefined;
  const found = await original(ctx, standing, offices);
  return (await wasFiledBy(ctx, signed.key, found.record, error)) ? replay(ctx, found) : undefined;
}

/** A key that may no longer be used learns only of what it has signed itself. */
async function wasFiledBy(
  ctx: IngestContext,
  key: SigningKey,
  record: FilingRecord,
  refusal: GatewayError,
): Promise<boolean> {
  if (key.kid === record.kid) return true;
  if (refusal.code === 'key-revoked' || refusal.code === 'key-not-in-force') return false;
  return key.party === record.filer || key.party === (await ctx.directory.key(record.kid))?.party;
}

/** The filing under a key, in whichever of these offices' lanes it stands. */
export async function findStanding(
  ctx: Pick<IngestContext, 'db' | 'lanes'>,
  key: Buffer,
  offices: readonly string[],
): Promise<StandingFiling | undefined> {
  const lanes = new Set(offices.map((office) => laneOf(office, ctx.lanes)));
  const [standing] = await findByKeys(
    ctx.db.sql,
    [...lanes].map((lane) => ({ lane, key })),
  );
  return standing;
}
