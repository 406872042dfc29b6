import { leafHash, sameBytes, treeRoot } from '../log/merkle.ts';
import { decodeUtf8, fromBase64url, sha256 } from '../std/bytes.ts';
import { GatewayError } from '../std/errors.ts';
import { parseStrictJson } from '../std/json.ts';
import type { NumberedLine } from '../std/lines.ts';
import { authorizeSigner } from './authorize.ts';
import { type ParsedJws, parseCompactJws } from './jws.ts';
import { type Accepted, file, type IngestContext, submit, type Turn, takeFromLimit, verify } from './pipeline.ts';
import type { Place } from './pool.ts';

/** Bounds of one bulk upload. */
export const BULK_FILINGS_MAX = 10_000;
/** Largest filing, alone or as a line: about ten thousand person lines. */
export const FILING_BYTES_MAX = 16 * 1024 * 1024;

/** How many filings of one upload are on their way at once. More would only wait in the pool for the next tick. */
const WINDOW = 512;

/** What became of one line; lines count from 1, as editors do. */
export type LineOutcome = { readonly line: number } & ({ readonly accepted: Accepted } | { readonly error: unknown });

/**
 * A bulk upload, line by line; outcomes in the order of the lines, each as soon as its tick and those before it are
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
): AsyncGenerator<LineOutcome> {
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
    yield pending(line, place, turn, () => {
      const text = textOf(line.bytes);
      const content = text.startsWith('"') ? compactOf(text) : text;
      const form = content === text ? 'flattened' : 'compact';
      return submit(ctx, { content, form, receivedAt: receivedAt(), turn }, place);
    });
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
  for (const [index, line] of lines.entries()) {
    const place = await ctx.pool.enter(line.bytes.length);
    const turn = turns.next();
    yield pending(line, place, turn, () => {
      takeFromLimit(ctx, key.party, signer.kind);
      const content = textOf(line.bytes);
      const position = { ...stored, line: index };
      return file(ctx, { key, payload: line.bytes, content, receivedAt: arrivedAt, manifest: position, turn });
    });
  }
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

interface Pending {
  readonly line: number;
  readonly accepted: Promise<Accepted>;
}

function pending(line: NumberedLine, place: Place, turn: Turn, start: () => Promise<Accepted>): Pending {
  const accepted = (async () => start())();
  // Its error is answered in the line's turn; until then it is nobody's unhandled rejection. A line that failed before
  // it reached the pool has nobody else to give its place and its turn back.
  accepted
    .finally(turn.pass)
    .finally(place.leave)
    .catch(() => undefined);
  return { line: line.number, accepted };
}

/**
 * Keeps up to WINDOW filings on their way and hands their outcomes on in order, each as soon as it is known: a slow
 * sender sees the outcome of its first line while it is still writing the second. What ends the upload early is thrown
 * after the outcomes of the lines before it, since those are stored or not whatever came behind them.
 */
async function* inOrder(source: AsyncGenerator<Pending>): AsyncGenerator<LineOutcome> {
  const underWay: Pending[] = [];
  let coming: Promise<Coming> | undefined = nextOf(source);
  let failure: Coming | undefined;
  try {
    while (coming !== undefined || underWay.length > 0) {
      const oldest = underWay[0];
      const isFull = coming === undefined || underWay.length >= WINDOW;
      if (oldest !== undefined && (isFull || (await settledFirst(oldest, coming)))) {
        underWay.shift();
        yield await outcomeOf(oldest);
        continue;
      }
      const next: Coming = (await coming) ?? {};
      if (next.pending !== undefined) underWay.push(next.pending);
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
  const settled = oldest.accepted.then(
    () => true,
    () => true,
  );
  return Promise.race(coming === undefined ? [settled] : [settled, coming.then(() => false)]);
}

async function outcomeOf({ line, accepted }: Pending): Promise<LineOutcome> {
  try {
    return { line, accepted: await accepted };
  } catch (error) {
    return { line, error };
  }
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
