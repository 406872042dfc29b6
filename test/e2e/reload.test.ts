import { spawnSync } from 'node:child_process';
import { appendFileSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startEmbedded } from '../../src/storage/embedded.ts';
import { expectProblem } from '../support/expect.ts';
import { example, type Payload } from '../support/filer.ts';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { Load } from '../support/load.ts';
import { silentLogger } from '../support/logger.ts';
import { PackageCopy } from '../support/package-copy.ts';
import { submit } from '../support/parties.ts';
import type { Answer } from '../support/wire.ts';

/** Checking all types takes seconds, many on a busy machine. */
const PATIENCE_MS = 120_000;
const SLOW = 300_000;
const RELOAD = '/v1/filing-types/reload';

const reload = (gateway: Gateway): Promise<Answer> =>
  gateway.ask('POST', RELOAD, { as: 'operator', timeoutMs: PATIENCE_MS });

async function until(what: string, condition: () => Promise<boolean> | boolean): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (performance.now() < deadline) {
    if (await condition()) return;
    await sleep(200);
  }
  throw new Error(`it did not happen: ${what}`);
}

const hasType = async (gateway: Gateway, name: string): Promise<boolean> =>
  (await gateway.ask('GET', `/v1/filing-types/city.${name}`)).status === 200;

async function metric(gateway: Gateway, name: string): Promise<number> {
  const { text } = await gateway.ask('GET', '/metrics');
  return Number(
    text
      .split('\n')
      .find((line) => line.startsWith(`${name} `))
      ?.split(' ')[1],
  );
}

const reloads = (gateway: Gateway, outcome: string): Promise<number> =>
  metric(gateway, `shenbao_catalogue_reloads_total{outcome="${outcome}"}`);

/** A zero filing of the demo filer. */
function waste(name: string): Payload {
  return { ...example('../docs/filing-type-template', 'valid-nothing.json'), type: `city.${name}` };
}

describe('one process', () => {
  let copy: PackageCopy;
  let gateway: Gateway;
  beforeAll(async () => {
    copy = new PackageCopy();
    gateway = await startGateway({ root: copy.folder });
  }, SLOW);
  afterAll(async () => {
    await gateway?.remove();
    copy?.remove();
  });

  test('takes over a new type by SIGHUP while filings come in, and fails none of them', { timeout: SLOW }, async () => {
    const load = new Load(gateway, 4);
    await until('some filings stand', () => load.acked.length > 20);
    copy.addType('waste');
    process.kill(gateway.pid, 'SIGHUP');
    await until('the type is there', () => hasType(gateway, 'waste'));
    const before = load.acked.length;
    await until('filings go on', () => load.acked.length > before + 20);
    await load.finish();
    expect(load.surprises).toEqual([]);
    expect(load.acked.length).toBe(load.sent.length);
    expect((await submit(gateway, gateway.party('filer'), waste('waste'))).status).toBe(201);
  });

  test('says by the route what has changed, and that nothing has', { timeout: SLOW }, async () => {
    copy.addType('oil');
    copy.replace('schemas/city/event/type.json', '"en": "', '"en": "The ');
    const answer = await reload(gateway);
    expect(answer.status, answer.text).toBe(200);
    expect(answer.json()).toMatchObject({
      outcome: 'adopted',
      added: ['city.oil'],
      changed: ['city.event'],
      otherFiles: [],
    });
    expect((await reload(gateway)).json()).toMatchObject({ outcome: 'unchanged', added: [], changed: [] });
  });

  test(
    'answers by other tags and pages after it, and by the same where nothing has changed',
    async () => {
      const target = '/v1/filing-types/city.oil';
      const first = await gateway.ask('GET', target);
      const other = await gateway.ask('GET', '/v1/filing-types/psb.lodging');
      copy.replace('schemas/city/oil/type.json', 'Monthly return', 'Return');
      expect((await reload(gateway)).status).toBe(200);
      const again = (path: string, answer: Answer): Promise<Answer> =>
        gateway.ask('GET', path, { headers: { 'If-None-Match': String(answer.headers.etag) } });
      const changed = await again(target, first);
      expect(changed.status).toBe(200);
      expect(changed.text).toContain('"Return of kitchen waste"');
      expect((await again('/v1/filing-types/psb.lodging', other)).status).toBe(304);
    },
    SLOW,
  );

  test('keeps what it has when the folder is bad, and names file and line', { timeout: SLOW }, async () => {
    copy.replace('schemas/city/oil/2026-01/rules.json', 'sums.collected[column]', 'sums.gathered[column]');
    const problem = expectProblem(await reload(gateway), 422, 'invalid-resource');
    const errors = problem.errors as unknown as { file: string; line: string; message: { en: string } }[];
    expect(errors[0]).toMatchObject({ code: 'filing-type', file: 'schemas/city/oil/2026-01/rules.json' });
    expect(Number(errors[0]?.line)).toBeGreaterThan(1);
    expect(errors[0]?.message.en).toContain('sums.gathered');
    expect(gateway.output).toContain(`schemas/city/oil/2026-01/rules.json:${errors[0]?.line} `);
    expect(await metric(gateway, 'shenbao_catalogue_outdated')).toBe(1);
    expect((await submit(gateway, gateway.party('filer'), waste('oil'))).status).toBe(201);
    copy.replace('schemas/city/oil/2026-01/rules.json', 'sums.gathered[column]', 'sums.collected[column]');
    expect((await reload(gateway)).status).toBe(200);
    expect(await metric(gateway, 'shenbao_catalogue_outdated')).toBe(0);
  });

  test('keeps what it has when a type, or the whole folder, is gone', { timeout: SLOW }, async () => {
    const folder = copy.path('schemas', 'city', 'oil');
    renameSync(folder, copy.path('oil'));
    const gone = expectProblem(await reload(gateway), 422, 'invalid-resource');
    expect(gone.errors).toMatchObject([{ file: 'schemas/city/oil/type.json', line: '1' }]);
    renameSync(copy.path('oil'), folder);
    renameSync(copy.path('schemas'), copy.path('elsewhere'));
    const problem = expectProblem(await reload(gateway), 422, 'invalid-resource');
    expect(problem.errors?.[0]?.message.en).toContain('ENOENT');
    renameSync(copy.path('elsewhere'), copy.path('schemas'));
    expect((await reload(gateway)).json()).toMatchObject({ outcome: 'unchanged' });
    expect(await hasType(gateway, 'oil')).toBe(true);
  });

  test('refuses a version that has gone, and a program that was built anew', { timeout: SLOW }, async () => {
    copy.replace('schemas/city/oil/type.json', '"version": "2026-01"', '"version": "2026-02"');
    renameSync(copy.path('schemas/city/oil/2026-01'), copy.path('schemas/city/oil/2026-02'));
    for (const name of [
      'valid-month',
      'valid-nothing',
      'invalid-WASTE-TOTAL',
      'invalid-WASTE-FEE',
      'invalid-WASTE-DATE',
    ])
      copy.replace(`schemas/city/oil/2026-02/examples/${name}.json`, '"2026-01"', '"2026-02"');
    for (const name of ['invalid-WASTE-COLLECTOR', 'invalid-WASTE-OIL', 'invalid-WASTE-CHANGE'])
      copy.replace(`schemas/city/oil/2026-02/examples/${name}.json`, '"2026-01"', '"2026-02"');
    const problem = expectProblem(await reload(gateway), 422, 'invalid-resource');
    expect(problem.errors).toMatchObject([{ file: 'schemas/city/oil/type.json' }]);
    expect(problem.errors?.[0]?.message.en).toContain('version 2026-01 of city.oil may not be removed');
    appendFileSync(copy.path('dist', '.sources'), 'x');
    const rebuilt = expectProblem(await reload(gateway), 422, 'invalid-resource');
    expect(rebuilt.errors?.[0]?.message.en).toContain('restart the gateway');
  });
});

describe('two workers', () => {
  let copy: PackageCopy;
  let gateway: Gateway;
  beforeAll(async () => {
    copy = new PackageCopy();
    gateway = await startGateway({ root: copy.folder, env: { WORKERS: '2' } });
  }, SLOW);
  afterAll(async () => {
    await gateway?.remove();
    copy?.remove();
  });

  const workers = (): number[] =>
    spawnSync('pgrep', ['-P', String(gateway.pid), '-f', 'main.js'], { encoding: 'utf8' })
      .stdout.trim()
      .split('\n')
      .map(Number);

  test('both take over what the first process was told by SIGHUP', { timeout: SLOW }, async () => {
    copy.addType('waste');
    process.kill(gateway.pid, 'SIGHUP');
    await until('both have it', async () => (await reloads(gateway, 'adopted')) === 2);
    for (let n = 0; n < 20; n++) {
      gateway.connections.close();
      expect(await hasType(gateway, 'waste')).toBe(true);
    }
  });

  test('both take over what the route of one was asked', { timeout: SLOW }, async () => {
    copy.addType('oil');
    expect((await reload(gateway)).json()).toMatchObject({ outcome: 'adopted', added: ['city.oil'] });
    await until('both have it', async () => (await reloads(gateway, 'adopted')) === 4);
  });

  test('one that is replaced while the folder is bad files with what is in force', { timeout: SLOW }, async () => {
    rmSync(copy.path('schemas', 'city'), { recursive: true });
    expectProblem(await reload(gateway), 422, 'invalid-resource');
    const before = workers();
    expect(before).toHaveLength(2);
    process.kill(before[0] ?? 0, 'SIGKILL');
    await until('another serves', async () => {
      const now = workers();
      return now.length === 2 && !now.includes(before[0] ?? 0) && (await reloads(gateway, 'refused')) >= 0;
    });
    for (let n = 0; n < 20; n++) {
      gateway.connections.close();
      expect(await hasType(gateway, 'oil')).toBe(true);
    }
  });
});

describe('two hosts on one database', () => {
  const copies: PackageCopy[] = [];
  const gateways: Gateway[] = [];
  beforeAll(async () => {
    copies.push(new PackageCopy(), new PackageCopy(), new PackageCopy());
    const first = await startGateway({ root: copies[0]?.folder as string });
    gateways.push(first);
    const { url } = await startEmbedded({ dataDir: path.join(first.dataDir, 'postgres'), log: silentLogger });
    for (const copy of copies.slice(1)) gateways.push(await startGateway({ root: copy.folder, databaseUrl: url }));
  }, SLOW);
  afterAll(async () => {
    for (const gateway of gateways.reverse()) await gateway.remove();
    for (const copy of copies) copy.remove();
  });

  test('a reload by the route reaches both; one whose folder is bad keeps what it has', { timeout: SLOW }, async () => {
    for (const copy of copies) copy.addType('waste');
    copies[2]?.replace('schemas/city/waste/type.json', '"months": 1', '"months": "1"');
    const [first, second, third] = gateways as [Gateway, Gateway, Gateway];
    expect((await reload(first)).json()).toMatchObject({ added: ['city.waste'] });
    await until('the second has it', () => hasType(second, 'waste'));
    await until('the third refuses', async () => (await metric(third, 'shenbao_catalogue_outdated')) === 1);
    expect(third.output).toContain('schemas/city/waste/type.json:');
    expect(await hasType(third, 'waste')).toBe(false);
  });
});
