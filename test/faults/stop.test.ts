import { existsSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { isRunning } from '../support/embedded-checkout.ts';
import { digestOf, receiptText } from '../support/expect.ts';
import { lodging } from '../support/filer.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { audit, Load, replayAll, type Sent } from '../support/load.ts';
import { ask } from '../support/wire.ts';

let gateway: Gateway;

beforeAll(async () => {
  gateway = await startGateway();
}, 120_000);
afterAll(() => gateway.remove());

/** Files on one kept connection until the port is closed to new ones. What broke off in between was not answered. */
async function fileUntilRefused(sent: Sent[], unanswered: string[]): Promise<void> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const filer = gateway.party('filer');
  const headers = { 'Content-Type': 'application/jose' };
  for (;;) {
    const payload = JSON.stringify(lodging());
    const filing: Sent = { jws: filer.filing(gateway.issuer, payload), digest: digestOf(payload), attempts: 1 };
    sent.push(filing);
    try {
      const answer = await ask(gateway.connections, 'POST', `${gateway.url}/v1/filings`, {
        headers,
        body: filing.jws,
        agent,
      });
      if (answer.status === 201) {
        filing.receipt = receiptText(answer);
        filing.id = (answer.json() as { id: string }).id;
      } else if (answer.status !== 503) unanswered.push(`${answer.status}`);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ECONNREFUSED') unanswered.push(code ?? String(error));
      agent.destroy();
      return;
    }
  }
}

test('SIGTERM under load: every accepted connection is answered, the end comes within 10 s, nothing is lost', async () => {
  for (let round = 0; round < 3; round++) {
    const sent: Sent[] = [];
    const unanswered: string[] = [];
    const [before] = await (await gateway.sql())`SELECT count(*)::int AS n FROM filing`;
    const clients = Array.from({ length: 24 }, () => fileUntilRefused(sent, unanswered));
    const postmaster = gateway.postmasterPid();
    await sleep(700);
    const since = performance.now();
    const exitCode = await gateway.stop();
    const tookMs = performance.now() - since;
    await Promise.all(clients);
    expect(unanswered).toEqual([]);
    expect(exitCode).toBe(0);
    expect(tookMs).toBeLessThan(10_000);
    expect(isRunning(postmaster)).toBe(false);
    expect(existsSync(path.join(gateway.dataDir, 'postgres', 'postmaster.pid'))).toBe(false);
    expect(gateway.output).not.toContain('nothing handled');

    await gateway.start();
    const acked = sent.filter(({ receipt }) => receipt !== undefined);
    expect(acked.length).toBeGreaterThan(20);
    const result = await audit(await gateway.sql(), sent);
    expect(result).toMatchObject({ acked: acked.length, lost: 0, doubled: 0, gaps: 0, unknown: before?.n });
    const load = new Load(gateway, 0);
    expect(await replayAll(load, acked)).toEqual([]);
  }
}, 120_000);

test('a request that is still arriving is answered, and told that the connection closes', async () => {
  const body = gateway.party('filer').filing(gateway.issuer, lodging());
  const answer = new Promise<{ status: number; connection: string | undefined }>((resolve, reject) => {
    const headers = { 'Content-Type': 'application/jose', 'Content-Length': String(body.length) };
    const request = http.request(`${gateway.url}/v1/filings`, { method: 'POST', headers }, (response) => {
      response.resume();
      resolve({ status: response.statusCode ?? 0, connection: response.headers.connection });
    });
    request.on('error', reject);
    request.write(body.slice(0, 50));
    setTimeout(() => request.end(body.slice(50)), 1_500);
  });
  await sleep(300);
  const stopped = gateway.stop();
  expect(await answer).toEqual({ status: 201, connection: 'close' });
  expect(await stopped).toBe(0);
  await gateway.start();
}, 60_000);
