import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type BulkResult, type FilingPayload, ShenbaoClient } from '../../src/client/client.ts';
import { example, Gateway, jsonLines, run, start, temporaryFolder } from './support.ts';

let gateway: Gateway;

beforeAll(async () => {
  gateway = await Gateway.start();
}, 120_000);
afterAll(() => gateway?.stop());

const cli = (name: string, ...args: readonly string[]) =>
  start([...args, '--key', gateway.keyFile(name), '--gateway', gateway.url]).result;
const stamp = (period: string): string[] => ['--type', 'tax.stamp', '--period', period];

test('obligations: a table for people, everything for programs', async () => {
  const table = await cli('filer', 'obligations');
  expect(table).toMatchObject({ code: 0, stderr: '' });
  expect(table.stdout).toMatch(/^due +state +type +period +remarks$/m);
  expect(table.stdout).toMatch(/tax\.vat\.general/);
  expect(table.stdout).toMatch(/filings are missing this month/);
  expect((await cli('filer', 'obligations', '--lang', 'zh')).stdout).toMatch(/本月尚缺 \d+ 份申报/);
  const [owed] = jsonLines(await cli('filer', 'obligations', '--from', '2026-10-01', '--to', '2026-10-31', '--json'));
  expect(owed).toMatchObject({ filer: gateway.key('filer').sub, from: '2026-10-01', to: '2026-10-31' });
  expect((owed as { items: { due: string }[] }).items.every(({ due }) => due.startsWith('2026-10'))).toBe(true);
  expect((await cli('filer', 'obligations', '--from', 'today')).code).toBe(1);
  expect((await cli('filer', 'obligations', '--from', '2040-01-01', '--to', '2040-01-01')).stdout).toMatch(
    /nothing is due/,
  );
});

test('prefill: a payload to complete, with what is left to fill', async () => {
  const args = ['prefill', '--type', 'tax.vat.general', '--period', '2026-05'];
  const plain = await cli('filer', ...args);
  expect(plain.code).toBe(0);
  expect(JSON.parse(plain.stdout)).toMatchObject({ type: 'tax.vat.general', kind: 'original' });
  expect(plain.stderr).toMatch(/no earlier filing; \d+ fields to fill/);
  const file = path.join(temporaryFolder(), 'may.json');
  const written = await cli('filer', ...args, '--out', file, '--json');
  expect(jsonLines(written)[0]).toMatchObject({ file, carriedFrom: [], zero: { allowed: true } });
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(JSON.parse(plain.stdout));
  expect((await cli('filer', ...args, '--out', file)).code).toBe(2);
  const agent = await cli('agent', ...args, '--filer', gateway.key('filer').sub);
  expect(JSON.parse(agent.stdout)).toEqual(JSON.parse(plain.stdout));
});

test('a zero filing: once, again with the original receipt, and not over another', async () => {
  const first = jsonLines(await cli('filer', 'file-zero', ...stamp('2026-Q1'), '--json'))[0];
  expect(first).toMatchObject({ replayed: false, filing: { type: 'tax.stamp', kind: 'original', warnings: [] } });
  const again = jsonLines(await cli('filer', 'file-zero', ...stamp('2026-Q1'), '--json'))[0];
  expect(again).toMatchObject({ replayed: true });
  expect((again as { filing: { receipt: object } }).filing.receipt).toEqual(
    (first as { filing: { receipt: object } }).filing.receipt,
  );
  const other = await cli('filer', 'file-zero', ...stamp('2026-Q1'), '/data/reliefPercent=50');
  expect(other.code).toBe(1);
  expect(other.stdout).toMatch(/stands for this period already/);
  const told = await cli('filer', 'file-zero', ...stamp('2026-Q2'), '--lang', 'zh');
  expect(told.stdout).toMatch(/已零申报/);
});

test('no zero filing where there is something to say, unless it is given; nor of a type without', async () => {
  const small = ['file-zero', '--type', 'amr.annual', '--period', '2025'];
  const none = await cli('filer', ...small);
  expect(none).toMatchObject({ code: 1 });
  expect(none.stdout).toMatch(/has no zero filing .*\(no-zero-filing\)|no zero filing.*\(no-zero-filing\)/);
  const cit = ['file-zero', '--type', 'tax.cit.prepay', '--period', '2026-Q1'];
  const open = await cli('filer', ...cit);
  expect(open).toMatchObject({ code: 1 });
  expect(open.stdout).toMatch(/\/data\/smallProfit/);
  const fields = ['method=actual-profit', 'enterpriseType="100"', 'smallProfit=true', 'exportMode=none'];
  const given = await cli('filer', ...cit, ...fields.map((field) => `/data/${field}`), '--json');
  expect(given).toMatchObject({ code: 0 });
  expect(jsonLines(given)[0]).toMatchObject({ filing: { type: 'tax.cit.prepay', warnings: [] } });
});

test('usage', async () => {
  expect(await run('obligations')).toMatchObject({ code: 2, stderr: expect.stringMatching(/needs --key/) });
  expect(await run('file-zero', '--type', 'tax.stamp')).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/--period/),
  });
  expect(await run('file-zero', ...stamp('2026-Q1'), 'x=1')).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/looks like \/data\/x=1/),
  });
  expect(
    (
      await run(
        'prefill',
        ...stamp('2026-Q1'),
        '--key',
        gateway.keyFile('filer'),
        '--gateway',
        'http://127.0.0.1:1',
        '--wait',
        '0',
      )
    ).code,
  ).toBe(3);
});

const LODGING = '43501000000';
const client = (name: string): ShenbaoClient =>
  new ShenbaoClient({ gateway: gateway.url, key: gateway.key(name), language: 'en' });

let references = 0;
/** A lodging report unlike any other. */
function lodging(): FilingPayload {
  const shipped = example('psb/lodging/2026-01', 'valid-check-in.json') as unknown as FilingPayload;
  return { ...shipped, reference: `T-${process.pid}-${references++}` };
}

test('verifies offline what the gateway gave: content, receipt, proof, checkpoints, the pulled log', async () => {
  const folder = temporaryFolder();
  const [filer, office] = ['filer', 'office-psb'].map(client) as [ShenbaoClient, ShenbaoClient];
  const { filing } = await filer.submit(lodging());
  const older = await office.office(LODGING).checkpoint();
  const lines: BulkResult[] = [];
  for await (const one of filer.submitBulk([lodging()], { form: 'manifest' })) lines.push(one);
  const [line] = lines;
  const bulk = line !== undefined && 'filing' in line ? line.filing : undefined;
  const pulled = path.join(folder, 'out');
  const pull = ['pull', LODGING, '--out', pulled];
  expect((await cli('office-psb', ...pull)).code).toBe(0);
  const text = (name: string, body: string): string => {
    writeFileSync(path.join(folder, name), body);
    return path.join(folder, name);
  };
  const files = [
    text('filing.json', JSON.stringify(await filer.filing(filing.id))),
    text('bulk.json', JSON.stringify(bulk?.receipt)),
    text('content.jws', await filer.content(filing.id)),
    text('bulk-content.json', await filer.content(String(bulk?.id))),
    text('proof.txt', await filer.proof(filing.id)),
    text('bulk-proof.txt', await filer.proof(String(bulk?.id))),
    text('older.txt', older),
    text('checkpoint.txt', await office.office(LODGING).checkpoint()),
    ...readdirSync(pulled)
      .filter((name) => name.endsWith('.ndjson'))
      .map((name) => path.join(pulled, name)),
  ];
  const jwks = text('jwks.json', JSON.stringify(await filer.jwks()));
  const { d: _, ...open } = gateway.key('filer') as never as Record<string, string>;
  const keys = text('filer.json', JSON.stringify(open));
  const offline = ['--jwks', jwks, '--gateway', 'http://127.0.0.1:1', '--issuer', filing.receipt.statement.iss];
  const run = await start(['verify', ...files, ...offline, '--json']).result;
  expect(run).toMatchObject({ code: 0, stderr: '' });
  const steps = (jsonLines(run) as { steps: { step: string }[] }[]).flatMap((one) => one.steps.map(({ step }) => step));
  expect(steps).toEqual(expect.arrayContaining(['digest', 'line', 'inclusion', 'entry', 'agree', 'root', 'logged']));
  const [content] = files.slice(2);
  const signed = await start(['verify', String(content), '--keys', keys, ...offline, '--json']).result;
  expect(signed).toMatchObject({ code: 0, stdout: expect.stringContaining('"step":"signature","ok":true') });
});

test('what an office could not write is not acknowledged, and comes again', async () => {
  const out = path.join(temporaryFolder(), 'out');
  mkdirSync(out);
  await client('filer').submit(lodging());
  const args = ['pull', LODGING, '--out', out, '--consumer', 'full', '--json'];
  symlinkSync('/dev/full', path.join(out, 'batch.part'));
  expect((await cli('office-psb', ...args)).code).not.toBe(0);
  expect(readdirSync(out)).toEqual(['batch.part']);
  const log = client('office-psb').office(LODGING);
  const consumer = (await log.consumers()).find(({ name }) => name === 'full');
  expect(consumer).toMatchObject({ cursor: 0, leases: [{ from: 0 }] });
  rmSync(path.join(out, 'batch.part'));
  await log.release('full', consumer?.leases[0]?.id ?? '');
  const again = jsonLines(await cli('office-psb', ...args)).at(-1);
  expect(again).toMatchObject({ pulled: consumer?.lag, size: consumer?.lag });
});
