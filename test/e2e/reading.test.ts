import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { verifyCheckpointNote } from '../log/note-verifier.ts';
import { digestOf, expectProblem, type Filing, filingOf, receiptText } from '../support/expect.ts';
import { chinaDay, example, flattened, lodging, type Payload, type SigningParty } from '../support/filer.ts';
import { type Gateway, type PartyName, startGateway } from '../support/gateway.ts';
import { OFFICE, operate, register, submit, submitJws } from '../support/parties.ts';
import { verifyReceiptText } from '../support/receipt-verifier.ts';

type Jwk = Record<string, unknown>;

let gateway: Gateway;
let filer: SigningParty;
let other: SigningParty;
let payload: string;
let content: string;
let receipt: string;
let filing: Filing;

beforeAll(async () => {
  gateway = await startGateway();
  filer = gateway.party('filer');
  other = await register(gateway);
  payload = JSON.stringify(lodging());
  content = filer.filing(gateway.issuer, payload);
  const answer = await submitJws(gateway, content);
  filing = filingOf(answer, 201);
  receipt = receiptText(answer);
});
afterAll(() => gateway.remove());

const get = (target: string, as: PartyName | SigningParty, headers = {}) => gateway.ask('GET', target, { as, headers });
const PARTS = ['', '/receipt', '/proof', '/content'];

describe('who may read a filing', () => {
  test.each(['filer', 'agent', 'psb'] as const)(
    'the %s may: filer, agent with a mandate, its own office',
    async (reader) => {
      for (const part of PARTS) expect((await get(`/v1/filings/${filing.id}${part}`, reader)).status).toBe(200);
    },
  );

  test('to everybody else it is not there, nor is one that never was', async () => {
    const agent = await register(gateway, { kind: 'agent' });
    const noSuchIndex = `${OFFICE.psb}.999999`;
    for (const part of PARTS) {
      for (const reader of [other, agent, 'tax', 'operator'] as const)
        expectProblem(await get(`/v1/filings/${filing.id}${part}`, reader), 404, 'not-found');
      expectProblem(await get(`/v1/filings/${noSuchIndex}${part}`, 'filer'), 404, 'not-found');
      const foreign = (await get(`/v1/filings/${filing.id}${part}`, other)).json() as object;
      const absent = (await get(`/v1/filings/${noSuchIndex}${part}`, other)).json() as object;
      expect({ ...foreign, instance: '' }).toEqual({ ...absent, instance: '' });
    }
  });

  test('an agent may for the types of its mandate only', async () => {
    const agent = await register(gateway, { kind: 'agent' });
    const mandate = (types: string[]) =>
      operate(gateway, 'PUT', `/v1/mandates/r-${agent.id}`, {
        agent: agent.id,
        filer: filer.id,
        types,
        from: '2020-01-01',
      });
    await mandate(['tax.*']);
    expectProblem(await get(`/v1/filings/${filing.id}`, agent), 404, 'not-found');
    await mandate(['psb.lodging']);
    expect((await get(`/v1/filings/${filing.id}`, agent)).status).toBe(200);
  });

  test('without a token, or with one that is wrong: 401 with a Bearer challenge', async () => {
    for (const part of PARTS)
      for (const headers of [{}, { Authorization: 'Bearer x.y.z' }, { Authorization: 'Basic eDp5' }] as Record<
        string,
        string
      >[]) {
        const answer = await gateway.ask('GET', `/v1/filings/${filing.id}${part}`, { headers });
        expectProblem(answer, 401, 'unauthenticated');
        expect(answer.headers['www-authenticate']).toMatch(/^Bearer/);
      }
    expectProblem(await gateway.ask('GET', '/v1/filings'), 401, 'unauthenticated');
    const token = await gateway.token(filer);
    const bad = `${token.slice(0, -2)}${token.endsWith('AA') ? 'BB' : 'AA'}`;
    const answer = await gateway.ask('GET', `/v1/filings/${filing.id}`, {
      headers: { Authorization: `Bearer ${bad}` },
    });
    expectProblem(answer, 401, 'unauthenticated');
  });

  test('a token dies with its key, within five seconds', async () => {
    const party = await register(gateway);
    await gateway.token(party);
    expect((await get('/v1/limits', party)).status).toBe(200);
    await operate(gateway, 'DELETE', `/v1/keys/${party.kid}`, { reason: '测试' });
    const since = performance.now();
    let answer = await get('/v1/limits', party);
    while (answer.status === 200 && performance.now() - since < 5_000) answer = await get('/v1/limits', party);
    expectProblem(answer, 401, 'unauthenticated');
  });
});

describe('GET /v1/filings/{id}', () => {
  test('is the filing of the 201 with its history, and an ETag that changes with it', async () => {
    const answer = await get(`/v1/filings/${filing.id}`, 'filer');
    const { history, ...rest } = filingOf(answer, 200);
    // Lodging registrations are compared with nothing.
    expect(rest).toEqual({ ...filing, compared: true });
    expect(history).toEqual([{ status: 'accepted', at: filing.receivedAt }]);
    const etag = String(answer.headers.etag);
    expect(etag).toMatch(/^"[^"]+"$/);
    for (const known of [etag, `W/${etag}`, `"x", ${etag}`, '*']) {
      const same = await get(`/v1/filings/${filing.id}`, 'filer', { 'If-None-Match': known });
      expect([known, same.status, same.text, same.headers.etag]).toEqual([known, 304, '', etag]);
    }
    expect((await get(`/v1/filings/${filing.id}`, 'filer', { 'If-None-Match': '"x"' })).status).toBe(200);
    const own = lodging();
    const { id } = filingOf(await submit(gateway, filer, own), 201);
    const before = (await get(`/v1/filings/${id}`, 'filer')).headers.etag;
    filingOf(await submit(gateway, filer, { ...own, kind: 'void', supersedes: id, data: undefined }), 201);
    const after = await get(`/v1/filings/${id}`, 'filer', { 'If-None-Match': String(before) });
    expect([after.status, filingOf(after, 200).status]).toEqual([200, 'voided']);
    expect(after.headers.etag).not.toBe(before);
  });

  test('takes ids in their one spelling only', async () => {
    for (const id of [
      `${OFFICE.psb}.00`,
      `${OFFICE.psb}.-1`,
      `${OFFICE.psb}.1e3`,
      OFFICE.psb,
      `${OFFICE.psb}.`,
      'x.9999999999999999',
      "'.0",
    ]) {
      const answer = await get(`/v1/filings/${encodeURIComponent(id)}`, 'filer');
      expect([400, 404]).toContain(answer.status);
      expectProblem(answer, answer.status, ['invalid-parameter', 'not-found']);
    }
  });
});

describe('the receipt, the proof and the content', () => {
  test('the receipt comes as JSON or as a JWS, as Accept asks; anything else is 406', async () => {
    const target = `/v1/filings/${filing.id}/receipt`;
    for (const accept of [undefined, '*/*', 'application/json', 'application/jose;q=0.5, application/json'])
      expect((await get(target, 'filer', accept === undefined ? {} : { Accept: accept })).text).toBe(receipt);
    const jose = await get(target, 'filer', { Accept: 'application/jose' });
    expect(jose.headers['content-type']).toBe('application/jose');
    expect(jose.headers.vary?.toLowerCase()).toContain('accept');
    expect(jose.text.split('.')).toHaveLength(3);
    expectProblem(await get(target, 'filer', { Accept: 'image/png' }), 406, 'not-acceptable');
  });

  test('the content is what was received, in either serialization', async () => {
    const compact = await get(`/v1/filings/${filing.id}/content`, 'psb');
    expect([compact.headers['content-type'], compact.text]).toEqual(['application/jose', content]);
    const [header, body, signature] = filer.filing(gateway.issuer, lodging()).split('.');
    // White space, the order of members and escapes are the sender's own.
    const odd = `{ "signature":"${signature}",\n "payload" :"${body}", "pro\\u0074ected":\t"${header}" } `;
    for (const text of [odd, flattened(filer.filing(gateway.issuer, lodging()))]) {
      const { id } = filingOf(await submitJws(gateway, text), 201);
      const answer = await get(`/v1/filings/${id}/content`, 'filer');
      expect([answer.headers['content-type'], answer.text]).toEqual(['application/jose+json', text]);
    }
  });

  test('the proof includes the filing under a signed checkpoint', async () => {
    const answer = await get(`/v1/filings/${filing.id}/proof`, 'filer');
    expect(answer.headers['content-type']).toMatch(/^text\/plain/);
    const [head = '', ...rest] = answer.text.split('\n\n');
    const lines = head.split('\n');
    expect(lines[0]).toBe('c2sp.org/tlog-proof@v1');
    const { keys } = (await gateway.ask('GET', '/.well-known/jwks.json')).json() as { keys: Jwk[] };
    const name = `${gateway.issuer.replace(/^https?:\/\//, '')}/offices/${OFFICE.psb}`;
    const raw = Buffer.from(String(keys.find(({ kty }) => kty === 'OKP')?.x), 'base64url');
    const checkpoint = verifyCheckpointNote(Buffer.from(rest.join('\n\n')), name, raw);
    expect(Number(checkpoint.size)).toBeGreaterThan(filing.index);
    expect(lines.find((line) => line.startsWith('index '))).toBe(`index ${filing.index}`);
    const path = lines
      .slice(lines.findIndex((line) => line.startsWith('index ')) + 1)
      .map((line) => Buffer.from(line, 'base64'));
    const { leaf } = verifyReceiptText(Buffer.from(receipt), { keys }, Buffer.from(payload));
    expect(rootOf(Buffer.from(String(leaf), 'base64url'), filing.index, Number(checkpoint.size), path)).toEqual(
      checkpoint.root,
    );
  });
});

describe('GET /v1/filings', () => {
  let mine: SigningParty;
  let ids: Record<string, string>;

  beforeAll(async () => {
    mine = await register(gateway);
    const vat = (from: string, to: string): Payload => {
      const { version: _, ...zero } = example('tax/vat-general', 'valid-zero.json');
      return { ...zero, filer: mine.id, period: { from, to } };
    };
    ids = {};
    const add = async (name: string, each: Payload) => {
      ids[name] = filingOf(await submit(gateway, mine, each), 201).id;
    };
    await add('october', vat('2026-10-01', '2026-10-31'));
    await add('september', vat('2026-09-01', '2026-09-30'));
    await add('older', vat('2025-12-01', '2025-12-31'));
    await add('lodging', lodging({ filer: mine.id, reference: 'L-1' }, 3));
    await add('second', lodging({ filer: mine.id, reference: 'L-2' }, 3));
  });

  const find = async (query: string, as: PartyName | SigningParty = mine): Promise<string[]> => {
    const answer = await get(`/v1/filings?${query}`, as);
    expect(answer.status, answer.text).toBe(200);
    const { items, next } = answer.json() as { items: Filing[]; next: string | null };
    expect(next).toBeNull();
    return items.map(({ id }) => id).sort();
  };
  const named = (...names: string[]): string[] => names.map((name) => ids[name] as string).sort();

  test('finds by filer, type, period, reference and digest, and all of them together', async () => {
    const all = named('october', 'september', 'older', 'lodging', 'second');
    expect(await find('')).toEqual(all);
    expect(await find(`filer=${mine.id}`)).toEqual(all);
    expect(await find('type=tax.vat.general')).toEqual(named('october', 'september', 'older'));
    expect(await find('period=2026-10&type=tax.vat.general')).toEqual(named('october'));
    expect(await find('period=2026-09-01/2026-10-31&type=tax.vat.general')).toEqual(named('october', 'september'));
    expect(await find('period=2025')).toEqual(named('older'));
    expect(await find(`period=${chinaDay(3)}`)).toEqual(named('lodging', 'second'));
    expect(await find('reference=L-2')).toEqual(named('second'));
    const { digest } = filingOf(await get(`/v1/filings/${ids.older}`, mine), 200);
    expect(await find(`digest=${digest}`)).toEqual(named('older'));
    expect(await find(`digest=${digestOf('other')}`)).toEqual([]);
    expect(await find(`digest=${digest}&type=psb.lodging`)).toEqual([]);
  });

  test('finds for agents and offices what they may read, for others nothing', async () => {
    expect(await find(`filer=${mine.id}`, 'tax')).toEqual(named('october', 'september', 'older'));
    expect(await find(`filer=${mine.id}`, 'psb')).toEqual(named('lodging', 'second'));
    for (const reader of [other, 'agent', 'operator'] as const)
      expect(await find(`filer=${mine.id}`, reader)).toEqual([]);
    const agent = await register(gateway, { kind: 'agent' });
    const mandate = { agent: agent.id, filer: mine.id, types: ['tax.vat.*'], from: '2020-01-01' };
    await operate(gateway, 'PUT', `/v1/mandates/l-${agent.id}`, mandate);
    expect(await find(`filer=${mine.id}`, agent)).toEqual(named('october', 'september', 'older'));
  });

  test('pages by cursor: each once, none left out, whatever is filed meanwhile', async () => {
    for (const limit of [1, 2, 3]) {
      const seen: string[] = [];
      let cursor: string | null = '';
      for (let page = 0; cursor !== null && page < 20; page++) {
        const at: string = cursor === '' ? '' : `&cursor=${cursor}`;
        const { items, next } = (await get(`/v1/filings?limit=${limit}${at}`, mine)).json() as {
          items: Filing[];
          next: string | null;
        };
        expect(items.length).toBeLessThanOrEqual(limit);
        seen.push(...items.map(({ id }) => id));
        cursor = next;
      }
      expect(seen.length).toBe(new Set(seen).size);
      expect([...seen].sort()).toEqual(named('october', 'september', 'older', 'lodging', 'second'));
    }
  });

  test('refuses parameters that it does not understand', async () => {
    for (const query of [
      'limit=0',
      'limit=201',
      'limit=x',
      'cursor=x',
      'digest=x',
      'period=October',
      'period=2026-02-30',
      'period=2026-10-31/2026-10-01',
      'limit=1&limit=2',
    ])
      expectProblem(await get(`/v1/filings?${query}`, mine), 400, 'invalid-parameter');
    expectProblem(await get('/v1/filings', 'psb'), 400, 'invalid-parameter');
  });
});

/** RFC 9162 section 2.1.3.2, written out for this test. */
function rootOf(leaf: Buffer, index: number, size: number, path: readonly Buffer[]): Buffer {
  const node = (left: Buffer, right: Buffer) =>
    Buffer.from(digestOf(Buffer.concat([Buffer.of(1), left, right])), 'base64url');
  const walk = (start: number, count: number, depth: number): Buffer => {
    if (count === 1) return leaf;
    let half = 1;
    while (half * 2 < count) half *= 2;
    const sibling = path[depth] as Buffer;
    return index - start < half
      ? node(walk(start, half, depth - 1), sibling)
      : node(sibling, walk(start + half, count - half, depth - 1));
  };
  return walk(0, size, path.length - 1);
}
