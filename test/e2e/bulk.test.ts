import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectProblem, type Filing, filingOf, type ProblemDocument } from '../support/expect.ts';
import { flattened, lodging, newParty, type SigningParty } from '../support/filer.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { OFFICE, operate, register, submit } from '../support/parties.ts';
import { rootOfLeaves, standsUnder, verifyReceiptText } from '../support/receipt-verifier.ts';
import type { Answer } from '../support/wire.ts';

let gateway: Gateway;
let filer: SigningParty;
let agent: SigningParty;

beforeAll(async () => {
  gateway = await startGateway({ env: { RATE_FILER: '100000', RATE_AGENT: '100000' } });
  filer = gateway.party('filer');
  agent = gateway.party('agent');
});
afterAll(() => gateway.remove());

interface Line {
  readonly line: number;
  readonly status: number;
  readonly filing?: Filing;
  readonly problem?: ProblemDocument;
}

const upload = (lines: readonly string[] | string): Promise<Answer> =>
  gateway.ask('POST', '/v1/filings/bulk', {
    headers: { 'Content-Type': 'application/x-ndjson' },
    body: typeof lines === 'string' ? lines : `${lines.join('\n')}\n`,
    timeoutMs: 120_000,
  });

function linesOf(answer: Answer): Line[] {
  expect(answer.status, answer.text).toBe(200);
  expect(answer.headers['content-type']).toBe('application/x-ndjson');
  expect(answer.headers['x-request-id']).toMatch(/\S/);
  return answer.text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
}

const rows = async (): Promise<number> => {
  const [row] = await (await gateway.sql())`SELECT count(*)::int AS n FROM filing`;
  return row?.n as number;
};

const sha256 = (...parts: Uint8Array[]): Buffer => createHash('sha256').update(Buffer.concat(parts)).digest();
const leafOf = (line: string): Buffer => sha256(Buffer.of(0), Buffer.from(line));

/** The first line of form B: RFC 6962 over the bytes of the lines that follow. */
function manifest(party: SigningParty, payloads: readonly string[], changes: object = {}, header: object = {}): string {
  const root = rootOfLeaves(payloads.map(leafOf)).toString('base64url');
  return `"${party.filing(gateway.issuer, JSON.stringify({ count: payloads.length, root, ...changes }), header)}"`;
}

const payloads = (count: number, changes = {}): string[] =>
  Array.from({ length: count }, () => JSON.stringify(lodging(changes)));

describe('form A', () => {
  test('answers a line for each filing in input order, compact and flattened', async () => {
    const sent = payloads(40).map((payload) => ({ payload, jws: filer.filing(gateway.issuer, payload) }));
    const answer = linesOf(await upload(sent.map(({ jws }, i) => (i % 2 === 0 ? `"${jws}"` : flattened(jws)))));
    expect(answer.map(({ line, status }) => [line, status])).toEqual(sent.map((_, i) => [i + 1, 201]));
    for (const [i, { filing }] of answer.entries())
      expect(filing?.digest).toBe(sha256(Buffer.from(sent[i]?.payload ?? '')).toString('base64url'));
    const indexes = answer.map(({ filing }) => filing?.index as number);
    expect([...indexes].sort((a, b) => a - b)).toEqual(indexes.map((_, i) => Math.min(...indexes) + i));
  });

  test('a line that is bad stops no other', async () => {
    const jws = () => `"${filer.filing(gateway.issuer, lodging())}"`;
    const stranger = newParty(filer.id);
    const other = await register(gateway);
    const stands = lodging();
    filingOf(await submit(gateway, filer, stands), 201);
    const cases: [string, number, string | undefined][] = [
      [jws(), 201, undefined],
      ['not JSON', 400, 'malformed-jws'],
      [`"${stranger.filing(gateway.issuer, lodging())}"`, 401, 'unknown-key'],
      [jws(), 201, undefined],
      [`"${other.filing(gateway.issuer, lodging())}"`, 403, 'no-mandate'],
      [`"${filer.filing(gateway.issuer, lodging({ data: {} }))}"`, 422, 'invalid-filing'],
      [`"${filer.filing(gateway.issuer, stands)}"`, 200, undefined],
      [
        `"${filer.filing(gateway.issuer, { ...stands, data: { ...(stands.data as object), room: '1' } })}"`,
        409,
        'filing-conflict',
      ],
      [
        JSON.stringify({ ...JSON.parse(flattened(filer.filing(gateway.issuer, lodging()))), header: {} }),
        400,
        'malformed-jws',
      ],
      ['null', 400, 'malformed-jws'],
      [jws(), 201, undefined],
    ];
    const answer = linesOf(await upload(cases.map(([line]) => line)));
    expect(answer.map(({ line, status, problem }) => [line, status, problem?.code])).toEqual(
      cases.map(([_, status, code], i) => [i + 1, status, code]),
    );
    for (const { problem } of answer)
      if (problem !== undefined) expect(problem.type).toBe(`urn:shenbao:problem:${problem.code}`);
  });

  test('a line larger than a filing may be stops no other', async () => {
    const good = (): string => `"${filer.filing(gateway.issuer, lodging())}"`;
    const lines = linesOf(await upload([good(), `"${'A'.repeat(17 * 1024 * 1024)}"`, good()]));
    expect(lines.map(({ line, status }) => [line, status])).toEqual([
      [1, 201],
      [2, 413],
      [3, 201],
    ]);
  });

  test('the same filing twice in one upload is stored once, and the second is a replay', async () => {
    const line = `"${filer.filing(gateway.issuer, lodging())}"`;
    const [first, second] = linesOf(await upload([line, line])) as [Line, Line];
    expect([first.status, second.status]).toEqual([201, 200]);
    expect(second.filing?.receipt).toEqual(first.filing?.receipt);
  });

  test('takes lines with CR LF, without a last newline, and blank lines between', async () => {
    const jws = () => `"${filer.filing(gateway.issuer, lodging())}"`;
    expect(linesOf(await upload(`${jws()}\r\n${jws()}`)).map(({ status }) => status)).toEqual([201, 201]);
  });

  test('refuses an empty upload, another media type, and a compressed one', async () => {
    expectProblem(await upload(''), 400, 'malformed');
    const ask = (headers: Record<string, string>) => gateway.ask('POST', '/v1/filings/bulk', { headers, body: '{}\n' });
    expectProblem(await ask({ 'Content-Type': 'application/json' }), 415, 'unsupported-media-type');
    expectProblem(
      await ask({ 'Content-Type': 'application/x-ndjson', 'Content-Encoding': 'gzip' }),
      415,
      'unsupported-media-type',
    );
  });

  test('answers while it still receives: the first line before the second is sent', async () => {
    const { request } = await import('node:http');
    const statuses: number[] = [];
    await new Promise<void>((resolve, reject) => {
      const call = request(
        `${gateway.url}/v1/filings/bulk`,
        { method: 'POST', headers: { 'Content-Type': 'application/x-ndjson' } },
        (response) => {
          let text = '';
          response.setEncoding('utf8').on('data', (part: string) => {
            text += part;
            if (!text.endsWith('\n')) return;
            statuses.push((JSON.parse(text.trimEnd().split('\n').at(-1) ?? '') as Line).status);
            if (statuses.length === 3) call.end();
            else call.write(`"${filer.filing(gateway.issuer, lodging())}"\n`);
          });
          response.on('end', resolve);
        },
      );
      call.on('error', reject);
      call.write(`"${filer.filing(gateway.issuer, lodging())}"\n`);
    });
    expect(statuses).toEqual([201, 201, 201]);
  });

  test('more than 10,000 lines are refused beyond the bound', async () => {
    const answer = await upload('x\n'.repeat(10_005));
    const lines = answer.status === 200 ? linesOf(answer) : [];
    if (answer.status !== 200) expectProblem(answer, 413, 'too-large');
    else {
      expect(lines).toHaveLength(10_001);
      expect(lines.at(-1)).toMatchObject({ status: 413, problem: { code: 'too-large' } });
    }
  }, 60_000);
});

describe('form B', () => {
  test('stores every payload; office, filer and receipts get what proves the manifest’s signature over it', async () => {
    const party = await register(gateway);
    const bodies = payloads(13, { filer: party.id });
    const first = manifest(party, bodies);
    const answer = linesOf(await upload([first, ...bodies]));
    expect(answer.map(({ status }) => status)).toEqual(bodies.map(() => 201));
    expect(answer.map(({ line }) => line)).toEqual(bodies.map((_, i) => (answer[0]?.line as number) + i));
    const jwks = (await gateway.ask('GET', '/.well-known/jwks.json')).json() as { keys: Record<string, unknown>[] };
    const root = rootOfLeaves(bodies.map(leafOf)).toString('base64url');

    const entries = await gateway.ask('GET', `/v1/offices/${OFFICE.psb}/entries?limit=100000`, { as: 'psb' });
    expect(entries.status, entries.text.slice(0, 500)).toBe(200);
    const byId = new Map(
      entries.text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line))
        .map((entry) => [entry.id, entry]),
    );
    for (const [i, { filing }] of answer.entries()) {
      const body = Buffer.from(bodies[i] as string);
      const statement = verifyReceiptText(Buffer.from(JSON.stringify(filing?.receipt)), jwks, body);
      const content = (await gateway.ask('GET', `/v1/filings/${filing?.id}/content`, { as: party })).json() as Record<
        string,
        unknown
      >;
      const entry = byId.get(filing?.id);
      expect(entry).toMatchObject({
        salt: filing?.receipt && (filing.receipt as unknown as { salt: string }).salt,
        leaf: statement.leaf,
      });
      for (const proof of [content, entry]) {
        expect(proof).toMatchObject({ payload: body.toString('base64url'), manifest: first.slice(1, -1) });
        expect(standsUnder(body, proof.line as number, bodies.length, proof.path as string[], root)).toBe(true);
      }
      expect(entry.jws).toBeUndefined();
    }
  });

  test('a bad payload stops no other, and a replay of the upload replays each', async () => {
    const bodies = [...payloads(2), '{"type":', JSON.stringify(lodging({ data: {} })), ...payloads(1)];
    const lines = [manifest(filer, bodies), ...bodies];
    const once = linesOf(await upload(lines));
    expect(once.map(({ status }) => status)).toEqual([201, 201, 400, 422, 201]);
    const again = linesOf(await upload(lines));
    expect(again.map(({ status }) => status)).toEqual([200, 200, 400, 422, 200]);
    expect(again.map(({ filing }) => filing?.receipt)).toEqual(once.map(({ filing }) => filing?.receipt));
  });

  test('an agent files for its filer', async () => {
    const bodies = payloads(3);
    expect(linesOf(await upload([manifest(agent, bodies), ...bodies])).map(({ status }) => status)).toEqual([
      201, 201, 201,
    ]);
  });

  test('a wrong root, count or order refuses all with 401, and stores nothing', async () => {
    const bodies = payloads(4);
    const before = await rows();
    const wrong = rootOfLeaves([leafOf('other')]).toString('base64url');
    const [a, b, ...rest] = bodies as [string, string, ...string[]];
    for (const lines of [
      [manifest(filer, bodies, { root: wrong }), ...bodies],
      [manifest(filer, bodies, { count: 3 }), ...bodies],
      [manifest(filer, bodies, { count: 5 }), ...bodies],
      [manifest(filer, bodies), ...bodies.slice(1)],
      [manifest(filer, bodies), ...bodies, JSON.stringify(lodging())],
      [manifest(filer, bodies), b, a, ...rest],
      [manifest(filer, bodies), `${a} `, b, ...rest],
      [manifest(filer, bodies)],
    ])
      expectProblem(await upload(lines), 401, 'bulk-root-mismatch');
    expect(await rows()).toBe(before);
  });

  test('a manifest by a stranger, forged, or for another gateway refuses all with 401', async () => {
    const bodies = payloads(2);
    const before = await rows();
    expectProblem(await upload([manifest(newParty(filer.id), bodies), ...bodies]), 401, 'unknown-key');
    const [header, payload, signature = ''] = manifest(filer, bodies).slice(1, -1).split('.');
    const forged = `"${header}.${payload}.${signature[0] === 'A' ? 'B' : 'A'}${signature.slice(1)}"`;
    expectProblem(await upload([forged, ...bodies]), 401, 'bad-signature');
    expectProblem(
      await upload([manifest(filer, bodies, {}, { aud: 'https://other.example' }), ...bodies]),
      401,
      'wrong-audience',
    );
    const revoked = await register(gateway);
    await operate(gateway, 'DELETE', `/v1/keys/${revoked.kid}`, { reason: '测试' });
    expectProblem(await upload([manifest(revoked, bodies), ...bodies]), 403, 'key-revoked');
    expect(await rows()).toBe(before);
  });

  test('more than 10,000 lines, or more than 64 MiB, are refused whole', async () => {
    const before = await rows();
    const many = Array.from({ length: 10_001 }, () => '{}');
    expectProblem(await upload([manifest(filer, many), ...many]), 413, 'too-large');
    const declared = { 'Content-Type': 'application/x-ndjson' };
    const body = Buffer.alloc(65 * 1024 * 1024, 0x20);
    const answer = await gateway
      .ask('POST', '/v1/filings/bulk', { headers: declared, body })
      .catch((error: NodeJS.ErrnoException) => error);
    // A server that refuses by Content-Length may close before all of it was sent.
    if (answer instanceof Error) expect(['EPIPE', 'ECONNRESET']).toContain(answer.code);
    else expectProblem(answer, 413, 'too-large');
    expect(await rows()).toBe(before);
  }, 60_000);
});

test('10,000 filings in one upload are stored, each once, however busy the machine is', async () => {
  const party = await register(gateway);
  const bodies = payloads(10_000, { filer: party.id });
  const lines = [manifest(party, bodies), ...bodies];
  const before = await rows();
  let answer = linesOf(await upload(lines));
  // A tick that took too long is answered 503: the same upload, sent again, stores the rest and replays what stands.
  for (let again = 0; again < 5 && answer.some(({ status }) => status === 503); again++) {
    expect(answer.every(({ status }) => status === 201 || status === 200 || status === 503)).toBe(true);
    answer = linesOf(await upload(lines));
  }
  expect(answer).toHaveLength(10_000);
  expect(new Set(answer.map(({ filing }) => filing?.id)).size).toBe(10_000);
  expect((await rows()) - before).toBe(10_000);
}, 240_000);
