import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { OfficeLog } from '../../src/client/office.ts';
import { createTransport } from '../../src/client/transport.ts';
import type { Authenticate } from '../../src/http/auth.ts';
import { officeRoutes } from '../../src/http/routes/offices.ts';
import type { Office, PartyKind } from '../../src/identity/records.ts';
import { treeRoot, verifyConsistency } from '../../src/log/merkle.ts';
import { sha256 } from '../../src/std/bytes.ts';
import { systemClock } from '../../src/std/clock.ts';
import { FAST } from '../client/support.ts';
import { verifyCheckpointNote } from '../log/note-verifier.ts';
import { createOfficeLogs, ISSUER, type OfficeLogs } from '../log/office-log.ts';
import { silentLogger } from '../support/logger.ts';
import { type TestServer, testServer } from './support.ts';

/** The token says who asks: `office:one`. */
const authenticate: Authenticate = async (authorization) => {
  const [role, party] = authorization.replace('Bearer ', '').split(':') as [PartyKind, string];
  return { role, party };
};

const OFFICES = ['one', 'two', 'empty', 'kept', 'cut'];

let logs: OfficeLogs;
let server: TestServer;

beforeAll(async () => {
  logs = await createOfficeLogs();
  for (const office of OFFICES) await logs.addOffice(office);
  await logs.file('one', 12);
  const directory = {
    office: async (code: string): Promise<Office | undefined> =>
      OFFICES.includes(code)
        ? { code, agency: 'tax', region: '350100', name: { zh: '机关', en: 'Office' }, lane: 0 }
        : undefined,
  };
  // A gateway that has lost the heads that it signed: what a client notices must not rest on them.
  const guard = { record: async () => {}, newest: async () => undefined };
  server = await testServer(officeRoutes({ ...logs.ctx, guard, directory, log: silentLogger }), { authenticate });
});
afterAll(async () => {
  await server.close(1_000);
  await logs.drop();
});

const ask = (as: string, path: string, language = 'en') =>
  fetch(`${server.url}/v1/offices/${path}`, {
    headers: { authorization: `Bearer ${as}`, 'accept-language': language },
  });

interface Answer {
  readonly from: number;
  readonly to: number;
  readonly path: readonly string[];
  readonly checkpoint: string;
}

describe('GET /v1/offices/{office}/consistency', () => {
  test.each([
    ['office:one', 'from=5&to=11', 5, 11],
    ['office:one', 'from=5', 5, 12],
    ['operator:op', 'from=8&to=8', 8, 8],
  ])('proves to %s: %s', async (as, query, from, to) => {
    const answer = await ask(as, `one/consistency?${query}`);
    expect(answer.status).toBe(200);
    const body = (await answer.json()) as Answer;
    expect(Object.keys(body).sort()).toEqual(['checkpoint', 'from', 'path', 'to']);
    expect(body).toMatchObject({ from, to });
    const rows = await logs.database.db.sql<
      { leaf: Buffer }[]
    >`SELECT leaf FROM filing WHERE office = 'one' ORDER BY idx`;
    const leaves = rows.map(({ leaf }) => leaf);
    const rawKey = Buffer.from(logs.publicKey.export({ format: 'jwk' }).x as string, 'base64url');
    const head = verifyCheckpointNote(Buffer.from(body.checkpoint), `${new URL(ISSUER).host}/offices/one`, rawKey);
    expect(head).toMatchObject({ size: BigInt(to), root: treeRoot(sha256, leaves.slice(0, to)) });
    const path = body.path.map((hash) => Buffer.from(hash, 'base64url'));
    const oldRoot = treeRoot(sha256, leaves.slice(0, from));
    expect(verifyConsistency(sha256, { oldSize: from, oldRoot, size: to, root: head.root, path })).toBe(true);
  });

  test.each([
    ['one/consistency?from=0', /至少为 1/, /1 or more/],
    ['one/consistency?from=7&to=6', /from 不得大于 to/, /must not be greater/],
    ['one/consistency?from=13', /最新检查点为 12 份/, /has 12 entries/],
    ['one/consistency?from=3&to=13', /最新检查点为 12 份/, /has 12 entries/],
  ])('%s is refused with advice', async (path, zh, en) => {
    for (const [language, advice] of [
      ['zh', zh],
      ['en', en],
    ] as const) {
      const answer = await ask('office:one', path, language);
      expect(answer.headers.get('content-type')).toContain('application/problem+json');
      expect([answer.status, await answer.json()]).toMatchObject([
        400,
        { code: 'invalid-parameter', detail: expect.stringMatching(advice) },
      ]);
    }
  });

  test.each(['', '?from=x', '?from=-1', '?from=1.5', '?from=1&to=-2', '?from=99999999999999999999'])(
    '%s is no pair of sizes',
    async (query) => {
      expect((await ask('office:one', `one/consistency${query}`)).status).toBe(400);
    },
  );

  test('exists for the office itself and the operator only', async () => {
    expect((await ask('office:two', 'one/consistency?from=1')).status).toBe(404);
    expect((await ask('office:two', 'one/consistency?from=99')).status).toBe(404);
    expect((await ask('operator:op', 'none/consistency?from=1')).status).toBe(404);
    for (const role of ['filer', 'agent']) {
      expect((await ask(`${role}:one`, 'one/consistency?from=1')).status).toBe(403);
    }
    expect((await fetch(`${server.url}/v1/offices/one/consistency?from=1`)).status).toBe(401);
  });
});

describe('the client, asking the gateway', () => {
  const officeLog = (office: string): OfficeLog => {
    const transport = createTransport({
      base: server.url,
      fetch,
      retry: { policy: { ...FAST }, clock: systemClock, random: Math.random, sleep: async () => undefined },
      language: 'en',
    });
    return new OfficeLog(
      {
        transport,
        hash: sha256,
        issuer: async () => ISSUER,
        jwks: async () => ({ keys: [logs.publicKey.export({ format: 'jwk' }) as never] }),
        authorized: (path, call, read) =>
          transport.request(
            path,
            { ...call, headers: { ...call.headers, authorization: `Bearer office:${office}` } },
            read,
          ),
      },
      office,
    );
  };

  test('goes from one checkpoint to the next, from the empty one on', async () => {
    const log = officeLog('kept');
    let kept = await log.checkpoint();
    for (const more of [0, 1, 2, 0, 300, 5]) {
      const before = Number(kept.split('\n')[1]);
      if (more > 0) await logs.file('kept', more);
      const { size, root, checkpoint } = await log.extend(kept);
      expect(size).toBe(before + more);
      expect(checkpoint).toBe(await log.checkpoint());
      expect(Buffer.from(root, 'base64url').toString('base64')).toBe(checkpoint.split('\n')[2]);
      kept = checkpoint;
    }
  });

  test('notices that the log was cut short', async () => {
    const log = officeLog('cut');
    await logs.file('cut', 9);
    const kept = await log.checkpoint();
    const { sql } = logs.database.db;
    await sql`DELETE FROM filing WHERE office = 'cut' AND idx >= 6`;
    await sql`UPDATE office_head SET size = 6 WHERE office = 'cut'`;
    for (const table of ['checkpoint', 'office_tree', 'tile'])
      await sql`DELETE FROM ${sql(table)} WHERE office = 'cut'`;
    await expect(log.extend(kept)).rejects.toMatchObject({
      code: 'verification-failed',
      message: expect.stringContaining('once signed 9 entries'),
    });
  });
});
