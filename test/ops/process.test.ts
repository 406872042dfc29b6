import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';

const program = fileURLToPath(new URL('../support/gateway-like-program.ts', import.meta.url));
const started: ChildProcess[] = [];
afterEach(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
});

interface Running {
  readonly child: ChildProcess;
  readonly url: string;
  /** Exit code, or the signal that ended it. */
  readonly ended: Promise<number | string | null>;
  stderr(): string;
}

async function start(workers: number, stopMs = 0, limitMs = 3_000): Promise<Running> {
  const options = [workers, stopMs, limitMs].map(String);
  const child = spawn(process.execPath, ['--import', 'tsx', program, ...options], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  started.push(child);
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const ended = new Promise<number | string | null>((resolve) =>
    child.once('exit', (code, signal) => resolve(code ?? signal)),
  );
  const port = await new Promise<string>((resolve, reject) => {
    child.stdout.setEncoding('utf8').once('data', (text: string) => resolve(text.trim()));
    void ended.then((how) => reject(new Error(`ended with ${how}: ${stderr}`)));
  });
  return { child, url: `http://127.0.0.1:${port}`, ended, stderr: () => stderr };
}

const PATIENCE = { timeout: 20_000 };
const get = async (url: string): Promise<string> => (await fetch(url, { headers: { connection: 'close' } })).text();

describe('a gateway that is told to stop', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)('by %s answers what it has taken, and ends with 0', async (signal) => {
    const gateway = await start(0);
    const answer = get(`${gateway.url}/slow`);
    await expect.poll(gateway.stderr, PATIENCE).toContain('a slow request');
    gateway.child.kill(signal);
    expect(await answer).toContain('alone');
    expect(await gateway.ended).toBe(0);
  });

  test('ends with 1 at its limit when a part hangs', async () => {
    const gateway = await start(0, 60_000);
    const began = performance.now();
    gateway.child.kill('SIGTERM');
    expect(await gateway.ended).toBe(1);
    expect(performance.now() - began).toBeGreaterThan(2_500);
  });

  test('takes two signals at once for one, and a later one as the order to end now', async () => {
    const gateway = await start(0, 600_000, 600_000);
    gateway.child.kill('SIGINT');
    gateway.child.kill('SIGTERM');
    await sleep(3_000);
    expect(gateway.child.exitCode).toBeNull();
    gateway.child.kill('SIGINT');
    expect(await gateway.ended).toBe(1);
  });

  test('by an error that nothing handled stops too, with 1, and does not log its message', async () => {
    const gateway = await start(0);
    await get(`${gateway.url}/throw`).catch(() => undefined);
    expect(await gateway.ended).toBe(1);
    expect(gateway.stderr()).toContain('an error that nothing handled');
    expect(gateway.stderr()).not.toContain('secret');
  });
});

describe('several workers', () => {
  const pids = async (url: string): Promise<Set<string>> => {
    const answers = await Promise.all(Array.from({ length: 12 }, () => get(url).catch(() => '')));
    return new Set(answers.filter((answer) => answer !== ''));
  };

  test('share one port; one that is killed is replaced; all stop with the primary', async () => {
    const gateway = await start(2);
    let before = new Set<string>();
    await expect
      .poll(async () => {
        before = await pids(gateway.url);
        return before.size;
      }, PATIENCE)
      .toBe(2);
    const victim = Number([...before][0]?.split(' ')[2]);
    process.kill(victim, 'SIGKILL');
    let now = before;
    for (
      let attempt = 0;
      attempt < 100 && (now.size < 2 || [...now].some((each) => each.endsWith(` ${victim}`)));
      attempt++
    ) {
      await sleep(100);
      now = await pids(gateway.url);
    }
    expect(now.size).toBe(2);
    gateway.child.kill('SIGTERM');
    expect(await gateway.ended).toBe(0);
    await expect(get(gateway.url)).rejects.toThrow();
  });

  test('count together', async () => {
    const gateway = await start(2);
    for (let n = 0; n < 10; n++) await get(gateway.url);
    const text = await get(`${gateway.url}/metrics`);
    expect(text).toMatch(/shenbao_requests_total 11\b/);
  });
});
