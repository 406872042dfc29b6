import { execFileSync } from 'node:child_process';
import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Jwk, ShenbaoClient } from '../../src/client/client.ts';
import { type Run, start } from '../cli/support.ts';
import { type VerifiedHead, verifyCheckpointNote } from '../log/note-verifier.ts';
import { MTH, verifiesConsistency } from '../log/rfc-merkle.ts';
import { filingOf } from '../support/expect.ts';
import { lodging, type Payload } from '../support/filer.ts';
import { freePort, Gateway } from '../support/gateway.ts';
import { OFFICE, submit } from '../support/parties.ts';
import { until } from '../support/until.ts';

// The story of a database that is put back to an earlier state, with real processes and a real copy of its files. Each
// test goes on where the one before it ended.

const PATIENCE_MS = 240_000;
const REASON = '磁盘损坏，只有昨夜的备份';
let gateway: Gateway;
let publicKey: Buffer;
/** Notes, as somebody who watches would keep them. */
const kept = { office3: '', office7: '', national: '' };
const lost: Payload[] = [];
const postgres = (): string => path.join(gateway.dataDir, 'postgres');
const headsFile = (): string => path.join(gateway.dataDir, 'heads.log');

beforeAll(async () => {
  gateway = new Gateway({ env: { NATIONAL_SECONDS: '1' } }, await freePort());
  await gateway.start();
  const { keys } = (await gateway.ask('GET', '/.well-known/jwks.json')).json() as { keys: { x: string }[] };
  publicKey = Buffer.from(keys[0]?.x ?? '', 'base64url');
}, PATIENCE_MS);
afterAll(() => gateway?.remove());

async function file(payload: Payload): Promise<string> {
  return filingOf(await submit(gateway, gateway.party('filer'), payload), 201).id;
}

function open(note: string, log: string): VerifiedHead {
  return verifyCheckpointNote(Buffer.from(note), `${new URL(gateway.url).host}/${log}`, publicKey);
}

const officeKey = (): Jwk => JSON.parse(readFileSync(path.join(gateway.dataDir, 'demo/office-psb.jwk'), 'utf8')) as Jwk;

const OFFICE_LOG = `offices/${OFFICE.psb}`;
const checkpoint = async (): Promise<string> =>
  (await gateway.ask('GET', `/v1/offices/${OFFICE.psb}/checkpoint`, { as: 'psb' })).text;

/** Waits for the round that takes up the office's head, which need not wait for the minute to pass. */
async function nationalNote(size: number): Promise<string> {
  const sql = await gateway.sql();
  await sql`UPDATE checkpoint SET signed_at = signed_at - interval '2 minutes' WHERE office = ''`;
  await until(`${size} entries in the national log`, async () => {
    const { status } = await gateway.ask('GET', `/v1/national/proofs/${OFFICE.psb}?size=${size}`);
    return status === 200;
  });
  return (await gateway.ask('GET', '/v1/national/checkpoint')).text;
}

/** Starts the gateway, which must refuse to; what it says. */
async function refusal(): Promise<string> {
  const before = gateway.output.length;
  await expect(gateway.start()).rejects.toThrow('the gateway ended');
  expect(await gateway.end('SIGTERM')).toBe(1);
  return gateway.output.slice(before);
}

function recover(...args: readonly string[]): Promise<Run> {
  const environment = { DATA_DIR: gateway.dataDir, PORT: String(gateway.port) };
  return start(['recover', ...args], environment).result;
}

test(
  'a database that was put back is refused, with the office and both sizes, and nothing is written to it',
  async () => {
    for (let i = 0; i < 3; i++) await file(lodging());
    kept.office3 = await checkpoint();
    await nationalNote(3);
    await gateway.stop();
    execFileSync('cp', ['-a', postgres(), `${postgres()}.old`]);

    await gateway.start();
    for (let i = 0; i < 4; i++) {
      lost.push(lodging());
      await file(lost.at(-1) as Payload);
    }
    kept.office7 = await checkpoint();
    kept.national = await nationalNote(7);
    expect(`\n${readFileSync(headsFile(), 'utf8')}`).toContain(`\n${OFFICE.psb} 7 ${kept.office7.split('\n')[2]} `);
    const running = await recover('--accept', '--reason', REASON);
    expect(running).toMatchObject({ code: 1, stderr: expect.stringContaining('Stop every gateway') });
    await gateway.stop();

    rmSync(postgres(), { recursive: true });
    execFileSync('mv', [`${postgres()}.old`, postgres()]);
    const heads = readFileSync(headsFile(), 'utf8');
    const told = await refusal();
    expect(told).toContain(`机关 ${OFFICE.psb}：已签名 7 份，数据库只有 3 份`);
    expect(told).toContain(`office ${OFFICE.psb}: 7 entries were signed, the database has 3`);
    expect(told).toMatch(/全国日志：已签名 \d+ 份，数据库只有 \d+ 份/);
    expect(told).toMatch(/the national log: \d+ entries were signed, the database has \d+/);
    expect(told.match(/shenbao recover/g)).toHaveLength(2);
    expect(readFileSync(headsFile(), 'utf8')).toBe(heads);
  },
  PATIENCE_MS,
);

test(
  'recover shows what is missing, and goes on only when told to',
  async () => {
    const shown = await recover('--json');
    expect(shown.code).toBe(1);
    const { losses } = JSON.parse(shown.stdout) as { losses: { office: string }[] };
    expect(losses.find(({ office }) => office === OFFICE.psb)).toMatchObject({ kind: 'shorter', lost: 7, kept: 3 });
    expect(losses.map(({ office }) => office)).toContain('');
    const zh = await recover('--lang', 'zh');
    expect(zh).toMatchObject({ code: 1, stderr: expect.stringContaining('未作任何改动') });
    expect(zh.stdout).toMatch(new RegExp(`^${OFFICE.psb} +7 +3 +4 `, 'm'));
    expect(await recover('--accept')).toMatchObject({ code: 2, stderr: expect.stringContaining('--reason') });
    expect(await refusal()).toContain('7 entries were signed, the database has 3');

    copyFileSync(headsFile(), `${headsFile()}.before`);
    const done = await recover('--accept', '--reason', REASON);
    expect(done).toMatchObject({ code: 0, stderr: expect.stringContaining('Recorded') });
    expect(await recover()).toMatchObject({ code: 0, stdout: expect.stringContaining('Nothing is missing') });
  },
  PATIENCE_MS,
);

test(
  'every checkpoint from then on, the national log and the audit trail tell of the recovery',
  async () => {
    await gateway.start();
    const line = `recovered 3 7 ${kept.office7.split('\n')[2]}`;
    const first = await checkpoint();
    expect(open(first, OFFICE_LOG)).toMatchObject({ size: 3n, root: open(kept.office3, OFFICE_LOG).root });
    expect(first.split('\n')[3]).toBe(line);
    for (const payload of lost.slice(0, 2)) await file(payload);
    const grown = await checkpoint();
    const head = open(grown, OFFICE_LOG);
    expect(head.size).toBe(5n);
    expect(grown.split('\n').slice(3, 5)).toEqual([line, '']);

    const ask = (query: string) => gateway.ask('GET', `/v1/offices/${OFFICE.psb}/consistency?${query}`, { as: 'psb' });
    const { path: steps } = (await ask('from=3')).json() as { path: string[] };
    const claim = { first: 3, first_hash: open(kept.office3, OFFICE_LOG).root, second: 5, second_hash: head.root };
    const consistency_path = steps.map((step) => Buffer.from(step, 'base64url'));
    expect(verifiesConsistency({ ...claim, consistency_path })).toBe(true);
    const across = await ask('from=7');
    expect(across.status).toBe(400);
    expect(across.text).toContain('已签名至 7 份，仅保留前 3 份');
    expect((await ask('from=8')).text).toContain('最新检查点为 5 份');

    const national = await nationalNote(5);
    const lines = (await gateway.ask('GET', '/v1/national/entries')).text.trimEnd().split('\n');
    const entries = lines.map((each) => JSON.parse(each) as { kind: string; office: string; text: string });
    const { size, root } = open(national, 'national');
    expect(root).toEqual(MTH(entries.slice(0, Number(size)).map(({ text }) => Buffer.from(text))));
    const log = new ShenbaoClient({ gateway: gateway.url, key: officeKey() }).office(OFFICE.psb);
    const covered = await log.covered(kept.office3);
    expect(covered.checkpoint).toBe(national);
    expect(entries[covered.index]).toMatchObject({ kind: 'office', office: OFFICE.psb });
    expect((await log.covered(grown)).head).toEqual({ size: 5, root: head.root.toString('base64url') });
    await expect(log.covered(kept.office7)).rejects.toMatchObject({ code: 'not-found' });
    const lostToOffice = {
      code: 'verification-failed',
      message: expect.stringContaining('7 entries that had been signed the first 3'),
    };
    await expect(log.extend(kept.office7)).rejects.toMatchObject(lostToOffice);
    expect((await log.extend(kept.office3)).checkpoint).toBe(grown);
    const told = entries.filter(({ kind }) => kind === 'recovery');
    const office = told.find((each) => each.office === OFFICE.psb);
    const [root3, root7] = [kept.office3, kept.office7].map((note) => note.split('\n')[2]);
    const origin = `${new URL(gateway.url).host}/${OFFICE_LOG}`;
    expect(office?.text).toMatch(/\n\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\n$/);
    expect(office?.text.split('\n').slice(0, 4)).toEqual([origin, 'recovered', `3 ${root3}`, `7 ${root7}`]);
    expect(told.map((each) => each.office)).toContain('');
    const [, lostNational, lostRoot] = kept.national.split('\n');
    expect(national.split('\n')[3]).toMatch(new RegExp(`^recovered \\d+ ${lostNational} `));
    expect(national.split('\n')[3]).toContain(lostRoot);

    const sql = await gateway.sql();
    const rows = await sql`SELECT reason FROM recovery WHERE office = ${OFFICE.psb}`;
    expect(rows).toMatchObject([{ reason: REASON }]);
    const acts = await sql`SELECT role, party, result FROM trail WHERE action = 'recover' ORDER BY n`;
    const operator = { role: 'operator', party: 'operator' };
    expect(acts).toMatchObject([
      { ...operator, result: 'begun' },
      { ...operator, result: 'done' },
    ]);
    await gateway.stop();
  },
  PATIENCE_MS,
);

test(
  'another gateway that kept the lost heads goes on with the recovery, but not with more than it tells of',
  async () => {
    const own = readFileSync(headsFile());
    copyFileSync(`${headsFile()}.before`, headsFile());
    await gateway.start();
    expect((await checkpoint()).split('\n')[1]).toBe('5');
    for (const payload of [...lost.slice(2), lodging()]) await file(payload);
    const log = new ShenbaoClient({ gateway: gateway.url, key: officeKey() }).office(OFFICE.psb);
    // As large as what was lost, and other entries.
    await expect(log.extend(kept.office7)).rejects.toMatchObject({
      code: 'verification-failed',
      message: expect.stringContaining('the first 3 were kept'),
    });
    await gateway.stop();
    expect(readFileSync(headsFile(), 'utf8')).toMatch(new RegExp(`^${OFFICE.psb} 8 `, 'm'));
    const beyond = readFileSync(`${headsFile()}.before`, 'utf8').replaceAll(`${OFFICE.psb} 7 `, `${OFFICE.psb} 9 `);
    writeFileSync(headsFile(), beyond);
    expect(await refusal()).toContain(`office ${OFFICE.psb}: 9 entries were signed, the database has 8`);
    writeFileSync(headsFile(), own);
    await gateway.start();
  },
  PATIENCE_MS,
);
