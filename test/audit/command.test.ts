import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connect } from '../../src/storage/db.ts';
import { startEmbedded } from '../../src/storage/embedded.ts';
import { Gateway, jsonLines, type Run, start, temporaryFolder } from '../cli/support.ts';
import { silentLogger } from '../support/logger.ts';

const EXAMPLES = 'schemas/tax/vat-general/2026-02/examples';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await Gateway.start();
}, 120_000);
afterAll(() => gateway?.stop());

const shenbao = (...args: readonly string[]): Promise<Run> => start(args, { DATA_DIR: gateway.dataDir }).result;

/** Runs one statement past the gateway, on the database that it or nobody runs. */
async function past(statement: string): Promise<void> {
  const server = await startEmbedded({ dataDir: path.join(gateway.dataDir, 'postgres'), log: silentLogger });
  const address = { url: server.url, ...(server.socketDir === undefined ? {} : { socketDir: server.socketDir }) };
  const sql = connect(address, { max: 1, statementTimeoutMs: 10_000 });
  try {
    expect((await sql.unsafe(statement)).count).toBe(1);
  } finally {
    await sql.end({ timeout: 5 });
    await server.stop();
  }
}

test('shenbao audit: beside a gateway that serves, and without one; what is damaged is named', {
  timeout: 240_000,
}, async () => {
  const filed = await start([
    'submit',
    `${EXAMPLES}/valid-compact.json`,
    '--key',
    gateway.keyFile('filer'),
    '--gateway',
    gateway.url,
    '--json',
  ]).result;
  expect(filed.code, filed.stderr).toBe(0);
  const clean = await shenbao('audit', '--signatures', '--json');
  expect([clean.code, jsonLines(clean)], clean.stderr).toEqual([
    0,
    [{ summary: expect.objectContaining({ filings: 1, signatures: true, findings: {}, isWhole: true }) }],
  ]);

  await gateway.kill();
  await past(
    "UPDATE filing SET salt = set_bit(salt, 3, 1 - get_bit(salt, 3)) WHERE office = '13501000000' AND idx = 0",
  );
  const damaged = await shenbao('audit', '--json');
  expect([damaged.code, jsonLines(damaged)[0]], damaged.stderr).toMatchObject([
    1,
    { kind: 'leaf', severity: 'error', office: '13501000000', id: '13501000000.0', what: {}, means: {} },
  ]);
  const told = await shenbao('audit', '--lang', 'zh', '--limit-findings', '0');
  expect([told.code, told.stdout]).toEqual([1, expect.stringMatching(/另有 1 处未列出[\s\S]*leaf +1/)]);
  await gateway.resume();
});

test('shenbao audit: what it cannot work on is said, and nothing is made', { timeout: 240_000 }, async () => {
  const nowhere = path.join(temporaryFolder(), 'none');
  const runs = await Promise.all([
    start(['audit'], { DATA_DIR: nowhere }).result,
    start(['audit', '--office', 'nowhere'], { DATA_DIR: gateway.dataDir }).result,
    start(['audit'], { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' }).result,
  ]);
  expect(runs.map(({ code }) => code)).toEqual([2, 2, 1]);
  for (const { stderr } of runs) expect(stderr).toMatch(/^shenbao: /m);
});
