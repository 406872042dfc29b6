import { type AddressInfo, createServer, type Server, Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
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

const STATEMENT_TIMEOUT_MS = 4_000;
/** Long enough for a tick on a busy machine. */
const LIMITS = { tickMs: 1_500, lookupMs: 1_000 };
/** A connection that swallows everything would keep a tick without a limit for good. */
const NEVER_MS = 15_000;

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
});
afterAll(async () => {
  line.close();
  await database.drop();
});

// New connections for each: on one that has committed before, COMMIT is a prepared statement without its name.
beforeEach(() => {
  const through = new URL(database.address.url);
  through.hostname = '127.0.0.1';
  through.port = String((line.server.address() as AddressInfo).port);
  db = openDatabase({ url: through.href }, { connections: 2, statementTimeoutMs: STATEMENT_TIMEOUT_MS });
});
afterEach(() => db.close());

it('a tick ends in time when connections have gone silent, and the next ones use new connections', async () => {
  const ctx = { ...commitContext(database, LIMITS), db };
  const outcomes = await commitTick(ctx, [checkedFiling()]);
  expect(outcomes[0]?.kind).toBe('stored');
  await Promise.all([1, 2].map(() => db.sql`SELECT pg_sleep(0.1)`));
  line.swallow();
  const since = performance.now();
  let isBack = false;
  while (!isBack && performance.now() - since < 40_000) {
    const began = performance.now();
    const tick = await commitTick(ctx, [checkedFiling()]).catch((error: { code: string }) => error.code);
    expect(performance.now() - began).toBeLessThan(NEVER_MS);
    isBack = typeof tick !== 'string' && tick[0]?.kind === 'stored';
    if (!isBack) expect(['unavailable', 'outcome-unknown']).toContain(tick);
  }
  expect(isBack).toBe(true);
}, 60_000);

it('a tick whose COMMIT was sent and never answered is unknown in time, and stands afterwards', async () => {
  const ctx = { ...commitContext(database, LIMITS), db };
  await Promise.all([1, 2].map(() => db.sql`SELECT pg_sleep(0.1)`));
  const filing = checkedFiling();
  line.swallowsAtCommit = true;
  const began = performance.now();
  await expect(commitTick(ctx, [filing])).rejects.toMatchObject({ code: 'outcome-unknown' });
  expect(performance.now() - began).toBeLessThan(NEVER_MS);
  line.isDead = false;
  const [outcome] = await commitTick(commitContext(database), [filing]);
  expect(outcome?.kind).toBe('standing');
}, 60_000);
