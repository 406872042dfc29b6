import { appendFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import {
  type FilingPayload,
  generateKey,
  LogReader,
  payloadBytes,
  publicJwk,
  ShenbaoClient,
  verifyReceipt,
} from '../../src/client/client.ts';
import { makeUscc } from '../../src/domain/identifiers.ts';
import { example, Gateway, jsonLines, start, temporaryFolder } from './support.ts';

let gateway: Gateway;

beforeAll(async () => {
  gateway = await Gateway.start();
}, 120_000);
afterAll(() => gateway?.stop());

const cli = (...args: readonly string[]) => start([...args, '--gateway', gateway.url]).result;
const client = (name: string): ShenbaoClient =>
  new ShenbaoClient({ gateway: gateway.url, key: gateway.key(name), language: 'en' });

const TAX = '13501000000';
const SOCIAL = '23501000000';
const LODGING = '43501000000';

let references = 0;
/** A lodging report unlike any other. */
function lodging(): FilingPayload {
  const shipped = example('psb/lodging/2026-01', 'valid-check-in.json') as unknown as FilingPayload;
  return { ...shipped, reference: `T-${process.pid}-${references++}` };
}

/** A VAT return of a month that no other test files. */
function vat(month: string): FilingPayload {
  const shipped = example('tax/vat-general/2026-02', 'valid-compact.json') as unknown as FilingPayload;
  const days = new Date(Date.UTC(Number(month.slice(0, 4)), Number(month.slice(5)), 0)).getUTCDate();
  return { ...shipped, period: { from: `${month}-01`, to: `${month}-${days}` } };
}

function write(file: string, value: unknown): string {
  writeFileSync(file, `${JSON.stringify(value, null, 2)}\n`);
  return file;
}

async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of source) items.push(item);
  return items;
}

describe('a filer at the command line', () => {
  test('files, files again, follows up and verifies offline', async () => {
    const folder = temporaryFolder();
    const payload = write(path.join(folder, 'vat.json'), vat('2026-09'));
    const key = gateway.keyFile('filer');

    const first = await cli('submit', payload, '--key', key, '--json');
    expect(first).toMatchObject({ code: 0 });
    const [{ filing, replayed } = {} as never] = jsonLines(first) as {
      filing: { id: string; receipt: object };
      replayed: boolean;
    }[];
    expect(replayed).toBe(false);
    const again = jsonLines(await cli('submit', payload, '--key', key, '--json'))[0] as {
      filing: object;
      replayed: boolean;
    };
    expect(again.replayed).toBe(true);
    expect(JSON.stringify(again.filing)).toBe(JSON.stringify(filing));

    const status = await cli('status', filing.id, '--key', key, '--lang', 'zh');
    expect(status.stdout).toMatch(/状态\s+accepted/);

    const receipt = write(path.join(folder, 'receipt.json'), filing.receipt);
    const jwks = write(path.join(folder, 'jwks.json'), await client('filer').jwks());
    const offline = ['--jwks', jwks, '--gateway', 'http://127.0.0.1:1'];
    expect(await start(['verify', receipt, '--filing', payload, ...offline]).result).toMatchObject({ code: 0 });
    const other = write(path.join(folder, 'other.json'), vat('2026-08'));
    const wrong = await start(['verify', receipt, '--filing', other, ...offline]).result;
    expect(wrong).toMatchObject({ code: 1, stdout: expect.stringMatching(/NOT valid/) });
    const altered = path.join(folder, 'altered.json');
    writeFileSync(altered, readFileSync(receipt, 'utf8').replace('2026-09-01', '2026-09-02'));
    expect(await start(['verify', altered, ...offline]).result).toMatchObject({ code: 1 });
  });

  test('sees every violation with pointer, line, rule and message, and exit code 1', async () => {
    const folder = temporaryFolder();
    const valid = vat('2026-07');
    const lines = (valid.data as { lines: Record<string, object> }).lines;
    const wrong = { ...valid, data: { ...(valid.data as object), lines: { ...lines, '19': { generalMonth: 1 } } } };
    const file = write(path.join(folder, 'wrong.json'), wrong);
    for (const command of ['validate', 'submit']) {
      const { code, stdout } = await cli(command, file, '--key', gateway.keyFile('filer'), '--lang', 'zh');
      expect(code).toBe(1);
      expect(stdout).toMatch(/✗ +\/data\/lines\/\S+ +栏次 \S+ +VAT-\S+ +.*[\u4e00-\u9fff]/);
    }
    const conflict = await cli('submit', write(path.join(folder, 'ok.json'), valid), '--key', gateway.keyFile('filer'));
    expect(conflict.code).toBe(0);
    const other = { ...valid, version: undefined };
    const refused = await cli(
      'submit',
      write(path.join(folder, 'other.json'), other),
      '--key',
      gateway.keyFile('filer'),
    );
    expect(refused).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/filing-conflict[\s\S]*existing: .*digest/),
    });
  });

  test('what sign writes is what curl sends: the file holds the JWS and nothing else', async () => {
    const folder = temporaryFolder();
    const payload = write(path.join(folder, 'payload.json'), lodging());
    const out = path.join(folder, 'filing.jws');
    expect((await cli('sign', payload, '--key', gateway.keyFile('filer'), '--out', out)).code).toBe(0);
    const piped = await cli('sign', payload, '--key', gateway.keyFile('filer'));
    for (const [body, status] of [
      [readFileSync(out), 201],
      [piped.stdout, 200],
    ] as const) {
      const headers = { 'Content-Type': 'application/jose' };
      expect((await fetch(`${gateway.url}/v1/filings`, { method: 'POST', headers, body })).status).toBe(status);
    }
  });

  test('a folder of documents, signed and unsigned', async () => {
    const folder = temporaryFolder();
    write(path.join(folder, 'a.json'), lodging());
    writeFileSync(path.join(folder, 'b.jws'), `${await client('filer').sign(lodging())}\n`);
    const lines = [JSON.stringify(lodging()), JSON.stringify(await client('filer').sign(lodging())), '', '{"broken'];
    writeFileSync(path.join(folder, 'c.ndjson'), lines.join('\r\n'));
    writeFileSync(path.join(folder, 'notes.txt'), 'not a filing');
    const { code, stdout } = await cli('submit', folder, '--key', gateway.keyFile('filer'));
    expect(stdout).toMatch(/c\.ndjson:4: .*malformed-json/);
    expect(stdout).toMatch(/4 filed, 0 had been filed, 1 refused/);
    expect(code).toBe(1);
    const again = await cli('submit', folder, '--key', gateway.keyFile('filer'), '--json');
    expect(jsonLines(again).at(-1)).toMatchObject({ summary: { accepted: 0, replayed: 0, known: 4, refused: 1 } });
  });

  test('an interrupted run goes on where it stopped, also when the gateway is killed on the way', async () => {
    const folder = temporaryFolder();
    const file = path.join(folder, 'many.ndjson');
    const count = 400;
    writeFileSync(file, Array.from({ length: count }, () => JSON.stringify(lodging())).join('\n'));
    const before = (await collect(client('office-psb').office(LODGING).entries(0))).length;
    const args = ['submit', file, '--key', gateway.keyFile('filer'), '--json', '--parallel', '8'];

    const interrupted = start([...args, '--gateway', gateway.url]);
    await someLines(`${file}.journal`, 20);
    interrupted.child.kill('SIGINT');
    expect((await interrupted.result).code).toBe(3);
    const kept = journal(`${file}.journal`).length;
    expect(kept).toBeGreaterThanOrEqual(20);
    expect(kept).toBeLessThan(count);
    // A crash of the command line itself may leave half a line.
    appendFileSync(`${file}.journal`, '{"key":"half');

    const resumed = start([...args, '--gateway', gateway.url, '--wait', '60']);
    await someLines(`${file}.journal`, kept + 20);
    await gateway.kill();
    await gateway.resume();
    const run = await resumed.result;
    expect(run).toMatchObject({ code: 0 });
    expect(jsonLines(run).at(-1)).toMatchObject({ summary: { known: kept, refused: 0, complete: true } });
    const ids = journal(`${file}.journal`).map(({ filing }) => filing.id);
    expect(new Set(ids).size).toBe(count);
    expect((await collect(client('office-psb').office(LODGING).entries(0))).length).toBe(before + count);
    const verified = await cli('verify', `${file}.journal`, '--json');
    expect(verified.code).toBe(0);
    expect(jsonLines(verified)).toHaveLength(count);
  }, 120_000);
});

function journal(file: string): { filing: { id: string } }[] {
  const entries: { filing: { id: string } }[] = [];
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    try {
      entries.push(JSON.parse(line));
    } catch {
      // Half a line, or none.
    }
  }
  return entries;
}

/** Resolves once the journal has so many entries. */
async function someLines(file: string, count: number): Promise<void> {
  for (let tries = 0; tries < 3_000; tries++) {
    try {
      if (journal(file).length >= count) return;
    } catch {
      // Not made yet.
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`${file} does not grow`);
}

describe('an office at the command line', () => {
  test('pulls batches to a folder, acknowledges them, and goes on from there', async () => {
    const filer = client('filer');
    const folder = path.join(temporaryFolder(), 'out');
    const results = await collect(filer.submitBulk(Array.from({ length: 25 }, lodging)));
    expect(results.map(({ status }) => status)).toEqual(Array(25).fill(201));
    const args = ['pull', LODGING, '--key', gateway.keyFile('office-psb'), '--out', folder, '--max', '10', '--json'];
    const first = await cli(...args);
    expect(first.code).toBe(0);
    const { size } = jsonLines(first).at(-1) as { size: number };
    const files = readdirSync(folder).filter((name) => name.endsWith('.ndjson'));
    expect(files.length).toBe(Math.ceil(size / 10));
    const entries = files.flatMap((name) => readFileSync(path.join(folder, name), 'utf8').trimEnd().split('\n'));
    expect(entries.map((line) => JSON.parse(line).index)).toEqual(Array.from({ length: size }, (_, index) => index));
    expect(jsonLines(await cli(...args)).at(-1)).toMatchObject({ pulled: 0, size });

    await filer.submit(lodging());
    expect(jsonLines(await cli(...args)).at(-1)).toMatchObject({ pulled: 1, size: size + 1 });
    const consumers = await client('office-psb').office(LODGING).consumers();
    expect(consumers.find(({ name }) => name === 'shenbao-pull')).toMatchObject({ cursor: size + 1, lag: 0 });
  });

  test('a state that does not fit the log stops the pull before anything is acknowledged', async () => {
    const folder = temporaryFolder();
    await client('filer').submit(lodging());
    const out = path.join(folder, 'out');
    const args = ['pull', LODGING, '--key', gateway.keyFile('office-psb'), '--out', out, '--consumer', 'strict'];
    expect((await cli(...args)).code).toBe(0);
    const state = JSON.parse(readFileSync(path.join(out, 'state.json'), 'utf8'));
    state.pull.subtrees[0] = Buffer.alloc(32, 7).toString('base64url');
    writeFileSync(path.join(out, 'state.json'), JSON.stringify(state));
    await client('filer').submit(lodging());
    const refused = await cli(...args);
    expect(refused).toMatchObject({ code: 1, stdout: expect.stringMatching(/verification-failed/) });
    const strict = (await client('office-psb').office(LODGING).consumers()).find(({ name }) => name === 'strict');
    expect(strict).toMatchObject({ lag: 1 });
    expect(await cli('pull', TAX, '--key', gateway.keyFile('office-psb'), '--out', out)).toMatchObject({ code: 2 });
    const foreign = await cli('pull', TAX, '--key', gateway.keyFile('office-psb'), '--out', path.join(folder, 'x'));
    expect(foreign).toMatchObject({ code: 1, stdout: expect.stringMatching(/not-found/) });
  });
});

describe('the operator at the command line', () => {
  test('imports parties, is told of the bad lines, and may import again', async () => {
    const folder = temporaryFolder();
    const filer = makeUscc(12_345_678);
    const key = await generateKey('EdDSA', filer);
    const lines = [
      { op: 'party', id: filer, kind: 'filer', name: '某某有限公司', status: 'active' },
      { op: 'party', id: '91350100M000100Y44', kind: 'filer', name: '校验码有误', status: 'active' },
      { op: 'key', party: filer, jwk: publicJwk(key) },
      { op: 'registration', filer, registrations: [{ office: TAX, from: '2026-01-01' }] },
    ];
    const file = path.join(folder, 'parties.ndjson');
    writeFileSync(file, lines.map((line) => JSON.stringify(line)).join('\n\n'));
    for (const _ of ['first', 'again']) {
      const { code, stdout } = await cli('import', file, '--key', gateway.keyFile('operator'));
      expect(stdout).toMatch(/parties\.ndjson:3: /);
      expect(stdout).toMatch(/3 lines imported, 1 refused/);
      expect(code).toBe(1);
    }
    const keyFile = write(path.join(folder, 'key.jwk'), key);
    const filed = await cli(
      'submit',
      write(path.join(folder, 'vat.json'), { ...vat('2026-10'), filer }),
      '--key',
      keyFile,
    );
    expect(filed.code).toBe(0);
    const forbidden = await cli('import', file, '--key', gateway.keyFile('filer'));
    expect(forbidden).toMatchObject({ code: 1, stdout: expect.stringMatching(/forbidden/) });
  });
});

describe('the SDK', () => {
  test('bulk form B: one signature for all, and what the office pulls of it', async () => {
    const payloads = Array.from({ length: 12 }, lodging);
    const results = await collect(client('filer').submitBulk(payloads, { form: 'manifest', linesARequest: 5 }));
    expect(results.map(({ line, status }) => [line, status])).toEqual(payloads.map((_, i) => [i + 1, 201]));
    const jwks = await client('filer').jwks();
    for (const [i, result] of results.entries()) {
      if (!('filing' in result)) throw new Error('refused');
      const report = await verifyReceipt(result.filing.receipt, jwks, {
        payloadBytes: payloadBytes(payloads[i] as FilingPayload),
      });
      expect(report.ok).toBe(true);
    }
    const again = await collect(client('filer').submitBulk(payloads, { form: 'manifest', linesARequest: 7 }));
    expect(again.map(({ status }) => status)).toEqual(payloads.map(() => 200));

    const log = client('office-psb').office(LODGING);
    const pulled: string[] = [];
    const batch = await log.pull('form-b', {
      onEntry: ({ payload }) => {
        pulled.push(Buffer.from(payload).toString());
      },
      save: () => undefined,
    });
    expect(pulled).toHaveLength(batch?.to ?? -1);
    expect(pulled.slice(-12).sort()).toEqual(payloads.map((payload) => JSON.stringify(payload)).sort());
  });

  test('reads what it filed: filing, receipt, content, proof, lists', async () => {
    const filer = client('filer');
    const payload = lodging();
    const { filing } = await filer.submit(payload);
    expect((await filer.filing(filing.id)).history).toMatchObject([{ status: 'accepted' }]);
    expect(await filer.receipt(filing.id)).toEqual(filing.receipt);
    const compact = await filer.receiptJws(filing.id);
    expect((await filer.verifyReceipt(compact, { payloadBytes: payloadBytes(payload) })).ok).toBe(true);
    const file = path.join(temporaryFolder(), 'receipt.jws');
    writeFileSync(file, compact);
    expect((await cli('verify', file)).code).toBe(0);
    expect(await filer.content(filing.id)).toBe(await contentOf(filing.id));
    expect(await filer.proof(filing.id)).toMatch(/^c2sp\.org\/tlog-proof@v1\n/);
    expect((await filer.verifyReceipt(filing.receipt, { payloadBytes: payloadBytes(payload) })).ok).toBe(true);
    const found = await collect(filer.filings({ filer: payload.filer, reference: payload.reference as string }));
    expect(found.map(({ id }) => id)).toEqual([filing.id]);
    const byDigest = await collect(filer.filings({ digest: filing.digest }));
    expect(byDigest.map(({ id }) => id)).toEqual([filing.id]);
    const all = await collect(filer.filings({ filer: payload.filer, type: 'psb.lodging', limit: 7 }));
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
    expect(all.length).toBeGreaterThan(7);
    await expect(client('office-tax').filing(filing.id)).rejects.toMatchObject({ code: 'not-found', status: 404 });
  });

  async function contentOf(id: string): Promise<string> {
    const [entry] = await collect(
      client('office-psb')
        .office(LODGING)
        .entries(Number(id.split('.')[1])),
    );
    return entry?.jws as string;
  }

  test('a correction supersedes, and a second one is told of the first', async () => {
    const filer = client('filer');
    const original = vat('2026-06');
    const { filing } = await filer.submit(original);
    const correction: FilingPayload = { ...original, kind: 'correction', supersedes: filing.id };
    const corrected = await filer.submit(correction);
    expect((await filer.filing(filing.id)).status).toBe('superseded');
    expect((await filer.validate(vat('2026-05'))).valid).toBe(true);
    const replay = await filer.submit(correction);
    expect(replay).toMatchObject({ replayed: true, filing: { id: corrected.filing.id } });
  });

  test('heads tell which logs grew, at once or after waiting', async () => {
    const office = client('office-si');
    const { next } = await office.heads('si');
    const waiting = office.heads('si', { since: next, waitSeconds: 20 });
    const payload = example('si/contribution/2026-01', 'valid-one-person.json') as unknown as FilingPayload;
    await client('filer').submit(payload);
    const { items } = await waiting;
    expect(items.map(({ office: code }) => code)).toEqual([SOCIAL]);
  });

  test('entries are read again from anywhere, and a reader proves them', async () => {
    const log = client('office-psb').office(LODGING);
    const all = await collect(log.entries(0));
    const { createHash } = await import('node:crypto');
    const reader = new LogReader((data) => createHash('sha256').update(data).digest(), LODGING, undefined);
    for (const entry of all) reader.take(entry);
    expect(await log.checkpoint()).toContain(`\n${reader.size}\n${Buffer.from(reader.root()).toString('base64')}\n`);
    expect(await collect(log.entries(3, 9))).toEqual(all.slice(3, 9));
  });
});

test('standard output that is closed early is no crash', async () => {
  const folder = temporaryFolder();
  mkdirSync(path.join(folder, 'many'));
  for (let i = 0; i < 30; i++) write(path.join(folder, 'many', `${i}.json`), { type: 'nothing' });
  const started = start(['validate', path.join(folder, 'many'), '--gateway', gateway.url]);
  onTestFinished(() => {
    started.child.kill();
  });
  started.child.stdout?.destroy();
  expect(await started.result).toMatchObject({ code: 0, stderr: '' });
});
