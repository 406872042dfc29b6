import { setImmediate } from 'node:timers/promises';
import type { ManifestRecord } from '../domain/filing-record.ts';
import type { PartyKind, SigningKey } from '../identity/records.ts';
import { leafHash, sameBytes, treeRoot } from '../log/merkle.ts';
import { decodeUtf8, fromBase64url, sha256 } from '../std/bytes.ts';
import { GatewayError } from '../std/errors.ts';
import { parseStrictJson } from '../std/json.ts';
import type { NumberedLine } from '../std/lines.ts';
import { authorizeSigner } from './authorize.ts';
import { type ParsedJws, parseCompactJws } from './jws.ts';
import {
  type Accepted,
  answer,
  type Checked,
  check,
  type IngestContext,
  submit,
  type Turn,
  takeFromLimit,
  verify,
} from './pipeline.ts';
import type { Place } from './pool.ts';

/** Bounds of one bulk upload. */
export const BULK_FILINGS_MAX = 10_000;
/** Largest filing, alone or as a line: about ten thousand person lines. */
export const FILING_BYTES_MAX = 16 * 1024 * 1024;

/** How many filings of one upload are on their way at once. More would only wait in the pool for the next tick. */
const WINDOW = 512;
/**
 * Lines of form B that are checked together. A tenth of the promises of one by one, and still only some milliseconds of the event
 * loop, after which others have their turn.
 */
const BATCH = 128;

/** What became of one line; lines count from 1, as editors do. */
export type LineOutcome = { readonly line: number } & ({ readonly accepted: Accepted } | { readonly error: unknown });

/**
 * A bulk upload, line by line; outcomes in the order of the lines, some at a time, as soon as their ticks and those before are
 * committed.
 *
 * Form A: every line is a JWS of its own. Form B: the first line is a JWS over `{count, root}`, the RFC 6962 root over
 * the bytes of the lines that follow, which are plain payloads; it is settled before the first of them is stored.
 *
 * @param receivedAt when the upload had arrived whole; while it has not, now: a line of form A may be answered before
 */
export async function* submitBulk(
  ctx: IngestContext,
  lines: AsyncIterator<NumberedLine>,
  receivedAt: () => number,
): AsyncGenerator<readonly LineOutcome[]> {
  try {
    const first = await lines.next();
    if (first.done) throw malformed('上传内容为空。', 'The upload is empty.');
    const manifest = readManifest(first.value);
    if (manifest === undefined) yield* inOrder(formA(ctx, prepend(first.value, lines), receivedAt));
    else yield* inOrder(formB(ctx, manifest, first.value, lines, receivedAt));
  } finally {
    void lines.return?.().catch(() => undefined);
  }
}

async function* formA(
  ctx: IngestContext,
  lines: AsyncIterable<NumberedLine>,
  receivedAt: () => number,
): AsyncGenerator<Pending> {
  const turns = new Turns();
  let count = 0;
  for await (const line of lines) {
    if (++count > BULK_FILINGS_MAX) throw tooMany();
    const place = await ctx.pool.enter(line.bytes.length);
    const turn = turns.next();
    const start = async (): Promise<readonly LineOutcome[]> => [
      await outcomeOf(line, async () => {
        const text = textOf(line.bytes);
        const content = text.startsWith('"') ? compactOf(text) : text;
        const form = content === text ? 'flattened' : 'compact';
        return submit(ctx, { content, form, receivedAt: receivedAt(), turn }, place);
      }),
    ];
    yield pending([place], turn, start);
  }
}

interface Manifest {
  readonly jws: ParsedJws;
  readonly count: number;
  readonly root: Buffer;
}

/** Undefined when the line is not a form B manifest: then it is the first filing of form A. */
function readManifest(line: NumberedLine): Manifest | undefined {
  const text = decodeUtf8(line.bytes);
  if (text === undefined || !text.startsWith('"')) return undefined;
  let jws: ParsedJws;
  try {
    jws = parseCompactJws(compactOf(text));
  } catch {
    return undefined; // answered as line 1 of form A, in its place
  }
  const payload = decodeUtf8(jws.payload);
  const parsed = payload === undefined ? undefined : parseStrictJson(payload, { depth: 1, values: 8 });
  if (!parsed?.ok || typeof parsed.value !== 'object' || parsed.value === null) return undefined;
  const { count, root, ...others } = parsed.value as Record<string, unknown>;
  if (count === undefined || root === undefined || Object.keys(others).length > 0) return undefined;
  const rootBytes = typeof root === 'string' ? fromBase64url(root) : undefined;
  if (!Number.isSafeInteger(count) || rootBytes?.length !== 32) {
    throw malformed(
      '首行应签署 {"count": 行数, "root": 32 字节的 base64url}。',
      'The first line signs {"count": n, "root": 32 bytes in base64url}.',
    );
  }
  return { jws, count: count as number, root: rootBytes };
}

async function* formB(
  ctx: IngestContext,
  manifest: Manifest,
  first: NumberedLine,
  rest: AsyncIterator<NumberedLine>,
  receivedAt: () => number,
): AsyncGenerator<Pending> {
  // Before the lines are read: nobody's lines are kept in memory for a manifest that nobody has signed.
  const key = await verify(ctx, manifest.jws);
  const lines: NumberedLine[] = [];
  for (let next = await rest.next(); !next.done; next = await rest.next()) {
    if (lines.push(next.value) > BULK_FILINGS_MAX) throw tooMany();
  }
  // One request, arrived whole: its filings have one time, however long it takes to store them.
  const arrivedAt = receivedAt();
  const signer = await authorizeSigner(ctx, key, arrivedAt);
  const leaves = lines.map((line) => leafHash(sha256, line.bytes));
  if (lines.length !== manifest.count || !sameBytes(treeRoot(sha256, leaves), manifest.root)) {
    throw new GatewayError('bulk-root-mismatch');
  }
  const id = uuidOf(sha256(first.bytes));
  const stored = { id, jws: manifest.jws.content, leaves: Buffer.concat(leaves) };
  const turns = new Turns();
  for (let from = 0; from < lines.length; ) {
    const places = await placesFor(ctx, lines, from);
    const batch = lines
      .slice(from, from + places.length)
      .map((line, i) => ({ line, position: { ...stored, line: from + i } }));
    // What was sent is let go of as it is stored: an upload may have 64 MiB.
    lines.fill(NO_LINE, from, from + places.length);
    from += places.length;
    const turn = turns.next();
    yield pending(places, turn, () => fileBatch(ctx, { key, kind: signer.kind, arrivedAt, turn }, batch));
    await setImmediate();
  }
}

const NO_LINE: NumberedLine = { number: 0, bytes: Buffer.alloc(0) };

/** Places for the next lines, one at least: those who hold places go on, so that no two uploads wait for each other. */
async function placesFor(ctx: IngestContext, lines: readonly NumberedLine[], from: number): Promise<Place[]> {
  const bytesOf = (i: number): number => (lines[i] as NumberedLine).bytes.length;
  const places = [await ctx.pool.enter(bytesOf(from))];
  for (let i = from + 1; i < Math.min(from + BATCH, lines.length); i++) {
    const place = ctx.pool.tryEnter(bytesOf(i));
    if (place === undefined) break;
    places.push(place);
  }
  return places;
}

/** Whose signature covers a batch, and when it had arrived. */
interface Signed {
  readonly key: SigningKey;
  readonly kind: PartyKind;
  readonly arrivedAt: number;
  readonly turn: Turn;
}

interface ManifestLine {
  readonly line: NumberedLine;
  readonly position: ManifestRecord & { readonly line: number };
}

/** Checks lines side by side, then pools those that passed in their order. */
async function fileBatch(ctx: IngestContext, signed: Signed, batch: readonly ManifestLine[]): Promise<LineOutcome[]> {
  const { key, kind, arrivedAt: receivedAt, turn } = signed;
  const checking = batch.map(async ({ line, position: manifest }): Promise<Checked | { readonly error: unknown }> => {
    try {
      takeFromLimit(ctx, key.party, kind);
      const content = textOf(line.bytes);
      return await check(ctx, { key, payload: line.bytes, content, receivedAt, manifest });
    } catch (error) {
      return { error };
    }
  });
  const checked = await Promise.all(checking);
  await turn.come;
  const outcomes = checked.map((each, i) => {
    const { line } = batch[i] as ManifestLine;
    if ('error' in each) return { line: line.number, error: each.error };
    if (each.kind === 'replayed') return { line: line.number, accepted: each };
    const committing = ctx.pool.submit(each.filing, line.bytes.length);
    return outcomeOf(line, async () => answer(ctx, each.filing, await committing));
  });
  turn.pass();
  return await Promise.all(outcomes);
}

/** Hands out the turns of one upload. */
class Turns {
  #last: Promise<void> = Promise.resolve();

  next(): Turn {
    const come = this.#last;
    let pass = (): void => {};
    this.#last = new Promise((resolve) => {
      pass = resolve;
    });
    return { come, pass };
  }
}

/** Some lines on their way. */
interface Pending {
  readonly filings: number;
  readonly outcomes: Promise<readonly LineOutcome[]>;
}

function pending(places: readonly Place[], turn: Turn, start: () => Promise<readonly LineOutcome[]>): Pending {
  const outcomes = start();
  // Lines that failed before they reached the pool have nobody else to give their places and their turn back.
  const giveBack = (): void => {
    turn.pass();
    for (const place of places) place.leave();
  };
  outcomes.then(giveBack, giveBack);
  return { filings: places.length, outcomes };
}

/** Never rejects: what goes wrong with a line is answered in its turn. */
async function outcomeOf(line: NumberedLine, work: () => Promise<Accepted>): Promise<LineOutcome> {
  try {
    return { line: line.number, accepted: await work() };
  } catch (error) {
    return { line: line.number, error };
  }
}

/**
 * Keeps up to WINDOW filings on their way and hands their outcomes on in order, each as soon as it is known: a slow
 * sender sees the outcome of its first line while it is still writing the second. What ends the upload early is thrown
 * after the outcomes of the lines before it, since those are stored or not whatever came behind them.
 */
async function* inOrder(source: AsyncGenerator<Pending>): AsyncGenerator<readonly LineOutcome[]> {
  const underWay: Pending[] = [];
  let filings = 0;
  let coming: Promise<Coming> | undefined = nextOf(source);
  let failure: Coming | undefined;
  try {
    while (coming !== undefined || underWay.length > 0) {
      const oldest = underWay[0];
      const isFull = coming === undefined || filings >= WINDOW;
      if (oldest !== undefined && (isFull || (await settledFirst(oldest, coming)))) {
        underWay.shift();
        filings -= oldest.filings;
        yield await oldest.outcomes;
        continue;
      }
      const next: Coming = (await coming) ?? {};
      if (next.pending !== undefined) {
        underWay.push(next.pending);
        filings += next.pending.filings;
      }
      coming = next.pending === undefined ? undefined : nextOf(source);
      if ('error' in next) failure = next;
    }
  } finally {
    // When the client has gone, the source may wait for a line or a place for long: it ends by itself after that.
    void source.return(undefined).catch(() => undefined);
  }
  if (failure !== undefined) throw failure.error;
}

/** The next line on its way, or why there is none; neither: the upload is at its end. */
interface Coming {
  readonly pending?: Pending;
  readonly error?: unknown;
}

/** Never rejects, because nobody listens while outcomes are handed on. */
async function nextOf(source: AsyncGenerator<Pending>): Promise<Coming> {
  try {
    const next = await source.next();
    return next.done ? {} : { pending: next.value };
  } catch (error) {
    return { error };
  }
}

function settledFirst(oldest: Pending, coming: Promise<unknown> | undefined): Promise<boolean> {
  const settled = oldest.outcomes.then(() => true);
  return Promise.race(coming === undefined ? [settled] : [settled, coming.then(() => false)]);
}

async function* prepend(first: NumberedLine, rest: AsyncIterator<NumberedLine>): AsyncGenerator<NumberedLine> {
  yield first;
  for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value;
}

function textOf(bytes: Buffer): string {
  if (bytes.length > FILING_BYTES_MAX) {
    throw new GatewayError('too-large', {
      detail: { zh: `该行超过 ${FILING_BYTES_MAX} 字节。`, en: `The line is over ${FILING_BYTES_MAX} bytes.` },
    });
  }
  const text = decodeUtf8(bytes);
  if (text === undefined) throw malformed('该行不是 UTF-8。', 'The line is not UTF-8.');
  return text;
}

/** A compact JWS is plain ASCII: as a JSON string it has no escapes. */
function compactOf(line: string): string {
  if (!/^"[A-Za-z0-9._-]*"$/.test(line)) {
    throw new GatewayError('malformed-jws', {
      detail: { zh: '该行应是 JSON 字符串形式的紧凑 JWS。', en: 'The line is a compact JWS as a JSON string.' },
    });
  }
  return line.slice(1, -1);
}

function tooMany(): GatewayError {
  return new GatewayError('too-large', {
    detail: {
      zh: `一次最多 ${BULK_FILINGS_MAX} 份申报，请分批上传。`,
      en: `At most ${BULK_FILINGS_MAX} filings at once; send the rest in another upload.`,
    },
  });
}

function malformed(zh: string, en: string): GatewayError {
  return new GatewayError('malformed', { detail: { zh, en } });
}

/** The same manifest always has the same id, so that storing it twice is storing it once. RFC 9562 version 8. */
function uuidOf(digest: Buffer): string {
  const bytes = Buffer.from(digest.subarray(0, 16));
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
