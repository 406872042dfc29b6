import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { audit, chooseSeed, Load, random, replayAll, type Sent } from '../support/load.ts';

// The short run of promise 1; KILLS makes it longer.
const KILLS = Number(process.env.KILLS ?? 20);
const PATIENCE_MS = 60_000 + KILLS * 6_000;

let gateway: Gateway;
const sent: Sent[] = [];

beforeAll(async () => {
  gateway = await startGateway();
}, 120_000);
afterAll(() => gateway.remove());

async function verdict(load: Load): Promise<void> {
  sent.push(...load.sent);
  expect(load.surprises).toEqual([]);
  expect(load.acked.length).toBe(load.sent.length);
  expect(await audit(await gateway.sql(), sent)).toEqual({
    acked: sent.length,
    rows: sent.length,
    lost: 0,
    doubled: 0,
    gaps: 0,
    unknown: 0,
  });
  expect(await replayAll(load, sent)).toEqual([]);
}

test(
  `kill -9 of the gateway ${KILLS} times under load: what was acknowledged is there, once, with the same receipt`,
  async () => {
    const next = random(chooseSeed('kill gateway'));
    const load = new Load(gateway, 8);
    const startsMs: number[] = [];
    for (let kill = 0; kill < KILLS; kill++) {
      const before = load.acked.length;
      const until = performance.now() + 40_000;
      while (load.acked.length === before && performance.now() < until) await sleep(20);
      await sleep(next() * 300);
      await gateway.kill();
      const since = performance.now();
      await gateway.start();
      startsMs.push(Math.round(performance.now() - since));
    }
    await load.finish();
    process.stdout.write(`kill gateway: ${load.sent.length} filings, starts took up to ${Math.max(...startsMs)} ms\n`);
    await verdict(load);
  },
  PATIENCE_MS,
);

/** Processes of the embedded server beside its first: their parent is that one. */
function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((each) => {
      try {
        const stat = readFileSync(`/proc/${each}/stat`, 'latin1');
        return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === pid;
      } catch {
        return false;
      }
    });
}

test.skipIf(process.platform !== 'linux')(
  `kill -9 of the database ${KILLS} times under load, whole or one of its processes: the same`,
  async () => {
    const next = random(chooseSeed('kill database'));
    const load = new Load(gateway, 8);
    let killed = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      const before = load.acked.length;
      const until = performance.now() + 40_000;
      while (load.acked.length === before && performance.now() < until) await sleep(20);
      expect(load.acked.length).toBeGreaterThan(before);
      await sleep(next() * 300);
      const postmaster = gateway.postmasterPid();
      const children = childrenOf(postmaster);
      const victim = kill % 2 === 0 ? postmaster : children[Math.floor(next() * children.length)];
      if (victim === undefined || victim === 0) continue;
      try {
        process.kill(victim, 'SIGKILL');
        killed++;
      } catch {
        // It had just ended by itself.
      }
    }
    await load.finish();
    process.stdout.write(
      `kill database: ${killed} kills, ${load.sent.length} filings, statuses ${JSON.stringify([...load.statuses])}\n`,
    );
    expect(killed).toBeGreaterThan(KILLS / 2);
    expect(gateway.hasEnded()).toBe(false);
    await gateway.ready();
    await verdict(load);
  },
  PATIENCE_MS,
);
