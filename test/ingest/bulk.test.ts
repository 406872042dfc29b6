import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { filingRoutes } from '../../src/http/routes/filings.ts';
import { type LineOutcome, submitBulk } from '../../src/ingest/bulk.ts';
import { sha256 } from '../../src/std/bytes.ts';
import { GatewayError } from '../../src/std/errors.ts';
import { LineTooLong, splitLines } from '../../src/std/lines.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { flattened, lodging, newParty, type SigningParty } from '../support/filer.ts';
import { FILER } from '../support/identity.ts';
import { GATEWAY, type TestIngest, testIngest } from '../support/ingest.ts';
import { rootOfLeaves } from '../support/receipt-verifier.ts';

let database: TestDatabase;
let ingest: TestIngest;
let filer: SigningParty;
const unhandled: unknown[] = [];
const note = (reason: unknown): void => {
  unhandled.push(reason);
};

beforeAll(async () => {
  database = await createTestDatabase();
  ingest = await testIngest(database, { 'bulk-a': 'psb' }, { maxTickItems: 64 });
  filer = ingest.directory.addParty(FILER, [{ office: 'bulk-a' }]);
  process.on('unhandledRejection', note);
});
afterEach(() => {
  expect(unhandled).toEqual([]);
  expect(ingest.ctx.pool.size).toBe(0);
});
afterAll(async () => {
  process.off('unhandledRejection', note);
  await database.drop();
});

const body = (): string => JSON.stringify(lodging({ filer: FILER }));
const formALine = (): string => flattened(filer.filing(GATEWAY, body()));

function manifestOf(lines: readonly Buffer[], signer = filer): string {
  const root = rootOfLeaves(lines.map((line) => sha256(Buffer.concat([Buffer.of(0), line])))).toString('base64url');
  return JSON.stringify(signer.filing(GATEWAY, { count: lines.length, root }));
}

async function* chunksOf(text: string | Buffer, size = 4_096): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text as string);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const now = (): number => ingest.clock.now();

async function upload(chunks: AsyncIterable<Uint8Array>, receivedAt = now): Promise<LineOutcome[]> {
  const outcomes: LineOutcome[] = [];
  try {
    for await (const some of submitBulk(ingest.ctx, splitLines(chunks, 65_536), receivedAt)) outcomes.push(...some);
  } catch (error) {
    outcomes.push({ line: -1, error });
  }
  return outcomes;
}

const summary = (outcomes: readonly LineOutcome[]): unknown[] =>
  outcomes.map((outcome) => {
    if ('accepted' in outcome) return outcome.accepted.kind;
    const { error } = outcome;
    return error instanceof GatewayError ? error.code : (error as Error).constructor.name;
  });

describe('an upload that breaks off', () => {
  it('tells first what became of the lines before', async () => {
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield* chunksOf(`${formALine()}\n${formALine()}\n${formALine()}\n`);
      throw new GatewayError('timeout');
    }
    expect(summary(await upload(broken()))).toEqual(['stored', 'stored', 'stored', 'timeout']);
    const lines = `${formALine()}\n${'x'.repeat(70_000)}\n${formALine()}\n`;
    expect(summary(await upload(chunksOf(lines)))).toEqual(['stored', LineTooLong.name]);
  });

  it('gives everything back when its client goes in the middle', async () => {
    let isClosed = false;
    async function* endless(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) yield Buffer.from(`${formALine()}\n`);
      } finally {
        isClosed = true;
      }
    }
    const outcomes = submitBulk(ingest.ctx, splitLines(endless(), 65_536), now);
    for (let i = 0; i < 3; i++) await outcomes.next();
    await outcomes.return(undefined);
    await expect.poll(() => isClosed).toBe(true);
    await expect.poll(() => ingest.ctx.pool.size).toBe(0);
  });

  it('leaves no failure behind that nobody hears of', async () => {
    let breakOff = (): void => {};
    const broken = new Promise<never>((_, reject) => {
      breakOff = () => reject(new GatewayError('timeout'));
    });
    async function* source(): AsyncGenerator<Uint8Array> {
      yield* chunksOf(`${formALine()}\n`);
      await broken;
    }
    const outcomes = submitBulk(ingest.ctx, splitLines(source(), 65_536), now);
    await outcomes.next();
    breakOff();
    await outcomes.return(undefined);
    await new Promise((resolve) => setTimeout(resolve, 20));
  });
});

describe('form B', () => {
  it('reads no line of an upload that nobody has signed', async () => {
    let read = 0;
    async function* source(manifest: string): AsyncGenerator<Uint8Array> {
      yield Buffer.from(`${manifest}\n`);
      for (; read < 1_000; read++) yield Buffer.from(`${body()}\n`);
    }
    const lines = [Buffer.from(body())];
    expect(summary(await upload(source(manifestOf(lines, newParty(FILER)))))).toEqual(['unknown-key']);
    const forged = manifestOf(lines).replace(/.{10}"$/, 'AAAAAAAAAA"');
    expect(summary(await upload(source(forged)))).toEqual(['bad-signature']);
    expect(read).toBeLessThanOrEqual(1);
  });

  it('gives all filings of a request the time when it had arrived', async () => {
    const lines = Array.from({ length: 5 }, () => Buffer.from(body()));
    const text = `${manifestOf(lines)}\n${lines.join('\n')}`;
    let at = now();
    const outcomes = await upload(chunksOf(text), () => (at += 60_000));
    const times = outcomes.map((outcome) => ('accepted' in outcome ? outcome.accepted.filing.receivedAt : 'refused'));
    expect(new Set(times).size).toBe(1);
  });

  it('keeps the order of its lines over many batches, bad ones among them, and one manifest for all its ticks', async () => {
    const lines = Array.from({ length: 300 }, (_, i) => Buffer.from(i % 50 === 7 ? '{"type":1}' : body()));
    const manifest = manifestOf(lines);
    const { sql } = database.db;
    const before = await sql`SELECT id FROM manifest`;
    const outcomes = await upload(chunksOf(`${manifest}\n${lines.join('\n')}`));
    expect(outcomes.map(({ line }) => line)).toEqual(lines.map((_, i) => i + 2));
    expect(summary(outcomes)).toEqual(lines.map((_, i) => (i % 50 === 7 ? 'invalid-filing' : 'stored')));
    const indexes = outcomes.flatMap((outcome) => ('accepted' in outcome ? [outcome.accepted.filing.index] : []));
    expect(indexes).toEqual(indexes.map((_, i) => (indexes[0] ?? 0) + i));
    const digests = outcomes.flatMap((outcome) => ('accepted' in outcome ? [outcome.accepted.filing.digest] : []));
    const good = lines.filter((_, i) => i % 50 !== 7);
    expect(digests).toEqual(good.map((line) => sha256(line).toString('base64url')));
    const added = await sql<
      { id: string }[]
    >`SELECT id FROM manifest WHERE id <> ALL(${before.map(({ id }) => id)}::uuid[])`;
    expect(added.length).toBe(1);
    const [used] = await sql`
      SELECT count(*)::int AS lines, count(DISTINCT tick)::int AS ticks FROM filing WHERE manifest = ${added[0]?.id ?? ''}`;
    expect(used?.lines).toBe(good.length);
    expect(used?.ticks).toBeGreaterThan(1);
  });

  it('covers the bytes of each line without its end, whatever ends it', async () => {
    const end = fc.constantFrom('\n', '\r\n', '\n\n', '\r\n\r\n\n');
    const blanks = fc.stringMatching(/^[ \t]{0,3}$/);
    const property = fc.asyncProperty(
      fc.array(fc.tuple(blanks, blanks, end), { minLength: 1, maxLength: 6 }),
      fc.integer({ min: 1, max: 300 }),
      fc.boolean(),
      async (shapes, chunk, hasLastEnd) => {
        const lines = shapes.map(([before, after]) => Buffer.from(`${before}${body()}${after}`));
        const text = shapes.map(([, , end], i) => {
          const isLast = i === shapes.length - 1;
          return `${lines[i]?.toString() ?? ''}${isLast && !hasLastEnd ? '' : end}`;
        });
        const outcomes = await upload(chunksOf(`${manifestOf(lines)}\r\n${text.join('')}`, chunk));
        const digests = outcomes.map((each) => ('accepted' in each ? each.accepted.filing.digest : 'refused'));
        expect(digests).toEqual(lines.map((line) => sha256(line).toString('base64url')));
      },
    );
    await fc.assert(property, { numRuns: 25 });
  });
});

describe('the answer', () => {
  it('waits for its reader without holding the upload back, since many clients send all before they read', async () => {
    const count = 3_000;
    let taken = 0;
    async function* source(): AsyncGenerator<Uint8Array> {
      for (; taken < count; taken++) yield Buffer.from('{"neither":"JWS"}\n');
    }
    const response = await answerTo(source());
    await expect.poll(() => taken, { timeout: 10_000 }).toBe(count);
    const lines = (await response.text()).trimEnd().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as { line: number }).line)).toEqual(
      Array.from({ length: count }, (_, i) => i + 1),
    );
  });
});

/** What the route answers to an upload, before anyone has read of it. */
async function answerTo(source: AsyncIterable<Uint8Array>): Promise<Response> {
  const route = filingRoutes({
    ingest: ingest.ctx,
    toGatewayError: (error: unknown) => error as GatewayError,
  } as never).find((each) => each.operationId === 'submitBulk');
  if (route === undefined) throw new Error('no such operation');
  const call = { stream: () => source, receivedAt: now, language: 'zh', requestId: 'r' };
  return await route.handle(call as never);
}
