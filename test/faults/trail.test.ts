import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Sql } from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TrailChain } from '../../src/client/trail.ts';
import { sha256, toBase64url } from '../../src/std/bytes.ts';
import { connect } from '../../src/storage/db.ts';
import { type EmbeddedDatabase, startEmbedded } from '../../src/storage/embedded.ts';
import { readTrailRows } from '../../src/storage/trail.ts';
import { filingOf } from '../support/expect.ts';
import { lodging } from '../support/filer.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { chooseSeed, random } from '../support/load.ts';
import { silentLogger } from '../support/logger.ts';
import { freshUscc, submit } from '../support/parties.ts';
import { DatabaseProxy } from '../support/proxy.ts';
import { until } from '../support/until.ts';
import type { Answer } from '../support/wire.ts';

const KILLS = Number(process.env.KILLS ?? 2);

let folder: string;
let database: EmbeddedDatabase;
let proxy: DatabaseProxy;
let gateway: Gateway;
/** Past gateway and proxy. */
let sql: Sql;

beforeAll(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'shenbao-trail-'));
  chmodSync(folder, 0o755);
  database = await startEmbedded({ dataDir: path.join(folder, 'postgres'), log: silentLogger });
  proxy = await DatabaseProxy.start({ host: '127.0.0.1', port: database.port });
  const url = new URL(database.url);
  url.port = String(proxy.port);
  gateway = await startGateway({ databaseUrl: url.href });
  sql = connect({ url: database.url }, { max: 2, statementTimeoutMs: 0 });
}, 120_000);

afterAll(async () => {
  await gateway?.remove();
  await sql?.end({ timeout: 5 });
  await proxy?.stop();
  await database?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const put = (id: string, name = '测试'): Promise<Answer> =>
  gateway.ask('PUT', `/v1/parties/${id}`, {
    as: 'operator',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ kind: 'filer', name }),
  });

const content = (id: string): Promise<Answer> => gateway.ask('GET', `/v1/filings/${id}/content`, { as: 'filer' });

async function partyIsThere(id: string): Promise<boolean> {
  const rows = await sql`SELECT 1 FROM party WHERE id = ${id}`;
  return rows.length > 0;
}

async function expectOneChain(): Promise<void> {
  const chain = new TrailChain(sha256);
  for (const { hash, ...row } of await readTrailRows(sql, 0, Number.MAX_SAFE_INTEGER, 1_000_000))
    chain.add({ ...row, hash: toBase64url(hash) });
  const [head] = await sql<{ n: number; hash: Buffer }[]>`SELECT n, hash FROM trail_head`;
  expect(chain.last).toEqual({ n: head?.n, hash: toBase64url(head?.hash ?? Buffer.alloc(0)) });
}

/** The gateway is as before, whatever it has to find out first. */
const recovered = (id: string) => until('the gateway serves again', async () => (await content(id)).status === 200);

test('while only the trail cannot be written, nothing is read or changed that is recorded; filing goes on', async () => {
  const payload = lodging();
  const filed = filingOf(await submit(gateway, gateway.party('filer'), payload), 201);
  const text = (await content(filed.id)).text;
  const id = freshUscc();
  await sql.begin(async (tx) => {
    await tx`SELECT 1 FROM trail_head FOR UPDATE`;
    const [read, changed, ...others] = await Promise.all([
      content(filed.id),
      put(id),
      gateway.ask('GET', `/v1/filings/${filed.id}`, { as: 'filer' }),
      submit(gateway, gateway.party('filer'), lodging()),
    ]);
    expect([read.status, changed.status, ...others.map(({ status }) => status)]).toEqual([503, 503, 200, 201]);
    expect(read.text).not.toContain(text.slice(0, 40));
    expect(await partyIsThere(id)).toBe(false);
  });
  await recovered(filed.id);
  expect(await partyIsThere(id)).toBe(false);
  expect((await put(id)).status).toBe(201);
  await expectOneChain();
}, 120_000);

test('a database that says nothing: 503, nothing read, nothing changed; then all as before', async () => {
  const filed = filingOf(await submit(gateway, gateway.party('filer'), lodging()), 201);
  const text = (await content(filed.id)).text;
  const id = freshUscc();
  proxy.silence();
  const [read, changed] = await Promise.all([content(filed.id), put(id)]);
  expect([read.status, changed.status]).toEqual([503, 503]);
  expect(read.text).not.toContain(text.slice(0, 40));
  proxy.hear();
  await recovered(filed.id);
  expect(await partyIsThere(id)).toBe(false);
  expect((await put(id)).status).toBe(201);
  await expectOneChain();
}, 120_000);

test(
  `kill -9 of the gateway ${KILLS} times while parties are made: none is there that was not begun`,
  async () => {
    const next = random(chooseSeed('kill while administering'));
    const sent: string[] = [];
    const done: string[] = [];
    let isRunning = true;
    const operator = async (): Promise<void> => {
      while (isRunning) {
        const id = freshUscc();
        sent.push(id);
        const answer = await put(id).catch(() => undefined);
        if (answer?.status === 201) done.push(id);
        else await sleep(20);
      }
    };
    const operators = Array.from({ length: 8 }, operator);
    for (let kill = 0; kill < KILLS; kill++) {
      const before = done.length;
      await until('parties are made', () => done.length > before);
      await sleep(next() * 150);
      await gateway.kill();
      await gateway.start();
    }
    isRunning = false;
    await Promise.all(operators);
    const made = await sql<{ id: string }[]>`SELECT id FROM party WHERE id = ANY (${sent}::text[])`;
    const rows = await sql<{ target: string; result: string }[]>`
      SELECT target, result FROM trail WHERE action = 'putParty' AND target = ANY (${sent}::text[])`;
    const withResult = (result: string) =>
      new Set(rows.filter((row) => row.result === result).map(({ target }) => target));
    const [begun, ended] = [withResult('begun'), withResult('201')];
    expect(made.length).toBeGreaterThanOrEqual(done.length);
    expect(made.filter(({ id }) => !begun.has(id))).toEqual([]);
    expect(done.filter((id) => !ended.has(id))).toEqual([]);
    await expectOneChain();
  },
  60_000 + KILLS * 60_000,
);
