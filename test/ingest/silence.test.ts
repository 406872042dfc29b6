import { type AddressInfo, createServer, type Server, Socket } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { commitTick } from '../../src/ingest/commit.ts';
import { type Database, openDatabase } from '../../src/storage/db.ts';
import { checkedFiling, commitContext, createOffices } from '../support/commit.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

/** A way to the database on which packets can vanish, as when a host dies or a router forgets a connection. */
class Line {
  readonly #pairs: (readonly [Socket, Socket])[] = [];
  readonly server: Server;
  swallowsAtCommit = false;
  /** What is opened from now on is silent too. */
  isDead = false;

  constructor(target: (socket: Socket) => void) {
    this.server = createServer((from) => {
      const to = new Socket();
      for (const socket of [from, to]) socket.on('error', () => {});
      this.#pairs.push([from, to]);
      if (this.isDead) {
        from.resume();
        return;
      }
      target(to);
      from.pipe(to).pipe(from);
      from.on('data', (bytes) => {
        if (!this.swallowsAtCommit || !/commit/i.test(bytes.toString('latin1'))) return;
        this.swallowsAtCommit = false;
        this.isDead = true;
        this.swallow();
      });
    });
  }

  /** What is open now neither carries nor ends anything any more; what is opened later works. */
  swallow(): void {
    for (const [from, to] of this.#pairs) {
      from.unpipe(to);
      to.unpipe(from);
      from.resume();
      to.resume();
    }
  }

  close(): void {
    for (const [from, to] of this.#pairs) {
      from.destroy();
      to.destroy();
    }
    this.server.close();
  }
}

const STATEMENT_TIMEOUT_MS = 500;

let database: TestDatabase;
let line: Line;
let db: Database;

beforeAll(async () => {
  database = await createTestDatabase();
  await createOffices(database, ['13501000000']);
  const { url, socketDir } = database.address;
  const { port, hostname } = new URL(url);
  line = new Line((socket) => {
    if (socketDir === undefined) socket.connect(Number(port), hostname);
    else socket.connect(`${socketDir}/.s.PGSQL.${port}`);
  });
  await new Promise<void>((resolve) => line.server.listen(0, '127.0.0.1', resolve));
  const through = new URL(url);
  through.hostname = '127.0.0.1';
  through.port = String((line.server.address() as AddressInfo).port);
  db = openDatabase({ url: through.href }, { connections: 2, statementTimeoutMs: STATEMENT_TIMEOUT_MS });
});
afterAll(async () => {
  line.close();
  await db.close();
  await database.drop();
});

it('a tick ends in time when connections have gone silent, and the next ones use new connections', async () => {
  const ctx = { ...commitContext(database, { tickMs: 300, lookupMs: 300 }), db };
  const outcomes = await commitTick(ctx, [checkedFiling()]);
  expect(outcomes[0]?.kind).toBe('stored');
  await Promise.all([1, 2].map(() => db.sql`SELECT pg_sleep(0.1)`));
  line.swallow();
  const since = performance.now();
  let isBack = false;
  while (!isBack && performance.now() - since < 10_000) {
    const began = performance.now();
    const tick = await commitTick(ctx, [checkedFiling()]).catch((error: { code: string }) => error.code);
    expect(performance.now() - began).toBeLessThan(1_500);
    isBack = typeof tick !== 'string' && tick[0]?.kind === 'stored';
    if (!isBack) expect(['unavailable', 'outcome-unknown']).toContain(tick);
  }
  expect(isBack).toBe(true);
}, 20_000);

it('a tick whose COMMIT was sent and never answered is unknown in time, and stands afterwards', async () => {
  const ctx = { ...commitContext(database, { tickMs: 300, lookupMs: 300 }), db };
  await Promise.all([1, 2].map(() => db.sql`SELECT pg_sleep(0.1)`));
  const filing = checkedFiling();
  line.swallowsAtCommit = true;
  const began = performance.now();
  await expect(commitTick(ctx, [filing])).rejects.toMatchObject({ code: 'outcome-unknown' });
  expect(performance.now() - began).toBeLessThan(1_200);
  line.isDead = false;
  const [outcome] = await commitTick(commitContext(database), [filing]);
  expect(outcome?.kind).toBe('standing');
}, 20_000);
