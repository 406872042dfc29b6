import { randomBytes } from 'node:crypto';
import { request } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Authenticate } from '../../src/http/auth.ts';
import { route } from '../../src/http/route.ts';
import { officeRoutes } from '../../src/http/routes/offices.ts';
import { acceptsGzip, streamedBody } from '../../src/http/streamed.ts';
import type { Office, PartyKind } from '../../src/identity/records.ts';
import { treeRoot } from '../../src/log/merkle.ts';
import { parseTilePath } from '../../src/log/tiles.ts';
import { sha256 } from '../../src/std/bytes.ts';
import { verifyCheckpointNote } from '../log/note-verifier.ts';
import { createOfficeLogs, ISSUER, type OfficeLogs } from '../log/office-log.ts';
import { silentLogger } from '../support/logger.ts';
import { sleep, type TestServer, testServer } from './support.ts';

/** The token says who asks: `office:one`. */
const authenticate: Authenticate = async (authorization) => {
  const [role, party] = authorization.replace('Bearer ', '').split(':') as [PartyKind, string];
  return { role, party };
};

const OFFICES = ['one', 'two', 'police', 'steps', 'refused', 'wide', 'cut', 'tiles'];

let logs: OfficeLogs;
let server: TestServer;

beforeAll(async () => {
  logs = await createOfficeLogs();
  for (const office of OFFICES) await logs.addOffice(office, office === 'police' ? 'psb' : 'tax');
  const directory = {
    office: async (code: string): Promise<Office | undefined> => {
      if (!OFFICES.includes(code)) return undefined;
      const agency = code === 'police' ? 'psb' : 'tax';
      return { code, agency, region: '350100', name: { zh: '机关', en: 'Office' }, lane: 0 };
    },
  };
  server = await testServer(officeRoutes({ ...logs.ctx, directory, log: silentLogger }), { authenticate });
});
afterAll(async () => {
  await server.close(1_000);
  await logs.drop();
});

function call(as: string, method: string, path: string, body?: object, headers: Record<string, string> = {}) {
  return fetch(`${server.url}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${as}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

const rootAt = async (office: string, size: number): Promise<string> => {
  const rows = await logs.database.db.sql<{ leaf: Buffer }[]>`
    SELECT leaf FROM filing WHERE office = ${office} AND idx < ${size} ORDER BY idx`;
  return Buffer.from(
    treeRoot(
      sha256,
      rows.map((row) => row.leaf),
    ),
  ).toString('base64url');
};

describe('an office', () => {
  test('pulls: heads, batch, entries, acknowledgement, progress', async () => {
    await logs.file('steps', 5);
    const heads = (await (await call('office:steps', 'GET', '/v1/agencies/tax/heads')).json()) as { items: object[] };
    expect(heads.items).toContainEqual({ office: 'steps', size: 5 });

    const opened = await call('office:steps', 'POST', '/v1/offices/steps/consumers/main/batches', {
      max: 3,
      lease: 30,
    });
    expect(opened.status).toBe(201);
    const batch = (await opened.json()) as {
      id: string;
      from: number;
      to: number;
      checkpoint: string;
      expiresAt: string;
      entries: string;
    };
    expect(Object.keys(batch).sort()).toEqual(['checkpoint', 'entries', 'expiresAt', 'from', 'id', 'to']);
    expect(batch).toMatchObject({ from: 0, to: 3 });
    expect(Date.parse(batch.expiresAt)).toBeGreaterThan(Date.now());
    const rawKey = Buffer.from(logs.publicKey.export({ format: 'jwk' }).x as string, 'base64url');
    const head = verifyCheckpointNote(Buffer.from(batch.checkpoint), `${new URL(ISSUER).host}/offices/steps`, rawKey);
    expect(head.size).toBe(3n);

    const entries = await call('office:steps', 'GET', batch.entries);
    expect(entries.headers.get('content-type')).toBe('application/x-ndjson');
    expect(entries.headers.get('shenbao-next')).toBe('3');
    expect(entries.headers.get('shenbao-checkpoint-size')).toBe('5');
    expect(entries.headers.get('cache-control')).toBe('no-store');
    const lines = (await entries.text())
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    const leaves = lines.map((line) => Buffer.from(line.leaf, 'base64url'));
    expect(Buffer.from(treeRoot(sha256, leaves))).toEqual(head.root);

    const root = head.root.toString('base64url');
    const path = `/v1/offices/steps/consumers/main/batches/${batch.id}`;
    for (const _ of ['first', 'again']) {
      const acknowledged = await call('office:steps', 'PUT', `${path}/ack`, { size: 3, root });
      expect(acknowledged.status).toBe(200);
      expect(await acknowledged.json()).toEqual({ id: batch.id, size: 3, cursor: 3 });
    }
    const consumers = await (await call('office:steps', 'GET', '/v1/offices/steps/consumers')).json();
    expect(consumers).toMatchObject({ items: [{ name: 'main', cursor: 3, lag: 2, leases: [] }], next: null });

    const second = await call('office:steps', 'POST', '/v1/offices/steps/consumers/main/batches');
    const { id } = (await second.json()) as { id: string };
    expect((await call('office:steps', 'POST', '/v1/offices/steps/consumers/main/batches')).status).toBe(204);
    const given = `/v1/offices/steps/consumers/main/batches/${id}`;
    expect((await call('office:steps', 'DELETE', given)).status).toBe(204);
    expect((await call('office:steps', 'DELETE', given)).status).toBe(204);
    expect((await call('office:steps', 'POST', '/v1/offices/steps/consumers/main/batches')).status).toBe(201);
  });

  test('is told what is wrong with an acknowledgement', async () => {
    await logs.file('refused', 4);
    const opened = await call('office:refused', 'POST', '/v1/offices/refused/consumers/main/batches', { max: 2 });
    const { id } = (await opened.json()) as { id: string };
    const path = `/v1/offices/refused/consumers/main/batches/${id}/ack`;
    const root = await rootAt('refused', 2);
    const stale = await call('office:refused', 'PUT', path, { size: 4, root });
    expect([stale.status, await stale.json()]).toMatchObject([409, { code: 'stale', size: 2 }]);
    const differs = await call('office:refused', 'PUT', path, { size: 2, root: await rootAt('refused', 1) });
    expect([differs.status, await differs.json()]).toMatchObject([422, { code: 'root-mismatch' }]);
    const misspelt = await call('office:refused', 'PUT', path, { size: 2, root: `${root.slice(0, -1)}_` });
    expect(misspelt.status).toBe(422);
    const unknown = path.replace(id, '00000000-0000-4000-8000-000000000000');
    expect((await call('office:refused', 'PUT', unknown, { size: 2, root })).status).toBe(404);
    expect((await call('office:refused', 'PUT', path.replace(id, 'x'), { size: 2, root })).status).toBe(404);
    expect((await call('office:refused', 'DELETE', unknown.replace('/ack', ''))).status).toBe(404);
    expect((await call('office:refused', 'PUT', path, { size: 2, root })).status).toBe(200);
    const late = await call('office:refused', 'DELETE', path.replace('/ack', ''));
    expect([late.status, await late.json()]).toMatchObject([409, { code: 'stale', size: 2 }]);
  });

  test.each([
    ['POST', '/v1/offices/one/consumers/a%20b/batches', {}, 400],
    ['POST', `/v1/offices/one/consumers/${'x'.repeat(65)}/batches`, {}, 400],
    ['POST', '/v1/offices/one/consumers/a/batches', { max: 0 }, 422],
    ['POST', '/v1/offices/one/consumers/a/batches', { max: 100_001 }, 422],
    ['POST', '/v1/offices/one/consumers/a/batches', { lease: 3_601 }, 422],
    ['POST', '/v1/offices/one/consumers/a/batches', { lease: 0.5 }, 422],
    ['POST', '/v1/offices/one/consumers/a/batches', { leases: 1 }, 422],
    ['GET', '/v1/offices/one/entries?from=-1', undefined, 400],
    ['GET', '/v1/offices/one/entries?from=x', undefined, 400],
    ['GET', '/v1/offices/one/entries?limit=100001', undefined, 400],
    ['GET', '/v1/offices/one/entries?limit=0', undefined, 400],
    ['GET', '/v1/agencies/tax/heads?since=x', undefined, 400],
    ['GET', '/v1/agencies/army/heads', undefined, 400],
    ['GET', '/v1/offices/one/consumers?limit=0', undefined, 400],
    ['PUT', '/v1/offices/one/consumers/a/batches/x/ack', { size: 1, root: 'short' }, 422],
    ['PUT', '/v1/offices/one/consumers/a/batches/x/ack', { root: 'A'.repeat(43) }, 422],
  ])('%s %s %j is refused with %i', async (method, path, body, status) => {
    const answer = await call('office:one', method, path, body);
    expect(answer.status).toBe(status);
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
  });

  test.each(['/checkpoint', '/entries', '/consumers'])("does not see another office's %s", async (path) => {
    expect((await call('office:two', 'GET', `/v1/offices/one${path}`)).status).toBe(404);
    expect((await call('office:one', 'GET', `/v1/offices/one${path}`)).status).toBe(200);
  });

  test("cannot lease, acknowledge or give back another's batch, nor see another agency's heads", async () => {
    await logs.file('one', 1);
    const opened = await call('office:one', 'POST', '/v1/offices/one/consumers/main/batches');
    const { id } = (await opened.json()) as { id: string };
    const foreign = `/v1/offices/one/consumers/main/batches`;
    expect((await call('office:two', 'POST', foreign)).status).toBe(404);
    const ack = { size: 1, root: await rootAt('one', 1) };
    expect((await call('office:two', 'PUT', `${foreign}/${id}/ack`, ack)).status).toBe(404);
    expect((await call('office:two', 'DELETE', `${foreign}/${id}`)).status).toBe(404);
    expect((await call('office:two', 'GET', '/v1/agencies/psb/heads')).status).toBe(404);
    expect((await call('office:police', 'GET', '/v1/agencies/psb/heads')).status).toBe(200);
  });
});

describe('others', () => {
  test('an operator looks after any office that exists, without seeing filings', async () => {
    for (const path of ['/v1/offices/one/checkpoint', '/v1/offices/one/consumers', '/v1/agencies/psb/heads']) {
      expect((await call('operator:op', 'GET', path)).status).toBe(200);
    }
    expect((await call('operator:op', 'GET', '/v1/offices/none/checkpoint')).status).toBe(404);
    expect((await call('operator:op', 'GET', '/v1/offices/one/entries')).status).toBe(403);
    expect((await call('operator:op', 'POST', '/v1/offices/one/consumers/main/batches')).status).toBe(403);
  });

  test('filers and agents may call none of it', async () => {
    for (const role of ['filer', 'agent']) {
      for (const path of ['/v1/offices/one/checkpoint', '/v1/offices/one/entries', '/v1/agencies/tax/heads']) {
        expect((await call(`${role}:one`, 'GET', path)).status).toBe(403);
      }
    }
    expect((await fetch(`${server.url}/v1/offices/one/entries`)).status).toBe(401);
  });
});

describe('entries on the wire', () => {
  test('are compressed for who can read it', async () => {
    await logs.file('wide', 500);
    const raw = await rawBody('/v1/offices/wide/entries', { 'accept-encoding': 'gzip' });
    expect(raw.headers).toMatchObject({ 'content-encoding': 'gzip', vary: expect.stringMatching(/accept-encoding/i) });
    const plain = await rawBody('/v1/offices/wide/entries', {});
    expect(plain.headers['content-encoding']).toBeUndefined();
    expect(gunzipSync(raw.body)).toEqual(plain.body);
    expect(raw.body.length).toBeLessThan(plain.body.length / 1.3);
    const empty = await rawBody('/v1/offices/wide/entries?from=500', { 'accept-encoding': 'gzip' });
    expect(gunzipSync(empty.body).length).toBe(0);
  });

  test('that break off are seen to have broken off', async () => {
    await logs.file('cut', 1_500);
    await call('office:cut', 'GET', '/v1/offices/cut/checkpoint');
    await logs.database.db.sql`DELETE FROM filing WHERE office = 'cut' AND idx = 1400`;
    for (const encoding of ['gzip', 'identity']) {
      await expect(rawBody('/v1/offices/cut/entries', { 'accept-encoding': encoding })).rejects.toThrow('aborted');
    }
  });

  test.each([true, false])(
    'are not made for a client that does not read, nor for one that has gone (gzip: %s)',
    async (gzip) => {
      const made = { parts: 0, isOver: false };
      async function* parts(): AsyncGenerator<Buffer> {
        try {
          for (; made.parts < 400; made.parts++) yield randomBytes(1_000_000);
        } finally {
          made.isOver = true;
        }
      }
      const stream = route({
        method: 'GET',
        path: '/stream',
        operationId: 'stream',
        tag: 'test',
        summary: { zh: '', en: '' },
        access: 'public',
        responses: { 200: { description: '' } },
        handle: () => new Response(streamedBody(parts(), { gzip })),
      });
      const streaming = await testServer([stream]);
      const client = request(`${streaming.url}/stream`, (response) => response.pause());
      client.on('error', () => undefined);
      client.end();
      // As long as the client does not read, the making ends some time soon.
      let held = -1;
      while (held !== made.parts) {
        held = made.parts;
        await sleep(1_000);
      }
      expect(held).toBeGreaterThan(0);
      expect(held).toBeLessThan(40);
      expect(made).toEqual({ parts: held, isOver: false });
      client.destroy();
      await expect.poll(() => made.isOver).toBe(true);
      expect(made.parts).toBeLessThan(40);
      await streaming.close(1_000);
    },
  );

  test.each([
    [undefined, false],
    ['gzip', true],
    ['br, gzip;q=0.5', true],
    ['gzip;q=0', false],
    ['*', true],
    ['*, gzip;q=0', false],
    ['identity', false],
    ['GZIP', true],
  ])('Accept-Encoding %s: gzip is %s', (header, expected) => {
    expect(acceptsGzip(header)).toBe(expected);
  });
});

describe('tiles', () => {
  const tile = (path: string, as = 'office:tiles') => call(as, 'GET', `/v1/offices/tiles/tile/${path}`);
  const bytes = async (path: string): Promise<Buffer> => Buffer.from(await (await tile(path)).arrayBuffer());

  test('hold the hashes of the log, full and partial, as far as a checkpoint reaches', async () => {
    await logs.file('tiles', 600);
    expect((await tile('0/000')).status).toBe(404);
    await call('office:tiles', 'GET', '/v1/offices/tiles/checkpoint');
    const rows = await logs.database.db.sql<
      { leaf: Buffer }[]
    >`SELECT leaf FROM filing WHERE office = 'tiles' ORDER BY idx`;
    const leaves = rows.map((row) => row.leaf);
    const full = await tile('0/001');
    expect(full.headers.get('content-type')).toBe('application/octet-stream');
    expect(full.headers.get('cache-control')).toContain('immutable');
    expect(Buffer.from(await full.arrayBuffer())).toEqual(Buffer.concat(leaves.slice(256, 512)));
    expect(await bytes('0/002.p/88')).toEqual(Buffer.concat(leaves.slice(512)));
    const above = [leaves.slice(0, 256), leaves.slice(256, 512)].map((part) => treeRoot(sha256, part));
    expect(await bytes('1/000.p/2')).toEqual(Buffer.concat(above));
  });

  test.each([
    '0/002',
    '0/002.p/89',
    '1/000',
    '1/000.p/3',
    '2/000.p/1',
    '9/000',
    '0/000.p/256',
    '0/000.p/0',
    '0/x000/001',
    '0/1',
    '00/000',
    'entries/000',
    '0/-01',
    'x',
  ])('%s does not exist', async (path) => {
    expect((await tile(path)).status).toBe(404);
  });

  test("are an office's own, and the operator's", async () => {
    expect((await tile('0/000', 'office:one')).status).toBe(404);
    expect((await tile('0/000', 'operator:op')).status).toBe(200);
    expect((await tile('0/000', 'filer:tiles')).status).toBe(403);
  });

  test('are named in their only spelling', () => {
    expect(parseTilePath('3/x001/x234/067.p/9')).toEqual({ level: 3, n: 1_234_067, width: 9 });
    expect(parseTilePath('0/x001/067')).toEqual({ level: 0, n: 1_067, width: 256 });
  });
});

test('heads wait for news when the client prefers to', async () => {
  const first = await call('office:two', 'GET', '/v1/agencies/tax/heads');
  let { next } = (await first.json()) as { next: string };
  // Other databases on the server can hold the cursor back for a moment.
  for (let i = 0; i < 50; i++) {
    const answer = (await (await call('office:two', 'GET', `/v1/agencies/tax/heads?since=${next}`)).json()) as {
      items: [];
      next: string;
    };
    next = answer.next;
    if (answer.items.length === 0) break;
  }
  const waiting = call('office:two', 'GET', `/v1/agencies/tax/heads?since=${next}`, undefined, { prefer: 'wait=20' });
  await sleep(400);
  await logs.file('two', 1);
  const answer = await waiting;
  expect(answer.headers.get('preference-applied')).toBe('wait=20');
  expect(await answer.json()).toMatchObject({ items: [{ office: 'two', size: 1 }] });
});

function rawBody(
  path: string,
  headers: Record<string, string>,
): Promise<{ headers: Record<string, unknown>; body: Buffer }> {
  const office = path.split('/')[3] as string;
  return new Promise((resolve, reject) => {
    const client = request(
      `${server.url}${path}`,
      { headers: { authorization: `Bearer office:${office}`, ...headers } },
      (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.on('error', reject);
        response.on('end', () => resolve({ headers: response.headers, body: Buffer.concat(parts) }));
      },
    );
    client.on('error', reject);
    client.end();
  });
}
