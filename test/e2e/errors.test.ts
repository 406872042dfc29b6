import { createHash } from 'node:crypto';
import http from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { digestOf, expectProblem, filingOf } from '../support/expect.ts';
import { example, flattened, lodging, newParty, type Payload, type SigningParty } from '../support/filer.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { freshUscc, OFFICE, register, submit, submitJws } from '../support/parties.ts';
import { rootOfLeaves } from '../support/receipt-verifier.ts';
import { parseAnswer, sendBytes } from '../support/wire.ts';

let gateway: Gateway;
let filer: SigningParty;

beforeAll(async () => {
  gateway = await startGateway({ env: { RATE_AGENT: '1', RATE_AGENT_BURST: '5' } });
  filer = gateway.party('filer');
});
afterAll(() => gateway.remove());

const JOSE = { 'Content-Type': 'application/jose' };
const MIB = 1024 * 1024;

describe('POST /v1/filings refuses', () => {
  test('what is no JWS and what is no JSON: 400', async () => {
    expectProblem(await submitJws(gateway, 'nothing'), 400, 'malformed-jws');
    expectProblem(await submitJws(gateway, ''), 400, 'malformed-jws');
    expectProblem(await submitJws(gateway, '{}'), 400, 'malformed-jws');
    expectProblem(await submit(gateway, filer, '{"type":'), 400, 'malformed-json');
    expectProblem(await gateway.ask('POST', '/v1/filings', { headers: JOSE }), 400, 'malformed-jws');
  });

  test('an unknown key, a wrong signature, another audience: 401 with a challenge', async () => {
    expectProblem(await submit(gateway, newParty(filer.id), lodging()), 401, 'unknown-key');
    const [header, payload, signature = ''] = filer.filing(gateway.issuer, lodging()).split('.');
    const wrong = `${signature[0] === 'A' ? 'B' : 'A'}${signature.slice(1)}`;
    expectProblem(await submitJws(gateway, `${header}.${payload}.${wrong}`), 401, 'bad-signature');
    for (const aud of ['https://other.example', `${gateway.issuer}/`, gateway.issuer.toUpperCase()])
      expectProblem(await submitJws(gateway, filer.filing(aud, lodging())), 401, 'wrong-audience');
  });

  test('a filer that is registered nowhere, or not with the agency: 403', async () => {
    const nowhere = await register(gateway, { registrations: [] });
    expectProblem(await submit(gateway, nowhere, lodging({ filer: nowhere.id })), 403, 'not-registered');
    const ended = await register(gateway, {
      registrations: [{ office: OFFICE.psb, from: '2020-01-01', to: '2020-12-31' }],
    });
    expectProblem(await submit(gateway, ended, lodging({ filer: ended.id })), 403, 'not-registered');
    const taxOnly = await register(gateway, { registrations: [{ office: OFFICE.tax, from: '2020-01-01' }] });
    expectProblem(await submit(gateway, taxOnly, lodging({ filer: taxOnly.id })), 403, 'not-registered');
  });

  test('other content under the same key: 409 with both digests and the filing that stands', async () => {
    const party = await register(gateway);
    const payload = lodging({ filer: party.id });
    const first = filingOf(await submit(gateway, party, payload), 201);
    const other = JSON.stringify({ ...payload, data: { ...(payload.data as object), room: '999' } });
    const problem = expectProblem(await submit(gateway, party, other), 409, 'filing-conflict');
    expect(problem.existing).toEqual({ id: first.id, digest: first.digest, receivedAt: first.receivedAt });
    expect(problem.digest).toBe(digestOf(other));
    expect(problem.retryable).toBe(false);
    // The same figures with other bytes are other content: the bytes are what was signed.
    expectProblem(await submit(gateway, party, `${JSON.stringify(payload)} `), 409, 'filing-conflict');
  });

  test('too large a body: 413, told by its length or found out on the way', async () => {
    const declared = `POST /v1/filings HTTP/1.1\r\nHost: x\r\nContent-Type: application/jose\r\nContent-Length: ${17 * MIB}\r\n\r\n`;
    expectProblem(parseAnswer(await sendBytes(gateway.port, declared)), 413, 'too-large');
    const chunk = 'a'.repeat(MIB);
    const chunked = await new Promise<{ status: number; text: string }>((resolve, reject) => {
      const request = http.request(`${gateway.url}/v1/filings`, { method: 'POST', headers: JOSE }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (part: string) => {
          text += part;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
      });
      request.on('error', reject);
      for (let i = 0; i < 17; i++) request.write(chunk);
      request.end();
    });
    expect([chunked.status, JSON.parse(chunked.text).code]).toEqual([413, 'too-large']);
  });

  test('another media type, another charset, a compressed body: 415', async () => {
    const body = filer.filing(gateway.issuer, lodging());
    for (const headers of [
      {},
      { 'Content-Type': 'application/json' },
      { 'Content-Type': 'text/plain' },
      { 'Content-Type': 'application/jose; charset=gbk' },
      { ...JOSE, 'Content-Encoding': 'gzip' },
      { ...JOSE, 'Content-Encoding': 'br' },
    ])
      expectProblem(await gateway.ask('POST', '/v1/filings', { headers, body }), 415, 'unsupported-media-type');
    filingOf(
      await gateway.ask('POST', '/v1/filings', {
        headers: { 'Content-Type': 'Application/JOSE; charset=utf-8' },
        body,
      }),
      201,
    );
  });

  test('a method or a path that is not there: 405 with Allow, 404', async () => {
    const answer = await gateway.ask('PUT', '/v1/filings', { headers: JOSE, body: 'x' });
    expectProblem(answer, 405, 'method-not-allowed');
    expect(answer.headers.allow?.split(', ')).toEqual(expect.arrayContaining(['GET', 'POST']));
    expectProblem(await gateway.ask('DELETE', '/v1/filings/13501000000.0'), 405, 'method-not-allowed');
    expectProblem(await gateway.ask('GET', '/v1/nothing'), 404, 'not-found');
    expectProblem(await gateway.ask('GET', '/v1/filings/13501000000.0/nothing', { as: 'filer' }), 404, 'not-found');
  });

  test('a party beyond its limit: 429 with Retry-After, and nobody else', async () => {
    const agent = gateway.party('agent');
    // At once: however slow the machine, fewer seconds pass than would let all of them through.
    const answers = await Promise.all(Array.from({ length: 60 }, () => submit(gateway, agent, lodging())));
    const refused = answers.filter((answer) => answer.status === 429);
    expect(refused.length).toBeGreaterThan(0);
    for (const answer of refused) {
      expect(expectProblem(answer, 429, 'rate-limited').retryable).toBe(true);
      expect(answer.headers.ratelimit).toMatch(/^"agent";r=0;t=\d+$/);
      expect(answer.headers['ratelimit-policy']).toMatch(/^"agent";q=\d+;w=\d+$/);
    }
    filingOf(await submit(gateway, filer, lodging()), 201);
    await new Promise((resolve) => setTimeout(resolve, 1_000 * Number(refused[0]?.headers['retry-after'])));
    filingOf(await submit(gateway, agent, lodging()), 201);
  });
});

test('every filing of an upload counts, in either form', async () => {
  const lines = (count: number): string[] => Array.from({ length: count }, () => JSON.stringify(lodging()));
  const upload = async (body: string): Promise<number[]> => {
    const headers = { 'Content-Type': 'application/x-ndjson' };
    const answer = await gateway.ask('POST', '/v1/filings/bulk', { headers, body });
    expect(answer.status, answer.text).toBe(200);
    return answer.text
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { status: number }).status);
  };
  const agent = gateway.party('agent');
  const isBounded = async (body: string): Promise<void> => {
    const since = performance.now();
    const statuses = await upload(body);
    // Five at once and one a second.
    const most = 6 + (performance.now() - since) / 1_000;
    expect(statuses.filter((status) => status === 201).length).toBeLessThanOrEqual(most);
    expect(statuses.filter((status) => status === 429).length).toBeGreaterThanOrEqual(50 - most);
  };
  await isBounded(
    lines(50)
      .map((line) => `"${agent.filing(gateway.issuer, line)}"`)
      .join('\n'),
  );
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  const payloads = lines(50);
  const leaves = payloads.map((line) => createHash('sha256').update(`\0${line}`).digest());
  const root = rootOfLeaves(leaves).toString('base64url');
  await isBounded([`"${agent.filing(gateway.issuer, { count: 50, root })}"`, ...payloads].join('\n'));
});

describe('all violations at once', () => {
  const vat = (changes: Record<string, object>): Payload => {
    const payload = example('tax/vat-general', 'valid-compact.json');
    const data = payload.data as { lines: Record<string, object> };
    return { ...payload, data: { ...data, lines: { ...data.lines, ...changes } } };
  };

  test('of the rules: each with its rule, line, pointer and both languages', async () => {
    const problem = expectProblem(
      await submit(
        gateway,
        filer,
        vat({ '17': { generalMonth: 1 }, '19': { generalMonth: 2 }, '24': { generalMonth: 3 } }),
      ),
      422,
      'invalid-filing',
    );
    const rules = problem.errors?.map(({ rule }) => rule);
    expect(rules).toEqual(expect.arrayContaining(['VAT-17', 'VAT-19', 'VAT-24']));
    for (const line of ['17', '19', '24'])
      expect(problem.errors).toContainEqual(
        expect.objectContaining({ line, pointer: `/data/lines/${line}/generalMonth`, code: 'rule', severity: 'error' }),
      );
  });

  test('of the frame and of the content together', async () => {
    const payload = {
      ...vat({ '19': { generalMonth: 2 } }),
      reference: 'R-1',
      period: { from: '2026-10-01', to: '2026-10-30' },
    };
    const pointers = expectProblem(await submit(gateway, filer, payload), 422, 'invalid-filing').errors?.map(
      ({ pointer }) => pointer,
    );
    expect(pointers).toEqual(expect.arrayContaining(['/reference', '/period', '/data/lines/19/generalMonth']));
  });

  test('of the envelope, and unknown types and versions', async () => {
    const { period: _, ...rest } = lodging({ filer: '91350100M000100Y40', kind: 'copy', extra: 1, reference: '' });
    const pointers = expectProblem(await submit(gateway, filer, rest), 422, 'invalid-filing').errors?.map(
      ({ pointer }) => pointer,
    );
    expect(pointers).toEqual(expect.arrayContaining(['/filer', '/kind', '/period', '/reference', '']));
    const code = async (payload: Payload) =>
      expectProblem(await submit(gateway, filer, payload), 422, 'invalid-filing').errors?.[0]?.pointer;
    expect(await code(lodging({ type: 'psb.nothing' }))).toBe('/type');
    expect(await code(lodging({ type: 'no.such' }))).toBe('/type');
    expect(await code(lodging({ version: '1999-01' }))).toBe('/version');
    expect(await code(lodging({ reference: undefined }))).toBe('/reference');
  });

  test('but a hundred at most, with a count of the rest', async () => {
    const payload = example('si/contribution', 'valid-one-person.json');
    const data = payload.data as { persons: object[] };
    const persons = Array.from({ length: 150 }, () => ({ ...data.persons[0], wage: -1 }));
    const problem = expectProblem(
      await submit(gateway, filer, { ...payload, data: { ...data, persons } }),
      422,
      'invalid-filing',
    );
    expect(problem.errors).toHaveLength(100);
    expect(problem.more).toBeGreaterThanOrEqual(50);
  });

  test('and no value that was sent comes back', async () => {
    const marker = 'MARKER7391';
    const payload = lodging({
      type: `psb.${marker.toLowerCase()}`,
      reference: `\u0007${marker}`,
      filer: marker,
      office: `${marker} !`,
      [marker]: 1,
    });
    const answers = [
      await submit(gateway, filer, payload),
      await submit(
        gateway,
        filer,
        lodging({ data: { [marker]: marker, event: marker, guest: { name: marker, idNumber: marker } } }),
      ),
      await submit(gateway, filer, `{"${marker}":1,"${marker}":2}`),
      await submitJws(gateway, `${marker}.${marker}.${marker}`),
      await gateway.ask('GET', `/v1/filings/${marker}?x=${marker}`, { as: 'filer' }),
      await gateway.ask('GET', `/v1/filings?period=${marker}&digest=${marker}&limit=${marker}`, { as: 'filer' }),
      await gateway.ask('GET', '/v1/limits', { headers: { Authorization: `Bearer ${marker}` } }),
    ];
    for (const answer of answers) {
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(answer.status).toBeLessThan(500);
      expect(`${JSON.stringify(answer.headers)}${answer.text}`.toLowerCase()).not.toContain(marker.toLowerCase());
    }
    expect(gateway.output).not.toContain(marker);
  });
});

describe('problem documents', () => {
  test('follow Accept-Language, Chinese by default', async () => {
    const in_ = async (language?: string) =>
      expectProblem(await submitJws(gateway, 'x', language), 400, 'malformed-jws');
    for (const language of [undefined, 'zh', 'zh-CN,en;q=0.5', 'fr'])
      for (const text of [(await in_(language)).title, (await in_(language)).detail]) expect(text).toMatch(/[一-鿿]/);
    for (const language of ['en', 'en-GB, zh;q=0.1'])
      for (const text of [(await in_(language)).title, (await in_(language)).detail])
        expect(text).not.toMatch(/[一-鿿]/);
  });

  test('use the codes of GET /v1/problems, with their statuses', async () => {
    const { items } = (await gateway.ask('GET', '/v1/problems')).json() as {
      items: { code: string; status: number; retryable: boolean; meaning: { zh: string; en: string } }[];
    };
    const listed = new Map(items.map((item) => [item.code, item]));
    for (const problem of [
      expectProblem(await submitJws(gateway, 'x'), 400, 'malformed-jws'),
      expectProblem(await submit(gateway, newParty(freshUscc()), lodging()), 401, 'unknown-key'),
      expectProblem(await gateway.ask('GET', '/nothing'), 404, 'not-found'),
    ])
      expect(listed.get(problem.code)).toMatchObject({ status: problem.status, retryable: problem.retryable });
    for (const item of items) expect(item.meaning.zh && item.meaning.en).toMatch(/\S/);
  });
});

describe('POST /v1/validations', () => {
  const validate = (body: string, type = 'application/json') =>
    gateway.ask('POST', '/v1/validations', { headers: { 'Content-Type': type }, body });
  const rows = async (): Promise<number> => {
    const [row] = await (await gateway.sql())`SELECT count(*)::int AS n FROM filing`;
    return row?.n as number;
  };

  test('gives a payload and a JWS the verdict of a submission and stores nothing', async () => {
    const before = await rows();
    const good = lodging();
    const verdict = { valid: true, errors: [], warnings: [] };
    expect((await validate(JSON.stringify(good))).json()).toEqual(verdict);
    expect((await validate(filer.filing(gateway.issuer, good), 'application/jose')).json()).toEqual(verdict);
    expect((await validate(flattened(filer.filing(gateway.issuer, good)), 'application/jose+json')).json()).toEqual(
      verdict,
    );

    const bad = {
      ...good,
      reference: undefined,
      data: { ...(good.data as object), faceCheck: { result: 'mismatch' } },
    };
    const refused = expectProblem(await submit(gateway, filer, bad), 422, 'invalid-filing').errors ?? [];
    for (const answer of [
      await validate(JSON.stringify(bad)),
      await validate(filer.filing(gateway.issuer, bad), 'application/jose'),
    ]) {
      const { valid, errors, warnings } = answer.json() as { valid: boolean; errors: object[]; warnings: object[] };
      expect([answer.status, valid]).toEqual([200, false]);
      expect([...errors, ...warnings]).toEqual(refused);
      expect(errors).toMatchObject(errors.map(() => ({ severity: 'error' })));
      expect(warnings).toMatchObject(warnings.map(() => ({ severity: 'warning' })));
    }
    expect(await rows()).toBe(before);
  });

  test('refuses a JWS that is not by who it says, or by somebody who may not file', async () => {
    expectProblem(
      await validate(newParty(filer.id).filing(gateway.issuer, lodging()), 'application/jose'),
      401,
      'unknown-key',
    );
    const other = await register(gateway);
    expectProblem(await validate(other.filing(gateway.issuer, lodging()), 'application/jose'), 403, 'no-mandate');
    expectProblem(await validate('{', 'application/json'), 400, 'malformed-json');
    expectProblem(await validate('x', 'text/plain'), 415, 'unsupported-media-type');
  });

  test('says of what stands already what a submission would say', async () => {
    const party = await register(gateway);
    const payload = lodging({ filer: party.id });
    const { id } = filingOf(await submit(gateway, party, payload), 201);
    expect((await validate(party.filing(gateway.issuer, payload), 'application/jose')).json()).toMatchObject({
      valid: true,
    });
    const other = { ...payload, data: { ...(payload.data as object), room: '999' } };
    const problem = expectProblem(
      await validate(party.filing(gateway.issuer, other), 'application/jose'),
      409,
      'filing-conflict',
    );
    expect(problem).toMatchObject({ existing: { id }, digest: digestOf(JSON.stringify(other)) });
  });

  test('tells who has not signed nothing of what others have filed', async () => {
    const party = await register(gateway);
    const payload = lodging({ filer: party.id });
    const { id } = filingOf(await submit(gateway, party, payload), 201);
    const ask = async (supersedes: string, kind = 'correction') =>
      (await validate(JSON.stringify({ ...payload, kind, supersedes }))).json();
    const said = await ask(id);
    for (const other of [await ask(`${OFFICE.psb}.999999`), await ask(`${OFFICE.tax}.0`), await ask(id, 'original')])
      expect(other).toEqual(said);
  });
});
