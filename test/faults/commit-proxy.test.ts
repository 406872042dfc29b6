import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type EmbeddedDatabase, startEmbedded } from '../../src/storage/embedded.ts';
import { expectProblem, filingOf } from '../support/expect.ts';
import { lodging } from '../support/filer.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { audit, chooseSeed, Load, random, replayAll } from '../support/load.ts';
import { silentLogger } from '../support/logger.ts';
import { submit, submitJws } from '../support/parties.ts';
import { type Cut, DatabaseProxy } from '../support/proxy.ts';

let folder: string;
let database: EmbeddedDatabase;
let proxy: DatabaseProxy;
let gateway: Gateway;

beforeAll(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'shenbao-proxy-'));
  chmodSync(folder, 0o755);
  database = await startEmbedded({ dataDir: path.join(folder, 'postgres'), log: silentLogger });
  proxy = await DatabaseProxy.start({ host: '127.0.0.1', port: database.port });
  const url = new URL(database.url);
  url.port = String(proxy.port);
  gateway = await startGateway({ databaseUrl: url.href, env: { POOL_MAX_FILINGS: '32' } });
}, 120_000);

afterAll(async () => {
  await gateway?.remove();
  await proxy?.stop();
  await database?.stop();
  rmSync(folder, { recursive: true, force: true });
});

afterEach(() => {
  proxy.onCommit = () => 'none';
  proxy.hear();
  proxy.resume();
});

const CUTS: readonly Cut[] = ['before', 'during', 'after', 'half-close', 'truncate'];

test('the connection is cut around COMMIT 200 times under load: none lost, none doubled, no 2xx without a row', async () => {
  const next = random(chooseSeed('commit-proxy'));
  const counts = new Map<Cut, number>();
  let cuts = 0;
  proxy.onCommit = () => {
    if (cuts >= 200 || next() < 0.4) return 'none';
    const cut = CUTS[Math.floor(next() * CUTS.length)] as Cut;
    counts.set(cut, (counts.get(cut) ?? 0) + 1);
    cuts++;
    return cut;
  };
  const load = new Load(gateway, 24);
  const limit = performance.now() + 240_000;
  while (cuts < 200 && performance.now() < limit) await sleep(50);
  await load.finish();
  process.stdout.write(
    `commit-proxy: ${cuts} cuts ${JSON.stringify([...counts])}, statuses ${JSON.stringify([...load.statuses])}\n`,
  );
  expect(cuts).toBe(200);
  for (const cut of CUTS) expect(counts.get(cut) ?? 0).toBeGreaterThan(10);
  expect(load.surprises).toEqual([]);
  expect(await audit(await gateway.sql(), load.sent)).toEqual({
    acked: load.sent.length,
    rows: load.sent.length,
    lost: 0,
    doubled: 0,
    gaps: 0,
    unknown: 0,
  });
  proxy.onCommit = () => 'none';
  expect(await replayAll(load, load.sent)).toEqual([]);
  expect(gateway.hasEnded()).toBe(false);
}, 400_000);

/** Every kind of request that needs the database, and how long its answer took. */
async function answersInTime(): Promise<void> {
  const filer = gateway.party('filer');
  const requests = [
    ...Array.from({ length: 6 }, () => submit(gateway, filer, lodging())),
    gateway.ask('GET', '/v1/filings', { as: 'filer' }),
    // As many as to be waiting on every connection that the gateway has.
    ...Array.from({ length: 30 }, () => gateway.ask('GET', '/v1/filings/43501000000.0', { as: 'filer' })),
    ...Array.from({ length: 10 }, () => gateway.ask('GET', '/v1/parties/91350100M000100Y43', { as: 'operator' })),
    gateway.ask('GET', '/v1/offices/43501000000/checkpoint', { as: 'psb' }),
    gateway.ask('GET', '/v1/offices/43501000000/entries?limit=10', { as: 'psb' }),
    gateway.ask('POST', '/v1/offices/43501000000/consumers/a/batches', {
      as: 'psb',
      headers: { 'Content-Type': 'application/json' },
      body: '{}',
    }),
  ];
  const since = performance.now();
  const answers = await Promise.all(
    requests.map(async (request) => ({ answer: await request, ms: performance.now() - since })),
  );
  for (const { answer, ms } of answers) {
    expectProblem(answer, 503, ['unavailable', 'outcome-unknown', 'overloaded']);
    // 5 s, and what a busy machine needs to say so and to hear it.
    expect(ms).toBeLessThan(6_500);
  }
}

async function healed(withinMs: number): Promise<void> {
  const filer = gateway.party('filer');
  const until = performance.now() + withinMs;
  let answer = await submit(gateway, filer, lodging());
  while (answer.status !== 201 && performance.now() < until) {
    await sleep(200);
    answer = await submit(gateway, filer, lodging());
  }
  filingOf(answer, 201);
  expect((await gateway.ask('GET', '/readyz')).status).toBe(200);
  expect((await gateway.ask('GET', '/v1/filings/43501000000.0', { as: 'filer' })).status).toBe(200);
}

describe('a database that cannot be used', () => {
  beforeAll(async () => {
    for (const party of ['filer', 'psb', 'operator'] as const) await gateway.token(gateway.party(party));
    filingOf(await submit(gateway, gateway.party('filer'), lodging()), 201);
  });

  const health = async (): Promise<[number, number]> => {
    const since = performance.now();
    const alive = (await gateway.ask('GET', '/healthz')).status;
    // Whatever asks the database waits for 2 s at least.
    expect(performance.now() - since).toBeLessThan(1_900);
    return [alive, (await gateway.ask('GET', '/readyz')).status];
  };

  test('gone with a reset: 503 at once or a good answer, and it heals', async () => {
    proxy.resetAll();
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => submit(gateway, gateway.party('filer'), lodging())),
    );
    for (const answer of answers)
      if (answer.status !== 201) expectProblem(answer, 503, ['unavailable', 'outcome-unknown']);
    await healed(5_000);
  });

  test('silent for a while: every request answered within 5 s, alive and not ready, and it heals', async () => {
    proxy.pause();
    await answersInTime();
    expect(await health()).toEqual([200, 503]);
    await answersInTime();
    proxy.resume();
    await healed(10_000);
  }, 60_000);

  test('a full pool says so at once, before a signature is checked', async () => {
    proxy.pause();
    const filer = gateway.party('filer');
    const waiting = Array.from({ length: 32 }, () => submit(gateway, filer, lodging()));
    const pooled = async () => /^shenbao_pool_filings (\d+)$/m.exec((await gateway.ask('GET', '/metrics')).text)?.[1];
    await expect.poll(pooled).toBe('32');
    const forged = filer.filing(gateway.issuer, lodging()).replace(/.{6}$/, 'AAAAAA');
    for (const jws of [forged, filer.filing(gateway.issuer, lodging())]) {
      const problem = expectProblem(await submitJws(gateway, jws), 503, 'overloaded');
      expect(problem.retryable).toBe(true);
    }
    proxy.resume();
    for (const answer of await Promise.all(waiting))
      if (answer.status !== 201) expectProblem(answer, 503, ['unavailable', 'outcome-unknown']);
    await healed(10_000);
  }, 60_000);

  test('a black hole whose connections never come back: the same, and it heals on new ones', async () => {
    proxy.silence();
    await answersInTime();
    expect(await health()).toEqual([200, 503]);
    await answersInTime();
    await answersInTime();
    proxy.hear();
    await healed(15_000);
  }, 90_000);
});
