import { readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ShenbaoClient } from '../../src/client/client.ts';
import { TrailChain, type TrailEntry } from '../../src/client/trail.ts';
import { openApiText } from '../../src/http/openapi-build.ts';
import { sha256 } from '../../src/std/bytes.ts';
import { CALLS, type Stage, setStage } from '../contract/calls.ts';
import { newParty } from '../support/filer.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { freshUscc, OFFICE, operate, register } from '../support/parties.ts';
import { until } from '../support/until.ts';
import type { Answer } from '../support/wire.ts';

interface Row {
  readonly n: number;
  readonly role: string;
  readonly party: string;
  readonly action: string;
  readonly target: string;
  readonly result: string;
  readonly request: string;
  readonly details: Record<string, unknown> | null;
}

let gateway: Gateway;
let stage: Stage;
/** Two processes add to the trail. */
beforeAll(async () => {
  gateway = await startGateway({ env: { WORKERS: '2' } });
  stage = await setStage(gateway);
}, 120_000);
afterAll(() => gateway.remove());

const JSON_TYPE = { 'Content-Type': 'application/json' };
const requestOf = (answer: Answer): string => String(answer.headers['x-request-id']);

async function rowsOf(answer: Answer): Promise<Row[]> {
  const sql = await gateway.sql();
  return sql<Row[]>`
    SELECT n, role, party, action, target, result, request, details FROM trail
    WHERE request = ${requestOf(answer)} ORDER BY n`;
}

const short = (rows: readonly Row[]): string[] =>
  rows.map(({ role, party, action, target, result }) => `${role} ${party} ${action} ${target} ${result}`);

function clientOf(): ShenbaoClient {
  const key = JSON.parse(readFileSync(path.join(gateway.dataDir, 'operator.jwk'), 'utf8'));
  return new ShenbaoClient({ gateway: gateway.url, key, hash: sha256 });
}

async function exported(): Promise<TrailEntry[]> {
  const rows: TrailEntry[] = [];
  for await (const row of clientOf().trail().export()) rows.push(row);
  return rows;
}

describe('each recorded operation leaves its rows', () => {
  const { paths } = JSON.parse(openApiText()) as {
    paths: Record<string, Record<string, { operationId: string; 'x-recorded'?: string }>>;
  };
  const recorded = Object.values(paths).flatMap((methods) =>
    Object.values(methods).filter((operation) => operation['x-recorded'] !== undefined),
  );

  test.each(recorded.map((each) => [each.operationId, each['x-recorded']]))('%s, %s', async (operationId, kind) => {
    const call = CALLS[operationId ?? ''];
    if (call === undefined) throw new Error(`${operationId} has no example in test/contract/calls.ts`);
    for (const answer of [await call(stage)].flat()) {
      const rows = await rowsOf(answer);
      // A signed mandate that stands already is answered as it stands: nothing is done.
      const isUnchanged = operationId === 'giveMandate' && answer.status === 200;
      const results = isUnchanged ? [] : [...(kind === 'administration' ? ['begun'] : []), String(answer.status)];
      expect(rows.map(({ action, result }) => [action, result])).toEqual(results.map((each) => [operationId, each]));
      for (const row of rows) expect([row.role, row.party]).not.toContain('-');
    }
  });

  test('and what is not recorded leaves none', async () => {
    for (const operationId of ['getFiling', 'getReceipt', 'findFilings', 'openBatch', 'submitFiling', 'listHeads'])
      for (const answer of [await CALLS[operationId]?.(stage)].flat())
        expect(await rowsOf(answer as Answer)).toEqual([]);
  });
});

describe('a row says who, what and how it ended', () => {
  const get = (target: string, as: Parameters<Gateway['ask']>[2]) => gateway.ask('GET', target, as);

  test('of a reading: the filer, the filing', async () => {
    const { filer, filingId } = stage;
    const answer = await get(`/v1/filings/${filingId}/content`, { as: filer });
    expect(short(await rowsOf(answer))).toEqual([`filer ${filer.id} getContent ${filingId} 200`]);
    const other = await register(gateway);
    const refused = await get(`/v1/filings/${filingId}/content`, { as: other });
    expect(short(await rowsOf(refused))).toEqual([`filer ${other.id} getContent ${filingId} 404 not-found`]);
    const entries = await get(`/v1/offices/${OFFICE.psb}/entries?from=5&limit=3`, { as: 'psb' });
    expect((await rowsOf(entries)).map(({ target, details }) => ({ target, details }))).toEqual([
      { target: OFFICE.psb, details: { from: 5, to: 8 } },
    ]);
  });

  test('of what a role may not do', async () => {
    const target = `/v1/parties/${stage.filer.id}`;
    const answer = await gateway.ask('PUT', target, { as: 'filer', headers: JSON_TYPE, body: '{}' });
    expect(short(await rowsOf(answer))).toEqual([`filer ${stage.filer.id} putParty ${stage.filer.id} 403 forbidden`]);
    expect(await rowsOf(await gateway.ask('PUT', target, { headers: JSON_TYPE, body: '{}' }))).toEqual([]);
  });

  test('of a party that is suspended', async () => {
    const party = await register(gateway);
    const target = `/v1/filers/${party.id}/obligations`;
    expect((await get(target, { as: party })).status).toBe(200);
    await operate(gateway, 'PUT', `/v1/parties/${party.id}`, { kind: 'filer', name: '停用', status: 'suspended' });
    const refused = await until('every process refuses it', async () => {
      const answer = await get(target, { as: party });
      return answer.status === 401 && answer;
    });
    expect(short(await rowsOf(refused))).toEqual([`filer ${party.id} listObligations ${party.id} 401 unauthenticated`]);
  });

  test('of a party that rotates its own key, by its signature; strangers leave no rows', async () => {
    const party = await register(gateway);
    const next = newParty(party.id);
    const iat = Math.floor(Date.now() / 1000);
    const claims = { jwk: next.publicJwk, proof: next.proof(gateway.issuer), aud: gateway.issuer, iat };
    const headers = { 'Content-Type': 'application/jose' };
    const rotate = (body: string) => gateway.ask('POST', '/v1/keys/rotation', { headers, body });
    const rows = await rowsOf(await rotate(party.jws(JSON.stringify(claims), {})));
    expect(short(rows)).toEqual(['begun', '201'].map((result) => `filer ${party.id} rotateKey ${party.kid} ${result}`));
    expect(rows[1]?.details).toEqual({ key: next.kid });
    const stale = party.jws(JSON.stringify({ ...claims, iat: iat - 86_400 }), {});
    const refused = await rotate(stale);
    expect([refused.status, await rowsOf(refused)]).toEqual([422, []]);
    const forged = stage.filer.jws(JSON.stringify(claims), { kid: party.kid });
    expect(await rowsOf(await rotate(forged))).toEqual([]);
    expect(await rowsOf(await rotate('x'))).toEqual([]);
  });

  test('of an import: what was taken, by kind, and which file it was', async () => {
    const id = freshUscc();
    const body = `{"op":"party","id":"${id}","kind":"filer","name":"甲"}\n{"op":"registration","filer":"${id}","registrations":[{"office":"${OFFICE.tax}","from":"2026-01-01"}]}\nx\n`;
    const headers = { 'Content-Type': 'application/x-ndjson' };
    const rows = await rowsOf(await gateway.ask('POST', '/v1/import', { as: 'operator', headers, body }));
    expect(rows.map(({ target, result, details }) => ({ target, result, details }))).toEqual([
      { target: '-', result: 'begun', details: null },
      {
        target: '-',
        result: '200',
        details: { taken: { party: 1, registration: 1 }, refused: 1, sha256: sha256(body).toString('hex') },
      },
    ]);
  });
});

test('nothing that is sent in a body, and nothing odd in a path, gets into the trail or the log', async () => {
  const mark = 'ZQX7秘密';
  const bodies: [string, string, unknown][] = [
    ['PUT', `/v1/offices/T${freshUscc()}`, { agency: 'tax', region: '350100', name: { zh: mark, en: mark } }],
    ['PUT', `/v1/parties/${freshUscc()}`, { kind: 'filer', name: mark }],
    ['PUT', `/v1/parties/${freshUscc()}`, { kind: mark, name: 'x' }],
    ['PUT', `/v1/parties/${encodeURIComponent(mark)}`, { kind: 'filer', name: 'x' }],
    ['DELETE', `/v1/keys/${(await register(gateway)).kid}`, { reason: mark }],
    ['PUT', '/v1/mandates/marked', { agent: stage.agentId, filer: stage.filer.id, types: [mark], from: '2026-01-01' }],
    ['PUT', '/v1/calendar/years/2044', { off: ['01-01/01-03'], work: [], notice: mark }],
    ['PUT', '/v1/regions/350500/figures', [{ name: 'baseFloor', from: '2026-07-01', value: 1, source: mark }]],
    ['PUT', `/v1/parties/${freshUscc()}`, mark],
  ];
  for (const [method, target, body] of bodies)
    await gateway.ask(method, target, { as: 'operator', headers: JSON_TYPE, body: JSON.stringify(body) });
  const lines = `{"op":"party","id":"${freshUscc()}","kind":"filer","name":"${mark}"}\n${mark}\n`;
  const headers = { 'Content-Type': 'application/x-ndjson' };
  await gateway.ask('POST', '/v1/import', { as: 'operator', headers, body: lines });
  const odd = encodeURIComponent(mark);
  for (const target of [
    `/v1/filings/${odd}/content`,
    `/v1/filers/${odd}/prefill?type=${odd}&period=${odd}`,
    `/v1/trail?party=${odd}`,
  ])
    await gateway.ask('GET', target, { as: 'operator' });
  const [kept] = await (await gateway.sql())<{ rows: number; marked: number }[]>`
    SELECT count(*)::int AS rows, count(*) FILTER (WHERE t::text LIKE ${'%ZQX7%'})::int AS marked FROM trail t`;
  expect(kept).toMatchObject({ marked: 0 });
  expect(gateway.output).not.toContain('ZQX7');
});

test('200 readings at once, by two processes: each its row, one chain, few transactions', async () => {
  const { filer, filingId } = stage;
  const target = `/v1/filings/${filingId}/content`;
  const answers = await Promise.all(Array.from({ length: 200 }, () => gateway.ask('GET', target, { as: filer })));
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  const requests = answers.map(requestOf);
  expect(new Set(requests.map((each) => each.split('-')[0])).size).toBe(2);
  const [found] = await (await gateway.sql())<{ rows: number; transactions: number }[]>`
    SELECT count(*)::int AS rows, count(DISTINCT xmin::text)::int AS transactions FROM trail
    WHERE request = ANY (${requests}::text[])`;
  expect(found?.rows).toBe(200);
  expect(found?.transactions).toBeLessThan(100);
  const rows = await exported();
  const chain = new TrailChain(sha256);
  for (const row of rows) chain.add(row);
  expect(chain.last.n).toBeGreaterThan(200);
});

test('the making of the keys, another signing key and a reload at a signal stand in the trail', async () => {
  const acts = async (): Promise<string[]> => {
    const sql = await gateway.sql();
    const rows = await sql<Row[]>`
      SELECT * FROM trail WHERE action IN ('enterGatewayKey', 'enterOperatorKey', 'makeDemoParties')
        OR details ? 'signal' ORDER BY n`;
    return rows.map(({ role, party, action, result }) => `${role} ${party} ${action} ${result}`);
  };
  const pair = (who: string, action: string) =>
    ['begun', 'done'].map((result) => `operator ${who} ${action} ${result}`);
  const first = [
    ...pair('-', 'enterGatewayKey'),
    ...pair('operator', 'enterOperatorKey'),
    ...pair('operator', 'makeDemoParties'),
  ];
  expect(await acts()).toEqual(first);
  process.kill(gateway.pid, 'SIGHUP');
  const reloaded = [...first, ...pair('operator', 'reloadFilingTypes')];
  await until('the reload has ended', async () => (await acts()).length === reloaded.length);
  expect(await acts()).toEqual(reloaded);
  await gateway.restart();
  expect(await acts()).toEqual(reloaded);
  await gateway.stop();
  rmSync(path.join(gateway.dataDir, 'signing.jwk'));
  await gateway.start();
  expect(await acts()).toEqual([...reloaded, ...pair('operator', 'enterGatewayKey')]);
}, 180_000);

describe('an operator', () => {
  test('finds rows, newest first, page by page, and is seen reading', async () => {
    const log = clientOf().trail();
    const found: TrailEntry[] = [];
    for await (const row of log.find({ party: stage.filer.id, result: 'done', action: 'getContent' })) found.push(row);
    expect(found.length).toBeGreaterThan(200);
    expect(found.map(({ n }) => n)).toEqual(found.map(({ n }) => n).sort((a, b) => b - a));
    for await (const row of log.find({ action: 'listTrail' })) {
      expect(row).toMatchObject({ role: 'operator', party: 'operator', result: '200' });
      break;
    }
    const answer = await gateway.ask('GET', '/v1/trail', { as: 'filer' });
    expect(answer.status).toBe(403);
  });

  test('is told which row was altered, left out or put in place of another', async () => {
    const sql = await gateway.sql();
    const rows = await exported();
    const victim = rows[20] as TrailEntry;
    await sql`UPDATE trail SET party = 'nobody' WHERE n = ${victim.n}`;
    await expect(exported()).rejects.toMatchObject({ code: 'verification-failed', message: /row 21 does not follow/ });
    await sql`UPDATE trail SET party = ${victim.party} WHERE n = ${victim.n}`;
    await exported();
    const [row] = await sql`DELETE FROM trail WHERE n = ${victim.n} RETURNING *`;
    await expect(exported()).rejects.toMatchObject({ code: 'verification-failed', message: /row 21 is missing/ });
    await sql`INSERT INTO trail ${sql(row as never)}`;
    await exported();
    const last = rows.at(-1) as TrailEntry;
    const other = { n: last.n, hash: (rows[0] as TrailEntry).hash };
    const goOn = async (kept: { n: number; hash: string }) => {
      for await (const each of clientOf().trail().export(kept)) expect(each.n).toBeGreaterThan(kept.n);
    };
    await goOn(last);
    await expect(goOn(other)).rejects.toThrow(/is not the one that was kept/);
    await expect(goOn({ n: last.n + 1_000, hash: last.hash })).rejects.toThrow(/is missing/);
  });
});
